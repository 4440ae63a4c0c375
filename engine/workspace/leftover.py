"""Names that a change would leave behind: still bound, and read by nothing any more. Pure.

A change that stops to read a name takes its import or assignment away, too. No test needs that, and a linter does.
"""

from __future__ import annotations

import symtable
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Name = tuple[str, str, str]
"""File, scope, name."""


@dataclass(frozen=True, slots=True)
class Names:
    """What some files bind by an import, or by an assignment in a function, and what of it nothing reads."""

    bound: frozenset[Name]
    unread: frozenset[Name]

    @classmethod
    def of(cls, files: Mapping[str, str | None]) -> Names:
        found = [pair for path, text in files.items() if _counts(path) and text for pair in _names(path, text)]
        return cls(frozenset(n for n, _ in found), frozenset(n for n, read in found if not read))


def left_behind(before: Names, whole: Names, some: Names) -> frozenset[Name]:
    """What a part of a change leaves unread that was read before and that the whole of it takes away.

    Examples
    --------
    >>> old, new = {"m.py": "import re\\ndef f(t): return re.sub('a', 'b', t)\\n"}, "def f(t): return t\\n"
    >>> before, whole = Names.of(old), Names.of({"m.py": new})
    >>> left_behind(before, whole, Names.of({"m.py": "import re\\n" + new}))
    frozenset({('m.py', '', 're')})
    """
    return ((before.bound - before.unread) - whole.bound) & some.unread


def _counts(path: str) -> bool:
    return path.endswith(".py") and not path.endswith("__init__.py")  # a package's imports are what it offers


def _names(path: str, text: str) -> Iterator[tuple[Name, bool]]:
    try:
        top = symtable.symtable(text, path, "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    yield from _of_scope(path, "", top)


def _of_scope(path: str, scope: str, table: symtable.SymbolTable) -> Iterator[tuple[Name, bool]]:
    inner = _read_inside(table)
    for symbol in table.get_symbols():
        name = symbol.get_name()
        local = table.get_type() == "function" and symbol.is_local() and symbol.is_assigned()
        if (local and not symbol.is_parameter()) or symbol.is_imported():
            yield (path, scope, name), symbol.is_referenced() or name in inner
    for child in table.get_children():
        yield from _of_scope(path, f"{scope}.{child.get_name()}" if scope else child.get_name(), child)


def _read_inside(table: symtable.SymbolTable) -> frozenset[str]:
    """Names that scopes below read and do not bind themselves."""
    found: set[str] = set()
    for child in table.get_children():
        found |= {s.get_name() for s in child.get_symbols() if s.is_referenced() and not s.is_local()}
        found |= _read_inside(child)
    return frozenset(found)
