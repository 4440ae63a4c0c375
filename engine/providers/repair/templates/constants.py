"""Edits of literals and bounds: one more, one less, another number of the file, the other word."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator

from engine.providers.repair.templates.base import Swap, Template, replaced
from engine.providers.repair.view import View

_USUAL = (0, 1, 2, -1)
_GROUPS = ("()[]{}<>", "+-", "*/", "/\\", "|&", ".,;:", "-_ ", "'\"", "xyz")


def mirrored(text: str) -> tuple[str, ...]:
    """Characters that are easily taken for this one, such as the other bracket; a word in the other case."""
    if len(text) == 1:
        near = [c for group in _GROUPS if text in group for c in group if c != text]
        return (*near, *((text.swapcase(),) if text.swapcase() != text else ()))
    return tuple(form for form in dict.fromkeys((text.lower(), text.upper(), text[::-1])) if form != text)


def off_by_one(view: View) -> Iterator[Swap]:
    """Bounds: arguments of range, ends of slices, indices, sizes."""
    for node in view.expressions():
        if isinstance(node, ast.Constant) and type(node.value) is int:
            if _is_docstring_like(view, node):
                continue
            holder = view.parent(node)
            for shift in (1, -1):
                rest = _left_alone(holder, node) if isinstance(holder, ast.BinOp) else None
                if node.value + shift == 0 and isinstance(holder, ast.BinOp) and rest is not None:
                    yield replaced(view, holder, view.text(rest), 1)  # x - 1 shifted is x, not x - 0
                elif node.value + shift == 0 and isinstance(holder, ast.UnaryOp) and isinstance(holder.op, ast.USub):
                    yield replaced(view, holder, "0", 0.9)  # the first in place of the last, not the last but one
                else:
                    other = node.value + shift
                    # A mask of other bits than the lowest is seldom one off.
                    odd = isinstance(getattr(holder, "op", None), ast.BitAnd) and bool(other & (other + 1))
                    yield replaced(view, node, _number(view, node, other), 1.6 if odd else 1)
        elif _is_bound(view, node) or _is_power_of_two(view, node):
            for sign, opposite in (("+", "-"), ("-", "+")):
                # x - 1 shifted by one is x, not x - 1 + 1.
                if isinstance(node, ast.BinOp) and view.text(node).replace(" ", "").endswith(f"{opposite}1"):
                    yield replaced(view, node, view.text(node.left), 1)
                else:
                    power = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)
                    yield replaced(view, node, f"{view.text(node) if power else view.atom(node)} {sign} 1", 1.2)


def _is_power_of_two(view: View, node: ast.expr) -> bool:
    """A count of levels, where the last of them is one less."""
    holder = view.parent(node)
    if not isinstance(node, ast.BinOp) or isinstance(getattr(holder, "right", None), ast.Constant):
        return False
    base = (ast.Pow, 2) if isinstance(node.op, ast.Pow) else (ast.LShift, 1)
    return isinstance(node.op, base[0]) and isinstance(node.left, ast.Constant) and node.left.value == base[1]


def _left_alone(whole: ast.BinOp, node: ast.expr) -> ast.expr | None:
    """What a sum or difference comes to once this part of it is nothing."""
    if isinstance(whole.op, (ast.Add, ast.Sub)) and whole.right is node:
        return whole.left
    return whole.right if isinstance(whole.op, ast.Add) and whole.left is node else None


def _is_docstring_like(view: View, node: ast.expr) -> bool:
    return isinstance(view.parent(node), ast.Expr)


def _is_bound(view: View, node: ast.expr) -> bool:
    if isinstance(node, (ast.Constant, ast.Slice, ast.Tuple, ast.Starred, ast.JoinedStr)):
        return False
    holder = view.parent(node)
    if isinstance(holder, ast.Slice):
        return True
    if isinstance(holder, ast.Subscript):
        return node is holder.slice
    if isinstance(holder, ast.Call) and isinstance(holder.func, ast.Name):
        return node in holder.args and holder.func.id in ("range", "len", "min", "max", "divmod", "round", "enumerate")
    if isinstance(holder, ast.BinOp):
        if isinstance(holder.op, ast.Mult) and (_is_row(holder.left) or _is_row(holder.right)):
            return not _is_row(node)  # how often a row, a text or bytes are repeated: a size
        return isinstance(holder.op, (ast.FloorDiv, ast.Mod, ast.LShift, ast.RShift, ast.Pow))
    return isinstance(holder, (ast.Return, ast.Assign)) and isinstance(node, (ast.Name, ast.Call, ast.BinOp))


def _is_row(node: ast.expr) -> bool:
    """A list, a tuple, a text or bytes, written out."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (str, bytes))
    return isinstance(node, (ast.List, ast.Tuple))


def numbers(view: View) -> Iterator[Swap]:
    for node in view.expressions(ast.Constant):
        assert isinstance(node, ast.Constant)
        value = node.value
        if type(value) is bool:
            yield replaced(view, node, str(not value), 1)
        elif value is None:
            for text in ("0", "True", "False", "[]", "{}", '""'):
                yield replaced(view, node, text, 2.4)
        elif type(value) is int or type(value) is float:
            near = [-value, *_USUAL, value * 2, *_halves(value), *_powers(value)]
            if type(value) is float:
                near = [
                    -value,
                    0.0,
                    1.0,
                    0.5,
                    value * 2,
                    value / 2,
                    value * 10,
                    value / 10,
                    1.0 / value if value else 0.0,
                ]
            seen = {value}
            for other, cost in [(n, 1.6) for n in near] + [(n, 1.8) for n in view.words.numbers[:30]]:
                if other not in seen:
                    seen.add(other)
                    yield replaced(view, node, _number(view, node, other), cost)
            for name in view.words.constants[:20]:
                yield replaced(view, node, name, 2)


def _halves(value: float) -> list[int]:
    return [int(value) // 2] if value % 2 == 0 else [int(value) * 2 + 1, int(value) // 2]


def _powers(value: float) -> list[int]:
    whole = int(abs(value))
    if whole < 2:
        return []
    size = whole.bit_length()
    around = [1 << size, 1 << (size - 1), (1 << size) - 1, (1 << (size - 1)) - 1]
    return [n if value > 0 else -n for n in around]


def _number(view: View, node: ast.Constant, value: int | float) -> str:
    old = view.text(node).lower()
    if type(value) is int and value >= 0:
        if old.startswith("0x"):
            return f"0x{value:0{max(1, len(old) - 2)}X}" if old[2:] != old[2:].lower() else f"0x{value:x}"
        if old.startswith("0b"):
            return f"0b{value:0{max(1, len(old) - 2)}b}"
    return repr(value)


def shifts(view: View) -> Iterator[Swap]:
    """How far bits are shifted: lanes are two, four or eight bits wide."""
    for node in view.expressions(ast.BinOp):
        assert isinstance(node, ast.BinOp)
        if isinstance(node.op, (ast.LShift, ast.RShift)):
            amount = node.right
            if not isinstance(amount, ast.Constant):
                for width in (2, 4, 8):
                    yield replaced(view, amount, f"({width} * {view.atom(amount)})", 1.4)
                for whole in (8, 7, 6, 4):
                    yield replaced(view, amount, f"({whole} - {view.atom(amount)})", 1.6)


def strings(view: View) -> Iterator[Swap]:
    for node in view.expressions(ast.Constant):
        assert isinstance(node, ast.Constant)
        if not isinstance(node.value, str) or isinstance(view.parent(node), (ast.JoinedStr, ast.Expr)):
            continue
        if node.value in view.locals:
            yield replaced(view, node, node.value, 1, f"the name `{node.value}` lost its quotes")
        for word in mirrored(node.value):
            yield replaced(view, node, repr(word), 1.6)
        if len(node.value) > 3:
            # A word that a test spells otherwise; never a word that is merely expected.
            for word in difflib.get_close_matches(node.value, view.words.spelled, 2, 0.8):
                if word != node.value:
                    yield replaced(view, node, repr(word), 1.5)
        others = [word for word in view.words.strings if word != node.value]
        alike = difflib.get_close_matches(node.value, others, 5, 0.6)
        for word in [*alike, *[o for o in others if o not in alike][:15]]:
            yield replaced(view, node, repr(word), 1.4 if word in alike else 2.6)
        if node.value:
            yield replaced(view, node, repr(""), 2.6)
            if node.value != node.value.strip():
                yield replaced(view, node, repr(node.value.strip()), 2)
        else:
            yield replaced(view, node, repr(" "), 2)


def slices(view: View) -> Iterator[Swap]:
    """Ends of a slice left out, exchanged, or turned round."""
    for node in view.header:
        if not isinstance(node, ast.Slice):
            continue
        parts = [view.text(part) if part is not None else "" for part in (node.lower, node.upper, node.step)]
        low, high, step = parts
        forms = [
            (high, low, step),
            ("", high, step),
            (low, "", step),
            (low, high, ""),
            ("", low, step),
            (high, "", step),
        ]
        forms += [(low, high, "-1"), (low or "1", high, step), (low, high or "-1", step)]
        if step and high and low:
            forms.append((low, f"{low} + {high}", step))
        elif low and high:
            forms.append((low, f"{low} + {high}", ""))
        start, end = view.span(node)
        for form in dict.fromkeys(forms):
            if form != (low, high, step):
                text = f"{form[0]}:{form[1]}" + (f":{form[2]}" if form[2] else "")
                yield Swap((start, end), text, 1.8, f"the slice `{view.text(node)}` became `{text}`")


TEMPLATES = (
    Template("off by one", 1, off_by_one),
    Template("number", 1, numbers),
    Template("shift amount", 1, shifts),
    Template("slice", 2, slices),
    Template("string", 2, strings),
)
