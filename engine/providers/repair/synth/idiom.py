"""The shape of an idiom: words it goes by, kinds of its parameters, and a body with a place for each. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from string import Template

KINDS: dict[str, frozenset[str]] = {
    "N": frozenset({"int", "float"}),
    "I": frozenset({"int"}),
    "F": frozenset({"float", "int"}),
    "B": frozenset({"bool"}),
    "S": frozenset({"str"}),
    "Y": frozenset({"bytes", "list"}),
    "L": frozenset({"list", "tuple"}),
    "Q": frozenset({"list", "tuple", "str"}),
    "D": frozenset({"dict"}),
    "A": frozenset({"array"}),
    "X": frozenset({"array", "int", "float"}),
    "P": frozenset({"function"}),
}
"""Kinds of value behind each letter; ``E`` stands for any."""


@dataclass(frozen=True, slots=True)
class Idiom:
    """One way to write a small function.

    Attributes
    ----------
    words : what functions like it are called, or said to do.
    takes : for each parameter its name in the body and the letter of its kind.
    body : lines, with ``$name`` for each parameter.
    gives : letter of the kind of its value; empty: not said.
    """

    words: frozenset[str]
    takes: tuple[tuple[str, str], ...]
    body: str
    gives: str = ""
    inner: frozenset[str] = field(default=frozenset())

    @property
    def numpy(self) -> bool:
        return "np." in self.body

    def filled(self, names: Iterable[str], numpy: str) -> str:
        """The body for parameters of these names."""
        given = dict(zip((name for name, _ in self.takes), names, strict=True))
        body = self.body
        # A name of the idiom's own must not hide a parameter.
        for name in self.inner & set(given.values()):
            body = re.sub(rf"(?<![.$\w]){name}\b", f"{name}_", body)
        if numpy not in ("", "np"):
            body = re.sub(r"(?<![.$\w])np\.", f"{numpy}.", body)
        return Template(body).substitute(given)


def idiom(words: str, takes: str, body: str, gives: str = "") -> Idiom:
    """An idiom as it is written in the bank: ``idiom("ceil div", "a:N b:N", "return -(-$a // $b)", "N")``."""
    pairs = tuple((part.partition(":")[0], part.partition(":")[2]) for part in takes.split())
    plain = Template(body).substitute({name: "given" for name, _ in pairs})
    inner = {
        node.id for node in ast.walk(ast.parse(_as_function(plain))) if isinstance(node, ast.Name) and _bound(node)
    }
    return Idiom(frozenset(words.split()), pairs, body, gives, frozenset(inner))


def _bound(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _as_function(body: str) -> str:
    return "def f():\n" + "\n".join(f"    {line}" for line in body.split("\n"))
