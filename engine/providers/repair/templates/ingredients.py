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
        if not isinstance(node, (ast.Name, ast.Constant)):
            for name in view.locals:
                if name not in ("self", "cls"):
                    yield replaced(view, node, name, 2.1)


def from_elsewhere(view: View) -> Iterator[Swap]:
    """An expression of another function, of this file or of another one, whose names all mean something here."""
    for node in view.expressions(ast.Call, ast.BinOp, ast.Subscript, ast.Compare, ast.Attribute, ast.IfExp):
        holder = view.parent(node)
        if isinstance(holder, (ast.Attribute, ast.keyword)) or (isinstance(holder, ast.Call) and holder.func is node):
            continue
        own = view.text(node)
        for text in view.foreign[:80]:
            if text != own:
                yield replaced(view, node, text, 3.2)


def beside(view: View) -> Iterator[Swap]:
    """One more operand: ``e`` becomes ``e + v``."""
    names = [name for name in (*view.locals, *view.words.constants[:6]) if name not in ("self", "cls", "_")][:10]
    kinds = (ast.Name, ast.Call, ast.BinOp, ast.Subscript, ast.Attribute, ast.ListComp, ast.List, ast.UnaryOp)
    for node in view.expressions(*kinds):
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
            if other.isidentifier():
                for op, cost in (("+", 2.5), ("-", 2.6), ("*", 2.9), ("/", 2.8)):
                    yield replaced(view, node, f"{other} {op} {text}", cost)
        yield replaced(view, node, f"1 - {text}", 2.4)
        yield replaced(view, node, f"{text} ** 2", 2.4)
        if isinstance(node, ast.Name):
            yield replaced(view, node, f"{text} * {text}", 2.8)
        for mask in ("0x0F", "0x3", "1", "0xFF"):
            yield replaced(view, node, f"{text} & {mask}", 3)
        for shift in ("2", "4", "1"):
            yield replaced(view, node, f"{text} >> {shift}", 3)
            yield replaced(view, node, f"{text} << {shift}", 3)


TEMPLATES = (
    Template("expression of the function", 3, in_place),
    Template("operand put in", 3, beside),
    Template("expression of the project", 4, from_elsewhere),
)
