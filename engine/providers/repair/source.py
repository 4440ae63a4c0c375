"""One editable file as text and tree, and the arithmetic between the two. It never writes, and never reformats."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from engine.workspace.encoding import decoded, encoding_of

BOM = "\ufeff"
_NEWLINE = re.compile(r"\r\n|\r|\n")
Span = tuple[int, int]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BLOCKS = ("body", "orelse", "finalbody")


class Unreadable(Exception):
    """The file cannot be edited; the message says why."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A top-level ``def`` or ``class``: what can be exchanged in memory on its own."""

    name: str
    node: ast.stmt
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Method:
    """A function in the body of a top-level class, decorators included.

    Attributes
    ----------
    first, last : its lines.
    start, end : offsets of those lines.
    alone : no other function of the class has its name, so that it is known without what stands beside it.
    """

    first: int
    last: int
    start: int
    end: int
    alone: bool


def _is_overload(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """Whether a definition only tells types, and another one of its name comes after it."""
    names = (getattr(mark, "attr", getattr(mark, "id", "")) for mark in node.decorator_list)
    return "overload" in names


def _beside(holder: ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of a class itself, below an ``if`` too, and not those of what is defined in it."""
    waiting: list[ast.AST] = list(holder.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, FUNCTIONS):
            yield from () if _is_overload(node) else (node,)
        elif not isinstance(node, ast.ClassDef | ast.expr):
            waiting += ast.iter_child_nodes(node)


class Source:
    """A parsed file.

    Parameters
    ----------
    path : posix path relative to the root.
    text : full text, newlines as they are in the file, with its byte order mark if it has one.

    Raises
    ------
    Unreadable
        The text is not Python for this interpreter.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self._shift = len(BOM) if text.startswith(BOM) else 0
        try:
            self.tree = ast.parse(text[self._shift :])
        except (SyntaxError, ValueError, RecursionError) as error:
            line = getattr(error, "lineno", None)
            where = f", line {line}" if line else ""
            raise Unreadable(f"{path}{where}: {getattr(error, 'msg', None) or error}") from error
        self._starts = [self._shift, *(match.end() for match in _NEWLINE.finditer(text))]
        self._expressions: dict[ast.AST, list[tuple[str, frozenset[str]]]] = {}
        self._methods: dict[str, tuple[Method, ...]] = {}
        self._ascii = text[self._shift :].isascii()

    @classmethod
    def read(cls, root: Path, path: str) -> Source:
        """The file as it is on disk."""
        try:
            text = decoded((root / path).read_bytes())
        except OSError as error:
            raise Unreadable(f"{path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise Unreadable(f"{path}: it is not {error.encoding}") from error
        return cls(path, text)

    def holds(self, text: str) -> bool:
        """Whether the encoding of the file can write this."""
        if text.isascii():
            return True
        try:
            text.encode(self._encoding)
        except UnicodeEncodeError:
            return False
        return True

    @cached_property
    def _encoding(self) -> str:
        return encoding_of(self.text)

    def offset(self, line: int, column: int) -> int:
        """Where a line (from 1) and a column in UTF-8 bytes, as trees have them, lie in the text."""
        start = self._starts[line - 1]
        if self._ascii:
            return start + column
        end = self._starts[line] if line < len(self._starts) else len(self.text)
        return start + len(self.text[start:end].encode()[:column].decode(errors="ignore"))

    def span(self, node: ast.AST) -> Span:
        """First and last offset of an expression or statement, without decorators."""
        first = self.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]
        return first, self.offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def segment(self, node: ast.AST) -> str:
        first, last = self.span(node)
        return self.text[first:last]

    def line_of(self, offset: int) -> int:
        """The line, from 1, that holds this offset."""
        low, high = 0, len(self._starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._starts[middle] <= offset else (low, middle)
        return low + 1

    def line_span(self, first: int, last: int) -> Span:
        """Offsets of full lines ``first`` to ``last``, newline included."""
        end = self._starts[last] if last < len(self._starts) else len(self.text)
        return self._starts[first - 1], end

    def indent_of(self, node: ast.stmt) -> str:
        """White space before a statement, or empty where something else stands there."""
        start = self._starts[node.lineno - 1]
        before = self.text[start : self.span(node)[0]]
        return before if not before.strip() else ""

    @cached_property
    def newline(self) -> str:
        found = _NEWLINE.search(self.text)
        return found.group() if found else "\n"

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """Everything that holds ``node``, innermost first."""
        holder = self.parents.get(node)
        while holder is not None:
            yield holder
            holder = self.parents.get(holder)

    def statement_of(self, node: ast.AST) -> ast.stmt | None:
        """The innermost statement around a node, itself included."""
        if isinstance(node, ast.stmt):
            return node
        return next((holder for holder in self.above(node) if isinstance(holder, ast.stmt)), None)

    def expressions(self, tree: ast.AST) -> list[tuple[str, frozenset[str]]]:
        """The expressions of all functions below ``tree``, shortest first, each with the names it reads."""
        found = self._expressions.get(tree)
        if found is None:
            texts: dict[str, frozenset[str]] = {}
            for function in ast.walk(tree):
                for node in ast.walk(function) if isinstance(function, FUNCTIONS) else ():
                    if isinstance(node, (ast.Call, ast.BinOp, ast.Subscript, ast.Compare, ast.Attribute, ast.IfExp)):
                        text = self.segment(node)
                        if 2 < len(text) <= 60 and "\n" not in text:
                            texts[text] = frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))
            found = self._expressions[tree] = sorted(texts.items(), key=lambda row: (len(row[0]), row[0]))
        return found

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """Top-level functions and classes whose names are given once."""
        found = []
        for node in self.tree.body:
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and not _is_overload(node):
                first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
                found.append(Unit(node.name, node, first, node.end_lineno or node.lineno))
        names = [unit.name for unit in found]
        return tuple(unit for unit in found if names.count(unit.name) == 1)

    def methods(self, unit: Unit) -> tuple[Method, ...]:
        """The methods of a class; none of a function."""
        # Asked for every candidate, and a class may have thousands of lines.
        found = self._methods.get(unit.name)
        if found is None:
            found = self._methods[unit.name] = tuple(self._found_methods(unit))
        return found

    def _found_methods(self, unit: Unit) -> Iterator[Method]:
        if not isinstance(unit.node, ast.ClassDef):
            return
        names = Counter(node.name for node in _beside(unit.node))
        for node in unit.node.body:
            if isinstance(node, FUNCTIONS) and not _is_overload(node):
                first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
                last = node.end_lineno or first
                yield Method(first, last, *self.line_span(first, last), names[node.name] == 1)

    def outermost(self, node: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """The function of a unit, or the method of its class, that holds ``node`` in its body."""
        chain = [node, *self.above(node)]
        for below, holder in reversed(list(pairwise(chain))):
            if isinstance(holder, FUNCTIONS):
                return holder if below in holder.body else None
            if not isinstance(holder, (ast.Module, ast.ClassDef)):
                return None
        return None
