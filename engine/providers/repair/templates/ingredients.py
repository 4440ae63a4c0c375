"""Edits made of what the function already says: one expression in the place of another, or beside it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.providers.repair.templates.base import Swap, Template, replaced
from engine.providers.repair.view import View


def in_place(view: View) -> Iterator[Swap]:
    """Another expression of the function instead of this one."""
    for node in view.expressions(ast.Name, ast.Constant, ast.Call, ast.BinOp, ast.Subscript, ast.Attribute):
        holder = view.parent(node)
        if isinstance(holder, (ast.Attribute, ast.keyword)) or (isinstance(holder, ast.Call) and holder.func is node):
            continue
        own = view.text(node)
        for text in view.ingredients[:60]:
            if text != own and not text.isidentifier() and own not in (f"({text})",):
                yield replaced(view, node, text, 2.6)


def beside(view: View) -> Iterator[Swap]:
    """One more operand: ``e`` becomes ``e + v``."""
    names = [name for name in (*view.locals, *view.words.constants[:6]) if name not in ("self", "cls", "_")][:10]
    for node in view.expressions(ast.Name, ast.Call, ast.BinOp, ast.Subscript, ast.Attribute):
        holder = view.parent(node)
        if isinstance(holder, (ast.Attribute, ast.Starred)) or (isinstance(holder, ast.Call) and holder.func is node):
            continue
        if isinstance(node, ast.Name) and node.id in view.words.imported:
            continue
        text = view.atom(node)
        for other in [*names, *("0.5", "1", "2")]:
            if other == text:
                continue
            for op, cost in (("+", 2.4), ("-", 2.4), ("*", 2.5), ("/", 2.6), ("//", 2.8), ("%", 3.2)):
                yield replaced(view, node, f"{text} {op} {other}", cost)
        for mask in ("0x0F", "0x3", "1", "0xFF"):
            yield replaced(view, node, f"{text} & {mask}", 3)
        for shift in ("2", "4", "1"):
            yield replaced(view, node, f"{text} >> {shift}", 3)
            yield replaced(view, node, f"{text} << {shift}", 3)


TEMPLATES = (
    Template("expression of the function", 3, in_place),
    Template("operand put in", 3, beside),
)
