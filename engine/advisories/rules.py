"""Rules for any code: what is swallowed, made up, copied from a test, or asserts nothing. Pure.

A rule gives lines and what to say of them; the caller keeps those that an edit added. Each leaves alone what honest
code does: a false alarm costs more than what is missed, since nothing here decides anything.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from engine.advisories.literals import literal
from engine.advisories.module import LARGE, Function, Module, Value, body, last

Found = Iterator[tuple[int, str]]
Rule = Callable[[Module], Found]

_MOCKS = frozenset({"Mock", "MagicMock", "AsyncMock", "create_autospec"})
_OPEN = frozenset({"abstractmethod", "overload", "abstractproperty", "singledispatch"})
_BASES = frozenset({"ABC", "ABCMeta", "Protocol"})


def broad_excepts(module: Module) -> Found:
    """Everything is caught, and nothing is raised on: cleaning up and raising again is honest."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ExceptHandler) or not _broad(node.type):
            continue
        if not any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
            yield node.lineno, "a broad except hides defects; catch what you expect"


def _broad(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(last(k) in ("Exception", "BaseException") for k in kinds)


def literals_of_tests(module: Module) -> Found:
    """A literal of an assertion that the file did not have; texts of errors are no answers."""
    wanted = module.standards.literals
    if not wanted:
        return
    known = {literal(n) for n in ast.walk(module.before)} if module.before is not None else set()
    raised = {id(n) for r in ast.walk(module.tree) if isinstance(r, ast.Raise) for n in ast.walk(r)}
    for node in ast.walk(module.tree):
        value = literal(node)
        if value is None or value not in wanted or value in known or id(node) in raised:
            continue
        if isinstance(node, ast.Constant) and node.lineno not in module.prose:
            yield node.lineno, f"{_shown(value)} stands in an assertion of a target test; compute it"


def _shown(value: Value) -> str:
    # Python writes no integer of more than 4300 digits in decimals.
    return repr(value)[:40] if not isinstance(value, int) or value.bit_length() < LARGE else f"{value:#x}"[:40]


def placeholders(module: Module) -> Found:
    """Mocks, and functions that do nothing but say that they are not written; what is abstract is meant so."""
    text = "a mock or placeholder in production code"
    open_ = {id(n) for c in ast.walk(module.tree) if isinstance(c, ast.ClassDef) and _abstract(c) for n in c.body}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and last(node.func) in _MOCKS:
            yield node.lineno, text
        elif isinstance(node, Function) and id(node) not in open_ and not module.path.endswith(".pyi"):
            marks = {last(d.func if isinstance(d, ast.Call) else d) for d in node.decorator_list}
            if not marks & _OPEN and (line := _unwritten(node)):
                yield line, text


def _abstract(node: ast.ClassDef) -> bool:
    bases = {last(b.value if isinstance(b, ast.Subscript) else b) for b in node.bases}
    bases |= {last(k.value) for k in node.keywords}
    return bool(bases & _BASES) or node.name.lstrip("_").startswith(("Base", "Abstract"))


def _unwritten(function: Function) -> int:
    match body(function):
        case [ast.Raise(exc=ast.Name(id="NotImplementedError") | ast.Call(func=ast.Name(id="NotImplementedError")))]:
            return body(function)[0].lineno
        case [ast.Expr(value=ast.Constant(value=value))] if value is ...:
            return body(function)[0].lineno
    return 0


def constant_equality(module: Module) -> Found:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef) and node.name == "__eq__":
            match body(node):
                case [ast.Return(value=ast.Constant(value=True))]:
                    yield node.lineno, "an __eq__ that is always true makes every assertion pass"


def empty_assertions(module: Module) -> Found:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Assert) and (why := _always(node.test)):
            yield node.lineno, f"an assertion that cannot fail: {why}"


def _always(test: ast.expr) -> str:
    """Why a condition holds whatever happens; empty if it may not."""
    match test:
        case ast.Constant(value=value) if value:
            return "it is a constant"
        case ast.Tuple(elts=[_, *_]):
            return "a tuple that is not empty is true; take the brackets away"
        case ast.BoolOp(op=ast.Or(), values=values) if any(isinstance(v, ast.Constant) and v.value for v in values):
            return "one side of its `or` is a constant"
        case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
            same = isinstance(left, ast.Name | ast.Attribute | ast.Constant) and ast.dump(left) == ast.dump(right)
            return "both sides are the same" if same else ""
        case ast.Compare(left=ast.Call(func=ast.Name(id="len")), ops=[ast.GtE()], comparators=[ast.Constant(value=0)]):
            return "no length is below 0"
    return ""


RULES: tuple[tuple[str, Rule], ...] = (
    ("BROAD-EXCEPT", broad_excepts),
    ("TEST-LITERAL", literals_of_tests),
    ("PLACEHOLDER", placeholders),
    ("CONSTANT-EQ", constant_equality),
    ("EMPTY-ASSERT", empty_assertions),
)
