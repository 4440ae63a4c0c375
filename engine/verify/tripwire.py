"""Tests of our own, planted beside the targets once all is green: some must fail, some must not notice anything.

A canary must fail; where it does not, results are made up. A copy of a target compares, before each of its assertions,
what is checked with an object made for that moment: what equals even that, equals everything, or was read from the
test. The copy's own outcome says nothing; only its word does. Pure: texts in, texts out.
"""

from __future__ import annotations

import ast
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

COPIES = 2
"""Targets of a suite that are copied: each is a test that runs once more."""

WORDS = ("edges", "cases", "again", "sizes", "order", "basic", "parts", "input", "values", "limits")

Random = Callable[[int], int]
"""A number below another."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A test file to plant.

    Attributes
    ----------
    path : relative to the project.
    nodeid : the test to run.
    word : what its failure says, and nothing else can know.
    """

    path: str
    text: str
    nodeid: str
    word: str


def canary(nodeid: str, taken: Iterable[str], below: Random = secrets.randbelow) -> Wire | None:
    """A test that must fail, beside a target and named like it; None where nobody would collect it."""
    path, _, rest = nodeid.partition("::")
    beside = _beside(path, taken, below)
    function = rest.split("::")[-1].split("[")[0]
    if beside is None or not function.isidentifier():
        return None
    numbers = [2 + below(50) for _ in range(3 + below(4))]
    word, name = _word(), f"{function}_{WORDS[below(len(WORDS))]}"
    text = (
        f'def {name}():\n    numbers = {numbers}\n    assert sum(numbers) == {sum(numbers) + 1 + below(9)}, "{word}"\n'
    )
    return Wire(beside, text, f"{beside}::{name}", word)


def copy(nodeid: str, source: str, taken: Iterable[str], below: Random = secrets.randbelow) -> Wire | None:
    """A copy of a target's file whose assertions first compare with an object of their own; None where none can."""
    path, _, rest = nodeid.partition("::")
    beside = _beside(path, taken, below)
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    function = _find(tree, rest.split("[")[0].split("::"))
    if beside is None or function is None:
        return None
    armed = _Armed(_word(), _locals(function))
    function.body = armed.block(function.body)
    if not armed.count:
        return None
    text = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    return Wire(beside, text, f"{beside}::{rest}", armed.word)


def _beside(path: str, taken: Iterable[str], below: Random) -> str | None:
    """A name pytest collects for the same reason as that of the file beside it."""
    folder, _, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    if suffix != "py" or not (stem.startswith("test_") or stem.endswith("_test")):
        return None
    used = set(taken)
    for _ in range(100):
        more = WORDS[below(len(WORDS))] + str(below(90) or "")
        made = f"{stem}_{more}" if stem.startswith("test_") else f"{stem[:-5]}_{more}_test"
        beside = (f"{folder}/" if folder else "") + made + dot + suffix
        if beside not in used:
            return beside
    return None


def _find(tree: ast.Module, names: Sequence[str]) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The function of a node id's names: classes, then itself."""
    body: list[ast.stmt] = tree.body
    for depth, name in enumerate(names):
        last = depth == len(names) - 1
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef) if last else ast.ClassDef
        found = [node for node in body if isinstance(node, kinds) and node.name == name]
        if not found:
            return None
        if last:
            return found[-1]  # type: ignore[return-value]
        body = found[-1].body
    return None


def _locals(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    """Names that are the function's own to write."""
    arguments = {a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}
    written = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    foreign = {name for n in ast.walk(function) if isinstance(n, ast.Global | ast.Nonlocal) for name in n.names}
    # What runs later, in a scope of its own, would see the object where it honestly reads the name.
    later = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.GeneratorExp, ast.ClassDef)
    shared = {n.id for s in ast.walk(function) if isinstance(s, later) and s is not function for n in _names(s)}
    dynamic = {n.id for n in _names(function)} & {"locals", "vars", "eval", "exec"}
    return frozenset() if dynamic else frozenset((arguments | written) - foreign - shared)


def _names(node: ast.AST) -> Iterator[ast.Name]:
    return (n for n in ast.walk(node) if isinstance(n, ast.Name))


class _Armed:
    """Puts a comparison before each plain equality that is asserted."""

    def __init__(self, word: str, local: frozenset[str]) -> None:
        self.word, self.count, self._local = word, 0, local

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """The statements, and between them ours; where an exception is expected nothing is touched."""
        out: list[ast.stmt] = []
        for statement in body:
            if isinstance(statement, ast.For | ast.While | ast.If | ast.AsyncFor):
                statement.body = self.block(statement.body)
                statement.orelse = self.block(statement.orelse)
            sides = _equality(statement)
            if sides is not None:
                out += self._before(*sides)
                self.count += 1
            out.append(statement)
        return out

    def _before(self, left: ast.expr, right: ast.expr) -> list[ast.stmt]:
        one, other = ast.unparse(left), ast.unparse(right)
        lines = [f"if {one} == object() or object() == {other}:", f"    raise AssertionError('{self.word}')"]
        inside = {n.id for n in ast.walk(left) if isinstance(n, ast.Name)}
        if isinstance(right, ast.Name) and right.id in self._local - inside:
            kept = f"{right.id}_{self.count}_"
            lines += [f"{kept} = {other}", f"{other} = object()", "try:", f"    {kept}same = {one} == {other}"]
            lines += ["finally:", f"    {other} = {kept}"]
            lines += [f"if {kept}same is True:", f"    raise AssertionError('{self.word}')"]
        return ast.parse("\n".join(lines)).body


def _equality(statement: ast.stmt) -> tuple[ast.expr, ast.expr] | None:
    """What is compared by ``assert a == b`` or ``self.assertEqual(a, b)``."""
    match statement:
        case ast.Assert(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right])):
            pass
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="assertEqual"), args=[left, right])):
            pass
        case _:
            return None
    waits = any(isinstance(n, ast.Await | ast.NamedExpr | ast.Yield) for s in (left, right) for n in ast.walk(s))
    return None if waits else (left, right)


def _word() -> str:
    """Letters that stand in no traceback by chance."""
    return "".join(chr(ord("a") + secrets.randbelow(26)) for _ in range(20))
