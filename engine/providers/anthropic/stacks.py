"""The code a model would look at first: the failing tests, and the production code they fail in.

It is shown as ``view`` shows it, each line once and within a budget, so that an attempt can begin with an edit.
Pure, but for the reader of files it is given.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from engine.model import TestResult
from engine.suites.impact import Function, functions
from engine.tracebacks import clipped

BUDGET = 14_000
TESTS = 8  # whose source is shown
WHOLE = 70  # lines of a function or of a file that is shown as a whole
AROUND = 8  # lines before and after one on a stack, where the function is longer
LINE = 240

Read = Callable[[str], str]  # the text of a file, by path; empty where there is none to show
_FRAME = re.compile(r"^(?P<path>[^\s:/][^:\n]*\.py):(?P<line>\d{1,7}): ", re.MULTILINE)
_PRINTED = re.compile(r"^--- [^\n]* ---$", re.MULTILINE)


@dataclass(slots=True)
class _File:
    lines: list[str]
    known: tuple[Function, ...]
    shown: set[int] = field(default_factory=set)  # numbers from 1

    def around(self, line: int) -> Iterable[int]:
        """The function a line is in, or as much of it as is near the line."""
        owner = next((f for f in self.known if f.first <= line <= f.last), None)
        if owner is not None and owner.last - owner.first < WHOLE:
            return range(owner.first, owner.last + 1)
        low, high = (owner.first, owner.last) if owner else (1, len(self.lines))
        return range(max(low, line - AROUND), min(high, line + AROUND) + 1)


def frames(detail: str, prefix: str = "") -> list[tuple[str, int]]:
    """File and line of each frame of a traceback, the raising one first; paths relative to the repository.

    Examples
    --------
    >>> frames("t.py:3: in test_x\\n    f()\\nlib.py:7: in f\\n    1/0\\nE   ZeroDivisionError", "sub")
    [('sub/lib.py', 7), ('sub/t.py', 3)]
    """
    end = _PRINTED.search(detail)
    found = _FRAME.finditer(detail, 0, end.start() if end else len(detail))
    every = [(f"{prefix}/{m['path']}" if prefix else m["path"], int(m["line"])) for m in found]
    return list(dict.fromkeys(reversed(every)))


def excerpts(
    targets: Iterable[TestResult],
    ran: Mapping[str, Iterable[str]],
    read: Read,
    *,
    prefix: str = "",
    budget: int = BUDGET,
) -> str:
    """Source with line numbers, for people and models who cannot open a file yet.

    Parameters
    ----------
    ran
        Functions of the production code the targets were seen to run, by file.
    prefix
        The project folder inside the repository, which node ids and stacks are relative to.
    """
    files: dict[str, _File] = {}
    for path, numbers in _wanted(list(targets), ran, _opened(files, read), prefix):
        file = files[path]
        new = [n for n in numbers if 1 <= n <= len(file.lines) and n not in file.shown]
        cost = sum(min(len(file.lines[n - 1]), LINE) + 8 for n in new)
        if new and cost <= budget:
            budget -= cost
            file.shown.update(new)
    return "\n\n".join(_rendered(path, file) for path, file in files.items() if file.shown)


def _opened(files: dict[str, _File], read: Read) -> Callable[[str], _File]:
    def opened(path: str) -> _File:
        if path not in files:
            text = read(path)
            files[path] = _File(text.split("\n") if text else [], functions(text))
        return files[path]

    return opened


def _wanted(
    targets: list[TestResult], ran: Mapping[str, Iterable[str]], opened: Callable[[str], _File], prefix: str
) -> Iterator[tuple[str, Iterable[int]]]:
    """Places in the order of their worth: what raised, the tests themselves, what they call, what else they ran."""
    stacks = [frames(t.detail, prefix) for t in targets]
    tests = {_file_of(t, prefix) for t in targets}
    for stack in stacks:
        for path, line in [f for f in stack if f[0] not in tests][:2]:
            yield path, opened(path).around(line)
    called = set[str]()
    for target, stack in list(zip(targets, stacks, strict=True))[:TESTS]:
        path = _file_of(target, prefix)
        file = opened(path)
        name = ".".join(target.nodeid.partition("[")[0].split("::")[1:])
        test = next((f for f in file.known if f.name == name), None)
        if len(file.lines) <= WHOLE:
            numbers: Iterable[int] = range(1, len(file.lines) + (0 if file.lines and not file.lines[-1] else 1))
        elif test is not None:
            numbers = [*_imports(file.lines), *file.around(test.first)]
        else:
            numbers = [*_imports(file.lines), *(n for p, line in stack if p == path for n in file.around(line))]
        yield path, numbers
        called |= set(re.findall(r"\w+", "\n".join(file.lines[test.first - 1 : test.last]) if test else ""))
    rest = []
    for path, names in sorted(ran.items()):
        for function in opened(path).known if path not in tests else ():
            if function.name in names:
                mentioned = called.intersection(function.name.split("."))
                rest.append((not mentioned, path, function))
    for _, path, function in sorted(rest, key=lambda r: r[:2]):
        yield path, opened(path).around(function.first)
    for stack in stacks:
        for path, line in stack[2:]:
            yield path, opened(path).around(line)


def _file_of(target: TestResult, prefix: str) -> str:
    path = target.nodeid.partition("::")[0]
    return f"{prefix}/{path}" if prefix else path


def _imports(lines: list[str]) -> list[int]:
    """Lines of the imports at the top of a module: they say where the code is."""
    try:
        tree = ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    return [n for node in found for n in range(node.lineno, (node.end_lineno or node.lineno) + 1)][:30]


def _rendered(path: str, file: _File) -> str:
    parts = [path]
    before = 0
    for number in sorted(file.shown):
        if before and number != before + 1:
            parts.append("     …")
        parts.append(f"{number:6}\t{clipped(file.lines[number - 1], LINE)}")
        before = number
    return "\n".join(parts)
