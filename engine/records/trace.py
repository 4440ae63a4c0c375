"""The trace table: which red test led through which code, and what the repository says it is about. Pure.

Paths are what the test was seen to run before the change; functions of the change come first. Nothing is made up:
where nobody says which story a test belongs to, there is a dash.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.records.ledger import Trace
from engine.suites.impact import functions

ROWS = 20
"""Rows of one table; parameters of a test share one where there would be more."""
PATHS = 4
_LONG = 120
NONE = "–"

_SAID = re.compile(r"^\W{0,4}(story|user story|ac|acceptance criterion|schema|example)\s*[:=]\s*(\S.*)$", re.I)
_NUMBERED = re.compile(r"\b(AC|US|Story)[-_ #]?(\d{1,6})\b", re.I)
_MARKED = re.compile(r"@(?:\w+\.)*(story|ac|acceptance|schema)\(\s*[\"']([^\"']{1,200})[\"']")


@dataclass(frozen=True, slots=True)
class Sources:
    """What the table is made from.

    Parameters
    ----------
    before, after
        Texts of the changed files.
    tests
        Texts of the files the tests are in, by their name in a node id.
    seen
        Functions a test ran, by file, by test key.
    """

    before: Mapping[str, str]
    after: Mapping[str, str]
    tests: Mapping[str, str]
    seen: Mapping[str, Mapping[str, Collection[str]]]


def rows(fixed: Sequence[str], sources: Sources) -> tuple[Trace, ...]:
    """One row a test that became green; of many, one row for all parameters of a test, then one for all the rest."""
    changed = {path: _changed(sources.before.get(path, ""), text) for path, text in sources.after.items()}
    groups: dict[str, list[str]] = {key: [key] for key in fixed}
    if len(groups) > ROWS:
        groups = {}
        for key in fixed:
            groups.setdefault(key.partition("[")[0], []).append(key)
    shown, left = list(groups.values()), list[list[str]]()
    if len(shown) > ROWS:
        shown, left = shown[: ROWS - 1], shown[ROWS - 1 :]
    twice = {k.split(" ", 1)[1] for k in fixed if sum(o.split(" ", 1)[1] == k.split(" ", 1)[1] for o in fixed) > 1}
    table = [_row(keys, sources, changed, twice) for keys in shown]
    if left:
        rest = [key for keys in left for key in keys]
        table.append(Trace(NONE, NONE, f"{len(rest)} more tests, not listed", _paths(rest, sources, changed)))
    return tuple(table)


def _row(keys: Sequence[str], sources: Sources, changed: Mapping[str, Sequence[str]], twice: Collection[str]) -> Trace:
    suite, nodeid = keys[0].split(" ", 1)
    story, schema = about(nodeid, sources.tests)
    name = nodeid if len(keys) == 1 else f"{nodeid.partition('[')[0]} ({len(keys)} cases)"
    if nodeid in twice:
        name += f" ({suite})"
    return Trace(story, schema, name, _paths(keys, sources, changed))


def _paths(keys: Iterable[str], sources: Sources, changed: Mapping[str, Sequence[str]]) -> str:
    """``calc/__init__.py:add, calc/more.py:mul and 3 more``: what the change made anew comes first."""
    ran: dict[str, set[str]] = {}
    for key in keys:
        for path, names in sources.seen.get(key, {}).items():
            ran.setdefault(path, set()).update(names)
    first = [f"{p}:{n}" for p, names in changed.items() for n in names if n in ran.get(p, ())]
    # Of a file that was changed, only what is still there; a new function nobody could see yet.
    there = {p: {f.name for f in functions(text)} for p, text in sources.after.items()}
    rest = [f"{p}:{n}" for p in sorted(ran) for n in sorted(ran[p]) if p not in there or n in there[p]]
    found = [*first, *(r for r in rest if r not in first)]
    if not first:
        found = [*([f"{p}:{n}" for p, names in changed.items() for n in names] or changed), *found]
    more = f" and {len(found) - PATHS} more" if len(found) > PATHS else ""
    return ", ".join(found[:PATHS]) + more if found else NONE


def _changed(before: str, after: str) -> list[str]:
    """Functions whose lines differ, new ones included, wherever they stand."""
    old, new = before.splitlines(), after.splitlines()
    was = {f.name: old[f.first - 1 : f.last] for f in functions(before)}
    return [f.name for f in functions(after) if was.get(f.name) != new[f.first - 1 : f.last]]


def about(nodeid: str, texts: Mapping[str, str]) -> tuple[str, str]:
    """Story and schema of a test, as its marks, comments and docstring (or its class's, its file's) say.

    Examples
    --------
    >>> about("t.py::test_a", {"t.py": 'def test_a():\\n    # AC: sums are exact\\n    assert 1\\n'})
    ('sums are exact', '–')
    """
    path, *names = nodeid.partition("[")[0].split("::")
    text = texts.get(path)
    if text is None:
        return NONE, NONE
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return NONE, NONE
    chain: list[ast.AST] = [module]
    for name in names:
        body: list[ast.stmt] = getattr(chain[-1], "body", [])
        kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        node = next((n for n in body if isinstance(n, kinds) and n.name == name), None)
        if node is None:
            break
        chain.append(node)
    lines = text.splitlines()
    said: dict[str, str] = {}
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for depth, found in reversed(list(enumerate(chain))):
        doc = ast.get_docstring(found) if isinstance(found, documented) else None
        for key, value in _said(_comments(found, lines), doc or ""):
            said.setdefault(key, value)
        if doc and depth == len(names) and depth:
            said.setdefault("story", doc.splitlines()[0])
    return _short(said.get("story", NONE)), _short(said.get("schema", NONE))


def _comments(node: ast.AST, lines: Sequence[str]) -> list[str]:
    """Marks and comments of a test, those right above it included; of a class or file, its marks."""
    if isinstance(node, ast.Module):
        return []
    decorators = getattr(node, "decorator_list", [])
    first = min([getattr(node, "lineno", 1), *(d.lineno for d in decorators)]) - 1
    above = first
    while above and lines[above - 1].lstrip().startswith("#"):
        above -= 1
    end = getattr(node, "lineno", 1) if isinstance(node, ast.ClassDef) else getattr(node, "end_lineno", first)
    return [line.strip() for line in lines[above:end] if line.lstrip().startswith(("#", "@"))]


def _said(comments: Iterable[str], doc: str) -> Iterable[tuple[str, str]]:
    for line in [*comments, *doc.splitlines()]:
        if mark := _MARKED.search(line):
            yield _key(mark[1]), mark[2]
        elif match := _SAID.match(line):
            yield _key(match[1]), match[2]
        elif number := _NUMBERED.search(line):
            yield "story", f"{number[1].upper()}-{number[2]}" if not doc.startswith(line) else line


def _key(word: str) -> str:
    return "schema" if word.lower() in ("schema", "example") else "story"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"
