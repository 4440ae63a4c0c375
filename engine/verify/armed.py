"""A copy of a target whose assertions first compare with things made for that moment.

What equals even those equals everything, or was read from the test. The copy's own outcome says nothing; only its word
does. Pure: texts in, texts out.
"""

from __future__ import annotations

import ast
import re
import secrets
from collections.abc import Iterable, Iterator

from engine.verify.tripwire import Function, Random, Wire, beside, find, parsed, word

METHODS = {
    ast.Eq: ("__eq__",),
    ast.Lt: ("__lt__", "__gt__"),
    ast.Gt: ("__gt__", "__lt__"),
    ast.LtE: ("__le__", "__ge__"),
    ast.GtE: ("__ge__", "__le__"),
    ast.In: ("__contains__", "__eq__"),
}
EQUAL = frozenset(
    {
        "assertEqual",
        "assertEquals",
        "assertListEqual",
        "assertDictEqual",
        "assertTupleEqual",
        "assertSetEqual",
        "assertSequenceEqual",
        "assertMultiLineEqual",
        "assertCountEqual",
        "assertAlmostEqual",
    }
)
CLOSE = ("assert_allclose", "assert_array_equal", "assert_array_almost_equal", "assert_almost_equal", "assert_equal")

_CHECK = '''

def {name}(sides, methods, files=({files})):
    other = [object(), 1000003, -7.25, "~" * 9, [object()], (object(),), {{"~": object()}}]

    def odd(value, method):
        """Whether Python code answers a comparison of this object: that of the change, if files are named."""
        found = getattr(type(value), method, None)
        if found is None or type(found) is type(object.__eq__):
            return False
        code = getattr(found, "__code__", None)
        place = code.co_filename.replace("\\\\", "/") if code is not None else "<"
        return not files or place.startswith("<") or place.endswith(files)

    def parts(value, depth=4):
        yield value
        if depth and type(value) in (list, tuple, set, frozenset, dict):
            for part in list(value.values() if type(value) is dict else value)[:100]:
                yield from parts(part, depth - 1)

    for side in sides:
        try:
            found = list(parts(side()))
        except Exception:
            continue
        for value in found:
            for method in methods:
                answers = []
                for decoy in other if odd(value, method) else ():
                    try:
                        answers.append({name}_held(getattr(type(value), method)(value, decoy)))
                    except Exception:
                        answers.append(False)
                if any(answers) and (method in ("__eq__", "__contains__") or all(answers)):
                    raise AssertionError("{word}")


def {name}_held(answer):
    """Whether an assertion would take this for a yes."""
    try:
        return answer is not NotImplemented and bool(answer)
    except Exception:
        return False


def {name}_close(check, side):
    try:
        value = side()
        if type(value).__module__.split(".")[0] in ("builtins", "numpy") or isinstance(value, (int, float)):
            return
        import numpy
        plain = numpy.array(numpy.asarray(value).tolist(), dtype=float)
        far = plain + 1.0 + 2.0 * numpy.abs(plain)
        if not plain.size or not numpy.isfinite(far).all():
            return
        check(value, far)
    except BaseException:
        return
    raise AssertionError("{word}")
'''


def copy(
    nodeid: str, source: str, taken: Iterable[str], changed: Iterable[str] = (), below: Random = secrets.randbelow
) -> Wire | None:
    """A copy of a target's file with armed assertions; None where none can be armed.

    Parameters
    ----------
    changed
        Files of the change: what compares anything as equal is looked for in their classes.
    """
    path, _, rest = nodeid.partition("::")
    place = beside(path, taken, below)
    tree = parsed(source)
    function = find(tree, rest.split("[")[0].split("::")) if tree is not None else None
    if place is None or tree is None or function is None:
        return None
    armed = _Armed(word(), _locals(function))
    function.body = armed.block(function.body)
    if not armed.count:
        return None
    # A test may well expect something that equals anything; then only what the change defines is looked at.
    lenient = re.search(r"\bANY\b|Any[A-Z(]|anything|dirty_equals|__eq__", source)
    files = "".join(f"{'/' + p!r}, " for p in changed) if lenient else ""
    helper = _CHECK.format(name=armed.name, word=armed.word, files=files)
    text = ast.unparse(ast.fix_missing_locations(tree)) + helper
    return Wire(place, text, f"{place}::{rest}", armed.word)


def _locals(function: Function) -> frozenset[str]:
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
    """Puts a comparison before each assertion that compares."""

    def __init__(self, said: str, local: frozenset[str]) -> None:
        self.word, self.count, self._local = said, 0, local
        self.name = f"{said[::-1]}_"

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """The statements, and between them ours; where an exception is expected nothing is touched."""
        out: list[ast.stmt] = []
        for statement in body:
            if isinstance(statement, ast.For | ast.While | ast.If | ast.AsyncFor):
                statement.body = self.block(statement.body)
                statement.orelse = self.block(statement.orelse)
            elif isinstance(statement, ast.With) and not _expects(statement):
                statement.body = self.block(statement.body)
            ours = list(self._before(statement))
            self.count += bool(ours)
            out += ours
            out.append(statement)
        return out

    def _before(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        match statement:
            case ast.Assert(test=test):
                for compare in (n for n in ast.walk(test) if isinstance(n, ast.Compare)):
                    methods = METHODS.get(type(compare.ops[0]))
                    if methods and not _waits(test):
                        yield self._check((compare.left, compare.comparators[0]), methods)
                if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq) and not _waits(test):
                    yield from self._replaced(test.left, test.comparators[0])
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name), args=[left, right, *_])) if name in EQUAL:
                if not _waits(statement):
                    yield self._check((left, right), ("__eq__",))
                    yield from self._replaced(left, right)
            case ast.Expr(value=ast.Call(func=func, args=[left, right, *rest], keywords=keywords)):
                name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
                if name in CLOSE and not _waits(statement):
                    yield self._check((left, right), ("__eq__",))
                    more = "".join(f", {ast.unparse(r)}" for r in (*rest, *keywords))
                    check = f"lambda one_, two_: {ast.unparse(func)}(one_, two_{more})"
                    yield from ast.parse(f"{self.name}_close({check}, lambda: {ast.unparse(left)})").body
            case _:
                pass

    def _check(self, sides: tuple[ast.expr, ast.expr], methods: tuple[str, ...]) -> ast.stmt:
        given = ", ".join(f"lambda: {ast.unparse(s)}" for s in sides)
        return ast.parse(f"{self.name}(({given}), {methods!r})").body[0]

    def _replaced(self, left: ast.expr, right: ast.expr) -> Iterator[ast.stmt]:
        """Where what is expected has a name: the same with something else under that name."""
        inside = {n.id for n in _names(left)}
        if not (isinstance(right, ast.Name) and right.id in self._local - inside):
            return
        one, other, kept = ast.unparse(left), right.id, f"{right.id}_{self.count}_"
        lines = [f"{kept} = {other}", f"{other} = object()", "try:", f"    {kept}same = {one} == {other}"]
        lines += ["finally:", f"    {other} = {kept}"]
        lines += [f"if {self.name}_held({kept}same):", f"    raise AssertionError('{self.word}')"]
        yield from ast.parse("\n".join(lines)).body


def _expects(statement: ast.With) -> bool:
    """Whether a block may honestly not run to its end."""
    said = " ".join(ast.unparse(item.context_expr) for item in statement.items)
    return any(name in said for name in ("raises", "Raises", "suppress", "warns", "Warns", "deprecated", "fail"))


def _waits(node: ast.AST) -> bool:
    return any(isinstance(n, ast.Await | ast.NamedExpr | ast.Yield) for n in ast.walk(node))
