"""What people leave behind while they look for a fault: breakpoints, prints, notes to themselves, dead code. Pure."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from engine.specialists.change import Edited

_DEBUGGERS = frozenset({"pdb", "ipdb", "pudb", "bpdb", "wdb", "web_pdb", "remote_pdb", "pydevd"})
_NOTE = re.compile(r"#.*?\b(TODO|FIXME|XXX|HACK)\b")
_SPEAKS = re.compile(r"(^|/)(__main__|cli|main|manage)\.py$|(^|/)(scripts?|bin|tools?|examples?|benchmarks?)/")
"""Programs: what they print is their purpose."""
_CODE = (ast.Assign, ast.AugAssign, ast.Return, ast.Raise, ast.Import, ast.ImportFrom, ast.Delete, ast.Assert)


def leftovers(edited: Edited) -> Iterator[tuple[int, str]]:
    """Left-overs on lines that a change added to a Python file: line and what it is."""
    text = edited.after
    if text is None or not edited.python or not edited.added:
        return
    try:
        tree = ast.parse(text)
        found = {*_statements(tree, edited), *_comments(text, edited)}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    yield from sorted(found)


def _statements(tree: ast.Module, edited: Edited) -> Iterator[tuple[int, str]]:
    silent = not (_prints(edited.before) or _speaks(tree, edited.path))
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if line not in edited.added:
            continue
        match node:
            case ast.Call(func=ast.Name(id="breakpoint")):
                yield line, "breakpoint()"
            case ast.Call(func=ast.Attribute(attr="set_trace" | "post_mortem")):
                yield line, "a debugger is called"
            case ast.Import(names=names) if any(a.name.split(".")[0] in _DEBUGGERS for a in names):
                yield line, "a debugger is imported"
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in _DEBUGGERS:
                yield line, "a debugger is imported"
            case ast.Call(func=ast.Name(id="print")) if silent:
                yield line, "print( in a module that printed nothing"


def _prints(text: str | None) -> bool:
    return text is not None and re.search(r"\bprint\(", text) is not None


def _speaks(tree: ast.Module, path: str) -> bool:
    """Whether a module is a program of its own."""
    guarded = any(isinstance(n, ast.If) and "__name__" in ast.dump(n.test) for n in tree.body)
    return guarded or _SPEAKS.search(path) is not None


def _comments(text: str, edited: Edited) -> Iterator[tuple[int, str]]:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return
    for token in tokens:
        line = token.start[0]
        if token.type != tokenize.COMMENT or line not in edited.added:
            continue
        if note := _NOTE.match(token.string):
            yield line, note[1]
        elif token.line.strip().startswith("#") and _is_code(token.string.lstrip("#").strip()):
            yield line, "code in a comment"


def _is_code(text: str) -> bool:
    """Whether a comment's words are a statement that nobody would write as prose.

    Examples
    --------
    >>> _is_code("total = a + b"), _is_code("type: ignore"), _is_code("see below"), _is_code("half")
    (True, False, False, False)
    """
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    if len(body) != 1:
        return False
    match body[0]:
        case ast.Expr(value=ast.Call(func=ast.Name() | ast.Attribute())):
            return True
        case ast.Return(value=None):  # a word by itself
            return False
    return isinstance(body[0], _CODE)
