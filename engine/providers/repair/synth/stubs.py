"""Find the functions of a file that are still to be written. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from engine.providers.repair.locate import Spot
from engine.providers.repair.source import FUNCTIONS, Source

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

CALL = "__bitnet_tui_call__"  # what a stand-in calls; the child defines it
_PROMISES = {"abstractmethod", "overload", "abstractproperty"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w|\.\d)")
_EXAMPLE = re.compile(r">>>|==|=>|->|[=➞→\[({]|^\W*\d[\d.]*\W*$")
_MOST_CONSTANTS = 8


@dataclass(frozen=True, slots=True)
class Stub:
    """A function whose body is nothing but a promise.

    Attributes
    ----------
    name : its qualified name.
    parameters : names, the object itself left out.
    optional : those that have a default.
    receiver : the name of the object itself, or empty.
    start, end : what is to be replaced by a body; empty where only a docstring stands.
    lead : what has to stand before the body there.
    indent : white space before each line of the body.
    unit : the top-level definition it lies in.
    """

    path: str
    name: str
    parameters: tuple[str, ...]
    optional: frozenset[str]
    receiver: str
    doc: str
    start: int
    end: int
    lead: str
    indent: str
    unit: str
    node: Function

    @property
    def key(self) -> str:
        return f"{self.path}::{self.name}"

    @property
    def stand_in(self) -> str:
        """A body that tells what it is called with."""
        names = [self.receiver, *self.parameters] if self.receiver else list(self.parameters)
        given = ", ".join(f"{name!r}: {name}" for name in names)
        return f"return {CALL}({self.key!r}, {{{given}}})"

    def written(self, body: str, newline: str) -> str:
        """The text that replaces the promise, for a body of lines without indent."""
        lines = body.split("\n")
        return self.lead + newline.join([lines[0], *(self.indent + line if line else "" for line in lines[1:])])

    def spot(self, tests: frozenset[int]) -> Spot:
        """The function as a place under suspicion."""
        return Spot(self.path, self.node, self.node.lineno, self.node.end_lineno or self.node.lineno, 1.0, 0, tests)

    @property
    def words(self) -> frozenset[str]:
        """The words of its name, in lower case."""
        return words_of(self.name.rpartition(".")[2])

    @property
    def constants(self) -> tuple[str, ...]:
        """Numbers the sentences of its own docstring name; those of examples in it are a test's."""
        said = "\n".join(line for line in self.doc.split("\n") if not _EXAMPLE.search(line))
        return tuple(dict.fromkeys(_NUMBER.findall(said)))[:_MOST_CONSTANTS]


def words_of(text: str) -> frozenset[str]:
    """The words of a name or sentence: ``quantize_int8`` has quantize, int, 8 and int8."""
    found = {word.lower() for word in _WORD.findall(text)}
    return frozenset(found | {part.lower() for part in re.split(r"\W+|_", text) if part})


def stubs(source: Source, imported: Mapping[str, frozenset[int]]) -> Iterator[Stub]:
    """Functions still to be written, except those that have run while the project was imported."""
    ran = imported.get(source.path, frozenset())
    for node in ast.walk(source.tree):
        if not isinstance(node, FUNCTIONS) or _promises(source, node):
            continue
        body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
        if len(body) > 1 or not all(_empty(part) for part in body):
            continue
        unit = next((u for u in source.units if u.first <= node.lineno <= u.last), None)
        if unit is None or source.outermost(node.body[0]) is not node:
            continue
        # The line of the `def` itself always runs at import.
        if any(line in ran for line in range(node.lineno + 1, (node.end_lineno or node.lineno) + 1)):
            continue
        yield _stub(source, node, body, unit.name)


def _stub(source: Source, node: Function, body: list[ast.stmt], unit: str) -> Stub:
    spec = node.args
    named = [arg.arg for arg in (*spec.posonlyargs, *spec.args)]
    optional = named[len(named) - len(spec.defaults) :] if spec.defaults else []
    optional += [arg.arg for arg, given in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if given is not None]
    named += [arg.arg for arg in (spec.vararg, *spec.kwonlyargs, spec.kwarg) if arg is not None]
    holder = source.parents.get(node)
    marks = {getattr(mark, "id", "") for mark in node.decorator_list}
    method = isinstance(holder, ast.ClassDef) and "staticmethod" not in marks and bool(named)
    receiver = named.pop(0) if method else ""
    name = f"{holder.name}.{node.name}" if isinstance(holder, ast.ClassDef) else node.name
    last = node.body[-1]
    own = source.indent_of(last)
    indent = own if last.lineno != node.lineno and own else source.indent_of(node) + "    "
    if body:
        start, end = source.span(body[0])
        # On the line of the `def` there is room for no more than what stood there.
        lead = "" if own else source.newline + indent
        if lead:
            start = _without_blank(source.text, start)
    else:
        start = end = source.span(node.body[0])[1]
        lead = source.newline + indent
    return Stub(
        source.path,
        name,
        tuple(named),
        frozenset(optional),
        receiver,
        ast.get_docstring(node) or "",
        start,
        end,
        lead,
        indent,
        unit,
        node,
    )


def _without_blank(text: str, start: int) -> int:
    while text[start - 1] in " \t":
        start -= 1
    return start


def _empty(node: ast.stmt) -> bool:
    if isinstance(node, ast.Pass):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and node.value.value is ...
    raised = node.exc if isinstance(node, ast.Raise) else None
    raised = raised.func if isinstance(raised, ast.Call) else raised
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


def _promises(source: Source, node: Function) -> bool:
    """Whether the function is meant to stay empty: somebody else writes it."""
    names = {getattr(mark, "attr", getattr(mark, "id", "")) for mark in node.decorator_list}
    holder = source.parents.get(node)
    bases = holder.bases if isinstance(holder, ast.ClassDef) else []
    return bool(names & _PROMISES) or any("Protocol" in ast.unparse(base) for base in bases)
