"""Time to decide whether an edit may be made, in a repository of many files.

Run: python benchmarks/scope.py [FILES]
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

from engine.workspace.area import Area, Refused
from engine.workspace.scope import Scope

EDITS = 2000


def checked(area: Area, scope: Scope, path: str) -> float:
    """Milliseconds to find and judge one path, as the editor does before it writes."""
    start = time.perf_counter()
    with contextlib.suppress(Refused):  # a refusal is an answer
        scope.refusal(area.locate(path))
    return (time.perf_counter() - start) * 1000


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        paths = [f"src/part{n % 250}/area{n % 7}/module_{n}.py" for n in range(count)]
        tests = [path.replace("src/", "tests/").replace("module_", "test_module_") for path in paths[: count // 5]]
        for path in (*paths[count // 5 :], *tests):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        start = time.perf_counter()
        scope = Scope(("**/*.py",), ("**/generated/**",), ("data/**",), "", frozenset(tests), ("vendor/lib",))
        made = (time.perf_counter() - start) * 1000
        area = Area(root)
        step = max(1, count // EDITS)
        asked = [*paths[::step], *tests[::step], "../out.py", "/etc/passwd", "vendor/lib/a.py", "no/such/file.py"]
        times = sorted(checked(area, scope, path) for path in asked)
    print(f"{count:,} files, {len(tests):,} of them witnesses; scope made in {made:.1f} ms")
    print(
        f"an edit checked in {statistics.median(times):.3f} ms, 99 of 100 in {times[len(times) * 99 // 100]:.3f} ms, "
        f"the slowest in {times[-1]:.3f} ms   (goal: under 1 ms)"
    )


if __name__ == "__main__":
    main()
