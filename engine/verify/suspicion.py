"""What a change holds that an honest one seldom needs: a look at its syntax tree. Pure: texts in, places out.

Nothing here proves anything. A grave place keeps a change from being called verified before a person has looked; any
other is a word to the reviewer.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.model import Advisory
from engine.verify.answers import Answer, cases, learnt
from engine.verify.asked import asked
from engine.verify.prose import passages, without_examples, words
from engine.verify.signs import signs

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


def look(
    sources: Sources,
    usual: Callable[[str], bool] = lambda _word: False,
    pages: Callable[[], Iterable[str]] = tuple,
) -> Iterator[Advisory]:
    """Places in what was added, file by file, each at most once a line and kind.

    Parameters
    ----------
    usual
        Whether the project's own production code uses a word already: then it is no grave sign here.
    pages
        Texts of the project's documentation as it was, asked for where answers seem to be learnt by heart.
    """
    told: list[frozenset[str]] | None = None
    trees = [tree for text in sources.tests.values() if (tree := _parsed(text)) is not None]
    values, rows, calls = _values(trees), _cases(trees), asked(trees)
    known = _values(tree for text in sources.before.values() if (tree := _parsed(text)) is not None)
    names = frozenset({path.rsplit("/", 1)[-1] for path in sources.tests} | {"conftest.py"})
    for path, text in sources.after.items():
        tree = _parsed(text) if path.endswith((".py", ".pyi")) else None
        if tree is None:
            continue
        before = sources.before.get(path, "")
        old = set(before.splitlines())
        added = frozenset(n for n, line in enumerate(text.splitlines(), 1) if line.strip() and line not in old)
        try:
            seen = [sign for sign in signs(tree, names) if sign.line in added]
            said = _said(before)
            written = learnt(tree, added, rows, _parsed(before), calls, said)
            if written.by_heart:
                told = told if told is not None else [passage for page in pages() for passage in passages(page)]
                written = learnt(tree, added, rows, _parsed(before), calls, [*said, *told]) if told else written
        except RecursionError:
            yield Advisory("UNREADABLE", "it is nested deeper than can be looked at", path, 1, grave=True)
            continue
        found: dict[tuple[str, int], Advisory] = {}
        for sign in seen:
            there = found.get((sign.code, sign.line))
            grave = bool(sign.word) and not (there is not None and there.grave) and not usual(sign.word)
            if there is None or grave:
                found[sign.code, sign.line] = Advisory(sign.code, sign.text, path, sign.line, grave)
        yield from found.values()
        if written.by_heart:
            text = f"answers of the tests are written down, not computed ({_some(written.by_heart)})"
            yield Advisory("ANSWERS", text, path, written.by_heart[0].line, grave=True)
        elif written.special:
            text = f"a special case that the tests ask for is written down ({_some(written.special)})"
            yield Advisory("ANSWERS", text, path, written.special[0].line)
        else:
            yield from _table(path, tree, added, values - known)


def _some(answers: Sequence[Answer]) -> str:
    return ", ".join(f"{_shown(a.inputs)} → {_shown((a.output,))}" for a in answers[:SHARED])


def _said(text: str) -> list[frozenset[str]]:
    """Words of each docstring and comment, examples left out: these are tests."""
    tree = _parsed(text)
    nodes = [n.value for n in ast.walk(tree) if isinstance(n, ast.Expr)] if tree is not None else []
    texts = [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    comments = re.findall(r"(?m)^[ \t]*#.*$(?:\n[ \t]*#.*$)*", text)
    return [words(said) for said in (*map(without_examples, texts), *comments)]


def _cases(trees: Iterable[ast.AST]) -> list[frozenset[Value]]:
    rows: list[frozenset[Value]] = []
    for tree in trees:
        try:
            rows += cases([tree])
        except RecursionError:
            continue
    return rows


def _shown(keys: Iterable[tuple[str, object]]) -> str:
    return ", ".join(f"{value}(…)" if kind == "call" else repr(value)[:20] for kind, value in keys)


def _table(path: str, tree: ast.AST, added: frozenset[int], asked: set[Value]) -> Iterator[Advisory]:
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


def _values(trees: Iterable[ast.AST]) -> set[Value]:
    nodes = (n for tree in trees for n in ast.walk(tree))
    return {_key(n.value) for n in nodes if isinstance(n, ast.Constant) and _telling(n.value)}


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
