"""The benchmark-runner's evidence: a baseline on record, with its spread and the machine. Never a comparison."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from engine.gates.tools import benchmarks_gate
from engine.model import Gate, GateStatus
from engine.specialists.case import Case, Evidence, Fact
from engine.specialists.change import PATIENCE, answer, bench, cut, inside, installed, read, rows

BASELINE = "baseline.json"
MOST = 500
"""Benchmarks that are recorded; facts name fewer."""
MOST_FACTS = 40
MOST_CORES = 100_000
_ENDLESS = 1e15
_MENTION = re.compile(r"\bbenchmark\b")
_FIXTURES = frozenset({"benchmark", "benchmark_weave"})
_OLDER = re.compile(r"(^|/)(\.benchmarks/.+\.json|[\w.-]*baseline[\w.-]*\.json)$")


def look(case: Case) -> Evidence:
    """Run the project's benchmarks once and keep what they measured; an older baseline is named, not compared."""
    older = [path for path in case.files if _OLDER.search(path)][:5]
    named = tuple(Fact("older baseline, not compared", path) for path in older)
    configured = benchmarks_gate(case.settings.gates.benchmarks, bench(case, ()))
    if configured is not None:
        return Evidence(configured, named)
    files = benchmark_files(case)
    if not files:
        return Evidence(Gate("benchmarks", GateStatus.SKIPPED, "n/a-surface", "no test uses a benchmark fixture"))
    if not installed(case, "pytest_benchmark"):
        why = f"pytest-benchmark is not installed for {len(files)} files of benchmarks"
        return Evidence(Gate("benchmarks", GateStatus.SKIPPED, "missing-tool", why), named)
    report, failed = _measure(case, files)
    found, machine = _rows(report), _machine(report)
    if not found:
        return Evidence(Gate("benchmarks", GateStatus.FAIL, "", f"no baseline: {failed or 'nothing ran'}"), named)
    words = [summary(found, machine), *(f"older baseline not compared: {cut(p, 80)}" for p in older[:1])]
    status = GateStatus.FAIL if failed else GateStatus.PASS
    gate = Gate("benchmarks", status, "", "; ".join([*words, failed] if failed else words))
    facts = tuple(Fact("benchmark", _row(row)) for row in found[:MOST_FACTS])
    return Evidence(gate, facts + named, {BASELINE: _baseline(case, found, machine)})


def _measure(case: Case, files: Sequence[str]) -> tuple[Mapping[str, Any], str]:
    """The plug-in's report, and what pytest ended with if that was no success."""
    written = case.scratch / "benchmarks.json"
    written.unlink(missing_ok=True)
    argv = [case.interpreter.executable, "-m", "pytest", "-q", "--color=no", "--no-header", "-p", "no:cacheprovider"]
    argv += ["-p", "benchmark"]  # a project may leave it out of its everyday runs
    argv += ["-n", "0"] if installed(case, "xdist") else []
    argv += ["--benchmark-only", f"--benchmark-json={written}", *(f"./{f}" for f in files)]
    code, lines = case.confined(argv, PATIENCE)
    last = cut(lines[-1].strip("= ") if lines else f"exit {code}", 160)
    return answer(case.scratch, written.name), last if code else ""


def _baseline(case: Case, found: Sequence[Mapping[str, Any]], machine: Mapping[str, Any]) -> bytes:
    baseline = {
        "commit": case.state.snapshot.head if case.state.snapshot is not None else "",
        "tree": case.after,
        "python": case.interpreter.version,
        "machine": machine,
        "benchmarks": found,
    }
    return (json.dumps(baseline, indent=2, sort_keys=True) + "\n").encode("utf-8", "replace")


def benchmark_files(case: Case) -> list[str]:
    """Files of the project whose tests ask for the fixture, as the project has their paths."""
    found = []
    for path in case.files:
        name = path.rsplit("/", 1)[-1]
        ours = not case.prefix or path.startswith(f"{case.prefix}/")
        if not ours or not name.endswith(".py") or name == "conftest.py":
            continue
        if not (name.startswith(("test_", "bench_")) or name.endswith(("_test.py", "_bench.py"))):
            continue
        text = read(case, path)
        if _MENTION.search(text) and _asks(text):
            found.append(inside(case, path))
    return found


def _asks(text: str) -> bool:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _FIXTURES & {a.arg for a in node.args.args}
        for node in ast.walk(tree)
    )


def _rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is kept of each benchmark: seconds, and how often it ran."""
    kept: list[dict[str, Any]] = []
    for entry in rows(report.get("benchmarks"))[:MOST]:
        stats = entry.get("stats")
        if not isinstance(stats, Mapping):
            continue
        numbers = {k: stats.get(k) for k in ("median", "iqr", "mean", "stddev", "min", "max", "rounds", "iterations")}
        if all(map(_is_figure, numbers.values())):
            kept.append({"name": cut(str(entry.get("fullname", entry.get("name", ""))), 300), **numbers})
    return kept


def _is_figure(value: object) -> bool:
    """Whether something can be a time or a count: the code that was measured may have written the report."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _ENDLESS


def _machine(report: Mapping[str, Any]) -> dict[str, Any]:
    """Processor, cores and system, as the child saw them."""
    info = report.get("machine_info")
    info = info if isinstance(info, Mapping) else {}
    cpu = info.get("cpu")
    cpu = cpu if isinstance(cpu, Mapping) else {}
    brand = cpu.get("brand_raw") or info.get("processor") or info.get("machine") or "unknown processor"
    cores = cpu.get("count")
    return {
        "cpu": cut(str(brand), 100),
        "cores": cores if isinstance(cores, int) and 0 < cores < MOST_CORES else 0,
        "system": cut(f"{info.get('system', '')} {info.get('release', '')}", 100),
        "python": cut(f"{info.get('python_implementation', '')} {info.get('python_version', '')}", 60),
    }


def summary(found: Sequence[Mapping[str, Any]], machine: Mapping[str, Any]) -> str:
    """``baseline: 4 benchmarks; median 1.2 µs–3.4 ms, spread ≤ 3 %; AMD EPYC, 2 cores``"""
    medians = sorted(float(row["median"]) for row in found)
    between = duration(medians[0])
    if len(medians) > 1:
        between += f"–{duration(medians[-1])}"
    worst = max(spread(row) for row in found)
    many = f"{len(found)} {'benchmark' if len(found) == 1 else 'benchmarks'}"
    cores = f", {machine['cores']} cores" if machine.get("cores") else ""
    return f"baseline: {many}; median {between}, spread ≤ {worst:.0f} %; {machine['cpu']}{cores}"


def spread(row: Mapping[str, Any]) -> float:
    """The range of the middle half of the rounds, in percent of the median; of all, where one round was made."""
    median = float(row["median"])
    return 100.0 * float(row["iqr"]) / median if median > 0 else 0.0


def duration(seconds: float) -> str:
    """Seconds for a reader.

    Examples
    --------
    >>> duration(0.0034), duration(1.2e-6), duration(12.5)
    ('3.4 ms', '1.2 µs', '12.5 s')
    """
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _row(row: Mapping[str, Any]) -> str:
    return f"{row['name']}: median {duration(row['median'])}, spread {spread(row):.0f} %, {row['rounds']} rounds"
