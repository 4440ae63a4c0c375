"""Edits of control flow: branches exchanged, a condition narrowed or widened, a guard before a division."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.providers.repair.source import FUNCTIONS
from engine.providers.repair.templates.base import Swap, Template, brief, replaced
from engine.providers.repair.view import View


def branches(view: View) -> Iterator[Swap]:
    for node in view.expressions(ast.IfExp):
        assert isinstance(node, ast.IfExp)
        body, test, other = view.atom(node.body), view.text(node.test), view.atom(node.orelse)
        yield replaced(view, node, f"{other} if {test} else {body}", 1.2)
        yield replaced(view, node, view.text(node.body), 2)
        yield replaced(view, node, view.text(node.orelse), 2)
    here = view.statement
    if isinstance(here, ast.If) and here.orelse and not _is_elif(here):
        one, two = _block(view, here.body), _block(view, here.orelse)
        between = view.source.text[one[1] : two[0]]
        text = view.source.text[two[0] : two[1]] + between + view.source.text[one[0] : one[1]]
        yield Swap((one[0], two[1]), text, 1.6, f"the branches of `if {brief(view.text(here.test))}` changed places")


def _is_elif(node: ast.If) -> bool:
    return len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If)


def _block(view: View, body: list[ast.stmt]) -> tuple[int, int]:
    return view.span(body[0])[0], view.span(body[-1])[1]


def whole_conditions(view: View) -> Iterator[Swap]:
    """A condition that always or never holds, or holds for the other case."""
    node = view.statement
    if isinstance(node, (ast.If, ast.While)):
        text = view.text(node.test)
        if not isinstance(node.test, ast.UnaryOp):
            yield replaced(view, node.test, f"not ({text})", 1.6)
        if isinstance(node, ast.If) and not any(isinstance(part, (ast.Raise, ast.Assert)) for part in ast.walk(node)):
            # Never over a check: a complaint that cannot be reached is a complaint taken out.
            yield replaced(view, node.test, "False", 3)
            yield replaced(view, node.test, "True", 3.2)


def atoms(view: View, most: int = 40) -> list[str]:
    """Small conditions over the names at hand; never against a literal that only a test would know."""
    found: list[str] = []
    names = [name for name in view.locals if name not in ("self", "cls", "_")][:7]
    for name in names:
        found += [f"{name} is None", f"not {name}", name, f"{name} is not None"]
        found += [f"{name} {op} {bound}" for op in ("==", "<", "<=", ">", ">=", "!=") for bound in ("0", "1")]
        found += [f"len({name}) == 0", f"len({name}) <= 1", f"len({name}) > 1"]
    for one in names:
        found += [
            f"{one} {op} {two}"
            for two in names
            if one < two
            for op in ("<", "<=", ">", ">=", "==", "!=", "in", "not in")
        ]
    if view.function is not None:
        tests = [n.test for n in ast.walk(view.function) if isinstance(n, (ast.If, ast.While, ast.IfExp))]
        found = [view.text(test) for test in tests] + found
    return list(dict.fromkeys(found))[: most * 4]


def _shifted(view: View) -> list[str]:
    """The function's own conditions with a number one more or one less."""
    found: list[str] = []
    tests = [n.test for n in ast.walk(view.function or view.statement) if isinstance(n, (ast.If, ast.While, ast.IfExp))]
    for test in tests:
        for node in ast.walk(test):
            if isinstance(node, ast.Constant) and type(node.value) is int:
                start = view.span(test)[0]
                first, last = (at - start for at in view.span(node))
                text = view.text(test)
                found += [f"{text[:first]}{node.value + by}{text[last:]}" for by in (1, -1)]
    return [f"({text})" for text in dict.fromkeys(found)][:12]


def symmetric(view: View) -> Iterator[Swap]:
    """A case is missing that differs from those asked for by two names only."""
    here = view.statement
    tests = [here.test] if isinstance(here, (ast.If, ast.While)) else []
    if isinstance(here, ast.Return) and isinstance(here.value, (ast.Compare, ast.BoolOp)):
        tests.append(here.value)
    for test in tests:
        parts = test.values if isinstance(test, ast.BoolOp) else [test]
        names = [n.id for n in ast.walk(test) if isinstance(n, ast.Name) and n.id in view.locals]
        kinds = list(dict.fromkeys(names))[:5]
        whole = _operand(view, test)
        forms: dict[str, None] = {}
        for part in parts:
            inner = [n for n in ast.walk(part) if isinstance(n, ast.Name) and n.id in kinds]
            for nth, one in enumerate(kinds):
                for two in kinds[nth + 1 :]:
                    forms[_renamed(view, part, inner, {one: two, two: one})] = None
                for two in kinds:
                    forms[_renamed(view, part, inner, {one: two})] = None
        own = {view.text(part) for part in parts}
        for form in [form for form in forms if form not in own][:24]:
            form = form if all(isinstance(part, ast.Compare) for part in parts) else f"({form})"
            # In the words of the condition itself, so that it reads as if it had been there.
            for word in ("or", "and"):
                same = isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or if word == "or" else ast.And)
                yield replaced(view, test, f"{view.text(test) if same else whole} {word} {form}", 2.3)


def _operand(view: View, test: ast.expr) -> str:
    """A condition as a part of a longer one."""
    return view.text(test) if isinstance(test, ast.Compare) else view.atom(test)


def _renamed(view: View, part: ast.expr, names: list[ast.Name], new: dict[str, str]) -> str:
    text, begin = view.text(part), view.span(part)[0]
    for name in sorted(names, key=lambda n: -view.span(n)[0]):
        first, last = (at - begin for at in view.span(name))
        text = text[:first] + new.get(name.id, name.id) + text[last:]
    return text


def guarded(view: View) -> Iterator[Swap]:
    """A statement that should run only sometimes."""
    here = view.statement
    simple = isinstance(here, (ast.Assign, ast.AugAssign, ast.Expr, ast.Return, ast.Break, ast.Continue, ast.Delete))
    if view.function is None or not simple or not _starts_line(view) or here.lineno != here.end_lineno:
        return
    indent, line, start = view.source.indent_of(here), view.source.newline, view.span(here)[0]
    for atom in atoms(view, 60):
        note = f"`{brief(view.text(here))}` only if `{atom}`"
        yield Swap((start, start), f"if {atom}:{line}{indent}    ", 2.7, note)


def extended(view: View) -> Iterator[Swap]:
    node = view.statement
    tests = [node.test] if isinstance(node, (ast.If, ast.While)) else []
    tests += [part.test for part in view.expressions(ast.IfExp) if isinstance(part, ast.IfExp)]
    for test in tests:
        text = _operand(view, test)
        for atom in [*atoms(view), *_shifted(view)]:
            if atom != view.text(test):
                yield replaced(view, test, f"{text} and {atom}", 2.6)
                yield replaced(view, test, f"{text} or {atom}", 2.6)
        names = {n.id for n in ast.walk(test) if isinstance(n, ast.Name) and n.id in view.locals}
        for name in sorted(names):
            # Asked first, because what follows may not bear it.
            for word, forms in (
                ("or", (f"{name} is None", f"not {name}", f"{name} == 0", f"{name} < 0")),
                ("and", (f"{name} is not None", name, f"{name} > 0", f"{name} >= 0")),
            ):
                for form in forms:
                    yield replaced(view, test, f"{form} {word} {text}", 2.5)
    for part in view.expressions(ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp):
        loop = part.generators[-1]  # type: ignore[attr-defined]
        if loop.ifs or not isinstance(loop.target, ast.Name):
            continue
        end, name = view.span(loop.iter)[1], loop.target.id
        for atom in (name, f"{name} > 0", f"{name} >= 0", f"{name} is not None", f"{name} != 0"):
            yield Swap((end, end), f" if {atom}", 2.2, f"only elements with `{atom}` are taken")


def divisions(view: View) -> Iterator[Swap]:
    """A divisor that may be zero."""
    np = view.words.numpy
    for node in view.expressions(ast.BinOp):
        assert isinstance(node, ast.BinOp)
        if not isinstance(node.op, (ast.Div, ast.FloorDiv, ast.Mod)):
            continue
        whole, divisor, low = view.text(node), view.text(node.right), view.atom(node.right)
        yield replaced(view, node, f"{whole} if {divisor} else 0", 2)
        yield replaced(view, node, f"{whole} if {divisor} else 0.0", 2.1)
        yield replaced(view, node.right, f"{low} or 1", 2)
        yield replaced(view, node.right, f"max({divisor}, 1)", 2.2)
        if np:
            yield replaced(view, node.right, f"{np}.where({low} == 0, 1, {divisor})", 1.9)
            for small in ("1e-12", "1e-8", "1e-6", "1e-5"):
                yield replaced(view, node.right, f"{np}.maximum({divisor}, {small})", 1.9)
        if isinstance(node.op, ast.Div) and not np:
            yield replaced(view, node, f"{view.atom(node.left)} // {low}", 1.6)


def rounded_up(view: View) -> Iterator[Swap]:
    """A quotient that should, or should not, count the last incomplete part."""
    for node in view.expressions(ast.BinOp):
        assert isinstance(node, ast.BinOp)
        if not isinstance(node.op, ast.FloorDiv):
            continue
        left, by = view.atom(node.left), view.atom(node.right)
        yield replaced(view, node, f"-(-{left} // {by})", 1.4, "the division rounds up now")
        yield replaced(view, node, f"({left} + {by} - 1) // {by}", 1.5, "the division rounds up now")
        if isinstance(node.left, ast.BinOp):
            yield replaced(view, node, f"{view.atom(node.left.left)} // {view.atom(node.right)}", 1.6)


def early_returns(view: View) -> Iterator[Swap]:
    """A case that is settled before the statement runs."""
    here = view.statement
    if view.function is None or isinstance(here, FUNCTIONS) or not _starts_line(view):
        return
    if view.source.parents.get(here) is not view.function:
        return
    indent, line = view.source.indent_of(here), view.source.newline
    returned = [
        view.text(n.value) for n in ast.walk(view.function) if isinstance(n, ast.Return) and n.value is not None
    ]
    short = [text for text in returned if len(text) <= 20]
    names = [name for name in view.locals if name not in ("self", "cls")][:4]
    values = list(dict.fromkeys([*short, "0", "None", "[]", "False", "True", "0.0", '""', *names]))[:10]
    start = view.span(here)[0]
    for name in names[:3]:
        for test in (
            f"not {name}",
            f"{name} is None",
            f"{name} == 0",
            f"{name} < 0",
            f"{name} <= 0",
            f"len({name}) == 0",
        ):
            for value in values:
                text = f"if {test}:{line}{indent}    return {value}{line}{indent}"
                yield Swap((start, start), text, 3, f"`{value}` is returned when `{test}`")


def _starts_line(view: View) -> bool:
    start = view.span(view.statement)[0]
    first = view.source.line_span(view.statement.lineno, view.statement.lineno)[0]
    return not view.source.text[first:start].strip()


TEMPLATES = (
    Template("branches", 1, branches),
    Template("rounding of a quotient", 1, rounded_up),
    Template("whole condition", 2, whole_conditions),
    Template("division", 2, divisions),
    Template("symmetric case", 2, symmetric),
    Template("extended condition", 3, extended),
    Template("guarded statement", 4, guarded),
    Template("early return", 4, early_returns),
)
