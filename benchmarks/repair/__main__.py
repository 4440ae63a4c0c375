"""Mend the broken programs of public data sets offline, and judge what comes out against hidden reference programs.

Run: python -m benchmarks.repair [--quixbugs CLONE] [--humanevalfix humanevalpack.jsonl] [--budget S] [--jobs N]

CLONE is a clone of github.com/jkoppel/QuixBugs; the other file lies in github.com/bigcode-project/octopack under
evaluation/create/humaneval-x/data/python/data. A program is `plausible` when all its tests pass in a fresh pytest,
`right` when it answers as the reference on up to 400 random inputs too. One worker a program.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.repair.inputs import GENERATORS
from benchmarks.repair.sets import Program, humanevalfix, quixbugs
from engine.providers.repair.search import search
from engine.providers.repair.task import RepairResult, RepairTask, SearchProgress

JUDGE = Path(__file__).with_name("judge.py")


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one program. ``alike`` of ``judged`` hidden inputs are answered as by the reference."""

    kind: str
    name: str
    plausible: bool
    right: bool
    first_s: float
    seconds: float
    tried: int
    rate: float
    alternatives: int
    confidence: str
    judged: int
    alike: int
    edits: tuple[str, ...]
    note: str


def outcomes(root: Path, env: dict[str, str]) -> tuple[list[str], list[str]]:
    """Red and green tests, as pytest says."""
    argv = [sys.executable, "-m", "pytest", "-q", "-rA", "--tb=no", "-p", "no:cacheprovider", "-o", "addopts="]
    argv += ["-p", "benchmarks.repair.clock"]
    env = {**env, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(argv, cwd=root, env=env, capture_output=True, text=True, check=False)
    rows = [line.partition(" ")[::2] for line in done.stdout.splitlines()]
    red = [rest.split(" - ")[0] for word, rest in rows if word in ("FAILED", "ERROR")]
    return red, [rest.split(" - ")[0] for word, rest in rows if word == "PASSED"]


def mend(program: Program, budget: float, seed: int) -> Row:
    """Repair one program in a folder of its own."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV", "PYTHON"))}
    env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory(prefix="bitnet-tui-repair-") as folder:
        root = Path(folder)
        program.write(root)
        red, green = outcomes(root, env)
        if not red:
            raise SystemExit(f"{program.kind} {program.name}: no test fails, so there is nothing to mend")
        first = [0.0]
        began = time.monotonic()

        def progress(now: SearchProgress) -> None:
            if now.best and not first[0]:
                first[0] = time.monotonic() - began

        task = RepairTask(
            root=root,
            cwd=root,
            python=sys.executable,
            env=env,
            import_roots=(".",),
            pytest_args=(),
            failing=tuple(red),
            passing=tuple(green),
            editable=(program.module,),
            budget_s=budget,
            max_candidates=10**6,
            seed=seed,
            workers=1,
        )
        result = search(task, progress=progress, cancelled=lambda: False)
        for path, text in result.files.items():
            (root / path).write_bytes(text.encode())
        plausible = bool(result.files) and not result.remaining and not outcomes(root, env)[0]
        judged = judge(program, (root / program.module).read_text()) if plausible else {"tried": 0, "alike": 0}
    return row(program, result, plausible, judged, first[0])


def row(program: Program, result: RepairResult, plausible: bool, judged: dict[str, object], first: float) -> Row:
    tried, alike = int(str(judged["tried"])), int(str(judged["alike"]))
    edits = tuple(f"{e.line}: {e.before.strip()} -> {e.after.strip()} ({e.template})" for e in result.edits)
    note = result.note if not plausible else str(judged.get("example", ""))
    right = plausible and tried > 0 and alike == tried
    return Row(
        program.kind,
        program.name,
        plausible,
        right,
        first,
        result.seconds,
        result.tried,
        result.tried / max(result.seconds, 1e-9),
        result.alternatives,
        result.confidence,
        tried,
        alike,
        edits,
        note,
    )


def judge(program: Program, candidate: str) -> dict[str, object]:
    """How the program answers beside its reference, in a child."""
    task = {
        "name": program.name,
        "function": program.function,
        "reference": program.reference,
        "candidate": candidate,
        "check": program.check,
        "generated": program.kind == "quixbugs" and program.name in GENERATORS,
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


def summary(rows: list[Row]) -> str:
    """The figures of one data set."""
    n = len(rows)
    plausible, right = sum(r.plausible for r in rows), sum(r.right for r in rows)
    first = statistics.median([r.first_s for r in rows if r.plausible] or [float("nan")])
    took = statistics.median([r.seconds for r in rows if r.plausible] or [float("nan")])
    busy = [r.rate for r in rows if r.tried > 200]
    rate = statistics.median(busy) if busy else float("nan")
    wrong = [r for r in rows if r.plausible and not r.right]
    trust = []
    for word in ("high", "medium", "low"):
        mine = [r for r in rows if r.plausible and r.confidence == word]
        trust.append(f"{sum(r.right for r in mine)} of {len(mine)} of {word} confidence")
    alone = sum(r.alternatives == 0 for r in rows if r.plausible)
    return (
        f"{rows[0].kind}: {plausible} of {n} plausible ({100 * plausible / n:.0f} %), {right} right "
        f"({100 * right / n:.0f} %), {len(wrong)} plausible and wrong; first fix {first:.1f} s, proved {took:.1f} s "
        f"(medians); {rate:.0f} candidates a second where more than 200 were tried; {alone} without alternatives; "
        f"right: {', '.join(trust)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quixbugs", type=Path, help="a clone of jkoppel/QuixBugs")
    parser.add_argument("--humanevalfix", type=Path, help="humanevalpack.jsonl of the Python tasks")
    parser.add_argument("--budget", type=float, default=120.0, help="seconds a program (default 120)")
    parser.add_argument("--jobs", type=int, default=1, help="programs at a time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="names, by comma")
    parser.add_argument("--json", type=Path, help="write a line for each program there")
    asked = parser.parse_args()
    programs = [*(quixbugs(asked.quixbugs) if asked.quixbugs else ())]
    programs += [*(humanevalfix(asked.humanevalfix) if asked.humanevalfix else ())]
    if asked.only:
        programs = [p for p in programs if p.name in asked.only.split(",")]
    if not programs:
        raise SystemExit("nothing to mend: give --quixbugs or --humanevalfix")
    rows: list[Row] = []
    with ThreadPoolExecutor(asked.jobs) as pool:
        for found in pool.map(lambda p: mend(p, asked.budget, asked.seed), programs):
            rows.append(found)
            word = "right" if found.right else "plausible, not right" if found.plausible else "not mended"
            print(
                f"{found.kind:13} {found.name:28} {word:21} {found.seconds:6.1f} s {found.tried:6} tried "
                f"{found.rate:6.0f}/s  {'; '.join(found.edits)[:120]}"
                + (f"\n{'':14}{found.note[:220]}" if word != "right" else ""),
                flush=True,
            )
            if asked.json:
                with asked.json.open("a") as file:
                    file.write(json.dumps(asdict(found)) + "\n")
    for kind in dict.fromkeys(r.kind for r in rows):
        print(summary([r for r in rows if r.kind == kind]))


if __name__ == "__main__":
    main()
