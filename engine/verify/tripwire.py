"""Tests of our own, planted beside the targets once all is green: some must fail, some must pass, some must not notice.

A canary must fail; where it does not, results are made up. A twin of a target, under another name, must pass. Pure:
texts in, texts out.
"""

from __future__ import annotations

import ast
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

WORDS = ("edges", "cases", "again", "sizes", "order", "basic", "parts", "input", "values", "limits")

SORTED = re.compile(
    r"\bnodeid\b|\bfspath\b|\b(item|node)\.(name|path|function|module|originalname)|collect_ignore|__module__"
)
"""What makes a conftest treat tests by their names."""

BY_NAME = re.compile(
    SORTED.pattern + r"|__file__|__name__|__qualname__|\brequest\b|\bsnapshot\b|regression|datadir|\binspect\b|PYTEST_"
    r"|importlib|stacklevel|getsource|\bpickle\b|multiprocessing|subprocess|\bself\.id\("
)
"""What makes a test honestly depend on how it or its file is called."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
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
    place = beside(path, taken, below)
    function = rest.split("::")[-1].split("[")[0]
    if place is None or not function.isidentifier():
        return None
    numbers = [2 + below(50) for _ in range(3 + below(4))]
    said, name = word(), f"{function}_{WORDS[below(len(WORDS))]}"
    text = (
        f'def {name}():\n    numbers = {numbers}\n    assert sum(numbers) == {sum(numbers) + 1 + below(9)}, "{said}"\n'
    )
    return Wire(place, text, f"{place}::{name}", said)


def twin(nodeid: str, source: str, taken: Iterable[str], below: Random = secrets.randbelow) -> Wire | None:
    """A target under another file and function name, else to the letter as it is; None where names may matter."""
    path, _, rest = nodeid.partition("::")
    place = beside(path, taken, below)
    names, bracket, ids = rest.partition("[")
    function = find(source, names.split("::"))
    if place is None or function is None or BY_NAME.search(source):
        return None
    new = f"{function.name}_{WORDS[below(len(WORDS))]}"
    lines = source.splitlines(keepends=True)
    line = lines[function.lineno - 1]
    lines[function.lineno - 1] = re.sub(rf"\bdef\s+{function.name}\b", f"def {new}", line, count=1)
    if lines[function.lineno - 1] == line or new in source:
        return None
    outer = names.split("::")[:-1]
    return Wire(place, "".join(lines), "::".join([place, *outer, new]) + bracket + ids, "")


def beside(path: str, taken: Iterable[str], below: Random) -> str | None:
    """A name pytest collects for the same reason as that of the file beside it."""
    folder, _, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    if suffix != "py" or not (stem.startswith("test_") or stem.endswith("_test")):
        return None
    used = set(taken)
    for _ in range(100):
        more = WORDS[below(len(WORDS))] + str(below(90) or "")
        made = f"{stem}_{more}" if stem.startswith("test_") else f"{stem[:-5]}_{more}_test"
        found = (f"{folder}/" if folder else "") + made + dot + suffix
        if found not in used:
            return found
    return None


def parsed(source: str) -> ast.Module | None:
    """The tree of a test file; None if it has none."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def find(source: str | ast.Module, names: Sequence[str]) -> Function | None:
    """The function of a node id's names: classes, then itself."""
    tree = parsed(source) if isinstance(source, str) else source
    body: list[ast.stmt] = tree.body if tree is not None else []
    for depth, name in enumerate(names):
        last = depth == len(names) - 1
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef) if last else (ast.ClassDef,)
        found = [node for node in body if isinstance(node, kinds) and node.name == name]
        if not found:
            return None
        if isinstance(found[-1], ast.FunctionDef | ast.AsyncFunctionDef):
            return found[-1]
        body = found[-1].body
    return None


def word() -> str:
    """Letters that stand in no traceback by chance."""
    return "".join(chr(ord("a") + secrets.randbelow(26)) for _ in range(20))
