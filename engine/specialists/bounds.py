"""What a specialist may write: the run's scope, or in its place tests, documents or fixtures. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pathspec

from engine.workspace.scope import OBEYED, Scope, Writable, of_git, plain

_FOLDERS = (".git/", ".git", ".github/", ".bitnet-tui/", ".venv/", "venv/", "_pytest/")
_NEVER = (*OBEYED, *_FOLDERS, "bitnet-tui.toml", "bitnet_tui_*.py", "*.pth")

# kind → what is open, what of that is shut again, and both in words
_KINDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "tests": (
        ("tests/**/*.py", "test/**/*.py", "testing/**/*.py", "test_*.py", "*_test.py"),
        ("fixtures/",),
        "may write: tests, by adding to them; never: conftest.py, fixtures, production code, configuration",
    ),
    "docs": (
        ("*.md", "*.rst", "/docs/**/*.txt", "/doc/**/*.txt"),
        (".*/", "claude*.md", "agents.md", "gemini.md", "*.instructions.md", "requirements*.txt", "/tests/", "/test/"),
        "may write: documents (*.md, *.rst); never: code, tests, configuration, instructions of agents",
    ),
    "fixtures": (
        ("/tests/fixtures/", "/test/fixtures/"),
        ("test_*.py", "*_test.py"),
        "may write: files below tests/fixtures/; never: tests, production code, configuration",
    ),
    "nothing": ((), (), "may write nothing: it reads, runs tests and reports"),
}


@dataclass(frozen=True)
class Bounds:
    """Decides about one path at a time, for an agent that does not write production code.

    Parameters
    ----------
    kind
        ``tests``, ``docs``, ``fixtures`` or ``nothing``.
    prefix
        The project folder inside the repository.
    submodules
        Folders that are repositories of their own.

    Examples
    --------
    >>> tests = Bounds("tests")
    >>> tests.refusal("tests/test_pack.py"), bool(tests.refusal("kernels/pack.py")), bool(tests.refusal("conftest.py"))
    ('', True, True)
    """

    kind: str
    prefix: str = ""
    submodules: tuple[str, ...] = ()

    @cached_property
    def _specs(self) -> tuple[pathspec.PathSpec, pathspec.PathSpec]:  # type: ignore[type-arg]
        allowed, shut, _ = _KINDS[self.kind]
        return (
            pathspec.PathSpec.from_lines("gitignore", allowed),
            pathspec.PathSpec.from_lines("gitignore", [*_NEVER, *shut]),
        )

    @property
    def words(self) -> str:
        return _KINDS[self.kind][2]

    def refusal(self, path: str) -> str:
        """Why ``path`` may not be written; empty if it may."""
        known = plain(path)
        for other in self.submodules:
            if f"{known}/".startswith(f"{plain(other)}/"):
                return f"{path} belongs to the submodule {other}, a repository of its own"
        inner = path
        if self.prefix:
            if not path.startswith(f"{self.prefix}/"):
                return f"{path} is outside the project folder {self.prefix}/"
            inner = path[len(self.prefix) + 1 :]
        allowed, shut = self._specs
        if of_git(inner) or plain(inner) != inner.casefold() or not inner.isprintable():
            return f"{path!r} is a name that file systems read in more than one way"
        if shut.match_file(inner) or shut.match_file(plain(inner)) or not allowed.match_file(inner):
            return f"{path} is not open to this agent"
        return ""

    def editable(self, paths: Iterable[str]) -> tuple[str, ...]:
        return tuple(p for p in paths if not self.refusal(p))


@dataclass(frozen=True)
class Both:
    """What an agent's own scope and the run's both let be written."""

    own: Writable
    run: Writable

    @property
    def prefix(self) -> str:
        return self.run.prefix

    @property
    def words(self) -> str:
        return f"{self.own.words}; of that only what the run may: {self.run.words}"

    def refusal(self, path: str) -> str:
        return self.own.refusal(path) or self.run.refusal(path)

    def editable(self, paths: Iterable[str]) -> tuple[str, ...]:
        return tuple(p for p in paths if not self.refusal(p))


def narrowed(scope: str | Sequence[str], run: Scope) -> Writable:
    """What the agent that makes the attempts may write: never more than the run."""
    return run if scope == "impl" else Both(bounds(scope, run), run)


def bounds(scope: str | Sequence[str], run: Scope) -> Writable:
    """What an agent file's ``scope`` lets its agent write in a run with the scope ``run``."""
    if scope == "impl":
        return run
    if isinstance(scope, str):
        return Bounds(scope, run.prefix, run.submodules)
    return replace(run, allow=tuple(scope))
