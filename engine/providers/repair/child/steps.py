"""Count steps of code under trial, so that an endless loop ends after the same number of rounds every time.

A call is added at the top of every loop and function body. It must not change lines, values or docstrings.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from typing import Any

from .stuck import Rounds

TICK, ROUND = "__bitnet_tui_tick__", "__bitnet_tui_round__"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


class Steps:
    """A store of steps: each tick takes one, and an empty store raises ``IndexError`` in the code under trial.

    Rounds of ``while`` loops have as many of their own, as it is they that may be stuck.
    """

    def __init__(self, room: int = 100_000) -> None:
        self.store: list[None] = [None] * room
        setattr(builtins, TICK, self.store.pop)
        self.refill(room)

    def refill(self, room: int, *, watched: bool = False) -> None:
        """Make exactly ``room`` steps available; ``watched``: a loop that goes round in one state has none left."""
        self._rounds = Rounds(room, watched=watched)
        setattr(builtins, ROUND, self._rounds.take)
        missing = room - len(self.store)
        if missing > 0:
            self.store.extend([None] * missing)
        elif missing < 0:
            del self.store[room:]
        self._room = room

    @property
    def used(self) -> int:
        return self._room - len(self.store) + self._rounds.used

    @property
    def spent(self) -> bool:
        return not self.store or self._rounds.spent


def count_steps(tree: ast.AST) -> Any:
    """Insert a tick at the start of each loop and function body of ``tree``, in place."""
    for node in _statements(tree):
        if not isinstance(node, _FUNCTIONS + _LOOPS):
            continue
        body = node.body
        at = 0
        if isinstance(node, _FUNCTIONS) and ast.get_docstring(node, clean=False) is not None:
            at = 1
        place = body[min(at, len(body) - 1)]
        name = ROUND if isinstance(node, ast.While) else TICK
        call = ast.Expr(ast.Call(func=ast.Name(id=name, ctx=ast.Load()), args=[], keywords=[]))
        for part in ast.walk(call):
            # The line of the statement that follows: a tick must not show up in coverage by itself.
            part.lineno = part.end_lineno = place.lineno  # type: ignore[attr-defined]
            part.col_offset = part.end_col_offset = place.col_offset  # type: ignore[attr-defined]
        body.insert(at, call)
    return tree


def _statements(tree: ast.AST) -> Iterator[Any]:
    """Every node that has a block below it; loops and functions lie nowhere else, and expressions are many."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name in _BLOCKS:
            waiting += getattr(node, name, ())
