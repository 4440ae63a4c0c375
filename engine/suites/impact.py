"""Which tests a change can reach: by the functions they were seen to run, and by what their files import. Pure.

A hint, never a verdict: what it misses (other processes, data, caches) the whole suite shows before anything is final.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import PurePosixPath

from engine.workspace.changes import Hunk, hunks

_IMPORT = re.compile(r"^\s*(?:from\s+(?P<base>[.\w]+)\s+import\s+(?P<names>.*)|import\s+(?P<modules>[\w., ]+))")


@dataclass(frozen=True, slots=True)
class Function:
    """A function that lies in no other: its lines (from 1), where its body begins, and whether it is decorated."""

    name: str  # with its classes
    first: int
    body: int
    last: int
    decorated: bool = False


def functions(text: str) -> tuple[Function, ...]:
    """The outermost functions of a module, methods included; none if it cannot be read.

    Examples
    --------
    >>> functions("class A:\\n    def f(self):\\n        return 1\\n")
    (Function(name='A.f', first=2, body=3, last=3, decorated=False),)
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    found: list[Function] = []

    def walk(body: Iterable[ast.stmt], inside: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                walk(node.body, f"{inside}{node.name}.")
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                last = node.end_lineno or first
                start = node.body[0].lineno
                found.append(Function(inside + node.name, first, start, last, bool(node.decorator_list)))
            else:
                for part in ("body", "orelse", "finalbody"):
                    walk(getattr(node, part, ()), inside)
                for handler in getattr(node, "handlers", ()):
                    walk(handler.body, inside)

    walk(tree.body, "")
    names = [f.name for f in found]
    # Of several with one name (a property and its setter) nobody knows which is meant.
    return tuple(f for f in found if names.count(f.name) == 1)


def named(lines: Iterable[int], known: Sequence[Function]) -> frozenset[str]:
    """Names of the functions that code beginning at these lines belongs to."""
    return frozenset(f.name for line in lines for f in known if f.first <= line <= f.last)


def _within(known: Sequence[Function], start: int, stop: int) -> str:
    """The function whose body holds lines ``start:stop`` (from 0); empty if none does."""
    return next((f.name for f in known if f.body - 1 <= start and stop <= f.last and start < stop), "")


def owners(pieces: Sequence[Hunk], before: str, after: str) -> list[str]:
    """The function each piece of one file's change lies in; empty where it is of the module itself.

    Parameters
    ----------
    pieces
        All pieces that lead from one text to the other, in order.
    """
    old, new = functions(before), functions(after)
    both = {f.name for f in old} & {f.name for f in new}
    moved = [0, *accumulate(len(p.new) - (p.stop - p.start) for p in pieces)]
    found = []
    for piece, shift in zip(pieces, moved, strict=False):
        start = piece.start + shift
        sides = {_within(old, piece.start, piece.stop)} if piece.start < piece.stop else set()
        sides |= {_within(new, start, start + len(piece.new))} if piece.new else set()
        name = sides.pop() if len(sides) == 1 else ""
        found.append(name if name in both else "")
    return found


@dataclass(frozen=True, slots=True)
class Touched:
    """What a change touches: functions by file, and files in whose module code it reaches."""

    functions: Mapping[str, frozenset[str]]
    modules: frozenset[str]


def touched(before: Mapping[str, str], after: Mapping[str, str]) -> Touched:
    """Functions and modules that differ between two states of some files."""
    names: dict[str, frozenset[str]] = {}
    modules = set()
    for path in before.keys() | after.keys():
        if path not in before or path not in after:
            modules.add(path)
            continue
        mine = owners(hunks(path, before[path], after[path]), before[path], after[path])
        if "" in mine:
            modules.add(path)
        names[path] = frozenset(mine) - {""}
    return Touched(names, frozenset(modules))


@dataclass(frozen=True, slots=True)
class Imports:
    """Who imports whom in a project, as far as its text says.

    Parameters
    ----------
    files
        All Python files.
    lines
        (file, import line) of them.
    roots
        Folders that imports begin at.
    """

    files: frozenset[str]
    lines: Sequence[tuple[str, str]]
    roots: Sequence[str]
    _importers: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        modules: dict[str, str] = {}
        inside: dict[str, set[str]] = {}
        for path in self.files:
            for name in self._names(path):
                modules.setdefault(name, path)
                inside.setdefault(name.rpartition(".")[0], set()).add(name)
        for path, line in self.lines:
            for name in self._imported(path, line, inside):
                target = modules.get(name)
                if target is not None and target != path:
                    self._importers.setdefault(target, set()).add(path)

    def reached(self, changed: Iterable[str]) -> frozenset[str]:
        """Files that import one of these, or import what does; themselves included."""
        found: set[str] = set()
        left = list(changed)
        while left:
            path = left.pop()
            if path not in found:
                found.add(path)
                left += self._importers.get(path, ())
                if path.endswith("/conftest.py") or path == "conftest.py":
                    folder = path[: -len("conftest.py")]
                    left += [f for f in self.files if f.startswith(folder)]
        return frozenset(found)

    def _names(self, path: str) -> Iterable[str]:
        """The dotted names a file may be imported by, shortest root first."""
        stem = path.removesuffix(".py").removesuffix("/__init__")
        for root in self.roots:
            base = "" if root in ("", ".") else root.rstrip("/") + "/"
            if stem.startswith(base):
                yield stem[len(base) :].replace("/", ".")

    def _imported(self, path: str, line: str, inside: Mapping[str, set[str]]) -> Iterable[str]:
        match = _IMPORT.match(line)
        if match is None:
            return
        if match["modules"]:
            for part in match["modules"].split(","):
                yield from _parents(part.split(" as ")[0].strip())
            return
        for base in self._bases(path, match["base"]):
            yield from _parents(base)
            names = match["names"].split("#")[0]
            if "(" in names and ")" not in names:  # the names are on other lines: any of them
                yield from inside.get(base, ())
            for name in re.findall(r"\w+", names):
                yield f"{base}.{name}"

    def _bases(self, path: str, base: str) -> Iterable[str]:
        """What ``from base import`` begins at, relative ones resolved."""
        level = len(base) - len(base.lstrip("."))
        if not level:
            yield base
            return
        folder = PurePosixPath(path)
        for _ in range(level):
            folder = folder.parent
        rest = base[level:]
        for name in self._names(f"{folder}/__init__.py"):
            yield f"{name}.{rest}".strip(".") if rest else name


def _parents(name: str) -> Iterable[str]:
    """``a.b.c`` imports ``a`` and ``a.b`` too."""
    parts = name.split(".")
    return (".".join(parts[: n + 1]) for n in range(len(parts)))
