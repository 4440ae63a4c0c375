"""What verification costs, in runs of the target tests and of the whole suite; and what the diet costs, in short runs.

Whole runs of the command on made repositories, read off their journals.

Run: python benchmarks/verification.py [SECONDS_OF_THE_TARGETS]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

GIT = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
DONE = {"tool": "finish", "input": {"outcome": "done", "summary": "mended"}}
TARGETS, OTHERS = 20, 80


def played(files: Mapping[str, str], change: Mapping[str, str]) -> list[dict[str, Any]]:
    """The events of a run that makes a change."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "repo"
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        for args in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "start"]):
            subprocess.run([*GIT, *args], cwd=root, check=True)
        edits = [{"command": "create", "path": p, "file_text": t} for p, t in change.items()]
        calls = [*({"tool": "str_replace_based_edit_tool", "input": e} for e in edits), DONE]
        script = Path(folder) / "script.json"
        script.write_text(json.dumps([calls]))
        argv = [sys.executable, "-m", "tui.cli", str(root), "--json", "--provider", "scripted", "--script", str(script)]
        done = subprocess.run(argv, capture_output=True, text=True, env=dict(os.environ), check=False)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        if not events or events[-1]["exit"] != 0:
            raise SystemExit(f"the run ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}")
        return events


def of(events: list[dict[str, Any]], kind: str, **wanted: object) -> list[dict[str, Any]]:
    return [e for e in events if e["type"] == kind and all(e.get(k) == v for k, v in wanted.items())]


def verification(seconds: float) -> None:
    """A suite of which a fifth are targets; each test takes as long as any other."""
    each = seconds / TARGETS
    source = "def f(x):\n    return x - 1\n\n\ndef g(x):\n    return x\n"
    tests = f"import time\nimport pytest\nimport m\n\n\n@pytest.mark.parametrize('x', range({TARGETS}))\n"
    tests += f"def test_cpu_f(x):\n    time.sleep({each})\n    assert m.f(x) == x + 1\n"
    others = f"import time\nimport pytest\nimport m\n\n\n@pytest.mark.parametrize('x', range({OTHERS}))\n"
    others += f"def test_cpu_g(x):\n    time.sleep({each})\n    assert m.g(x) == x\n"
    files = {"m.py": source, "test_f.py": tests, "test_g.py": others}
    events = played(files, {"m.py": source.replace("x - 1", "x + 1")})
    start = of(events, "StepStarted", step="verify")[-1]["at"]
    took = of(events, "VerificationFinished")[-1]["at"] - start
    whole = of(events, "SuiteFinished", suite="cpu", purpose="verify")[-1]["seconds"]
    targets = of(events, "SuiteFinished", suite="cpu", purpose="attempt")[0]["seconds"]
    claim = [e["total"] for e in of(events, "SuiteFinished", suite="cpu", purpose="attempt")]
    print(
        f"{TARGETS} targets of {TARGETS + OTHERS} tests; one run of the targets {targets:.1f} s, of all {whole:.1f} s"
    )
    print(f"  the claim ran {' + '.join(map(str, claim))} tests")
    factor = (took - whole) / targets
    print(f"  verification {took:.1f} s: one whole run and {factor:.2f} runs of the targets   (goal: at most 2.5)")
    print(
        f"  whole runs after the audit: {len(of(events, 'SuiteFinished', suite='cpu', purpose='verify'))}   (goal: 1)"
    )


def module(sizes: list[int], sign: str, spare: str = "") -> str:
    """Functions of so many lines; each line adds one to what is returned, or takes it away."""
    parts = []
    for n, size in enumerate(sizes):
        body = "".join(f"    x = x {sign} {k + 1}\n    pass\n" for k in range(size))
        parts.append(f"def f{n}(x):\n{body}    return x\n")
    return "\n\n".join([*parts, *([spare] if spare else [])])


def diet(name: str, sizes: list[int], spares: int = 0, fat: frozenset[int] = frozenset(), green: bool = False) -> None:
    """A change of ten one-line hunks: ``sizes`` of them in functions that tests need, the rest in others.

    Lines of ``fat`` in the last of the functions add nothing, before and after.
    """
    spare = ["\n\n".join(f"def s{n}(x):\n    return x{more}\n" for n in range(spares)) for more in ("", " + 0")]
    tests = ["import m\n"]
    for n, size in enumerate(sizes):
        total = sum(k for k in range(1, size + 1) if k not in fat)
        tests.append(f"def test_cpu_f{n}():\n    assert m.f{n}(0) == {total}\n")
    if green:
        tests.append("def test_cpu_green():\n    assert m.f0(1) - m.f0(1) == 0\n")
    files = {"m.py": module(sizes, "-", spare[0]), "test_m.py": "\n\n".join(tests)}
    after = module(sizes, "+", spare[1])
    for n in fat:
        files["m.py"] = files["m.py"].replace(f"x = x - {n}\n", f"x = x + 0 * {n}\n")
        after = after.replace(f"x = x + {n}\n", f"x = x - 0 * {n}\n")
    events = played(files, {"m.py": after})
    slim = of(events, "DietFinished")[-1]
    begun = of(events, "StepStarted", step="diet")[-1]["at"]
    ended = slim["at"]
    word = "minimal" if slim["minimal"] else "not shown to be minimal"
    print(f"  {name:44} {slim['runs']:>3} short runs, {ended - begun:5.1f} s, {slim['dropped']} taken away, {word}")


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    verification(seconds)
    print("diet of ten hunks   (goal: at most 5 short runs)")
    diet("one in each of ten functions, all needed", [1] * 10)
    diet("eight needed, two that no test runs", [1] * 8, 2)
    diet("five needed, five that no test runs", [1] * 5, 5)
    diet("two functions of four, two that no test runs", [4, 4], 2)
    diet("all ten in one function, all needed", [10])
    diet("all ten in one function, three of them fat", [10], fat=frozenset({3, 6, 7}))
    diet("the same with a green test of that function", [10], fat=frozenset({3, 6, 7}), green=True)


if __name__ == "__main__":
    main()
