"""Which changes of the kernels no test notices: mutmut over a copy of the tracked files, figures by file.

Run: ``python benchmarks/mutation.py [--show] [--keep FOLDER] [--workers N] [NAME …]``. Fails below 90 % noticed. With
``--keep`` the copy stays, and a later run may test again only what is named: mutants, as ``--show`` names them.
What is mutated, and by which tests, stands in pyproject.toml under ``[tool.mutmut]``.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
GOAL = 0.90
SURVIVED, UNTESTED, NOT_RUN = (0,), (5, 33), (None, 2, 34)
"""mutmut's exit codes; all others are failures, crashes and endless loops, which are noticed."""


def copy_tracked(folder: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def show(folder: Path, name: str) -> None:
    said = subprocess.run([sys.executable, "-m", "mutmut", "show", name], cwd=folder, capture_output=True, text=True)
    changed = [line for line in said.stdout.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    print(name, *changed, sep="\n    ")


def report(folder: Path, shown: bool) -> float:
    noticed = counted = 0
    print(f"{'file':36} mutants noticed survived untested  share")
    for path in sorted((folder / "mutants").rglob("*.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        ran = {name: code for name, code in codes.items() if code not in NOT_RUN}
        missed = [name for name, code in ran.items() if code in SURVIVED + UNTESTED]
        if not ran:
            continue
        untested = sum(code in UNTESTED for code in ran.values())
        share = 1 - len(missed) / len(ran)
        name = path.relative_to(folder / "mutants").with_suffix("")
        found = len(ran) - len(missed)
        print(f"{name!s:36} {len(ran):7} {found:7} {len(missed) - untested:8} {untested:8} {share:6.1%}")
        noticed, counted = noticed + found, counted + len(ran)
        for each in missed if shown else ():
            show(folder, each)
    print(f"{'all':36} {counted:7} {noticed:7} {noticed / max(1, counted):24.1%}")
    return noticed / max(1, counted)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--show", action="store_true", help="print the changes that no test noticed")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="copy and results lie here, and stay")
    parser.add_argument("--workers", default=os.cpu_count() or 1, type=int)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.keep or Path(temporary)).resolve()
        copy_tracked(folder)
        argv = [sys.executable, "-m", "mutmut", "run", "--max-children", str(given.workers), *given.names]
        done = subprocess.run(argv, cwd=folder, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}, check=False)
        return done.returncode or int(report(folder, given.show) < GOAL)


if __name__ == "__main__":
    sys.exit(main())
