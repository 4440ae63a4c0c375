"""Broken programs of public data sets as small projects with pytest tests. The data is the reader's own copy."""

from __future__ import annotations

import ast
import json
import runpy
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    """One broken program.

    Attributes
    ----------
    kind : the data set.
    function : what is called, by the tests and by the judge.
    module : the file that may be edited, relative to the project.
    reference : source of the right program.
    check : source with a function ``check`` that calls the program with the test's inputs; empty: none.
    inputs : an expression over a Random ``r`` and NumPy that gives arguments; empty: none.
    base : a clone that the files are put into.
    editable : what may be edited beside the module.
    roots : where imports begin.
    python : the interpreter that has what it needs.
    """

    kind: str
    name: str
    function: str
    module: str
    reference: str
    files: tuple[tuple[str, str], ...]
    check: str = ""
    inputs: str = ""
    base: Path | None = None
    editable: tuple[str, ...] = ()
    roots: tuple[str, ...] = (".",)
    python: str = sys.executable

    def write(self, root: Path) -> None:
        """Make the project."""
        if self.base is not None:
            shutil.copytree(self.base, root, symlinks=True, ignore=shutil.ignore_patterns(".git", "__pycache__"))
        for path, text in self.files:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")


def quixbugs(folder: Path) -> Iterator[Program]:
    """The 40 Python programs of a clone of jkoppel/QuixBugs, each with its own tests alone."""
    shared = ("conftest.py", "python_testcases/load_testdata.py", "python_programs/node.py", "python_testcases/node.py")
    for path in sorted((folder / "python_testcases").glob("test_*.py")):
        name = path.stem.removeprefix("test_")
        if not (folder / "python_programs" / f"{name}.py").is_file():
            continue
        own = (f"python_programs/{name}.py", f"python_testcases/test_{name}.py", f"json_testcases/{name}.json")
        texts = tuple((p, (folder / p).read_text()) for p in (*shared, *own) if (folder / p).is_file())
        reference = (folder / "correct_python_programs" / f"{name}.py").read_text()
        yield Program("quixbugs", name, name, f"python_programs/{name}.py", reference, texts)


def humanevalfix(file: Path) -> Iterator[Program]:
    """The Python tasks of HumanEvalPack (bigcode-project/octopack), a test for each assertion of theirs."""
    for line in file.read_text(encoding="utf-8").splitlines():
        task = json.loads(line)
        name = task["task_id"].replace("Python/", "task_")
        function = task["entry_point"]
        tests = split(task["test"], function)
        files = (("solution.py", task["declaration"] + task["buggy_solution"]), ("test_solution.py", tests))
        reference = task["declaration"] + task["canonical_solution"]
        yield Program("humanevalfix", name, function, "solution.py", reference, files, checked(task["test"]))


def unwritten(file: Path) -> Iterator[Program]:
    """The same tasks with nothing but their signature and docstring: the function is still to be written."""
    for task, program in zip(map(json.loads, file.read_text(encoding="utf-8").splitlines()), humanevalfix(file)):  # noqa: B905
        stub = f"{task['prompt'].rstrip()}\n    raise NotImplementedError\n"
        yield replace(program, kind="humaneval stubs", files=(("solution.py", stub), *program.files[1:]))


def stubs(table: Path, *, held: bool) -> Iterator[Program]:
    """Functions still to be written, of our own table: held out while the synthesis was written, or not."""
    for name, (head, body, left, test, inputs, apart) in runpy.run_path(str(table))["CASES"].items():
        if apart is held:
            function = head.split("def ")[-1].partition("(")[0]
            files = (("mod.py", f"{head}    {left}\n"), ("test_mod.py", test))
            kind = "stubs held out" if held else "stubs"
            yield Program(kind, name, function, "mod.py", f"{head}{body}\n", files, inputs=inputs)


def split(test: str, function: str) -> str:
    """One test for each assertion in the body of ``check``; statements before it are repeated."""
    tree = ast.parse(test)
    check = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "check")
    parameter = check.args.args[0].arg
    others = [n for n in tree.body if n is not check and not _calls_check(n)]
    out = ["from solution import *", f"from solution import {function} as {parameter}", *map(ast.unparse, others)]
    before: list[ast.stmt] = []
    count = 0
    for statement in check.body:
        if not isinstance(statement, ast.Assert | ast.For | ast.Try | ast.With):
            before.append(statement)
            continue
        if isinstance(statement, ast.Assert) and isinstance(statement.test, ast.Constant):
            continue
        body = "\n".join(ast.unparse(s) for s in [*before, statement])
        out.append(f"\ndef test_{count}():\n" + "\n".join(f"    {row}" for row in body.splitlines()))
        count += 1
    return "\n".join(out) + "\n"


def checked(test: str) -> str:
    """The test with its ``check``, which is not called."""
    tree = ast.parse(test)
    return "\n".join(ast.unparse(n) for n in tree.body if not _calls_check(n))


def _calls_check(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
