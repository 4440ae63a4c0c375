"""Mend the broken programs of public data sets offline, and judge what comes out against hidden reference programs.

Run: python -m benchmarks.repair [--quixbugs CLONE] [--humanevalfix humanevalpack.jsonl] [--stubs]
    [--planted] [--doctests FOLDER] [--project CLONE ...] [--each N] [--budget S] [--jobs N]

CLONE is a clone of github.com/jkoppel/QuixBugs; the other file lies in github.com/bigcode-project/octopack under
evaluation/create/humaneval-x/data/python/data. FOLDER holds right programs with doctests, as a clone of
github.com/TheAlgorithms/Python does: with --planted (NumPy code of our own) and with --doctests, slips of each class
are planted in right programs; no small edit mends `several` in one function. With --project, slips are planted in a
project with a suite of its own, which must be green here; there `right` is only what is the same tree again.

A program is `plausible` when all its tests pass in a fresh pytest, `right` when it answers as the reference on up to
400 random inputs too. One worker a program. A line says: seconds to the first edit with which all tests pass, seconds
in all, candidates tried, how many a second of trying, and how many a second of processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from benchmarks.repair.figures import Clock, Row, by_class, machine, summary
from benchmarks.repair.inputs import GENERATORS
from benchmarks.repair.plant import algorithms, quantised
from benchmarks.repair.projects import KIND, alike, planted
from benchmarks.repair.sets import Program, humanevalfix, quixbugs, stubs, unwritten
from engine.providers.repair.search import search
from engine.providers.repair.task import RepairResult, RepairTask

JUDGE = Path(__file__).with_name("judge.py")
BROKEN_S, MENDED_S = 1.0, 10.0  # of processor time for one test: most that take long never end
STUBS = Path(__file__).parents[2] / "tests" / "engine" / "repair" / "seeded" / "stubs.py"


def outcomes(program: Program, root: Path, env: dict[str, str], seconds: float) -> tuple[list[str], list[str]]:
    """Red and green tests, as pytest says; one that takes longer than this is red."""
    argv = [program.python, "-m", "pytest", "-q", "-rA", "--tb=no", "-p", "no:cacheprovider", "-o", "addopts="]
    argv += ["-p", "benchmarks.repair.clock"]
    paths = [*(str(root / name) for name in program.roots), str(Path(__file__).resolve().parents[2])]
    env = {**env, "PYTHONPATH": ":".join(paths), "BITNET_TUI_BENCHMARK_TEST_S": str(seconds)}
    done = subprocess.run(argv, cwd=root, env=env, capture_output=True, text=True, check=False)
    rows = [line.partition(" ")[::2] for line in done.stdout.splitlines()]
    red = [rest.split(" - ")[0] for word, rest in rows if word in ("FAILED", "ERROR")]
    return red, [rest.split(" - ")[0] for word, rest in rows if word == "PASSED"]


def mend(program: Program, budget: float, seed: int) -> Row:
    """Repair one program in a folder of its own."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV", "PYTHON"))}
    env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory(prefix="bitnet-tui-benchmark-") as folder:
        root, scratch = Path(folder) / "program", Path(folder) / "scratch"
        scratch.mkdir()
        program.write(root)
        red, green = outcomes(program, root, env, BROKEN_S)
        if not red:
            raise SystemExit(f"{program.kind} {program.name}: no test fails, so there is nothing to mend")
        clock = Clock(len(red))
        task = RepairTask(
            root=root,
            cwd=root,
            python=program.python,
            env=env,
            import_roots=program.roots,
            pytest_args=(),
            failing=tuple(red),
            passing=tuple(green),
            editable=program.editable or (program.module,),
            budget_s=budget,
            max_candidates=10**6,
            seed=seed,
            workers=1,
            scratch=scratch,
        )
        result = search(task, progress=clock.hear, cancelled=lambda: False)
        for path, text in result.files.items():
            (root / path).write_bytes(text.encode())
        plausible = bool(result.files) and not result.remaining and not outcomes(program, root, env, MENDED_S)[0]
        mended = (root / program.module).read_text()
        judged = judge(program, mended, root) if plausible else {"tried": 0, "alike": 0}
        others = [other.files.get(program.module, "") for other in result.runners_up if plausible]
        listed = not _right(judged) and any(_right(judge(program, text, root)) for text in others)
    return row(program, result, plausible, judged, clock, listed=listed)


def _right(judged: dict[str, object]) -> bool:
    return bool(judged["tried"]) and judged["alike"] == judged["tried"]


def row(
    program: Program,
    result: RepairResult,
    plausible: bool,
    judged: dict[str, object],
    clock: Clock,
    *,
    listed: bool = False,
) -> Row:
    tried, alike = int(str(judged["tried"])), int(str(judged["alike"]))
    edits = tuple(f"{e.line}: {e.before.strip()} -> {e.after.strip()} ({e.template})" for e in result.edits)
    note = result.note if not plausible else str(judged.get("example", ""))
    right = plausible and _right(judged)
    return Row(
        program.kind,
        program.name,
        plausible,
        right,
        clock.first_s or result.seconds,
        result.seconds,
        clock.searching_s,
        clock.searching_cpu_s,
        result.tried,
        result.alternatives,
        result.confidence,
        tried,
        alike,
        edits,
        note,
        listed,
    )


def judge(program: Program, candidate: str, root: Path) -> dict[str, object]:
    """How the program answers beside its reference, in a child; of a whole project, whether it is the same again."""
    if program.kind == KIND:
        return {"tried": 1, "alike": int(bool(candidate) and alike(program, candidate, root))}
    task = {
        "name": program.name,
        "function": program.function,
        "reference": program.reference,
        "candidate": candidate,
        "check": program.check,
        "inputs": program.inputs,
        "generated": program.kind == "quixbugs" and program.name in GENERATORS,
        "root": str(root),
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(task, file)
        file.flush()
        done = subprocess.run(
            [sys.executable, "-I", str(JUDGE), file.name], capture_output=True, text=True, timeout=900, check=False
        )
    if done.returncode:
        return {"tried": 0, "alike": 0, "example": f"the judge failed: {done.stderr.strip()[-200:]}"}
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quixbugs", type=Path, help="a clone of jkoppel/QuixBugs")
    parser.add_argument("--humanevalfix", type=Path, help="humanevalpack.jsonl of the Python tasks")
    parser.add_argument("--unwritten", type=Path, help="humanevalpack.jsonl: its functions, to be written")
    parser.add_argument(
        "--stubs",
        nargs="?",
        const="all",
        choices=("all", "seen", "held"),
        help="functions still to be written: our own table, all of it, or the part seen or held out while writing",
    )
    parser.add_argument("--planted", action="store_true", help="slips planted in NumPy code of our own")
    parser.add_argument("--doctests", type=Path, help="a folder of programs with doctests to plant slips in")
    parser.add_argument("--project", type=Path, action="append", default=[], help="a clone to plant slips in")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has what the projects need")
    parser.add_argument("--each", type=int, default=4, help="slips of each class, or in each project (default 4)")
    parser.add_argument("--budget", type=float, default=120.0, help="seconds a program (default 120)")
    parser.add_argument("--jobs", type=int, default=1, help="programs at a time; with one, processor time is its own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="names, by comma")
    parser.add_argument("--part", choices=("even", "odd"), help="only numbered tasks with such a number")
    parser.add_argument("--totals", action="store_true", help="say nothing of single programs")
    parser.add_argument("--json", type=Path, help="write a line for each program there")
    asked = parser.parse_args()
    programs = [*(quixbugs(asked.quixbugs) if asked.quixbugs else ())]
    programs += [*(humanevalfix(asked.humanevalfix) if asked.humanevalfix else ())]
    programs += [*(unwritten(asked.unwritten) if asked.unwritten else ())]
    for held in (False, True) if asked.stubs == "all" else (asked.stubs == "held",) if asked.stubs else ():
        programs += stubs(STUBS, held=held)
    programs += quantised(asked.each, asked.seed) if asked.planted else ()
    programs += algorithms(asked.doctests, asked.each, asked.seed) if asked.doctests else ()
    programs += [program for clone in asked.project for program in planted(clone, asked.each, asked.seed, asked.python)]
    if asked.only:
        programs = [
            p for p in programs if p.name in asked.only.split(",") or p.name.split()[0] in asked.only.split(",")
        ]
    if asked.part:
        programs = [p for p in programs if part(p.name) in ("", asked.part)]
    if not programs:
        raise SystemExit("nothing to mend: say which programs, as --help tells")
    print(f"{len(programs)} programs, {asked.budget:g} s each, {asked.jobs} at a time; {machine()}")
    rows: list[Row] = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))  # or what it made would be left behind
    with ThreadPoolExecutor(asked.jobs) as pool:
        for found in pool.map(lambda p: mend(p, asked.budget, asked.seed), programs):
            rows.append(found)
            if not asked.totals:
                print(found.line, flush=True)
            if asked.json:
                with asked.json.open("a") as file:
                    file.write(json.dumps(asdict(found)) + "\n")
    print(machine())
    for kind in dict.fromkeys(r.kind for r in rows):
        parts = {part(r.name) for r in rows if r.kind == kind}
        print(summary(kind, (r for r in rows if r.kind == kind)))
        for half in sorted(parts) if len(parts) > 1 else ():
            print(summary(f"{kind}, {half}", (r for r in rows if r.kind == kind and part(r.name) == half)))
    print(by_class(rows))


def part(name: str) -> str:
    """Half of a data set by number, so that edits are thought of on one half and measured on the other."""
    number = name.rpartition("_")[2]
    return ("even", "odd")[int(number) % 2] if number.isdigit() else ""


if __name__ == "__main__":
    main()
