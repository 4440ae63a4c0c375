"""Whatever code under trial does, a search ends in time, leaves nothing behind and claims only what it proved."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from engine.providers.repair.child import trace
from engine.providers.repair.scratch import Scratch


def children():
    """Processes below this one that belong to a search."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"bitnet_tui_repair" in words:
                found.append(int(entry.name))
    return found


def ancestors(pid):
    """Process ids above this one."""
    found = []
    while pid > 1:
        try:
            pid = int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
        found.append(pid)
    return found


def test_no_small_edit_helps_and_it_says_so(project):
    project.file("core.py", "def solve(board):\n    return None\n")
    project.file(
        "tests/test_core.py",
        "from core import solve\ndef test_s(): assert solve([[1, 2], [3, 4]]) == {'steps': [4, 2, 7], 'ok': 'yes'}\n",
    )
    began = time.monotonic()
    result = project.repair(["tests/test_core.py::test_s"], budget_s=15.0)
    assert time.monotonic() - began < 17
    assert result.files == {}
    assert result.edits == ()
    assert result.remaining == {"tests/test_core.py::test_s"}
    assert "core.py:2" in result.note


def test_what_tests_left_in_its_way_is_not_written_through(project, tmp_path_factory):
    mine, away = tmp_path_factory.mktemp("mine"), tmp_path_factory.mktemp("away")
    (mine / "core.py").write_text("mine")
    scratch = Scratch(project.file("pack/core.py", "x = 1\n").file("a.py", "").task([], scratch=away))
    shutil.rmtree(scratch.root / "pack")
    (scratch.root / "pack").symlink_to(mine)
    (scratch.root / "a.py").unlink()
    os.mkfifo(scratch.root / "a.py")
    scratch.write({"pack/core.py": "x = 2\n", "a.py": "y\n"})
    assert (scratch.root / "pack" / "core.py").read_text() == "x = 2\n"
    assert (scratch.root / "a.py").read_text() == "y\n"
    assert (mine / "core.py").read_text() == "mine"
    log = scratch.new("log.txt", "said")
    assert scratch.said(log) == "said"
    log.unlink()
    os.mkfifo(log)
    assert scratch.said(log) == ""


def test_an_endless_test_is_mended(project):
    project.file(
        "core.py",
        "def digits(n):\n"
        "    out = []\n"
        "    while n >= 0:\n"
        "        out.append(n % 10)\n"
        "        n //= 10\n"
        "        del out[9:]\n"
        "    return out\n",
    )
    project.file("tests/test_core.py", "from core import digits\ndef test_d(): assert digits(321) == [1, 2, 3]\n")
    result = project.repair(["tests/test_core.py::test_d"], test_timeout_s=3.0)
    assert "while n > 0" in result.files["core.py"] or "while n:" in result.files["core.py"], result.note


@pytest.mark.slow
def test_exits_prints_and_sleeps_do_no_harm(project):
    project.file(
        "core.py",
        """
        import os, time

        def risky(n):
            print("x" * 100_000)
            if n > 2:
                os._exit(0)
            if n > 1:
                time.sleep(60)
            return n + 2
        """,
    )
    project.file(
        "tests/test_core.py",
        "from core import risky\ndef test_r(): assert risky(1) == 2\ndef test_s(): assert risky(0) == 1\n",
    )
    ids = ["tests/test_core.py::test_r", "tests/test_core.py::test_s"]
    result = project.repair(ids, test_timeout_s=2.0)
    assert result.fixed == set(ids), result.note
    assert "return n + 1" in result.files["core.py"]


def test_a_test_file_that_kills_its_process_is_reported(project):
    project.file("core.py", "def f():\n    return 1\n")
    project.file("tests/test_core.py", "import os\nfrom core import f\nos._exit(3)\ndef test_f(): assert f() == 2\n")
    result = project.repair(["tests/test_core.py::test_f"], budget_s=10.0)
    assert result.files == {}
    assert "could not be run" in result.note


def test_nothing_green_is_broken(project):
    project.file("core.py", "def f(n):\n    return n + 1\n")
    project.file(
        "tests/test_core.py",
        "from core import f\ndef test_red(): assert f(1) == 3\ndef test_green(): assert f(1) == 2\n",
    )
    result = project.repair(["tests/test_core.py::test_red"], ["tests/test_core.py::test_green"], budget_s=12.0)
    assert result.files == {}
    assert result.remaining == {"tests/test_core.py::test_red"}


def test_it_can_be_cancelled(project):
    project.file(
        "core.py", "def solve(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total\n"
    )
    project.file(
        "tests/test_core.py",
        "import time\nfrom core import solve\ndef test_s():\n    time.sleep(0.05)\n    assert solve(3) == 'no'\n",
    )
    began = time.monotonic()
    result = project.repair(["tests/test_core.py::test_s"], cancelled=lambda: time.monotonic() - began > 3)
    assert time.monotonic() - began < 6
    assert "cancelled" in result.note
    assert result.files == {}


def test_progress_is_reported_in_order(project):
    project.file("core.py", "def f(n):\n    return n - 1\n")
    project.file("tests/test_core.py", "from core import f\ndef test_f(): assert f(1) == 2\n")
    project.repair(["tests/test_core.py::test_f"])
    phases = list(dict.fromkeys(event.phase for event in project.events))
    assert phases == ["locating", "searching", "confirming", "done"]
    assert all(0 <= event.budget_used <= 1 for event in project.events)


def test_the_same_search_twice_tries_the_same_edits(project):
    project.file("core.py", "def f(a, b):\n    return a - b if a > b else b * a\n")
    project.file(
        "tests/test_core.py",
        "from core import f\ndef test_f(): assert f(1, 3) == 2\ndef test_g(): assert f(5, 1) == 4\n",
    )
    args = (["tests/test_core.py::test_f"], ["tests/test_core.py::test_g"])
    more = {"seed": 5, "max_candidates": 300}
    one, two = project.repair(*args, **more, workers=2), project.repair(*args, **more, workers=1)
    assert one.files
    assert (one.files, one.edits) == (two.files, two.edits)
    assert one.tried == two.tried


def test_threads_in_the_project_are_survived(project):
    project.file(
        "core.py",
        """
        import threading

        threading.Thread(target=threading.Event().wait, daemon=True).start()

        def f(n):
            return n - 1
        """,
    )
    project.file(
        "tests/test_core.py", "from core import f\ndef test_f(): assert f(1) == 2\ndef test_g(): assert f(5) == 6\n"
    )
    result = project.repair(["tests/test_core.py::test_f", "tests/test_core.py::test_g"])
    assert "return n + 1" in result.files["core.py"], result.note


@pytest.mark.slow
def test_no_child_outlives_a_killed_engine(project, tmp_path):
    project.file("core.py", "def f(n):\n    return n - 1\n")
    project.file(
        "tests/test_core.py",
        "import time\nfrom core import f\ndef test_f():\n    time.sleep(0.2)\n    assert f(1) == 'never'\n",
    )
    driver = textwrap.dedent(
        f"""
        import os, sys
        from pathlib import Path
        from engine.providers.repair.search import search
        from engine.providers.repair.task import RepairTask
        root = Path({str(project.root)!r})
        task = RepairTask(root, root, sys.executable, dict(os.environ), (".",), (),
                          ("tests/test_core.py::test_f",), (), ("core.py",))
        search(task, progress=lambda s: print(s.phase, flush=True), cancelled=lambda: False)
        """
    )
    before = set(children())
    engine = subprocess.Popen(
        [sys.executable, "-c", driver], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    for line in engine.stdout:
        if line.startswith("searching"):
            break
    time.sleep(0.5)
    # Other searches may run on this machine.
    ours = {pid for pid in set(children()) - before if engine.pid in ancestors(pid)}
    assert ours
    os.kill(engine.pid, signal.SIGKILL)
    engine.wait()
    engine.stdout.close()
    give_up = time.monotonic() + 5
    while ours & set(children()) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert not ours & set(children())


DEEP = """
import runpy, sys
sys.path.insert(0, ".")
import deep
tracer = runpy.run_path(sys.argv[1])["Tracer"]({"deep.py": "deep.py"})
tracer.start()
for _ in range(2):
    try:
        deep.down(1)
    except RecursionError:
        print(tracer.take())
"""


def test_a_test_that_reaches_the_end_of_the_stack_does_not_blind_the_tracer(tmp_path):
    (tmp_path / "deep.py").write_text("def down(n):\n    n += 1\n    return down(n)\n")
    argv = [sys.executable, "-I", "-c", DEEP, trace.__file__]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "{'deep.py': [1, 2, 3]}\n" * 2 or done.stdout == "{'deep.py': [2, 3]}\n" * 2, done.stderr
