"""Edits of how arrays lie in memory: byte order, bit order, memory order, sign extension, tails, degrees of freedom."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.providers.repair.templates.arrays import array_calls, called, with_argument
from engine.providers.repair.templates.base import Swap, Template, brief, replaced
from engine.providers.repair.templates.statements import own_lines
from engine.providers.repair.view import View

_ORDERS = {"<": ">", ">": "<", "=": "<", "|": "<"}
_KINDS = {"float64": "f8", "float32": "f4", "float16": "f2", "int16": "i2", "int32": "i4", "int64": "i8"}
_KINDS |= {"uint16": "u2", "uint32": "u4", "uint64": "u8"}
_OFFSETS: dict[object, tuple[int, ...]] = {3: (1, 2), 15: (8, 7), 255: (128, 127)}
_WORDS = {"little": "big", "big": "little", "C": "F", "F": "C", "constant": "edge", "edge": "constant"}


def byte_orders(view: View) -> Iterator[Swap]:
    """``<f4`` and ``>f4``, "little" and "big"; bytes that should be swapped."""
    for node in view.expressions(ast.Constant):
        assert isinstance(node, ast.Constant)
        value = node.value
        if not isinstance(value, str) or not value:
            continue
        if value in _WORDS:
            yield replaced(view, node, repr(_WORDS[value]), 1)
        if value[0] in _ORDERS and value[1:].isalnum():
            yield replaced(view, node, repr(_ORDERS[value[0]] + value[1:]), 1)
        elif value.isalnum() and len(value) <= 3 and isinstance(view.parent(node), (ast.Call, ast.keyword)):
            for sign in "<>":
                yield replaced(view, node, repr(sign + value), 1.6)
    np = view.words.numpy
    for part in view.expressions(ast.Attribute) if np else ():
        assert isinstance(part, ast.Attribute)
        if (
            part.attr in _KINDS
            and view.text(part.value) == np
            and isinstance(view.parent(part), (ast.Call, ast.keyword))
        ):
            for sign in "<>":
                yield replaced(view, part, repr(sign + _KINDS[part.attr]), 1.6)
    for node in array_calls(view):
        if called(node) in ("frombuffer", "view", "tobytes", "fromfile", "fromstring"):
            yield replaced(view, node, f"{view.text(node)}.byteswap()", 1.8)


def orders(view: View) -> Iterator[Swap]:
    """The order of bits in a byte, of elements in memory; degrees of freedom."""
    for node in array_calls(view):
        has = {word.arg for word in node.keywords}
        name = called(node)
        if name in ("packbits", "unpackbits") and "bitorder" not in has:
            yield replaced(view, node, with_argument(view, node, 'bitorder="little"'), 1.1)
        if name in ("reshape", "ravel", "flatten", "asarray", "zeros", "copy") and "order" not in has:
            yield replaced(view, node, with_argument(view, node, 'order="F"'), 1.8)
        if name in ("std", "var", "nanstd", "nanvar"):
            if "ddof" in has:
                yield replaced(view, node, with_argument(view, node, "", without="ddof"), 1.2)
            else:
                yield replaced(view, node, with_argument(view, node, "ddof=1"), 1.3)
        for word in node.keywords:
            if word.arg in ("bitorder", "order", "dtype"):
                text = with_argument(view, node, "", without=word.arg)
                yield replaced(view, node, text, 1.6, f"`{word.arg}` was left out of `{brief(view.text(node))}`")


def tails(view: View) -> Iterator[Swap]:
    """The last, incomplete block: counted, padded, or left out."""
    for node in view.expressions(ast.BinOp):
        assert isinstance(node, ast.BinOp)
        one, two = view.atom(node.left), view.atom(node.right)
        if isinstance(node.op, ast.Mod):
            # How much is missing to the next multiple, not how much is over.
            yield replaced(view, node, f"-{one} % {two}", 1.4)
            yield replaced(view, node, f"({two} - {one} % {two}) % {two}", 1.7)
        elif isinstance(node.op, ast.FloorDiv):
            yield replaced(view, node, f"max(1, {one} // {two})", 2)
        elif isinstance(node.op, ast.Sub) and isinstance(node.right, ast.BinOp) and isinstance(node.right.op, ast.Mod):
            yield replaced(view, node, f"({view.text(node)}) % {view.atom(node.right.right)}", 1.5)


def padded(view: View) -> Iterator[Swap]:
    """An array filled up with zeros, so that what reads it finds whole blocks."""
    np, here = view.words.numpy, view.statement
    if not np or view.function is None or not isinstance(here, (ast.Assign, ast.Return)) or not own_lines(view, here):
        return
    if not any(_in_blocks(node) for node in view.expressions(ast.Subscript, ast.Call)):
        return
    read = {node.id for node in view.expressions(ast.Name) if isinstance(node, ast.Name)}
    names = [name for name in view.locals if name in read and name not in ("self", "cls")][:4]
    sizes = ["2", "4", "8", *view.words.constants[:4], *view.locals[:6]]
    start, rest = view.span(here)[0], view.source.newline + view.source.indent_of(here)
    for name in names:
        for size in sizes:
            for text in (
                f"{name} = {np}.pad({name}, (0, -len({name}) % {size}))",
                f"{name} = {np}.pad({name}, ((0, 0), (0, -{name}.shape[1] % {size})))",
            ):
                if size != name:
                    yield Swap((start, start), text + rest, 2.6, f"`{text}` was put in")


def _in_blocks(node: ast.AST) -> bool:
    """Every second one, or a new shape."""
    if isinstance(node, ast.Call):
        return called(node) == "reshape"
    return isinstance(node, ast.Subscript) and any(isinstance(n, ast.Slice) and n.step for n in ast.walk(node.slice))


def signs(view: View) -> Iterator[Swap]:
    """A few bits read as a signed number: two's complement, or an offset."""
    for node in view.expressions(ast.BinOp):
        assert isinstance(node, ast.BinOp)
        if not isinstance(node.op, (ast.BitAnd, ast.RShift)):
            continue
        text = view.atom(node)
        for half in (8, 2, 128, 1, 4):
            yield replaced(view, node, f"(({view.text(node)}) ^ {half}) - {half}", 1.9)
            yield replaced(view, node, f"{text} - {half}", 1.8)


def offsets(view: View) -> Iterator[Swap]:
    """A few bits that stand for a number and an offset: ternary codes begin at minus one, nibbles at minus eight."""
    for node in view.expressions(ast.BinOp):
        mask = node.right if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd) else None
        for offset in _OFFSETS.get(mask.value, ()) if isinstance(mask, ast.Constant) else ():
            yield replaced(view, node, f"{view.atom(node)} - {offset}", 1.5)


TEMPLATES = (
    Template("byte order", 1, byte_orders),
    Template("memory order", 1, orders),
    Template("tail", 1, tails),
    Template("offset", 1, offsets),
    Template("sign extension", 2, signs),
    Template("filled up", 3, padded),
)
