"""Right programs with one slip planted in each, as small projects with tests: ours of NumPy, public ones with doctests.

Which slip goes where depends on the seed alone. A slip that no test sees is not planted.
"""

from __future__ import annotations

import ast
import doctest
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

from benchmarks.repair.sets import Program
from benchmarks.repair.slips import KINDS, Slip, slips

HERE = Path(__file__).parent
KERNELS = HERE.parents[1] / "kernels"
SEVERAL = "several"  # three slips in one function: no small edit mends that, and none should be offered as a mend
_MOST_LINES = 250
_LEAST_TESTS = 3
_OURS = ("ternary", "errors", "packed", "formats/*")

_FLOAT = "r.choice((-1, 1)) * r.choice((0, .5, 1, 1.5, r.random() * 4))"
_ARRAY = "np.array([{one} for _ in range({rows} * {cols})], np.{kind}).reshape({rows}, -1)"


def _floats(rows: int, cols: object) -> str:
    return _ARRAY.format(one=_FLOAT, rows=rows, cols=cols, kind="float32")


def _codes(low: int, high: int, rows: int, cols: object, kind: str = "int8") -> str:
    return _ARRAY.format(one=f"r.randint({low}, {high})", rows=rows, cols=cols, kind=kind)


_ROW = _floats(1, "r.randint(1, 19)") + "[0]"
_SCALES = "np.array([r.random() + .5 for _ in range(2)], np.float32)"

# What is called, and an expression that makes its arguments from a Random `r`.
QUANTISED = {
    "absmax_rows": f"({_floats(3, 'r.randint(1, 6)')},)",
    "affine": f"({_floats(2, 4)}, r.choice((8, 4)))",
    "affine_back": f"({_codes(0, 255, 2, 3, 'uint8')}, r.random(), r.randint(0, 255))",
    "pack_nibbles": f"({_codes(0, 15, 1, 'r.randint(1, 7)', 'uint8')},)",
    "unpack_nibbles": f"({_codes(0, 255, 1, 4, 'uint8')}[0], r.randint(5, 8))",
    "pack_ternary": f"({_codes(-1, 1, 2, 'r.randint(3, 9)')},)",
    "unpack_ternary": f"({_codes(0, 170, 2, 2, 'uint8')}, r.randint(5, 8))",
    "blocks": f"({_ROW}, r.choice((4, 8)))",
    "blocks_back": f"({_codes(-7, 7, 2, 4)}, {_SCALES}.astype(np.float16), r.randint(5, 8))",
    "matmul": f"({_codes(-127, 127, 3, 8)}, {_codes(-127, 127, 2, 8)}, r.random(), {_SCALES})",
    "row_sums": f"({_codes(60, 127, 2, 'r.randint(4, 9)')}, r.randint(2, 3))",
    "bfloat16": f"({_ROW},)",
    "header": "(r.randint(1, 70000), r.randint(1, 900), r.random())",
    "read_header": "(bytes(r.randint(0, 60) for _ in range(r.randint(10, 15))),)",
    "rms_norm": f"({_floats(2, 4)}, {_floats(1, 4)}[0])",
    "softmax": f"({_floats(2, 3)},)",
    "base_three": f"({_codes(-1, 1, 2, 5)},)",
    "outliers": f"({_floats(3, 4)}, 2.0)",
}
KERNEL_CALLS = {
    ("ternary", "quantize_weights"): f"({_floats(2, 'r.randint(1, 6)')},)",
    ("ternary", "quantize_activations"): f"({_floats(2, 'r.randint(1, 6)')},)",
    ("formats/i2_s", "I2S().pack"): f"({_codes(-1, 1, 1, 128)}, r.random())",
    ("formats/i2_s", "I2S('i2_s:x86-1x4', 0).pack"): f"({_codes(-1, 1, 4, 8)}, r.random())",
    ("formats/tq", "TQ1().pack"): f"({_codes(-1, 1, 1, 256)}, r.choice((.5, 1., 2.)))",
    ("formats/tq", "TQ2().pack"): f"({_codes(-1, 1, 1, 256)}, r.choice((.5, 1., 2.)))",
    ("formats/tl", "TL1((32, 8, 32)).pack"): f"({_codes(-1, 1, 32, 8)}, r.random())",
}


def quantised(each: int, seed: int) -> Iterator[Program]:
    """Slips in NumPy code: in a module of its own, and in our kernels."""
    text = (HERE / "quantised.py").read_text()
    bases = [_called("quantised.py", text, (("quantised.py", text),), QUANTISED)]
    ours = tuple(
        (path.relative_to(KERNELS.parent).as_posix(), path.read_text())
        for pattern in _OURS
        for path in sorted(KERNELS.glob(f"{pattern}.py"))
    )
    ours = (("kernels/__init__.py", ""), *ours)
    for module in dict.fromkeys(module for module, _ in KERNEL_CALLS):
        calls = {call: inputs for (where, call), inputs in KERNEL_CALLS.items() if where == module}
        bases.append(_called(f"kernels/{module}.py", dict(ours)[f"kernels/{module}.py"], ours, calls))
    rows = [row for base in bases for row in base]
    yield from _planted("numpy", rows, each, seed, once=False)


def _called(module: str, text: str, files: tuple[tuple[str, str], ...], calls: dict[str, str]) -> list[Program]:
    """The right program as often as there are calls, each time with tests of that one."""
    dotted = module.removesuffix(".py").replace("/", ".")
    found = []
    for call, inputs in calls.items():
        name = call.partition("(")[0].rpartition(".")[2] if "(" not in call else call.partition("(")[0]
        rows = [
            "import numpy as np",
            "import pytest",
            "from random import Random",
            f"from {dotted} import {call.partition('(')[0]}",
            "def _same(got, want):",
            "    if isinstance(want, tuple):",
            "        assert isinstance(got, tuple) and len(got) == len(want)",
            "        for one, other in zip(got, want): _same(one, other)",
            "    elif isinstance(want, np.ndarray):",
            "        assert got.dtype == want.dtype",
            "        np.testing.assert_allclose(got, want, rtol=1e-6)",
            "    else:",
            "        assert got == want",
        ]
        answers = _answers(files, dotted, call, inputs)
        for nth, (given, answer) in enumerate(answers):
            label = name.lower()
            rows += ["", f"def test_{label}_{nth}():"]
            if answer.startswith("raises "):
                rows += [f"    with pytest.raises({answer.split()[1]}):", f"        {call}(*{given})"]
            else:
                rows.append(f"    _same({call}(*{given}), {answer})")
        tests = (("tests/test_it.py", "\n".join(rows) + "\n"),)
        found.append(Program("numpy", name, call, module, text, (*files, *tests), inputs=inputs))
    return found


_ANSWER = """
import json, sys
import numpy as np
from random import Random
sys.path.insert(0, {root!r})
from {dotted} import {first}
def literal(v):
    if isinstance(v, tuple): return "(" + ", ".join(map(literal, v)) + ",)"
    if isinstance(v, np.ndarray): return f"np.array({{v.tolist()!r}}, np.{{v.dtype.name}}).reshape({{v.shape}})"
    if isinstance(v, np.generic): return f"np.{{v.dtype.name}}({{v.item()!r}})"
    return repr(v)
out = []
for seed in range(5):
    given = eval({inputs!r}, {{"np": np, "r": Random(f"test {{seed}}")}})
    text = literal(given)
    try: answer = literal({call}(*given))
    except ValueError as error: answer = "raises ValueError"
    out.append((text, answer))
print(json.dumps(out))
"""


def _answers(files: tuple[tuple[str, str], ...], dotted: str, call: str, inputs: str) -> list[tuple[str, str]]:
    """Arguments and answers of the right program, as source."""
    with tempfile.TemporaryDirectory(prefix="bitnet-tui-plant-") as folder:
        _write(Path(folder), files)
        first = call.partition("(")[0]
        code = _ANSWER.format(root=folder, dotted=dotted, first=first, inputs=inputs, call=call)
        done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return [(given, answer) for given, answer in json.loads(done.stdout)]


def algorithms(folder: Path, each: int, seed: int) -> Iterator[Program]:
    """Slips in public programs with doctests: a clone of TheAlgorithms/Python, or any folder like it."""
    paths = sorted(p for p in folder.rglob("*.py") if p.name != "__init__.py" and "test" not in p.name)
    Random(f"paths {seed}").shuffle(paths)
    yield from _planted("doctests", (row for path in paths for row in _documented(folder, path)), each, seed, once=True)


_KNOWN = {*sys.stdlib_module_names, "numpy"} - {"subprocess", "socket", "threading", "multiprocessing", "tkinter"}


def _documented(folder: Path, path: Path) -> Iterator[Program]:
    """A file's functions whose doctests call them, each as a program with those tests."""
    try:
        text = path.read_text(encoding="ascii")
        tree = ast.parse(text)
    except (UnicodeDecodeError, SyntaxError):
        return
    if text.count("\n") > _MOST_LINES or not _imports(tree) <= _KNOWN:
        return
    module = f"{path.stem}.py" if path.stem.isidentifier() else "program.py"
    names = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    names += [t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.decorator_list:
            tests, calls = _tests(node, ast.get_docstring(node, clean=True) or "")
            if len(tests) >= _LEAST_TESTS and calls:
                head = f"import re\nimport pytest\nfrom {module[:-3]} import {', '.join(names)}\n"
                check = f"def check({node.name}):\n" + "".join(
                    f"    try: {call}\n    except Exception: pass\n" for call in calls
                )
                files = ((module, text), ("tests/test_it.py", head + "".join(tests)))
                where = path.relative_to(folder).with_suffix("").as_posix()
                yield Program("doctests", f"{where}.{node.name}", node.name, module, text, files, check)


def _imports(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0] if not node.level else "")
    return found - {"__future__", "doctest"}


def _tests(function: ast.FunctionDef, text: str) -> tuple[list[str], list[str]]:
    """A test for each example that calls the function, and those calls."""
    try:
        examples = doctest.DocTestParser().get_examples(text)
    except ValueError:
        return [], []
    before: list[str] = []
    tests, calls = [], []
    for example in examples:
        source = example.source.strip()
        try:
            node = ast.parse(source).body[0]
        except (SyntaxError, IndexError):
            return [], []
        if not example.want and not isinstance(node, ast.Expr):
            before.append(source)
            continue
        called = isinstance(node, ast.Expr) and any(
            isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == function.name
            for n in ast.walk(node)
        )
        if not called or "\n" in source or example.options:
            continue
        calls.append(source) if not before else None
        rows = [*before, *_claim(source, example)]
        body = "\n".join(f"    {line}" for row in rows for line in row.splitlines())
        tests.append(f"\n\ndef test_{function.name}_{len(tests)}():\n{body}\n")
    return tests, calls


def _claim(source: str, example: doctest.Example) -> list[str]:
    """What an example claims, as a person would write it in a test."""
    if example.exc_msg is not None:
        kind, _, message = example.exc_msg.strip().partition(": ")
        match = f", match=re.escape({message!r})" if message else ""
        return [f"with pytest.raises({kind}{match}):", f"    {source}"]
    want = example.want.strip()
    try:
        value = ast.literal_eval(want)
    except (ValueError, SyntaxError):
        return [f"assert repr({source}) == {want!r}"]
    return [
        f"assert {source} is {want}"
        if value in (None, True, False) and want.isalpha()
        else f"assert {source} == {want}"
    ]


def _planted(kind: str, bases: Iterable[Program], each: int, seed: int, *, once: bool) -> Iterator[Program]:
    """As many slips of each class as are wanted, as far as the programs have room for them.

    Parameters
    ----------
    once : no program has more than one slip planted.
    """
    count = dict.fromkeys((*KINDS, SEVERAL), 0)
    chance = Random(f"slips {seed}")
    again = list(bases) if not once else []
    for base in bases if once else (b for _ in range(2 * each) for b in chance.sample(again, len(again))):
        if all(n >= each for n in count.values()):
            return
        function = _function(base)
        if function is None:
            continue
        found: dict[str, list[Slip]] = {}
        for slip in slips(function):
            found.setdefault(slip.kind, []).append(slip)
        if len(found) > 4:
            found[SEVERAL] = []
        wanted = sorted((k for k in found if count[k] < each), key=lambda k: (count[k], len(found[k]), k))
        if once and wanted and _red(base) != 0:
            continue
        for slip_kind in wanted[:2]:
            planted = _plant(base, slip_kind, found, chance)
            if planted is not None:
                count[slip_kind] += 1
                yield replace(planted, kind=kind, name=f"{slip_kind} {base.name}_{sum(count.values())}")
                break


def _plant(base: Program, kind: str, found: dict[str, list[Slip]], chance: Random) -> Program | None:
    """The program with a slip of this class that its tests see."""
    for _ in range(4):
        text = chance.choice(found[kind]).made(base.reference) if kind != SEVERAL else _several(base, chance)
        files = tuple((path, text if path == base.module else old) for path, old in base.files)
        if text not in ("", base.reference) and _red(replace(base, files=files)):
            return replace(base, files=files)
    return None


def _several(base: Program, chance: Random) -> str:
    text = base.reference
    for _ in range(3):
        function = _function(base, text)
        options = list(slips(function)) if function is not None else []
        text = (chance.choice(options).made(text) if options else "") or text
    return text


def _function(base: Program, text: str = "") -> ast.AST | None:
    """What the tests call, in the program's tree."""
    tree = ast.parse(text or base.reference)
    last = base.function.rpartition(".")[2]
    found = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == last]
    first = base.function.partition("(")[0]
    holders = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == first]
    inside = [n for h in holders for n in ast.walk(h) if n in found or getattr(n, "name", "") in ("_encode", "_blocks")]
    return (inside or found or [None])[0]


_RUN = """
import runpy, signal, sys
sys.path[:0] = [{root!r}]
class Late(BaseException): pass
def ring(*_): raise Late
signal.signal(signal.SIGALRM, ring)
red = 0
try: space = runpy.run_path({test!r})
except BaseException: print(99); sys.exit()
for name, test in list(space.items()):
    if name.startswith("test_") and callable(test):
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        try: test()
        except BaseException: red += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
print("\\n" + str(red))
"""


def _red(program: Program) -> int:
    """How many of its tests fail, without pytest's own start."""
    with tempfile.TemporaryDirectory(prefix="bitnet-tui-plant-") as folder:
        program.write(Path(folder))
        code = _RUN.format(root=folder, test=f"{folder}/tests/test_it.py")
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False, timeout=20, cwd=folder
            )
        except subprocess.TimeoutExpired:
            return 99
    said = done.stdout.split()
    return int(said[-1]) if said and said[-1].isdigit() else 99


def _write(root: Path, files: tuple[tuple[str, str], ...]) -> None:
    for path, text in files:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
