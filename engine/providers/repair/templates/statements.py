"""Edits of whole statements: a return put in, one taken out, doubled, moved or indented differently.

A check (an ``assert`` or a ``raise``) is never taken out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.providers.repair.source import BLOCKS, FUNCTIONS
from engine.providers.repair.templates.base import Swap, Template, brief
from engine.providers.repair.templates.conditions import atoms
from engine.providers.repair.view import View

_SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return, ast.Continue, ast.Break, ast.Delete)


def block_of(view: View) -> list[ast.stmt]:
    """The statements among which this one stands."""
    holder = view.source.parents.get(view.statement)
    for name in BLOCKS:
        block = getattr(holder, name, None)
        if isinstance(block, list) and view.statement in block:
            return block
    return []


def lines_of(view: View, node: ast.stmt) -> tuple[int, int]:
    first = min([node.lineno, *(mark.lineno for mark in getattr(node, "decorator_list", ()))])
    return view.source.line_span(first, node.end_lineno or first)


def own_lines(view: View, node: ast.stmt) -> bool:
    start, end = lines_of(view, node)
    before = view.source.text[start : view.span(node)[0]]
    after = view.source.text[view.span(node)[1] : end].strip()
    return not before.strip() and (not after or after.startswith("#"))


def _holds_check(node: ast.stmt) -> bool:
    return any(isinstance(part, (ast.Assert, ast.Raise)) for part in ast.walk(node))


def returned(view: View) -> Iterator[Swap]:
    """A value that is computed and never handed back."""
    here = view.statement
    if view.function is None or isinstance(here, FUNCTIONS):
        return
    if isinstance(here, ast.Expr) and not isinstance(here.value, (ast.Yield, ast.YieldFrom, ast.Await)):
        start = view.span(here)[0]
        yield Swap((start, start), "return ", 1.4, f"`{brief(view.text(here))}` is returned")
    block = block_of(view)
    if block and here is block[-1] and not isinstance(here, (ast.Return, ast.Raise)) and own_lines(view, here):
        indent, line = view.source.indent_of(block[0]), view.source.newline
        end = view.span(here)[1]
        for name in view.locals:
            yield Swap((end, end), f"{line}{indent}return {name}", 1.6, f"`{name}` is returned at the end")
    if isinstance(here, ast.Return):
        if here.value is None:
            for name in view.locals:
                yield Swap((view.span(here)[1],) * 2, f" {name}", 1.4, f"`{name}` is returned")
        elif isinstance(here.value, ast.Name):
            for name in ("self.",):
                if "self" in view.locals:
                    yield Swap((view.span(here.value)[0],) * 2, name, 2.2, "an attribute is returned")


def taken_out(view: View) -> Iterator[Swap]:
    here = view.statement
    block = block_of(view)
    if not block or not own_lines(view, here) or _holds_check(here) or isinstance(here, (*FUNCTIONS, ast.ClassDef)):
        return
    start, end = lines_of(view, here)
    text = brief(view.text(here))
    if isinstance(here, (*_SIMPLE, ast.If, ast.For, ast.While)):
        indent = view.source.indent_of(here)
        instead = "" if len(block) > 1 else f"{indent}pass{view.source.newline}"
        yield Swap((start, end), instead, 2.4, f"`{text}` was taken out")
        at = block.index(here)
        following = block[at + 1] if len(block) > at + 2 else None
        if isinstance(here, _SIMPLE) and isinstance(following, _SIMPLE) and own_lines(view, following):
            stop = lines_of(view, following)[1]
            yield Swap((start, stop), "", 2.8, f"`{text}` and the line after it were taken out")
    if isinstance(here, ast.If) and not here.orelse and own_lines(view, here.body[0]):
        # The body stays, whatever the condition says.
        first, last = lines_of(view, here.body[0])[0], lines_of(view, here.body[-1])[1]
        deep, flat = view.source.indent_of(here.body[0]), view.source.indent_of(here)
        inner = "".join(
            flat + row[len(deep) :] if row.startswith(deep) else row
            for row in view.source.text[first:last].splitlines(keepends=True)
        )
        yield Swap((start, end), inner, 2.6, f"`{text}` no longer asks")


def moved(view: View) -> Iterator[Swap]:
    """Two neighbours the other way round; a last statement one level out; the next one level in."""
    here = view.statement
    block = block_of(view)
    if not block or not own_lines(view, here):
        return
    at = block.index(here)
    start, end = lines_of(view, here)
    if at + 1 < len(block) and own_lines(view, block[at + 1]) and not isinstance(here, (*FUNCTIONS, ast.ClassDef)):
        following = block[at + 1]
        begin, stop = lines_of(view, following)
        if isinstance(following, _SIMPLE) or isinstance(here, _SIMPLE):
            between = view.source.text[end:begin]
            tail = view.source.text[begin:stop]
            tail = tail if tail.endswith(("\n", "\r")) else tail + view.source.newline
            text = tail + between + view.source.text[start:end]
            note = f"`{brief(view.text(here))}` and `{brief(view.text(following))}` changed places"
            yield Swap((start, stop), text, 1.8, note)
    holder = view.source.parents.get(here)
    if isinstance(here, _SIMPLE) and isinstance(holder, (ast.For, ast.While, ast.If, ast.With)) and here is block[-1]:
        indent = view.source.indent_of(holder)
        if len(block) > 1 and indent != view.source.indent_of(here):
            row = indent + view.source.text[start:end].lstrip()
            yield Swap((start, end), row, 1.4, f"`{brief(view.text(here))}` stands one level further out")
    before = block[at - 1] if at else None
    if isinstance(here, _SIMPLE) and isinstance(before, (ast.For, ast.While, ast.If, ast.With)) and before.end_lineno:
        last = before.orelse[-1] if isinstance(before, ast.If) and before.orelse else before.body[-1]
        deep = view.source.indent_of(last)
        if deep:
            row = deep + view.source.text[start:end].lstrip()
            yield Swap((start, end), row, 1.6, f"`{brief(view.text(here))}` belongs to the block before it")


def put_in(view: View) -> Iterator[Swap]:
    """A statement of the same function once more, with one name exchanged; a jump under a small condition."""
    here = view.statement
    if view.function is None or isinstance(here, FUNCTIONS) or not own_lines(view, here):
        return
    (start, end), indent, line = view.span(here), view.source.indent_of(here), view.source.newline
    at_end = bool(indent) and block_of(view)[-1:] == [here]
    ends = isinstance(here, (ast.Return, ast.Raise, ast.Break, ast.Continue))
    names = [name for name in view.locals if name not in ("self", "cls", "_")][:8]
    taken_over = [f"{one} = {two}" for one in names for two in names if one != two]
    others = [n for n in ast.walk(view.function) if isinstance(n, (ast.Assign, ast.AugAssign, ast.Expr))]
    for other in others:
        text = view.text(other)
        if other is here or "\n" in text or (isinstance(other, ast.Expr) and isinstance(other.value, ast.Constant)):
            continue
        forms = [text]
        for part in ast.walk(other):
            if isinstance(part, ast.Name) and part.id in view.locals:
                first, last = (at - view.span(other)[0] for at in view.span(part))
                forms += [text[:first] + name + text[last:] for name in view.locals if name != part.id]
        for form in forms[:40]:
            yield Swap((start, start), f"{form}{line}{indent}", 2.8, f"`{brief(form)}` was put in")
            if at_end and not ends:
                yield Swap((end, end), f"{line}{indent}{form}", 2.8, f"`{brief(form)}` was put in at the end")
    for form in taken_over:
        yield Swap((start, start), f"{form}{line}{indent}", 2.9, f"`{form}` was put in")
        if at_end and not ends:
            yield Swap((end, end), f"{line}{indent}{form}", 2.9, f"`{form}` was put in at the end")
    loop = next((n for n in view.source.above(here) if isinstance(n, (ast.For, ast.While, *FUNCTIONS))), None)
    if isinstance(loop, (ast.For, ast.While)):
        for atom in atoms(view, 12):
            for jump in ("continue", "break"):
                text = f"if {atom}:{line}{indent}    {jump}{line}{indent}"
                yield Swap((start, start), text, 3.2, f"`{jump}` when `{atom}`")


def raised(view: View) -> Iterator[Swap]:
    """A missing complaint about an argument, with an exception the file raises already or the usual ones."""
    here = view.statement
    if view.function is None or view.source.parents.get(here) is not view.function or not own_lines(view, here):
        return
    body = [n for n in view.function.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    if not body or here is not body[0]:
        return
    indent, line = view.source.indent_of(here), view.source.newline
    for kind in view.words.expected or ("ValueError",):
        for atom in atoms(view):
            text = f"if {atom}:{line}{indent}    raise {kind}({atom!r}){line}{indent}"
            start = view.span(here)[0]
            yield Swap((start, start), text, 3, f"`{kind}` is raised when `{atom}`")


TEMPLATES = (
    Template("returned value", 1, returned),
    Template("moved statement", 2, moved),
    Template("statement taken out", 3, taken_out),
    Template("missing complaint", 3, raised),
    Template("statement put in", 4, put_in),
)
