"""Edits of lists, tuples and slices: an element more or less, a part of a sequence, rows that are one object."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.providers.repair.templates.base import Swap, Template, brief, replaced
from engine.providers.repair.view import View

_FEW = 8


def elements(view: View) -> Iterator[Swap]:
    """One element less, or one more."""
    for node in view.expressions(ast.List, ast.Tuple, ast.Set):
        assert isinstance(node, (ast.List, ast.Tuple, ast.Set))
        texts = [view.text(part) for part in node.elts]
        whole = view.text(node)
        if not texts and isinstance(node, ast.List):
            for name in ("[]", *_names(view), "0", "1"):
                yield replaced(view, node, f"[{name}]", 1.8)
            continue
        if not texts or not whole.startswith(("[", "(", "{")):
            continue
        opening, closing = whole[0], whole[-1]
        only = "," if isinstance(node, ast.Tuple) else ""
        for nth in range(len(texts)) if len(texts) > 1 else ():
            rest = texts[:nth] + texts[nth + 1 :]
            text = f"{opening}{', '.join(rest)}{only if len(rest) == 1 else ''}{closing}"
            yield replaced(view, node, text, 1.8, f"`{brief(texts[nth])}` was taken out of `{brief(whole)}`")
        for name in [*_names(view), "0", "1"]:
            if name not in texts:
                yield replaced(view, node, f"{opening}{', '.join([*texts, name])}{closing}", 2.4)
                yield replaced(view, node, f"{opening}{', '.join([name, *texts])}{closing}", 2.5)


def in_a_list(view: View) -> Iterator[Swap]:
    """A value alone where a list of it belongs, or the other way round."""
    for node in view.expressions(ast.Name, ast.Call, ast.Subscript, ast.List, ast.BinOp):
        holder = view.parent(node)
        if isinstance(node, ast.List):
            if len(node.elts) == 1 and not isinstance(node.elts[0], ast.Starred):
                yield replaced(view, node, view.text(node.elts[0]), 1.7)
        elif isinstance(holder, (ast.Return, ast.BinOp)) or (isinstance(holder, ast.Call) and node in holder.args):
            yield replaced(view, node, f"[{view.text(node)}]", 2.2)


def parts(view: View) -> Iterator[Swap]:
    """A part of a sequence instead of all of it."""
    for node in view.expressions(ast.Name, ast.Call, ast.Attribute, ast.ListComp, ast.Subscript):
        holder = view.parent(node)
        if isinstance(node, ast.Name) and (node.id in view.words.imported or node.id not in view.locals):
            continue
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
            continue
        read = isinstance(holder, (ast.For, ast.comprehension, ast.Return, ast.Assign, ast.BinOp, ast.Compare))
        if not (read or (isinstance(holder, ast.Call) and node in holder.args)):
            continue
        text = view.atom(node)
        for part in (
            "1:",
            ":-1",
            *(form for name in _names(view) if name != text for form in (f"{name}:", f":{name}")),
        ):
            yield replaced(view, node, f"{text}[{part}]", 2.2 if part in ("1:", ":-1") else 2.4)


def nested(view: View) -> Iterator[Swap]:
    """``a[i][j]`` becomes ``a[j][i]``; ``d[k]`` becomes ``d.get(k)``."""
    for node in view.header:
        if not isinstance(node, ast.Subscript) or isinstance(node.slice, ast.Slice):
            continue
        inner = node.value
        if isinstance(inner, ast.Subscript) and not isinstance(inner.slice, ast.Slice):
            start, end = view.span(inner.value)[1], view.span(node)[1]
            one, two = view.text(inner.slice), view.text(node.slice)
            if one != two:
                yield Swap((start, end), f"[{two}][{one}]", 1.3, f"the indices `{one}` and `{two}` changed places")
        if isinstance(node.ctx, ast.Load) and not isinstance(node.slice, ast.Constant | ast.UnaryOp | ast.Tuple):
            for default, cost in (("", 2.2), (", 0", 2.2), (", []", 2.6), (', ""', 2.6)):
                yield replaced(view, node, f"{view.text(inner)}.get({view.text(node.slice)}{default})", cost)


def of_all(view: View) -> Iterator[Swap]:
    """One element where something about all of them is meant: ``rows[-1]`` and ``sum(rows)``."""
    for node in view.expressions(ast.Subscript):
        assert isinstance(node, ast.Subscript)
        if isinstance(node.slice, (ast.Constant, ast.UnaryOp)):
            for name in ("sum", "max", "min", "len"):
                yield replaced(view, node, f"{name}({view.text(node.value)})", 2.2)
    for call in view.expressions(ast.Call):
        assert isinstance(call, ast.Call)
        known = isinstance(call.func, ast.Name) and call.func.id in ("sum", "max", "min", "len")
        if known and len(call.args) == 1 and not isinstance(call.args[0], (ast.GeneratorExp, ast.Starred)):
            for at in ("0", "-1"):
                yield replaced(view, call, f"{view.atom(call.args[0])}[{at}]", 2.3)


def one_object(view: View) -> Iterator[Swap]:
    """``[[0] * n] * m`` has the same row m times."""
    for node in view.expressions(ast.BinOp):
        assert isinstance(node, ast.BinOp)
        if not isinstance(node.op, ast.Mult):
            continue
        for row, times in ((node.left, node.right), (node.right, node.left)):
            if isinstance(row, ast.List) and len(row.elts) == 1 and not isinstance(row.elts[0], ast.Constant):
                text = f"[{view.text(row.elts[0])} for _ in range({view.text(times)})]"
                yield replaced(view, node, text, 1, "each row is a list of its own")


def _names(view: View) -> list[str]:
    return [name for name in view.locals if name not in ("self", "cls", "_")][:_FEW]


TEMPLATES = (
    Template("rows of their own", 1, one_object),
    Template("indices", 1, nested),
    Template("element", 2, elements),
    Template("one of all", 2, of_all),
    Template("in a list", 2, in_a_list),
    Template("part of a sequence", 3, parts),
)
