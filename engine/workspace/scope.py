"""Which files a run may write: the settings' patterns minus everything that judges the work. Pure."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

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

# What Python and pytest import for themselves; a module of such a name at an import root comes before theirs.
_RUNNERS = """
pytest _pytest pluggy iniconfig packaging pygments exceptiongroup tomli colorama xdist execnet
pytest_jsonreport pytest_metadata bitnet_tui_plugin bitnet_tui_control bitnet_tui_ran
bitnet_tui_wires bitnet_tui_worlds
"""
_FIRST = sys.stdlib_module_names | set(_RUNNERS.split())
_SHORT_GIT = re.compile(r"(?:^|/)git~\d+(?:/|$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def plain(path: str) -> str:
    """The one name of all that some file system takes for the same: case, composition, what it ignores or drops.

    Examples
    --------
    >>> plain("Tests./te\u017ft_a.py"), plain(".g\u200cit/config")
    ('tests/test_a.py', '.git/config')
    """
    if not path.isascii():
        path = "".join(c for c in unicodedata.normalize("NFKC", path) if unicodedata.category(c) != "Cf")
    path = path.casefold()
    if "." in path or " " in path:
        path = "/".join(part.rstrip(". ") or part for part in path.split("/"))
    return _CONTROL.sub("_", path)


def of_git(path: str) -> bool:
    """Whether some file system takes a part of ``path`` for a repository's own folder."""
    known = plain(path)
    return ".git" in known.split("/") or _SHORT_GIT.search(known) is not None


class Writable(Protocol):
    """What a toolbox asks before it writes."""

    @property
    def prefix(self) -> str: ...

    @property
    def words(self) -> str: ...

    def refusal(self, path: str) -> str: ...

    def editable(self, paths: Iterable[str]) -> tuple[str, ...]: ...


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
    roots
        Folders modules are imported from; with those of the witnesses, places where no new file may hide a module
        that runs the tests.
    present
        Files that are there already: what they hide, they hid before.

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
    roots: tuple[str, ...] = ()
    present: frozenset[str] = field(default_factory=frozenset, repr=False)
    _allow: pathspec.PathSpec = field(init=False, repr=False, compare=False)  # type: ignore[type-arg]
    _deny: pathspec.PathSpec = field(init=False, repr=False, compare=False)  # type: ignore[type-arg]
    _protect: pathspec.PathSpec = field(init=False, repr=False, compare=False)  # type: ignore[type-arg]
    _witnesses: frozenset[str] = field(init=False, repr=False, compare=False)
    _places: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, lines in (
            ("_allow", self.allow),
            ("_deny", _both(self.deny)),
            ("_protect", _both((*PROTECTED, *self.protect))),
        ):
            object.__setattr__(self, name, pathspec.PathSpec.from_lines("gitignore", lines))
        object.__setattr__(self, "_witnesses", frozenset(map(plain, self.witnesses)))
        beside = (w.rpartition("/")[0] for w in self.witnesses)
        places = {plain(r).strip("/") for r in (self.prefix, *self.roots, *beside)} - {"."}
        object.__setattr__(self, "_places", frozenset(places))

    def judges(self, path: str) -> bool:
        """Whether a file of the repository is a test, or says how tests run."""
        inner = path.removeprefix(f"{self.prefix}/") if self.prefix else path
        return plain(path) in self._witnesses or _matches(self._protect, inner)

    def refusal(self, path: str) -> str:
        """Why ``path`` (posix, relative to the repository) may not be written; empty if it may."""
        if _CONTROL.search(path):
            return f"{path!r} has a control character in its name"
        if plain(path) in self._witnesses:
            return f"{path} is protected: the tests come from it or read it"
        for other in self.submodules:
            if f"{plain(path)}/".startswith(f"{plain(other)}/"):
                return f"{path} belongs to the submodule {other}, a repository of its own"
        inner = path
        if self.prefix:
            if not path.startswith(self.prefix + "/"):
                return f"{path} is outside the project folder {self.prefix}/"
            inner = path[len(self.prefix) + 1 :]
        if of_git(inner) or _matches(self._protect, inner):
            return f"{path} is protected: tests and their configuration are never changed"
        if hidden := self._hides(path):
            return f"{path} would hide the module {hidden}, which Python or pytest imports to run the tests"
        if _matches(self._deny, inner):
            return f"{path} is denied by [scope] deny"
        if not self._allow.match_file(inner):
            return f"{path} is outside the write scope ({', '.join(self.allow)})"
        return ""

    def _hides(self, path: str) -> str:
        """The module of Python's or pytest's that a new file of this name would stand before; empty if none."""
        if path in self.present:
            return ""
        folder, _, name = plain(path).rpartition("/")
        if name == "__init__.py":
            folder, _, name = folder.rpartition("/")
        top = name.split(".", 1)[0]
        return top if top in _FIRST and folder in self._places else ""

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


def _both(lines: Iterable[str]) -> list[str]:
    """Patterns as they are written, and as the plain names they match have them."""
    given = list(lines)
    folded = (unicodedata.normalize("NFKC", line).casefold() for line in given)
    return [*given, *(f for f, line in zip(folded, given, strict=True) if f != line)]


def _matches(spec: pathspec.PathSpec, path: str) -> bool:  # type: ignore[type-arg]
    """Whether a path matches under any of its names."""
    known = plain(path)
    return spec.match_file(path) or (known != path and spec.match_file(known))
