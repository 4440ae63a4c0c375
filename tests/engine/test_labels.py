"""Red tests no change can be shown to mend: named with the reason and what to do; never targets, never progress."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from crashes import differing, repeated, walk
from often import every
from support import DONE, Answer, Command, edit, finish, leftovers, start, stop_at

from engine import events as ev
from engine.model import Label, Purpose, TestOutcome, TestResult
from engine.narrate import narrate
from engine.records import journal
from engine.state import RunState, fold_all
from engine.verify.environment import Surroundings, missing
from engine.workspace.home import Home

M = "KEPT = []\n\n\ndef f(a):\n    return a - 1\n\n\ndef keep(a):\n    KEPT.append(a)\n    return len(KEPT)\n"
FIX = edit({"command": "str_replace", "path": "m.py", "old_str": "a - 1", "new_str": "a + 1"})
NOTHING = finish({"outcome": "more-work", "summary": "the audit is all that is looked at"})
RED = "from m import f\ndef test_cpu_f(): assert f(1) == 2\n"
KEEPS = "from m import keep\ndef test_cpu_keeps(): assert keep(1) >= 1\n"
LEANS = "from m import keep\ndef test_cpu_leans(): assert keep(1) == 1\n"
Repo = Callable[..., Path]


def unfit(answer: Answer) -> dict[str, str]:
    """Labels of the reds that are no targets, by the name of the test."""
    return {u["nodeid"].split("::")[-1]: u["label"] for u in answer.of("AuditFinished")[0]["unfit"]}


def targets(answer: Answer) -> list[str]:
    return [k.split("::")[-1] for k in answer.of("AuditFinished")[0]["targets"]]


def alone(answer: Answer) -> list[str]:
    return [e["suite"] for e in answer.of("SuiteStarted") if e["purpose"] == "alone"]


# -- order-dependent --------------------------------------------------------------------------------------------------


def test_a_test_that_is_red_only_after_others_is_no_target(repo: Repo, command: Command) -> None:
    folder = repo({"m.py": M, "test_a.py": KEEPS, "test_b.py": LEANS, "test_c.py": RED})
    answer = command("--json", *command.script([FIX, finish(DONE)]), cwd=folder)
    assert answer.code == 0, answer.result
    assert unfit(answer) == {"test_cpu_leans": "order-dependent"}
    assert targets(answer) == ["test_cpu_f"]
    assert alone(answer) == ["cpu"]
    told = answer.of("AuditFinished")[0]["unfit"][0]
    assert told["why"] == "is red when run after test_a.py, and green by itself"
    assert answer.result["labels"] == {"always-red": 1, "order-dependent": 1, "green": 1}
    gates = {e["gate"]["name"]: e["gate"]["evidence"] for e in answer.of("GateSet")}
    assert "; 1 order-dependent" in gates["tests"]


def test_an_order_dependent_test_decides_nothing_in_either_direction(repo: Repo, command: Command) -> None:
    """A change that makes it green, and nothing else, is no progress; one that leaves it red loses nothing."""
    folder = repo({"m.py": M, "test_a.py": KEEPS, "test_b.py": LEANS, "test_c.py": RED})
    forget = edit({"command": "str_replace", "path": "m.py", "old_str": "KEPT.append(a)", "new_str": "KEPT[:] = [a]"})
    answer = command("--json", *command.script([forget, finish({"outcome": "more-work", "summary": ""})]), cwd=folder)
    assert answer.code == 1
    progress = answer.of("VerificationFinished")[0]["progress"]
    assert (progress["fixed"], progress["broken"]) == ([], [])
    assert len(answer.of("AttemptStarted")) == 1


def test_where_all_red_is_order_dependent_the_run_says_so_and_what_to_do(repo: Repo, command: Command) -> None:
    folder = repo({"m.py": M, "test_a.py": KEEPS, "test_b.py": LEANS})
    before = walk(folder)
    answer = command("--no-tui", *command.script([finish(DONE)]), cwd=folder)
    assert answer.code == 1
    assert "1 red test, red only after other tests ran" in answer.out
    assert "test_b.py::test_cpu_leans is red when run after test_a.py, and green by itself" in answer.out
    assert "let the tests before it leave nothing behind" in answer.out
    assert "route: NEXT → spec-analyzer" in answer.out
    assert "nothing to do" not in answer.out
    assert differing(before, walk(folder)) == []
    assert not leftovers(folder)


def test_what_cannot_show_anything_is_not_run_again(repo: Repo, command: Command) -> None:
    """No red test; a suite of one; reds that nothing ran before."""
    for number, files in enumerate(({"test_a.py": KEEPS}, {"test_a.py": RED}, {"test_a.py": RED + KEEPS})):
        folder = repo({"m.py": M, **files})
        answer = command("--json", *command.script([NOTHING]), cwd=folder)
        assert answer.code == (1 if targets(answer) else 0), answer.result
        assert alone(answer) == []
        folder.rename(folder.with_name(f"done{number}"))


def test_reds_of_several_suites_are_each_run_alone(repo: Repo, command: Command) -> None:
    files = {
        "m.py": M,
        "one/test_a.py": KEEPS,
        "one/test_b.py": LEANS,
        "two/test_c.py": KEEPS.replace("keeps", "first"),
        "two/test_d.py": LEANS.replace("leans", "second") + RED,
        "three/test_e.py": "def test_cpu_e(): pass\n",
        "bitnet-tui.toml": "".join(f'[suites.{n}]\nargs = ["{n}"]\n' for n in ("one", "two", "three")),
    }
    answer = command("--json", *command.script([NOTHING]), cwd=repo(files))
    assert answer.code == 1, answer.result
    assert alone(answer) == ["one", "two"]
    assert unfit(answer) == {"test_cpu_leans": "order-dependent", "test_cpu_second": "order-dependent"}
    assert targets(answer) == ["test_cpu_f"]


def test_a_file_that_others_keep_from_being_collected_is_order_dependent(repo: Repo, command: Command) -> None:
    stub = "import sys, types\nsys.modules['m'] = types.ModuleType('m')\ndef test_cpu_stub(): pass\n"
    folder = repo(
        {"m.py": M, "n.py": M, "test_a.py": stub, "test_b.py": KEEPS, "test_c.py": RED.replace("from m", "from n")}
    )
    answer = command("--json", *command.script([NOTHING]), cwd=folder)
    assert unfit(answer) == {"test_b.py": "order-dependent"}
    assert targets(answer) == ["test_cpu_f"]
    assert answer.code == 1, answer.result


def test_a_test_that_ends_its_process_alone_too_stays_a_target(repo: Repo, command: Command) -> None:
    dies = "import os\nfrom m import f\ndef test_cpu_dies():\n    if f(1) != 2: os._exit(3)\n"
    folder = repo({"m.py": M, "test_a.py": KEEPS, "test_b.py": dies})
    answer = command("--json", *command.script([NOTHING]), cwd=folder)
    assert targets(answer) == ["test_cpu_dies"]
    assert alone(answer) == ["cpu"]
    assert answer.code == 1, answer.result


@pytest.mark.slow
def test_with_workers_of_xdist_too(repo: Repo, command: Command, python_with_workers: Path) -> None:
    files = {
        "m.py": M,
        "test_a.py": KEEPS + LEANS + RED,
        "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-n 1"\n',
        "bitnet-tui.toml": f"[python]\ninterpreter = '{python_with_workers}/bin/python'\n",
    }
    answer = command("--json", *command.script([NOTHING]), cwd=repo(files))
    assert unfit(answer) == {"test_cpu_leans": "order-dependent"}, answer.result
    assert targets(answer) == ["test_cpu_f"]
    assert answer.code == 1, answer.result


@pytest.mark.slow
@pytest.mark.parametrize("kind", every(2, ["TestFinished", "SuiteFinished"]))
def test_a_run_killed_while_the_reds_run_alone_goes_on(repo: Repo, command: Command, kind: str) -> None:
    folder = repo({"m.py": M, "test_a.py": KEEPS, "test_b.py": LEANS, "test_c.py": RED})
    process = start(command, folder, *command.script([FIX, finish(DONE)]))
    run = stop_at(process, f"{kind} alone", signal.SIGKILL)
    answer = command("resume", run, "--json", cwd=folder)
    assert answer.code == 0, answer.result
    records = journal.read(Home(folder).run(run) / "journal.jsonl")
    assert repeated(records) == []
    state = fold_all(RunState(), records)
    assert {k.split("::")[-1]: str(t.label) for k, t in state.tests.items()} == {
        "test_cpu_keeps": "green",
        "test_cpu_leans": "order-dependent",
        "test_cpu_f": "always-red",
    }
    assert not leftovers(folder, run)


# -- environment-broken -----------------------------------------------------------------------------------------------

LACKS = {
    "module": ("def test_cpu_module():\n    import no_such_package\n", "the module no_such_package"),
    "inner": ("def test_cpu_inner():\n    import pytest.no_such\n", "the module pytest.no_such"),
    "wanted": (
        "import pytest\n@pytest.fixture\ndef it():\n    import no_such_package\ndef test_cpu_wanted(it): pass\n",
        "the module no_such_package",
    ),
    "fixture": ("def test_cpu_fixture(mocker): pass\n", "the fixture mocker"),
    "async": ("async def test_cpu_async(): pass\n", "is async"),
    "network": (
        "import urllib.request as r\ndef test_cpu_network(): r.urlopen('http://nothing.invalid/')\n",
        "the network",
    ),
    "program": (
        "import subprocess\ndef test_cpu_program(): subprocess.run(['no-such-program'])\n",
        "the program no-such-program",
    ),
    "right": ("def test_cpu_right(): open('/sys/kernel/no_such', 'w')\n", "may not use /sys/kernel/no_such"),
}


def test_what_no_change_can_bring_is_named_and_ends_the_run(repo: Repo, command: Command) -> None:
    tests = {f"test_{name}.py": text for name, (text, _) in LACKS.items()}
    folder = repo({"m.py": M, "requirements.txt": "no-such-package\n", "test_a.py": KEEPS} | tests)
    before = walk(folder)
    answer = command("--json", *command.script([finish(DONE)]), cwd=folder)
    assert unfit(answer) == {f"test_cpu_{name}": "environment-broken" for name in LACKS}, answer.result
    for told in answer.of("AuditFinished")[0]["unfit"]:
        assert LACKS[told["nodeid"].split("test_cpu_")[1]][1] in told["why"]
        assert told["advice"]
    assert answer.code == 5
    assert "8 red tests, and no change to production code can mend them" in answer.result["why"]
    assert "test_async.py::test_cpu_async is async" in answer.result["why"]
    assert answer.result["gate"]["status"] == "skipped"
    assert answer.result["route"] == "NEXT → issue-creator"
    assert answer.of("AttemptStarted") == []
    assert alone(answer) == []
    assert differing(before, walk(folder)) == []
    assert not leftovers(folder)


def test_the_rest_is_mended_all_the_same(repo: Repo, command: Command) -> None:
    needs = {"requirements.txt": "no_such_package>=1\n"}
    tests = {"test_a.py": RED, "test_b.py": LACKS["module"][0], "test_c.py": LACKS["fixture"][0]}
    folder = repo({"m.py": M} | needs | tests)
    answer = command("--json", *command.script([FIX, finish(DONE)]), cwd=folder)
    assert answer.code == 0, answer.result
    assert targets(answer) == ["test_cpu_f"]
    assert answer.result["labels"] == {"always-red": 1, "environment-broken": 2}
    plain = narrate(ev.AuditFinished((), unfit=_audit(folder).unfit), RunState())
    assert "install no_such_package" in plain
    assert "install pytest-mock" in plain
    asked = command("--json", "--test", "test_b.py", *command.script([finish(DONE)]), cwd=folder)
    assert asked.code == 5, asked.result


def _audit(folder: Path) -> ev.AuditFinished:
    home = Home(folder)
    records = journal.read(home.run(home.newest()) / "journal.jsonl")
    return next(r.event for r in records if isinstance(r.event, ev.AuditFinished))


LOOKS_LIKE_IT = """
import socket, subprocess
def raises(): raise ConnectionError("[Errno 101] Network is unreachable")
def connects(): socket.create_connection(("nothing.invalid", 1))
def opens(): open("/no/such/file")
def starts(): subprocess.run(["no-such-program"])
def writes(): open("/sys/kernel/no_such", "w")
def slips(): import jsn
def says(): return "all is well"
def hides():
    try:
        import no_such_package
    except ImportError as error:
        raise RuntimeError("[Errno 101] Network is unreachable") from error
"""
ORDINARY = """
import socket, subprocess
import pytest
from m import *
@pytest.mark.parametrize("call", [raises, connects, opens, starts, writes, slips, hides])
def test_cpu_production(call): call()
def test_cpu_of_the_project():
    import m.more
def test_cpu_of_its_name():
    import my_kernels
def test_cpu_to_be_written(tmp_path): open(tmp_path / "out.bin")
def test_cpu_tool(): subprocess.run(["./tool"])
def test_cpu_words(): assert says() == "[Errno 101] Network is unreachable"
def test_cpu_server(): socket.create_connection(("127.0.0.1", 1))
"""


def test_what_only_looks_like_it_stays_a_target(repo: Repo, command: Command) -> None:
    project = '[project]\nname = "my-kernels"\n'
    folder = repo({"m.py": LOOKS_LIKE_IT, "test_a.py": ORDINARY, "pyproject.toml": project})
    answer = command("--json", *command.script([finish({"outcome": "more-work", "summary": ""})]), cwd=folder)
    assert unfit(answer) == {}, answer.result
    assert len(targets(answer)) == 13
    assert answer.code == 1


def test_a_fixture_that_production_may_bring_is_for_production_to_bring(repo: Repo, command: Command) -> None:
    brings = "import pytest\n@pytest.fixture\ndef kernl(): return 1\n"
    folder = repo({"m.py": brings, "test_a.py": "pytest_plugins = ['m']\ndef test_cpu_f(kernel): pass\n"})
    fix = edit({"command": "str_replace", "path": "m.py", "old_str": "kernl", "new_str": "kernel"})
    answer = command("--json", *command.script([fix, finish(DONE)]), cwd=folder)
    assert answer.code == 0, answer.result


def test_a_file_that_lacks_a_module_says_what_to_install(repo: Repo, command: Command) -> None:
    folder = repo({"m.py": M, "test_a.py": RED, "test_b.py": "import no_such_package\ndef test_cpu_b(): pass\n"})
    answer = command("--json", *command.script([FIX, finish(DONE)]), cwd=folder)
    assert answer.code == 5
    assert "install no_such_package" in answer.result["hint"]


AROUND = Surroundings(
    worktree="/w",
    cwd="/w",
    own=("/scratch",),
    judges=lambda path: path.startswith("test"),
    holds=lambda top: top == "mine",
    brings_fixtures=False,
    python="python",
    confined=True,
)


def lacks(message: str, *frames: str, detail: str = "") -> bool:
    trace = "\n".join(f"{f}:1: in x\n    code" for f in frames) + f"\n{detail}\nE   {message}"
    return (
        missing(TestResult("cpu", "test_a.py::t", TestOutcome.FAILED, "call", 0.1, message, trace), AROUND) is not None
    )


def test_frames_decide_whose_it_is() -> None:
    absent = "ModuleNotFoundError: No module named 'yaml'"
    assert lacks(absent, "test_a.py")
    assert lacks(absent, "test_a.py", "/usr/lib/python3/site-packages/other/__init__.py")
    assert not lacks(absent, "test_a.py", "pack.py", "/usr/lib/python3/site-packages/other/__init__.py")
    assert not lacks(absent, "test_a.py", "<string>")
    assert not lacks(absent)  # no frame is shown: nothing is clear
    assert not lacks("ModuleNotFoundError: No module named 'mine.more'", "test_a.py")
    assert not lacks("AssertionError: No module named 'yaml'", "test_a.py")
    assert lacks("FileNotFoundError: [Errno 2] No such file or directory: 'gcc'", "test_a.py", "/usr/lib/subprocess.py")
    assert not lacks("FileNotFoundError: [Errno 2] No such file or directory: 'gcc'", "test_a.py")
    assert lacks("PermissionError: [Errno 13] Permission denied: '/etc/shadow'", "test_a.py")
    assert not lacks("PermissionError: [Errno 13] Permission denied: '/w/out'", "test_a.py")
    assert not lacks("PermissionError: [Errno 13] Permission denied: '/scratch/tmp/x'", "test_a.py")
    refused = "requests.exceptions.ConnectionError: Max retries exceeded (Temporary failure in name resolution)"
    assert lacks(refused, "test_a.py", "/usr/lib/requests/adapters.py")
    assert not lacks(refused, "test_a.py", "/usr/lib/python3/unittest/mock.py")
    assert not lacks(refused, "test_a.py")  # somebody raises it by hand


def test_a_traceback_that_was_cut_counts_only_where_the_test_is_seen() -> None:
    refused = "requests.exceptions.ConnectionError: Temporary failure in name resolution"
    cut = "\n… 900 characters left out …\n"
    assert (
        lacks(refused, "/usr/lib/socket.py", detail=f"{cut}test_a.py:3: in t\n    get()\n/usr/lib/api.py:9: in get")
        is False
    )
    whole = f"{cut}test_a.py:3: in t\n    get()\n/usr/lib/api.py:9: in get"
    assert lacks(refused, "test_a.py", "/usr/lib/socket.py", detail=whole)
    assert not lacks(refused, "test_a.py", "/usr/lib/socket.py", detail=f"{cut}/usr/lib/api.py:9: in get")
    assert not lacks(refused, "test_a.py", "/usr/lib/socket.py", detail=whole.replace("/usr/lib/api", "net"))


def test_a_journal_from_before_these_labels_still_folds() -> None:
    old = {"v": 1, "seq": 2, "at": 1.0, "type": "AuditFinished", "targets": ["cpu a"], "flaky": [], "counts": None}
    event = ev.from_record(old).event
    assert isinstance(event, ev.AuditFinished)
    assert event.unfit == ()
    assert Label.ORDER == "order-dependent"
    assert Purpose.ALONE == "alone"
