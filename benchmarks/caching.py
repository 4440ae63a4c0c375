"""Share of the input tokens that a server reads from its cache, call by call, of a recorded run.

Run: python benchmarks/caching.py [RUN-FOLDER | recording.jsonl] [--simulate]

Without a recording a run of the demo is made against a server on loopback that plays a model: it reads, searches,
edits and tests as one would, until all is green. No model is asked, and that server caches nothing. So for such a run,
and with --simulate for any other, the documented rules of prompt caching are applied to the requests that were sent:

- a prefix is tools, then system, then the blocks of the turns, and is kept where a request has a mark, for 5 minutes
  after its last use;
- from each mark a server looks for a kept prefix there and at up to 20 blocks before it;
- a prefix shorter than 1,024 tokens is not kept (4,096 for some models: --least).

Tokens are counted by a simple rule (up to four letters or one sign make a token), not by the server's tokenizer: shares
are what this shows, not sums. What was read by the first call of a run is left out, as nothing can be cached then.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.providers.anthropic.replaying import Call, read
from engine.providers.anthropic.tape import Asked

ROOT = Path(__file__).resolve().parents[1]
LIFE_S = 300.0
LOOKBACK = 20
GOAL = 0.9
_TOKEN = re.compile(r"[^\W_]{1,4}|[^\w\s]|_|\n\s*")


@dataclass(frozen=True, slots=True)
class Counted:
    """Input tokens of one call."""

    read: int
    written: int
    fresh: int

    @property
    def total(self) -> int:
        return self.read + self.written + self.fresh

    @property
    def share(self) -> float:
        return self.read / self.total if self.total else 0.0


def tokens(text: str) -> int:
    return len(_TOKEN.findall(text))


@dataclass(slots=True)
class Cache:
    """A server's cache, by the documented rules."""

    least: int = 1024
    _kept: dict[str, float] = field(default_factory=dict)  # digest of a prefix → until when

    def take(self, request: Asked, marks: Sequence[Any], at: float) -> Counted:
        """Serve one request; what it reads, writes, and takes fresh."""
        digests, sizes, places = _prefixes(request)
        positions = sorted(places[_place(m)] for m in marks if _place(m) in places)
        hit = max((p for p in positions for p in self._found(digests, p, at)), default=-1)
        for position in positions:
            if sizes[position] >= self.least:
                self._kept[digests[position]] = at + LIFE_S
        if hit >= 0:
            self._kept[digests[hit]] = at + LIFE_S
        served = sizes[hit] if hit >= 0 else 0
        last = max((sizes[p] for p in positions if sizes[p] >= self.least), default=0)
        return Counted(served, max(0, last - served), sizes[-1] - max(last, served))

    def _found(self, digests: Sequence[str], mark: int, at: float) -> list[int]:
        """The longest kept prefix a mark finds."""
        for position in range(mark, max(-1, mark - LOOKBACK - 1), -1):
            if self._kept.get(digests[position], 0.0) > at:
                return [position]
        return []


def _prefixes(request: Asked) -> tuple[list[str], list[int], dict[Any, int]]:
    """Digest and size of the prefix that ends with each block, and where the blocks with names lie."""
    blocks: list[tuple[Any, str]] = [(None, json.dumps(t, sort_keys=True)) for t in request.tools]
    blocks[-1:] = [("tools", blocks[-1][1])] if blocks else []
    blocks.append(("system", request.system))
    for number, turn in enumerate(request.turns):
        blocks += [((number, at), turn["role"] + _text(block)) for at, block in enumerate(turn["content"])]
    chain, size = hashlib.sha256(request.model.encode()), 0
    digests, sizes, places = list[str](), list[int](), dict[Any, int]()
    for name, text in blocks:
        chain.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
        size += tokens(text)
        places[name] = len(digests)
        digests.append(chain.hexdigest())
        sizes.append(size)
    return digests, sizes, places


def _text(block: Mapping[str, Any]) -> str:
    """What of a block a model reads, without JSON's quoting."""
    return "\n".join(v if isinstance(v, str) else json.dumps(v, sort_keys=True) for v in block.values())


def _place(mark: Any) -> Any:
    return tuple(mark) if isinstance(mark, list | tuple) else mark


def one_rolling(marks: Sequence[Any]) -> list[Any]:
    """The marks without the last but one in the turns: what is sent without the second rolling mark."""
    turns = [m for m in marks if not isinstance(m, str)]
    return [m for m in marks if isinstance(m, str) or m == turns[-1]]


def simulated(calls: Sequence[Call], least: int, *, rolling: int = 2) -> list[Counted]:
    cache = Cache(least)
    lines = [(c.asked, c.asked.marks if rolling == 2 else one_rolling(c.asked.marks), c.line["at"]) for c in calls]
    return [cache.take(*line) for line in lines]


def measured(calls: Sequence[Call]) -> list[Counted]:
    """What the server counted."""
    found = []
    for call in calls:
        usage = _usage(str(call.line.get("body", "")))
        parts = ("cache_read_input_tokens", "cache_creation_input_tokens", "input_tokens")
        found.append(Counted(*(int(usage.get(name) or 0) for name in parts)))
    return found


def _usage(body: str) -> dict[str, Any]:
    usage: dict[str, Any] = {}
    for line in body.splitlines():
        if line.startswith("data: "):
            data = json.loads(line[6:])
            usage |= (data.get("message") or {}).get("usage") or {}
    return usage


def share(counted: Sequence[Counted]) -> float:
    """Of the input tokens from the second call on, what was read from the cache."""
    later = counted[1:]
    total = sum(c.total for c in later)
    return sum(c.read for c in later) / total if total else 0.0


def answered(path: Path) -> list[Call]:
    """The calls of a recording that a model answered, in order."""
    file = path if path.is_file() else path / "recording.jsonl"
    parts = read(file).parts.values()
    return [c for calls in parts for c in calls if c.asked.turns and c.line.get("status") == 200]


def report(title: str, counted: Sequence[Counted]) -> None:
    print(f"\n{title}")
    print(f"{'call':>5} {'input':>8} {'read':>8} {'written':>8} {'fresh':>6} {'read':>6}")
    for number, c in enumerate(counted, 1):
        print(f"{number:>5} {c.total:>8,} {c.read:>8,} {c.written:>8,} {c.fresh:>6,} {c.share:>6.0%}")
    print(f"from the second call on: {share(counted):.1%} of the input read from the cache; the goal is {GOAL:.0%}")


# -- a run to look at -------------------------------------------------------------------------------------------------


def made(folder: Path) -> Path:
    """Mend the demo by a scripted model; the folder of the run."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    from engine.cancel import CancelToken
    from engine.config import Diet
    from engine.feed import Feed
    from engine.launch import Options, prepare
    from engine.run import Run
    from engine.session import Steering
    from tests.engine.anthropic.double import Double
    from tui.demo import copy_project

    tempfile.tempdir = str(folder)
    with Double() as server:
        server.script = [*script()]
        environ = {k: v for k, v in os.environ.items() if not k.startswith("ANTHROPIC")}
        plan = prepare(Options(copy_project(), providers=("anthropic",)), environ | {"ANTHROPIC_BASE_URL": server.url})
        config = dataclasses.replace(plan.config, diet=Diet(enabled=False))  # what comes after the calls takes time
        run = Run(dataclasses.replace(plan, config=config))
        code = run(Feed(), Steering(CancelToken(), ask=False))
        objections = "; ".join(server.violations) or "none"
        print(f"a run of the demo: exit {int(code)}, {len(server.seen)} calls; objections of the server: {objections}")
    return run.folder


def script() -> Iterable[Any]:
    """What a model does: look at everything once, then for each defect think, look, edit and test."""
    from tests.engine.anthropic.double import Say, text, thinking, use

    editor = "str_replace_based_edit_tool"
    defects = tomllib.loads((ROOT / "tests/demo/defects.toml").read_text())["defect"]
    files = sorted({d["path"] for d in defects})
    yield Say([text("I look at the project first."), use(editor, command="view", path=".")])
    yield Say([use("search", pattern="^def "), use(editor, command="view", path=files[0])])
    for number, defect in enumerate(defects):
        test = defect["mends"][0]
        yield Say(
            [thinking(f"The next one is {test}. What does it ask for?", f"s{number}"), use("run_tests", tests=[test])]
        )
        yield Say([use(editor, command="view", path=test.partition("::")[0])])
        yield Say(
            [
                use("search", pattern=defect["before"].split("(")[0].split()[-1]),
                use(editor, command="view", path=defect["path"]),
            ]
        )
        change = {"path": defect["path"], "old_str": defect["before"], "new_str": defect["after"]}
        yield Say([text("I see what is wrong."), use(editor, command="str_replace", **change)])
        yield Say([use("run_tests", tests=defect["mends"])])
    yield Say([use("run_tests")])
    yield Say([use("finish", outcome="done", summary="five defects, each mended where it is")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", nargs="?", type=Path)
    parser.add_argument("--simulate", action="store_true", help="apply the rules although the server counted")
    parser.add_argument("--least", type=int, default=1024, help="tokens a prefix must have to be kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        calls = answered(given.recording or made(Path(folder)))
    counted = measured(calls)
    if any(c.read for c in counted) and not given.simulate:
        report("as the server counted", counted)
        return
    print("simulated: the server told of no cache" if not given.simulate else "simulated")
    report("two rolling marks, as sent", simulated(calls, given.least))
    alone = share(simulated(calls, given.least, rolling=1))
    print(f"with one rolling mark it would be {alone:.1%}")


if __name__ == "__main__":
    main()
