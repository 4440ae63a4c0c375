"""The shape of a template: a name, how early it is worth trying, and a function from a view to changes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from engine.providers.repair.source import Span
from engine.providers.repair.view import View


class Swap(NamedTuple):
    """A span of the file, what replaces it, how unlikely that is (1 is likely) and a sentence about it."""

    span: Span
    text: str
    cost: float
    note: str


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of edit.

    Attributes
    ----------
    tier : 1 is tried first.
    propose : yields changes to the statement of a view.
    """

    name: str
    tier: int
    propose: Callable[[View], Iterator[Swap]]


def replaced(view: View, node: ast.expr, text: str, cost: float, note: str = "") -> Swap:
    """An expression exchanged for another, parenthesised as its place demands."""
    said = note or f"`{brief(view.text(node))}` became `{brief(text)}`"
    return Swap(view.span(node), view.fit(node, text), cost, said)


def brief(text: str) -> str:
    """A piece of code short enough for a sentence."""
    flat = " ".join(text.split())
    return flat if len(flat) <= 60 else flat[:57] + "..."
