"""Signs of a program that knows it is being tested, read off a syntax tree. Pure.

A sign with a word is grave where the project has never used that word: no honest change needs it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

FRAMEWORK = frozenset({"pytest", "_pytest", "pluggy", "hypothesis", "nose", "xdist"})
MILD_MODULES = {
    **dict.fromkeys(("unittest", "doctest"), "production code knows the test framework"),
    **dict.fromkeys(
        ("inspect", "gc", "atexit", "ctypes", "faulthandler", "traceback", "linecache"),
        "it shows a program its own insides, its caller's too",
    ),
}
GRAVE_MODULES = frozenset({"sitecustomize", "usercustomize"})

GRAVE_ATTRIBUTES = {
    **dict.fromkeys(("_getframe", "_current_frames", "f_back", "f_locals", "f_globals"), "a caller's frame"),
    **dict.fromkeys(("currentframe", "getouterframes", "getinnerframes", "tb_frame"), "a caller's frame"),
    **dict.fromkeys(("settrace", "setprofile"), "a hook on every call"),
    "get_referrers": "every object there is",
    "_exit": "an end without a report",
    **dict.fromkeys(("SkipTest", "skipTest"), "an end that is no result"),
    **dict.fromkeys(("getsource", "getsourcelines", "findsource"), "the text of a program"),
    **dict.fromkeys(("meta_path", "path_hooks", "path_importer_cache"), "how modules are found"),
}
MILD_ATTRIBUTES = {
    **dict.fromkeys(("f_code", "f_lineno"), "a caller's frame"),
    **dict.fromkeys(("__code__", "__closure__", "__subclasses__"), "the code of a function, or all classes there are"),
    **dict.fromkeys(("execv", "execve", "execvp"), "an end without a report"),
    **dict.fromkeys(("fork", "forkpty", "setsid"), "a process that outlives the check"),
}
OF_MODULES = {
    ("gc", "get_objects"): "every object there is",
    ("os", "abort"): "an end without a report",
    ("os", "killpg"): "an end without a report",
    ("inspect", "stack"): "a caller's frame",
}
"""Attributes whose names mean something else elsewhere."""
MOCKED = {
    "ANY": "what equals everything",
    **dict.fromkeys(("patch", "_patch"), "other code's names"),
    "*": "all of the mocks",
}
"""Of mocks: a fake client may honestly ship with a library, these may not."""
NAMES = {
    **dict.fromkeys(("eval", "exec", "compile"), "code out of a string"),
    **dict.fromkeys(("SystemExit", "exit", "quit"), "an end that is no result"),
}
_GLOB = re.compile(r"(^|/)test_?\*|\*_?test\.py$|(^|/)tests?/.*\.py$")
"""A search for files of tests."""

DECODERS = frozenset(
    {"b64decode", "b32decode", "b85decode", "a85decode", "unhexlify", "fromhex", "decompress", "loads"}
)
"""What makes text out of what nobody can read."""

ANSWERS = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__", "__bool__", "__instancecheck__")
"""Methods whose constant answer makes assertions pass."""
ALWAYS = {"__eq__": True, "__instancecheck__": True, "__subclasscheck__": True, "__contains__": True}

CALM = frozenset({"stdout", "stderr", "stdin", "excepthook", "displayhook", "path", "argv", "tracebacklimit"})
"""Attributes of modules that programs set for good reasons."""
STANDARD = frozenset({"builtins", "time", "random", "math", "os", "operator", "json", "unittest", "datetime", "sys"})


@dataclass(frozen=True, slots=True)
class Sign:
    """Something at a line. ``word``: what makes it grave, unless the project uses it elsewhere."""

    code: str
    text: str
    line: int
    word: str = ""


def signs(tree: ast.AST, tests: frozenset[str]) -> Iterator[Sign]:
    """Every sign of a module, in the order of a walk.

    Parameters
    ----------
    tests : names of the files that judge.
    """
    prose = _docstrings(tree)
    modules = _imported(tree)
    yield from _mocked(tree)
    for node in ast.walk(tree):
        yield from _names(node)
        yield from _code(node)
        match node:
            case ast.Constant(value=str(said)) if node not in prose:
                yield from _words(said, tests, node.lineno)
            case ast.BinOp(op=ast.Add()) | ast.Call() | ast.Subscript():
                folded = _folded(node)
                if folded:
                    yield from _words(folded, tests, node.lineno)
            case ast.FunctionDef(name=name) if name in ANSWERS:
                yield from _constant(node)
            case ast.Assign(targets=targets):
                yield from _patches(modules, targets)
                yield from _lambda(targets, node.value)
            case ast.Delete(targets=targets):
                yield from _patches(modules, targets)


def _names(node: ast.AST) -> Iterator[Sign]:
    match node:
        case ast.Import(names=names):
            yield from _modules([name.name for name in names], node.lineno)
        case ast.ImportFrom(module=str(module), level=0):
            yield from _modules([module], node.lineno)
            for name in node.names:
                if module == "unittest.mock" and name.name in MOCKED:
                    yield Sign(
                        "TEST-AWARE", f"it reaches for {MOCKED[name.name]} ({name.name})", node.lineno, name.name
                    )
                if (module, name.name) in OF_MODULES:
                    text = f"it reaches for {OF_MODULES[module, name.name]} ({name.name})"
                    yield Sign("TEST-AWARE", text, node.lineno, f"{module}.{name.name}")
                yield from _attribute(name.name, node.lineno)
        case ast.Call(func=ast.Name(id="__import__") | ast.Attribute(attr="import_module"), args=[name, *_]):
            said = _folded(name) or (name.value if isinstance(name, ast.Constant) else None)
            if isinstance(said, str):
                yield from _modules([said], node.lineno)
            if not isinstance(name, ast.Constant):
                yield Sign("HIDDEN-IMPORT", "a module whose name is computed", node.lineno)
        case ast.Attribute(attr="modules", value=ast.Name(id="sys")):
            yield Sign("TEST-AWARE", "it looks at what else is loaded", node.lineno)
        case ast.Attribute(value=ast.Name(id=module), attr=name) if (module, name) in OF_MODULES:
            text = f"it reaches for {OF_MODULES[module, name]} ({module}.{name})"
            yield Sign("TEST-AWARE", text, node.lineno, f"{module}.{name}")
        case ast.Attribute(attr=name):
            yield from _attribute(name, node.lineno)
        case ast.Name(id=name, ctx=ast.Load()) if name in NAMES:
            yield Sign("TEST-AWARE", f"it reaches for {NAMES[name]} ({name})", node.lineno)
        case ast.Name(id=name, ctx=ast.Load()) if name in GRAVE_ATTRIBUTES:
            yield from _attribute(name, node.lineno)
        case _:
            pass


def _mocked(tree: ast.AST) -> Iterator[Sign]:
    """Of the library of mocks what no fake needs."""
    bound = {"mock"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            bound |= {alias.asname for alias in node.names if alias.name == "unittest.mock" and alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module == "unittest":
            bound |= {alias.asname for alias in node.names if alias.name == "mock" and alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module == "unittest.mock":
            for alias in node.names:
                if alias.name in MOCKED:
                    text = f"it reaches for {MOCKED[alias.name]} (unittest.mock: {alias.name})"
                    yield Sign("TEST-AWARE", text, node.lineno, "unittest.mock")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in MOCKED and _last(node.value) in bound:
            yield Sign(
                "TEST-AWARE", f"it reaches for {MOCKED[node.attr]} (mock.{node.attr})", node.lineno, f"mock.{node.attr}"
            )


def _attribute(name: str, line: int) -> Iterator[Sign]:
    if name in GRAVE_ATTRIBUTES:
        yield Sign("TEST-AWARE", f"it reaches for {GRAVE_ATTRIBUTES[name]} ({name})", line, name)
    elif name in MILD_ATTRIBUTES:
        yield Sign("TEST-AWARE", f"it reaches for {MILD_ATTRIBUTES[name]} ({name})", line)


def _modules(names: Iterable[str], line: int) -> Iterator[Sign]:
    for name in names:
        root = name.split(".")[0]
        if root in FRAMEWORK:
            yield Sign("TEST-AWARE", f"production code knows the test framework ({root})", line, root)
        elif root in GRAVE_MODULES:
            yield Sign("TEST-AWARE", f"a module that runs in every process ({root})", line, root)
        elif name.startswith("unittest.mock"):
            yield Sign("TEST-AWARE", "production code uses mocks", line)
        elif name.startswith("unittest.") or root in MILD_MODULES:
            yield Sign("TEST-AWARE", f"{MILD_MODULES[root]} ({root})", line)


def _words(said: str, tests: frozenset[str], line: int) -> Iterator[Sign]:
    shown = repr(said)[:42]
    for word in ("PYTEST_", "BITNET_TUI", ".bitnet-tui", "_pytest"):
        if word in said:
            yield Sign("TEST-AWARE", f"the name of a test run ({shown})", line, word)
            return
    parts = said.lower().replace("/", " ").replace("-", " ").split()
    if len(parts) < 4 and {"pytest", "py.test"} & set(parts):
        yield Sign("TEST-AWARE", f"the name of a test run ({shown})", line, "pytest")
    elif any(said == name or said.endswith("/" + name) for name in tests) or _GLOB.search(said):
        yield Sign("READS-TESTS", f"the name of a file that judges ({shown})", line, said.rsplit("/", 1)[-1])
    elif said in GRAVE_ATTRIBUTES or said == "__code__":
        yield Sign("TEST-AWARE", f"a name that is looked up ({shown})", line, said)


def _code(node: ast.AST) -> Iterator[Sign]:
    """Code that is replaced, or made out of what nobody can read."""
    match node:
        case ast.Assign(targets=[*_, ast.Attribute(attr="__code__")]):
            yield Sign("PATCHES", "it replaces the code of a function", node.lineno, "__code__ =")
        case ast.Call(func=ast.Name(id="exec" | "eval" as name), args=[given, *_]):
            called = {_last(n.func) for n in ast.walk(given) if isinstance(n, ast.Call)}
            if called & DECODERS:
                yield Sign("HIDDEN-CODE", f"{name} of text that is unpacked first", node.lineno, f"{name}(")
        case ast.Call(func=ast.Attribute(attr=name), args=[ast.Constant(value=str(said) | bytes(said)), *_]):
            if name in DECODERS - {"loads"} and len(said) > 20:
                yield Sign("HIDDEN-DATA", f"constants nobody can read ({name})", node.lineno, name)
        case ast.Call(func=ast.Name(id="setattr"), args=[inner, ast.Constant(value=str(name)), _]):
            module = ast.unparse(inner)
            if module.split(".")[0] in STANDARD | FRAMEWORK and not CALM & {*module.split("."), name}:
                yield Sign("PATCHES", f"it changes another module ({module}.{name})", node.lineno, f"setattr({module}")


def _last(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _constant(function: ast.FunctionDef) -> Iterator[Sign]:
    """Methods of which every return gives one constant that is not NotImplemented."""
    given = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    values = {node.value for node in given if isinstance(node, ast.Constant)}
    raises = any(isinstance(node, ast.Raise) for node in ast.walk(function))
    if given and len(values) == 1 and all(isinstance(node, ast.Constant) for node in given) and not raises:
        grave = ALWAYS.get(function.name) in values
        text = f"{function.name} always gives the same answer"
        yield Sign("CONSTANT-EQ", text, function.lineno, f"always {function.name}" if grave else "")


def _lambda(targets: list[ast.expr], value: ast.expr) -> Iterator[Sign]:
    """``__eq__ = lambda self, other: True``"""
    if not (isinstance(value, ast.Lambda) and isinstance(value.body, ast.Constant)):
        return
    for target in targets:
        name = _last(target)
        if name in ANSWERS:
            word = f"always {name}" if ALWAYS.get(name) == value.body.value else ""
            yield Sign("CONSTANT-EQ", f"{name} always gives the same answer", target.lineno, word)


def _imported(tree: ast.AST) -> dict[str, str]:
    """Modules by the name they have here, and what was taken out of the standard ones."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name.split(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in STANDARD | FRAMEWORK:
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _patches(modules: dict[str, str], targets: list[ast.expr]) -> Iterator[Sign]:
    """Attributes of imported modules and of what is in them, or the table of modules itself, that are written."""
    for target in targets:
        match target:
            case ast.Attribute(value=ast.Name() | ast.Attribute() as inner, attr=attribute):
                yield from _patch(modules, inner, attribute, target.lineno)
            case ast.Subscript(value=ast.Attribute(attr="modules", value=ast.Name(id="sys")), slice=key):
                itself = isinstance(key, ast.Name) and key.id == "__name__"  # a module may become an object
                word = "" if itself else "sys.modules["
                yield Sign("PATCHES", "it puts a module in the place of another", target.lineno, word)
            case (
                ast.Subscript(value=ast.Attribute(value=inner, attr="__dict__"), slice=key)
                | ast.Subscript(value=ast.Call(func=ast.Name(id="vars"), args=[inner]), slice=key)
            ):
                yield from _patch(modules, inner, _text(key) or "…", target.lineno)
            case _:
                pass


def _patch(modules: dict[str, str], inner: ast.expr, attribute: str, line: int) -> Iterator[Sign]:
    way = [attribute]
    while isinstance(inner, ast.Attribute):
        way.insert(0, inner.attr)
        inner = inner.value
    if not (isinstance(inner, ast.Name) and inner.id in modules):
        return
    module = modules[inner.id]
    name = ".".join(way)
    grave = module.split(".")[0] in STANDARD | FRAMEWORK and not CALM & {*module.split("."), *way}
    yield Sign("PATCHES", f"it changes another module ({module}.{name})", line, f"{inner.id}.{name} =" if grave else "")


def _folded(node: ast.expr) -> str:
    """Text that is put together out of constants: sums, joins, slices turned round; empty if it is not."""
    match node:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            one, other = _text(left), _text(right)
            return one + other if one and other else ""
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(glue)), attr="join"), args=[given]):
            if isinstance(given, ast.List | ast.Tuple):
                parts = [_text(e) for e in given.elts]
                return glue.join(parts) if all(parts) else ""
            return glue.join(given.value) if isinstance(given, ast.Constant) and isinstance(given.value, str) else ""
        case ast.Subscript(value=ast.Constant(value=str(said)), slice=ast.Slice(lower=None, upper=None, step=step)):
            return said[::-1] if isinstance(step, ast.UnaryOp) else ""
    return ""


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return _folded(node)


def _docstrings(tree: ast.AST) -> set[ast.AST]:
    """Texts that stand alone: they are read by people only."""
    return {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
