"""Edits for slips that Python itself invites: shared defaults, late closures, zero taken for nothing, a lost await."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.providers.repair.source import FUNCTIONS
from engine.providers.repair.templates.base import Swap, Template, brief, replaced
from engine.providers.repair.view import View

_ERRORS = (
    "ValueError",
    "TypeError",
    "KeyError",
    "IndexError",
    "RuntimeError",
    "ZeroDivisionError",
    "AttributeError",
    "LookupError",
    "NotImplementedError",
    "StopIteration",
    "OSError",
)
_DISPLAYS = (ast.List, ast.Dict, ast.Set)


def nothing_or_zero(view: View) -> Iterator[Swap]:
    """``x or default`` and ``if x`` take 0 and "" for nothing."""
    for node in view.expressions(ast.BoolOp):
        assert isinstance(node, ast.BoolOp)
        if isinstance(node.op, ast.Or) and len(node.values) == 2:
            one, two = node.values
            if isinstance(one, (ast.Name, ast.Attribute, ast.Subscript)):
                yield replaced(
                    view, node, f"{view.text(one)} if {view.text(one)} is not None else {view.text(two)}", 1.4
                )
    for node in view.expressions(ast.Name, ast.Attribute, ast.Subscript, ast.Call):
        holder = view.parent(node)
        asked = isinstance(holder, (ast.If, ast.While, ast.IfExp, ast.comprehension)) and node in (
            [getattr(holder, "test", None), *getattr(holder, "ifs", ())]
        )
        refused = isinstance(holder, ast.UnaryOp) and isinstance(holder.op, ast.Not)
        if asked or isinstance(holder, ast.BoolOp):
            yield replaced(view, node, f"{view.text(node)} is not None", 1.5)
        if refused:
            assert isinstance(holder, ast.UnaryOp)
            yield replaced(view, holder, f"{view.text(node)} is None", 1.5)
    for node in view.expressions(ast.Compare):
        assert isinstance(node, ast.Compare)
        if len(node.ops) > 1 or not isinstance(node.ops[0], (ast.Is, ast.IsNot, ast.Eq, ast.NotEq)):
            continue
        if isinstance(node.comparators[0], ast.Constant) and not isinstance(node.left, ast.Constant):
            positive = isinstance(node.ops[0], (ast.IsNot, ast.NotEq))
            yield replaced(view, node, f"{'' if positive else 'not '}{view.atom(node.left)}", 1.8)


def shared_default(view: View) -> Iterator[Swap]:
    """A list, dictionary or set as a default argument is one object for all calls."""
    here = view.statement
    if not isinstance(here, FUNCTIONS):
        return
    spec = here.args
    pairs = list(zip([*spec.posonlyargs, *spec.args][::-1], spec.defaults[::-1], strict=False))
    pairs += [(arg, value) for arg, value in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if value is not None]
    body = [part for part in here.body if not _is_text(part)] or here.body
    indent, line = view.source.indent_of(body[0]), view.source.newline
    for arg, default in pairs:
        empty = isinstance(default, ast.Call) and not default.args and not default.keywords
        if indent and (isinstance(default, _DISPLAYS) or empty):
            (start, stop), begin = view.span(default), view.span(body[0])[0]
            guard = f"if {arg.arg} is None:{line}{indent}    {arg.arg} = {view.text(default)}{line}{indent}"
            text = "None" + view.source.text[stop:begin] + guard
            yield Swap((start, begin), text, 1.1, f"each call has a `{arg.arg}` of its own")


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def shared_attribute(view: View) -> Iterator[Swap]:
    """A list in the body of a class is one object for all instances."""
    here = view.statement
    holder = view.source.parents.get(here)
    if not isinstance(here, (ast.Assign, ast.AnnAssign)) or not isinstance(holder, ast.ClassDef):
        return
    target = here.targets[0] if isinstance(here, ast.Assign) else here.target
    maker = next((n for n in holder.body if isinstance(n, FUNCTIONS) and n.name == "__init__"), None)
    if not isinstance(target, ast.Name) or maker is None or here.value is None or not isinstance(here.value, _DISPLAYS):
        return
    body = [part for part in maker.body if not _is_text(part)] or maker.body
    if maker.lineno < here.lineno or not view.source.indent_of(body[0]) or not maker.args.args:
        return
    start = view.source.line_span(here.lineno, here.lineno)[0]
    after, begin = view.source.line_span(here.lineno, here.end_lineno or here.lineno)[1], view.span(body[0])[0]
    made = f"{maker.args.args[0].arg}.{target.id} = {view.text(here.value)}"
    text = view.source.text[after:begin] + made + view.source.newline + view.source.indent_of(body[0])
    yield Swap((start, begin), text, 1.4, f"each instance has a `{target.id}` of its own")


def late_closure(view: View) -> Iterator[Swap]:
    """A function made in a loop sees the loop's last value, unless it keeps the present one as a default."""
    bound = {n.id for n in view.header if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for loop in view.source.above(view.statement):
        if isinstance(loop, ast.For):
            bound |= {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    for node in view.expressions(ast.Lambda):
        assert isinstance(node, ast.Lambda)
        own = {arg.arg for arg in node.args.args}
        for name in sorted({n.id for n in ast.walk(node.body) if isinstance(n, ast.Name)} & bound - own):
            if not node.args.vararg and not node.args.kwarg:
                old = (
                    view.source.text[view.span(node)[0] + len("lambda") : view.span(node.body)[0]].rstrip().rstrip(":")
                )
                text = f"lambda {', '.join([*([old.strip()] if old.strip() else []), f'{name}={name}'])}: "
                yield replaced(view, node, text + view.text(node.body), 1.2, f"the present `{name}` is kept")


def handlers(view: View) -> Iterator[Swap]:
    """Another exception is caught, one more, or another one is raised."""
    here = view.statement
    seen = [*view.words.raised, *(name for name in _ERRORS if name not in view.words.raised)]
    # Where an exception comes from is found more easily than the ``try`` around it.
    holder = view.parent(here)
    around = here if isinstance(here, ast.Try) else holder
    if isinstance(around, ast.Try) and (around is here or here in around.body):
        for handler in around.handlers:
            kind = handler.type
            if isinstance(kind, (ast.Name, ast.Attribute, ast.Tuple)):
                old = view.text(kind)
                inside = old.strip("()") if isinstance(kind, ast.Tuple) else old
                for name in seen:
                    if name not in inside:
                        yield Swap(view.span(kind), name, 1.4, f"`{name}` is caught, not `{brief(old)}`")
                        yield Swap(view.span(kind), f"({inside}, {name})", 1.4, f"`{name}` is caught too")
    if isinstance(here, ast.Raise) and here.exc is not None:
        kind = here.exc.func if isinstance(here.exc, ast.Call) else here.exc
        if isinstance(kind, ast.Name):
            for name in (*view.words.expected, *_ERRORS):
                if name != kind.id:
                    yield Swap(view.span(kind), name, 1.3, f"`{name}` is raised, not `{kind.id}`")


def awaited(view: View) -> Iterator[Swap]:
    """An ``await`` put in or taken off; ``yield`` and ``yield from``; a value that should be yielded."""
    if isinstance(view.function, ast.AsyncFunctionDef):
        for node in view.expressions(ast.Call, ast.Await, ast.Name):
            if isinstance(node, ast.Await):
                yield replaced(view, node, view.text(node.value), 1.3, "it is no longer awaited")
            elif not isinstance(view.parent(node), ast.Await) and not _is_called(view, node):
                cost = 1 if isinstance(node, ast.Call) else 1.6
                yield replaced(view, node, f"await {view.text(node)}", cost, f"`{brief(view.text(node))}` is awaited")
    for node in view.expressions(ast.Yield, ast.YieldFrom):
        if isinstance(node, ast.YieldFrom):
            yield replaced(view, node, f"yield {view.text(node.value)}", 1.2)
        elif isinstance(node, ast.Yield) and node.value is not None:
            yield replaced(view, node, f"yield from {view.text(node.value)}", 1.2)
            if isinstance(view.statement, ast.Expr):
                start = view.span(view.statement)[0]
                yield Swap((start, start + len("yield")), "return", 2.2, "the value is returned, not yielded")
    here = view.statement
    if view.function is not None and any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in ast.walk(view.function)):
        start = view.span(here)[0]
        if isinstance(here, ast.Return) and here.value is not None:
            for word in ("yield", "yield from"):
                yield Swap((start, start + len("return")), word, 1.4, "the value is yielded, not returned")
        if isinstance(here, ast.Expr) and isinstance(here.value, (ast.Call, ast.Name)):
            for word in ("yield from ", "yield "):
                yield Swap((start, start), word, 1.4, f"`{brief(view.text(here))}` is yielded")


def _is_called(view: View, node: ast.expr) -> bool:
    holder = view.parent(node)
    return (
        isinstance(holder, (ast.Call, ast.Attribute)) and getattr(holder, "func", getattr(holder, "value", 0)) is node
    )


TEMPLATES = (
    Template("nothing or zero", 1, nothing_or_zero),
    Template("shared default", 1, shared_default),
    Template("shared attribute", 1, shared_attribute),
    Template("late closure", 1, late_closure),
    Template("exception", 1, handlers),
    Template("await and yield", 1, awaited),
)
