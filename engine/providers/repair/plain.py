"""Run tests in a plain, fresh pytest on a copy of the project: the only outcome that counts as confirmed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.providers.repair.scratch import Scratch
from engine.providers.repair.zygote import end_group


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a plain run said.

    Attributes
    ----------
    passed : keys whose call passed and whose set-up and tear-down did not fail.
    failed : keys that failed anywhere.
    broken : files that could not be collected.
    said : the end of the output, for a person.
    """

    passed: frozenset[str]
    failed: frozenset[str]
    broken: frozenset[str]
    said: str
    seconds: float
    complete: bool

    def green(self, key: str) -> bool:
        """A test passed; a whole file is collected, has a test that passed and none that failed."""
        if "::" in key:
            return key in self.passed
        inside = key + "::"
        return (
            self.complete
            and key not in self.broken
            and any(name.startswith(inside) for name in self.passed)
            and not any(name.startswith(inside) for name in self.failed)
        )


def run_plain(
    scratch: Scratch,
    sources: Mapping[str, str],
    keys: Sequence[str],
    whole: Iterable[str],
    *,
    seconds: float,
    check: Callable[[], None],
) -> Outcome:
    """Write ``sources`` into the copy and run the given tests there.

    Parameters
    ----------
    keys : tests to run; a key without ``::`` is a whole file.
    whole : further files to run as a whole.
    seconds : the run is killed after this long.
    check : raises to give up.
    """
    scratch.write(dict(sources))
    out, log = scratch.new("plain.jsonl"), scratch.new("plain.txt")
    files = [*whole, *(key for key in keys if "::" not in key)]
    life, held = os.pipe()
    words = {"root": str(scratch.root), "out": str(out), "life": life, "tests": list(keys), "whole": files}
    setup = scratch.new("plain.json", json.dumps(words))
    args = list(dict.fromkeys([*files, *(key.split("::")[0] for key in keys)]))
    began = time.monotonic()
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*scratch.command("report", args), "-q", "--tb=short"],
            cwd=scratch.cwd,
            env=scratch.env(BITNET_TUI_REPAIR=str(setup)),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            pass_fds=(life,),
            start_new_session=True,
        )
    os.close(life)
    try:
        while process.poll() is None and time.monotonic() - began < seconds:
            check()
            time.sleep(0.01)
        complete = process.poll() is not None
    finally:
        os.close(held)
        end_group(process)
    tail = scratch.said(log)[-3000:]
    return _read(scratch.said(out), tail, time.monotonic() - began, complete)


def _read(text: str, tail: str, seconds: float, complete: bool) -> Outcome:
    called: set[str] = set()
    failed: set[str] = set()
    broken: set[str] = set()
    for line in text.splitlines():
        try:
            word = json.loads(line)
        except json.JSONDecodeError:
            break  # the last line of a run that was killed
        if "broken" in word:
            broken.add(word["broken"])
        elif "test" in word:
            if word["outcome"] == "failed":
                failed.add(word["test"])
            elif word["when"] == "call" and word["outcome"] == "passed":
                called.add(word["test"])
    return Outcome(frozenset(called - failed), frozenset(failed), frozenset(broken), tail, seconds, complete)
