"""Calls of git: nothing of the repository's own runs with them, and a failure says what a person can do about it."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import git

from engine.cancel import CancelToken
from engine.errors import DiskFull, EnvironmentFailure
from engine.suites.process import Exited, run_child

_NO_ROOM = 2**18  # bytes; less is no room for a file and its folder
# A repository may bring hooks and helpers of its own; none of them runs for us.
_QUIET = (
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "gc.auto=0",
    "-c",
    "core.quotePath=false",
    # A warning before it is too late; from a snapshot the files come back as they went in.
    "-c",
    "core.safecrlf=false",
    # The journal names trees and commits: what it names must outlive a power loss as it does.
    "-c",
    "core.fsync=objects,reference",
    "-c",
    "core.fsyncMethod=batch",
)
IDENTITY = {
    "GIT_AUTHOR_NAME": "bitnet-tui",
    "GIT_AUTHOR_EMAIL": "bitnet-tui@localhost",
    "GIT_COMMITTER_NAME": "bitnet-tui",
    "GIT_COMMITTER_EMAIL": "bitnet-tui@localhost",
}
FSCK = "objects of the repository are missing: `git fsck` names them; fetch them, or clone it again"
# What git complains of, and what a person can do about it.
_HINTS = (
    (
        r"filter '.*' failed|remote end hung up",  # the second is a filter that runs as a process
        "a filter of .gitattributes does not work here: install it, or switch it off with "
        "`git config filter.NAME.required false` and `git config filter.NAME.smudge cat` (and .clean, and .process '')",
    ),
    (r"index file|bad signature|bad index", "git's index is damaged: `rm .git/index && git reset` makes a new one"),
    (r"unable to read [0-9a-f]{7}|bad object|missing blob|invalid object|object file .* is empty", FSCK),
    (r"Permission denied", "make it readable, or leave it out: .git/info/exclude"),
    (r"File name too long", "paths are longer below .bitnet-tui/: clone to a folder with a shorter name"),
)
_LOCKED = re.compile(r"Unable to create '(.+?\.lock)': File exists")
_WHOLE = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_KEPT_BYTES = 16_000_000


class Git:
    """Git at work on one repository.

    Parameters
    ----------
    root
        Top of the working tree.
    """

    run_id = ""  # whose children git's processes are: the next start finds them, should we be killed

    def __init__(self, root: Path) -> None:
        self.root = root
        self._git = git.Git(str(root))
        self._kept: dict[tuple[str, ...], bytes] = {}

    def run(self, *args: str, env: Mapping[str, str] | None = None, data: bytes | None = None) -> str:
        """Run git and return what it printed.

        Raises
        ------
        EnvironmentFailure
            Git failed; its own words are in the message.
        """
        return self.run_bytes(*args, env=env, data=data).decode("utf-8", "surrogateescape").rstrip("\n")

    def run_bytes(
        self, *args: str, env: Mapping[str, str] | None = None, data: bytes | None = None, again: bool = True
    ) -> bytes:
        full = self._environment()
        try:
            with _stdin(data) as stream:
                done = self._git.execute(
                    ["git", *_QUIET, *args],
                    env={**full, **(env or {})},
                    istream=stream,
                    stdout_as_string=False,
                    strip_newline_in_stdout=False,
                    start_new_session=True,  # Ctrl-C in the terminal is for us, not for git
                )
        except git.GitCommandError as error:
            if again and error.status == -signal.SIGINT:  # Ctrl-C came before it had left our session: it did nothing
                return self.run_bytes(*args, env=env, data=data, again=False)
            said = str(error.stderr).strip().removeprefix("stderr: ").strip("'") or f"status {error.status}"
            lines = [line.strip() for line in said.splitlines() if not line.startswith("hint:")]
            raise self._failure(f"git {args[0]}: {'; '.join(lines[-2:])}", said) from error
        return done if isinstance(done, bytes) else str(done).encode()

    def first_lines(
        self, *args: str, most: int, cancel: CancelToken, deadline_s: float, env: Mapping[str, str] | None = None
    ) -> tuple[list[str], Exited]:
        """The first lines of what git prints, and how it ended: it is not kept from ending early, or late.

        Raises
        ------
        Stopped
            The token was cancelled.
        """
        lines: list[str] = []
        done = run_child(
            ["git", *_QUIET, *args],
            cwd=self.root,
            env={**os.environ, **self._environment(), **(env or {})},
            cancel=cancel,
            deadline_s=deadline_s,
            on_line=lambda line: lines.append(line) if len(lines) < most else None,
            silent=lambda: len(lines) >= most,
        )
        cancel.check()
        return lines, done

    def _environment(self) -> dict[str, str]:
        full = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C"}
        return full | {"BITNET_TUI_RUN": self.run_id} if self.run_id else full

    def _failure(self, message: str, said: str) -> EnvironmentFailure:
        """What kept git from working, where it can be told; git itself names only the file it could not write."""
        folder = Path(self._git.working_dir or ".")
        if "No space left" in said or "Out of diskspace" in said:
            return DiskFull(message)
        if shutil.disk_usage(folder).free < _NO_ROOM and ("write" in said or "create" in said):
            return DiskFull(f"{message} (the disk of {folder} is full)")
        if held := _LOCKED.search(said):
            why = f"{held[1]} is there: another git works in this repository, or was killed while it did"
            hint = f"if no git runs there: rm {shlex.quote(held[1])}"
            return EnvironmentFailure(f"{message.split(':')[0]}: {why}", hint=hint)
        inner = folder / ".git"
        if inner.exists() and not os.access(inner, os.W_OK):
            hint = "snapshots and results are kept in the repository: make it writable, or clone it"
            return EnvironmentFailure(f"{message} ({inner} is write-protected)", hint=hint)
        return EnvironmentFailure(message, hint=next((hint for word, hint in _HINTS if re.search(word, said)), ""))

    def succeeds(self, *args: str) -> bool:
        """Whether git ends with 0."""
        try:
            self.run(*args)
        except EnvironmentFailure:
            return False
        return True

    def once(self, *args: str, of: Sequence[str]) -> bytes:
        """What git prints, asked once: objects named by their whole hash never change, and a process costs 5 ms."""
        if not all(map(_WHOLE.fullmatch, of)):
            return self.run_bytes(*args)
        said = self._kept.pop(args, None)
        if said is None:
            said = self.run_bytes(*args)
        if len(said) <= _KEPT_BYTES // 8:
            self._kept[args] = said  # the last to go
            while sum(map(len, self._kept.values())) > _KEPT_BYTES:
                del self._kept[next(iter(self._kept))]
        return said

    @property
    def git_dir(self) -> Path:
        return (self.root / self.run("rev-parse", "--git-dir")).resolve()

    def common_dir(self) -> Path:
        return (self.root / self.run("rev-parse", "--git-common-dir")).resolve()


@contextlib.contextmanager
def _stdin(data: bytes | None) -> Iterator[BinaryIO | None]:
    """A file git can read its input from."""
    if data is None:
        yield None
        return
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        yield cast(BinaryIO, file)
