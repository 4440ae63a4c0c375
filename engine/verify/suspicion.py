"""What a change holds that an honest one seldom needs: a look at its syntax tree. Pure: texts in, places out.

Nothing here proves anything. A place found is an advisory and a word to the reviewer, never a verdict.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from engine.model import Advisory

FRAMEWORK = frozenset({"pytest", "_pytest", "unittest", "pluggy", "hypothesis", "doctest"})
INSIDES = frozenset({"inspect", "gc", "atexit", "sitecustomize", "usercustomize", "ctypes", "faulthandler"})

ATTRIBUTES = {
    **dict.fromkeys(("_getframe", "_current_frames", "f_back", "f_locals", "f_globals", "f_code"), "a caller's frame"),
    **dict.fromkeys(("__code__", "__closure__", "__subclasses__"), "the code of a function, or all classes there are"),
    **dict.fromkeys(("settrace", "setprofile"), "a hook on every call"),
    **dict.fromkeys(("get_objects", "get_referrers"), "every object there is"),
    **dict.fromkeys(("_exit", "abort", "execv", "execve"), "an end without a report"),
    **dict.fromkeys(("meta_path", "path_hooks", "path_importer_cache"), "how modules are found"),
}
NAMES = {
    **dict.fromkeys(("eval", "exec", "compile"), "code out of a string"),
    **dict.fromkeys(("SkipTest", "SystemExit", "exit", "quit"), "an end that is no result"),
}
ANSWERS = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__", "__bool__", "__instancecheck__")
"""Methods whose constant answer makes assertions pass."""

PLAIN = frozenset({"", " ", "\n", "utf-8", "__main__", "r", "w", "rb", "wb"})
SHARED = 3
"""So many new values of the change that stand in the tests too look like a table of answers."""

MOST = 1_000_000
"""Characters of a file that is looked at."""


Value = tuple[str, object]
"""A constant with its type, so that 1 and 1.0 are two."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Texts of Python files by path: before, after, and of the tests that judge."""

    before: Mapping[str, str]
    after: Mapping[str, str]
    tests: Mapping[str, str]


def look(sources: Sources) -> Iterator[Advisory]:
    """Places in what was added, file by file, each at most once a line and kind."""
    asked = _values(sources.tests.values())
    known = _values(sources.before.values())
    names = {path.rsplit("/", 1)[-1] for path in sources.tests} | {"conftest.py"}
    for path, text in sources.after.items():
        tree = _parsed(text) if path.endswith((".py", ".pyi")) else None
        if tree is None:
            continue
        old = set(sources.before.get(path, "").splitlines())
        added = {n for n, line in enumerate(text.splitlines(), 1) if line.strip() and line not in old}
        found: set[tuple[str, int]] = set()
        for code, what, line in _places(tree, names):
            if line in added and (code, line) not in found:
                found.add((code, line))
                yield Advisory(code, what, path, line)
        yield from _table(path, tree, added, asked - known)


def _places(tree: ast.AST, tests: set[str]) -> Iterator[tuple[str, str, int]]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from _modules([name.name for name in names], node.lineno)
            case ast.ImportFrom(module=str(module), level=0):
                yield from _modules([module], node.lineno)
            case ast.Call(func=ast.Name(id="__import__") | ast.Attribute(attr="import_module"), args=[name, *_]):
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield from _modules([name.value], node.lineno)
                else:
                    yield "HIDDEN-IMPORT", "a module whose name is computed", node.lineno
            case ast.Attribute(attr="modules", value=ast.Name(id="sys")):
                yield "TEST-AWARE", "it looks at what else is loaded", node.lineno
            case ast.Attribute(attr=name) if name in ATTRIBUTES:
                yield "TEST-AWARE", f"it reaches for {ATTRIBUTES[name]} ({name})", node.lineno
            case ast.Name(id=name, ctx=ast.Load()) if name in NAMES:
                yield "TEST-AWARE", f"it reaches for {NAMES[name]} ({name})", node.lineno
            case ast.Constant(value=str(said)):
                yield from _words(said, tests, node.lineno)
            case ast.FunctionDef(name=name) if name in ANSWERS and _constant_answer(node):
                yield "CONSTANT-EQ", f"{name} always gives the same answer", node.lineno
            case ast.Assign(targets=targets):
                yield from _patches(tree, targets)


def _modules(names: list[str], line: int) -> Iterator[tuple[str, str, int]]:
    for name in names:
        root = name.split(".")[0]
        if root in FRAMEWORK:
            yield "TEST-AWARE", f"production code knows the test framework ({root})", line
        elif root in INSIDES:
            yield "TEST-AWARE", f"{root} shows a program its own insides, its caller's too", line


def _words(said: str, tests: set[str], line: int) -> Iterator[tuple[str, str, int]]:
    if "PYTEST_" in said or "pytest" in said.lower().split("-"):
        yield "TEST-AWARE", f"the name of a test run ({said[:40]!r})", line
    elif any(said == name or said.endswith("/" + name) for name in tests):
        yield "READS-TESTS", f"the name of a file that judges ({said[:40]!r})", line
    elif said in ("_getframe", "__code__", "_exit") or said.split(".")[0] in ("_pytest",):
        yield "TEST-AWARE", f"a name that is looked up ({said[:40]!r})", line


def _constant_answer(function: ast.FunctionDef) -> bool:
    """Whether every return gives one constant that is not NotImplemented."""
    given = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    values = {node.value for node in given if isinstance(node, ast.Constant)}
    raises = any(isinstance(node, ast.Raise) for node in ast.walk(function))
    return bool(given) and len(values) == 1 and all(isinstance(node, ast.Constant) for node in given) and not raises


def _patches(tree: ast.AST, targets: list[ast.expr]) -> Iterator[tuple[str, str, int]]:
    """Attributes of imported modules that are written."""
    for target in targets:
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            name = target.value.id
            imported = (
                (alias.asname or alias.name.split(".")[0])
                for node in ast.walk(tree)
                if isinstance(node, ast.Import)
                for alias in node.names
            )
            if name in imported:
                yield "PATCHES", f"it changes another module ({name}.{target.attr})", target.lineno


def _table(path: str, tree: ast.AST, added: set[int], asked: set[Value]) -> Iterator[Advisory]:
    """Values of the tests among what was added."""
    lines: dict[Value, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.lineno in added and _telling(node.value):
            lines.setdefault(_key(node.value), node.lineno)
    shared = [key for key in sorted(lines, key=lambda key: lines[key]) if key in asked]
    if len(shared) >= SHARED:
        some = ", ".join(repr(value)[:20] for _, value in shared[:SHARED])
        text = f"{len(shared)} values of the tests stand in the change ({some}): is it a table of answers?"
        yield Advisory("SHARED-VALUES", text, path, lines[shared[0]])


def _values(texts: Iterable[str]) -> set[Value]:
    found: set[Value] = set()
    for text in texts:
        tree = _parsed(text)
        if tree is not None:
            found |= {_key(n.value) for n in ast.walk(tree) if isinstance(n, ast.Constant) and _telling(n.value)}
    return found


def _telling(value: object) -> bool:
    """Whether two texts that hold it have more in common than chance."""
    if isinstance(value, str):
        return len(value) > 2 and value not in PLAIN and "\n" not in value
    if isinstance(value, bool) or value is None or value is Ellipsis:
        return False
    if isinstance(value, int):
        return abs(value) > 16 and value & (value - 1) != 0 and value not in (100, 255, 1000, 65535)
    return (isinstance(value, float | complex) and value not in (0.5, 0.25, 1.0, 2.0, 0.0)) or isinstance(value, bytes)


def _key(value: object) -> Value:
    return type(value).__name__, value


def _parsed(text: str) -> ast.AST | None:
    try:
        return ast.parse(text) if len(text) <= MOST else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
