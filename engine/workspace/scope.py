"""Which files a run may write: the settings' patterns minus everything that judges the work. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pathspec

# Names that Python or pytest obey wherever they find them: a file of such a name decides how tests run.
OBEYED = (
    "conftest.py",
    "pytest.ini",
    ".pytest.ini",
    "pytest.toml",
    ".pytest.toml",
    "tox.ini",
    "setup.cfg",
    "pyproject.toml",
    "pytest.py",
    "sitecustomize.py",
    "usercustomize.py",
)

# Those, tests, and what else says how tests are found or run.
PROTECTED = (
    *OBEYED,
    "tests/",
    "test/",
    "testing/",
    "test_*.py",
    "*_test.py",
    "tests.py",
    "setup.py",
    "noxfile.py",
    "bitnet-tui.toml",
    "/config.toml",
    "_pytest/",
    "bitnet_tui_*.py",
    "*.pth",
    ".git/",
    ".git",
    ".gitattributes",
    ".gitignore",
    ".gitmodules",
    ".bitnet-tui/",
    ".venv/",
    "venv/",
    ".github/",
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Decides about one path at a time.

    Parameters
    ----------
    allow, deny, protect
        Gitignore-style patterns, relative to the project folder.
    prefix
        The project folder inside the repository; files outside it are never writable.
    witnesses
        Files the suites are collected from or read their data in; never writable, whatever their name.
    submodules
        Folders that are repositories of their own; never writable.

    Examples
    --------
    >>> scope = Scope(allow=("**/*.py",))
    >>> scope.refusal("kernels/pack.py"), bool(scope.refusal("tests/test_pack.py"))
    ('', True)
    """

    allow: tuple[str, ...]
    deny: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    prefix: str = ""
    witnesses: frozenset[str] = field(default_factory=frozenset)
    submodules: tuple[str, ...] = ()
    _allow: pathspec.PathSpec = field(init=False, repr=False, compare=False)  # type: ignore[type-arg]
    _deny: pathspec.PathSpec = field(init=False, repr=False, compare=False)  # type: ignore[type-arg]
    _protect: pathspec.PathSpec = field(init=False, repr=False, compare=False)  # type: ignore[type-arg]

    def __post_init__(self) -> None:
        for name, lines in (
            ("_allow", self.allow),
            ("_deny", self.deny),
            ("_protect", (*PROTECTED, *self.protect)),
        ):
            object.__setattr__(self, name, pathspec.PathSpec.from_lines("gitignore", lines))

    def judges(self, path: str) -> bool:
        """Whether a file of the repository is a test, or says how tests run."""
        inner = path.removeprefix(f"{self.prefix}/") if self.prefix else path
        # Some file systems take Tests/ for tests/.
        return path in self.witnesses or self._protect.match_file(inner) or self._protect.match_file(inner.lower())

    def refusal(self, path: str) -> str:
        """Why ``path`` (posix, relative to the repository) may not be written; empty if it may."""
        if path in self.witnesses:
            return f"{path} is protected: the tests come from it or read it"
        for other in self.submodules:
            if f"{path}/".startswith(f"{other}/"):
                return f"{path} belongs to the submodule {other}, a repository of its own"
        inner = path
        if self.prefix:
            if not path.startswith(self.prefix + "/"):
                return f"{path} is outside the project folder {self.prefix}/"
            inner = path[len(self.prefix) + 1 :]
        # Some file systems take Tests/ for tests/.
        if self._protect.match_file(inner) or self._protect.match_file(inner.lower()):
            return f"{path} is protected: tests and their configuration are never changed"
        if self._deny.match_file(inner):
            return f"{path} is denied by [scope] deny"
        if not self._allow.match_file(inner):
            return f"{path} is outside the write scope ({', '.join(self.allow)})"
        return ""

    def editable(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Those of ``paths`` that may be written, in order."""
        return tuple(p for p in paths if not self.refusal(p))

    @property
    def words(self) -> str:
        """The scope as a person would say it."""
        text = f"may write: {', '.join(self.allow)}"
        if self.prefix:
            text += f" inside {self.prefix}/"
        if self.deny:
            text += f"; not: {', '.join(self.deny)}"
        return text + "; never: tests, conftest.py, test data, pytest and project configuration"
