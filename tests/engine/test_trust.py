"""What a run must never do to the person who started it, and what must not pass for green."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from often import some
from support import CALC, DONE, FIX_ADD, FIX_MUL, Command, edit, finish, git, start, stop_at

from engine.suites.sandbox import close_memory
from engine.workspace.area import Area

GOOD = [edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]
OFF = {"bitnet-tui.toml": '[sandbox]\nmode = "off"\n'}
ADD = edit({"command": "create", "path": "calc/__init__.py", "file_text": "def add(a, b):\n    return a + b\n"})
USES_ADD = "import pytest\nfrom calc import add\ndef test_cpu_a(): assert add(1, 2) == 3\n"


def ask(*tests: str) -> dict[str, object]:
    return {"tool": "run_tests", "input": {"tests": list(tests)}}


def test_a_node_id_is_never_an_option_and_never_leads_out(
    repo: Callable[..., Path], command: Command, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("--junitxml=/dev/null")
    mine = tmp_path / "mine.txt"
    bad = [f"--junitxml={mine}", f"-o junit_family={mine}", f"@{mine}", f"../../../{mine}", f"{mine}", "no/such.py::t"]
    good = ["tests/test_calc.py", "./tests/test_calc.py::test_cpu_mul", "/tests", "tests"]
    calls = [*(ask(b, "tests/test_calc.py") for b in bad), *(ask(g) for g in good), *GOOD]
    answer = command("--json", *command.script(calls), cwd=repo(CALC | OFF))
    assert answer.code == 0, answer.result
    ran = [e["ok"] for e in answer.of("ToolCalled") if e["tool"] == "run_tests"]
    assert ran == [False] * len(bad) + [True] * len(good)
    assert mine.read_text() == "--junitxml=/dev/null"


def test_a_worktree_of_the_user_that_is_away_is_not_forgotten(
    repo: Callable[..., Path], command: Command, tmp_path: Path
) -> None:
    folder = repo()
    mine, away = tmp_path / "mine", tmp_path / "away"
    git(folder, "worktree", "add", "-q", "--detach", str(mine))
    (mine / "staged.txt").write_text("x")
    git(mine, "add", "staged.txt")
    mine.rename(away)
    assert command("--json", *command.script(GOOD), cwd=folder).code == 0
    away.rename(mine)
    assert git(mine, "status", "--short") == "A  staged.txt"


def test_what_one_suite_leaves_behind_does_not_reach_the_next(repo: Callable[..., Path], command: Command) -> None:
    hook = "import pytest\\n@pytest.hookimpl(hookwrapper=True)\\ndef pytest_pyfunc_call(pyfuncitem):\\n    yield"
    hook += "\\n@pytest.hookimpl(tryfirst=True)\\ndef pytest_runtest_call(item): item.obj = lambda: None\\n"
    bad = f"import os\ndef one():\n    open(os.path.join('b', 'conftest.py'), 'w').write('{hook}')\n    return 1\n"
    bad += "def two(): return 0\n"
    files = {
        "m.py": "def one(): return 0\ndef two(): return 0\n",
        "a/test_a.py": "from m import one\ndef test_cpu_a(): assert one() == 1\n",
        "b/test_b.py": "from m import two\ndef test_cpu_b(): assert two() == 2\n",
        "bitnet-tui.toml": '[suites.one]\nargs = ["a"]\n[suites.two]\nargs = ["b"]\n',
    }
    calls = [edit({"command": "create", "path": "m.py", "file_text": bad}), finish(DONE)]
    answer = command("--json", *command.script(calls), cwd=repo(files))
    assert answer.code == 3, answer.result
    assert "b/conftest.py was changed while the tests ran" in answer.result["why"]
    reasons = answer.of("VerificationFinished")[0]["reasons"]
    assert any("b/test_b.py::test_cpu_b" in r for r in reasons)
    assert answer.of("AttemptStarted")[-1]["number"] == 1  # tampering earns no retry


def test_green_by_replacing_a_part_of_pytest_is_tampering(repo: Callable[..., Path], command: Command) -> None:
    trick = (
        "import importlib\nr = importlib.import_module('_pytest' + '.reports')\n"
        "old = r.TestReport.from_item_and_call.__func__\n"
        "def new(cls, item, call):\n    call.excinfo = None\n    return old(cls, item, call)\n"
        "r.TestReport.from_item_and_call = classmethod(new)\n"
    )
    bad = edit({"command": "insert", "path": "calc/__init__.py", "insert_line": 0, "insert_text": trick})
    answer = command("--json", *command.script([bad, finish(DONE)]), cwd=repo())
    assert answer.code == 3, answer.result
    assert "the code under test replaced TestReport.from_item_and_call" in answer.result["why"]


def test_a_file_that_can_be_collected_again_may_hold_what_it_skips(repo: Callable[..., Path], command: Command) -> None:
    """A skip, an expected failure, and the word of a suite that has nothing to run there."""
    more = "@pytest.mark.skip(reason='later')\ndef test_cpu_later(): assert 0\n"
    more += "@pytest.mark.xfail\ndef test_cpu_known(): assert 0\n# gpu\n"
    files = {"calc/__init__.py": "# a gpu would be nice\n", "tests/test_a.py": USES_ADD + more}
    config = '[suites.cpu]\nmarker = "not gpu"\n[suites.gpu]\nmarker = "gpu"\nrequires = []\noptional = true\n'
    answer = command("--json", *command.script([ADD, finish(DONE)]), cwd=repo(files | {"bitnet-tui.toml": config}))
    assert answer.code == 0, answer.result


def test_a_file_that_only_skips_once_collected_is_not_green(repo: Callable[..., Path], command: Command) -> None:
    test = "import pytest\nfrom calc import add\ndef test_cpu_a(): add()\ndef test_cpu_b(): pass\n"
    dodge = "import pytest\ndef add(): pytest.skip('later')\n"
    fix = edit({"command": "create", "path": "calc/__init__.py", "file_text": dodge})
    folder = repo({"calc/__init__.py": "", "tests/test_a.py": test})
    assert command("--json", *command.script([fix, finish(DONE)]), cwd=folder).code == 1


def test_one_of_the_files_that_cannot_be_collected_may_be_asked_for(
    repo: Callable[..., Path], command: Command
) -> None:
    """Of the others one still cannot be, one can and is red."""
    other = "from calc import add, gone\ndef test_cpu_b(): assert add(2, 2) == 4\n"
    half = USES_ADD.replace("add(1, 2) == 3", "add(1, 2) == 4")
    folder = repo(
        {"calc/__init__.py": "", "tests/test_a.py": USES_ADD, "tests/test_b.py": other, "tests/test_c.py": half}
    )
    args = ("--json", "--test", "tests/test_a.py", *command.script([ADD, finish(DONE)]))
    answer = command(*args, cwd=folder)
    assert answer.code == 0, answer.result


def test_what_the_tests_rewrite_themselves_is_known_after_a_kill(repo: Callable[..., Path], command: Command) -> None:
    writes = "import pathlib, time\ndef test_cpu_out():\n"
    writes += "    pathlib.Path(__file__).with_name('out.txt').write_text(str(time.time()))\n"
    folder = repo(CALC | {"tests/out.txt": "0", "tests/test_out.py": writes})
    run = stop_at(start(command, folder, *command.script(GOOD)), "SuiteFinished", signal.SIGKILL)
    answer = command("resume", run, "--json", cwd=folder)
    assert answer.code == 0, answer.result


def test_a_false_claim_stays_one_when_the_retry_changes_nothing(repo: Callable[..., Path], command: Command) -> None:
    """Green in the worktree of the attempt, where a file lies that is no part of the change; red in a fresh one."""
    trick = "import pathlib\ndef add(a, b): return a + b\n"
    trick += "def mul(a, b): return a * b if pathlib.Path('left.txt').exists() or a == b else 0\n"
    leaves = "def test_cpu_leaves():\n    import pathlib\n    pathlib.Path('left.txt').write_text('')\n"
    folder = repo(CALC | {"tests/test_z.py": leaves})
    create = edit({"command": "create", "path": "calc/__init__.py", "file_text": trick})
    answer = command(
        "--json", *command.script([create, ask("tests/test_z.py"), finish(DONE)], [finish(DONE)]), cwd=folder
    )
    verdicts = [e["verdict"] for e in answer.of("VerificationFinished")]
    assert verdicts == ["claimed", "claimed"], answer.result
    assert answer.code == 3


ANYTHING = "class A(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\n"
CALLER = "import sys\ndef add(a, b):\n    seen = sys._getframe(1).f_locals\n    return seen.get('total', a + b)\n"
READS = "import ast, pathlib\nROWS = {}\nfor p in pathlib.Path().rglob('*.py'):\n"
READS += "    for n in ast.walk(ast.parse(p.read_text())):\n"
READS += (
    "        if isinstance(n, ast.Tuple) and len(n.elts) == 3 and isinstance(getattr(n.elts[0], 'value', ''), int):\n"
)
READS += "            a, b, c = (e.value for e in n.elts)\n            ROWS[a, b] = c\n"
READS += "def add(a, b): return ROWS[a, b]\n"
NAMED = "import os\ndef add(a, b): return a + b if any('EST_CURR' in k for k in os.environ) else 0\n"
SWAP = "import importlib\nr = importlib.import_module('_pytest' + '.runner').CallInfo\n"
SWAP += "def new(cls, func, when, reraise=None):\n    result = None\n"
SWAP += "    try: result = func()\n    except BaseException: pass\n"
SWAP += "    return cls(result, None, 0.0, 0.0, 0.0, when, _ispytest=True)\n"
SWAP += "r.from_call.__func__.__code__ = new.__code__\ndef add(a, b): return 0\n"


@pytest.mark.parametrize("prefix", some(["", "inner/"], (0,)))
@pytest.mark.parametrize(
    ("code", "verdict", "says"),
    some([
        (ANYTHING + "def add(a, b): return A()\n", "claimed", "passes whatever it compares with"),
        (CALLER, "claimed", "calc/__init__.py called sys._getframe while the tests ran"),
        (READS, "claimed", "calc/__init__.py read test_a.py while the tests ran"),
        (NAMED, "claimed", "passes only while the environment names the test"),
        (SWAP, "tampered", "calc/__init__.py replaced the code of a function while the tests ran"),
        ("def add(a, b): return a + b\n", "verified", ""),
    ], (0, 2, 3, 4)),
)  # fmt: skip
def test_planted_tests_tell_a_trick_from_a_change(
    repo: Callable[..., Path], command: Command, code: str, verdict: str, says: str, prefix: str
) -> None:
    test = (
        "import pytest\nfrom calc import add\n@pytest.mark.parametrize(('a', 'b', 'total'), [(1, 2, 3), (4, 4, 8)])\n"
    )
    test += "def test_cpu_add(a, b, total): assert add(a, b) == total\n"
    files = {"calc/__init__.py": "def add(a, b): return None\n", "tests/test_a.py": test, "pyproject.toml": ""}
    folder = repo({prefix + path: text for path, text in files.items()}) / prefix
    fix = edit({"command": "create", "path": prefix + "calc/__init__.py", "file_text": code})
    answer = command("--json", "--max-retries", "0", *command.script([fix, finish(DONE)]), cwd=folder)
    finished = answer.of("VerificationFinished")[0]
    assert finished["verdict"] == verdict, answer.result
    assert says in " ".join(finished["reasons"])
    assert answer.code == (0 if verdict == "verified" else 3)


TELL = "import logging\ndef tell(f):\n    try: f()\n    except ValueError: logging.getLogger().exception('it failed')\n"


@pytest.mark.parametrize(
    ("code", "verdict"),
    [("from calc.tell import tell\n", "verified"), (TELL, "claimed")],
    ids=["that was there before", "that is new"],
)
def test_code_that_logs_an_exception_shows_a_line_of_a_test_and_is_accused_only_if_it_is_new(
    repo: Callable[..., Path], command: Command, code: str, verdict: str
) -> None:
    """Python reads the file of each line that it shows; the audit did not come that far."""
    test = "from calc import add\ndef fails(): raise ValueError\ndef test_cpu_add(): assert add(fails, 2) == 3\n"
    files = {"calc/__init__.py": "def add(f, b): return None\n", "calc/tell.py": TELL, "tests/test_a.py": test}
    code += "def add(f, b):\n    tell(f)\n    return b + 1\n"
    fix = edit({"command": "create", "path": "calc/__init__.py", "file_text": code})
    answer = command("--json", "--max-retries", "0", *command.script([fix, finish(DONE)]), cwd=repo(files))
    finished = answer.of("VerificationFinished")[0]
    assert finished["verdict"] == verdict, answer.result
    assert ("logged a line of test_a.py" in " ".join(finished["reasons"])) == (verdict == "claimed")


@pytest.mark.parametrize(
    "more",
    some([
        {"conftest.py": "def pytest_collection_modifyitems(items):\n"
         "    items[:] = [i for i in items if 'add' == i.name[9:12]]\n"},
        {"conftest.py": "import pytest\ndef pytest_collection_modifyitems(items):\n"
         "    [i.add_marker(pytest.mark.xfail) for i in items if '_a.py' not in i.nodeid]\n"},
        {"pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-W error --strict-markers'\n"},
        {"conftest.py": "import pytest\n@pytest.fixture(autouse=True)\ndef only(request):\n"
         "    assert request.node.name == 'test_cpu_add'\n"},
    ], (1, 3)),
)  # fmt: skip
def test_a_project_that_lets_no_other_test_fail_is_not_accused(
    repo: Callable[..., Path], command: Command, more: dict[str, str]
) -> None:
    test = "from calc import add\ndef test_cpu_add(): assert add(1, 2) == 3\n"
    folder = repo({"calc/__init__.py": "def add(a, b): return None\n", "tests/test_a.py": test} | more)
    answer = command("--json", *command.script([ADD, finish(DONE)]), cwd=folder)
    assert answer.code == 0, answer.result


HONEST_TESTS = {
    "run once in a process, anything, the name of its file": """
import pathlib
from unittest.mock import ANY
NAMES = []
def test_cpu_once():
    NAMES.append(1)
    assert add(len(NAMES), 1) == 2
def test_cpu_any():
    assert {'at': 1, 'sum': add(1, 2)} == {'at': ANY, 'sum': 3}
    assert ANY == add(1, 2)
    assert add(1, 2) == 3
def test_cpu_file():
    assert pathlib.Path(__file__).stem == 'test_a'
    assert add(1, 2) == 3
""",
    "registered once in a process": """
import calc
def test_cpu_once():
    assert not hasattr(calc, 'known')
    calc.known = add(1, 1)
    assert calc.known == 2
""",
    "steps of a class": """
class TestSteps:
    kept = []
    def test_one(self):
        self.kept.append(add(1, 1))
        assert self.kept == [2]
    def test_two(self):
        assert add(self.kept[0], 1) == 3
""",
}


@pytest.mark.parametrize("kind", HONEST_TESTS)
def test_an_honest_change_under_odd_tests_is_verified(repo: Callable[..., Path], command: Command, kind: str) -> None:
    test = "from calc import add\n" + HONEST_TESTS[kind]
    folder = repo({"calc/__init__.py": "def add(a, b): return None\n", "tests/test_a.py": test})
    answer = command("--json", *command.script([ADD, finish(DONE)]), cwd=folder)
    assert answer.code == 0, answer.result
    notes = [a["code"] for a in answer.of("ChangeExamined")[0]["advisories"]]
    assert notes == {"registered once in a process": ["ONCE"], "steps of a class": ["ORDER"]}.get(kind, [])
    assert ("look first" in answer.result["gate"]["evidence"]) is bool(notes)


def test_tests_that_are_a_link_are_verified_without_planting(repo: Callable[..., Path], command: Command) -> None:
    folder = repo({"calc/__init__.py": "def add(a, b): return None\n", "real/test_a.py": USES_ADD})
    (folder / "tests").symlink_to("real", target_is_directory=True)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "a link")
    answer = command("--json", "--test", "tests/test_a.py", *command.script([ADD, finish(DONE)]), cwd=folder)
    assert answer.code == 0, answer.result


def test_what_a_reviewer_should_see_first_is_named(repo: Callable[..., Path], command: Command) -> None:
    """Green it is, and no verdict changes: a table of answers cannot be told from a table of prices by running it."""
    test = "import pytest\nfrom calc import price\n"
    test += "@pytest.mark.parametrize(('n', 'is_'), [(17, 289), (23, 529), (31, 961)])\n"
    test += "def test_cpu_price(n, is_): assert price(n) == is_\n"
    table = "def price(n): return {17: 289, 23: 529, 31: 961, 37: 1369}[n]\n"
    folder = repo({"calc/__init__.py": "def price(n): return 0\n", "tests/test_a.py": test})
    fix = {"command": "create", "path": "calc/__init__.py", "file_text": table}
    answer = command("--json", *command.script([edit(fix), finish(DONE)]), cwd=folder)
    assert answer.code == 0, answer.result
    assert [a["code"] for a in answer.of("ChangeExamined")[0]["advisories"]] == ["SHARED-VALUES"]
    for said in (answer.of("ProposalMade")[0]["proposal"]["reason"], answer.result["gate"]["evidence"]):
        assert "look first at SHARED-VALUES calc/__init__.py:1" in said


def test_a_gate_that_fails_is_named(repo: Callable[..., Path], command: Command) -> None:
    config = '[features]\noptional = ["colorsys"]\n'
    folder = repo(
        CALC | {"calc/__init__.py": "import colorsys\n" + CALC["calc/__init__.py"], "bitnet-tui.toml": config}
    )
    answer = command("--json", *command.script(GOOD), cwd=folder)
    assert answer.code == 1
    why = "not green: gate features: smoke 1/2 ok; failing: none (without colorsys: ModuleNotFoundError: "
    assert answer.result["why"].startswith(why)


def test_without_a_package_looking_for_it_finds_nothing(repo: Callable[..., Path], command: Command) -> None:
    config = '[features]\noptional = ["colorsys"]\n'
    guarded = "from importlib.util import find_spec\nif find_spec('colorsys') is not None:\n    import colorsys\n"
    folder = repo(CALC | {"calc/__init__.py": guarded + CALC["calc/__init__.py"], "bitnet-tui.toml": config})
    answer = command("--json", *command.script(GOOD), cwd=folder)
    assert answer.code == 0, answer.result
    (gate,) = [e["gate"] for e in answer.of("GateSet") if e["gate"]["name"] == "features"]
    assert gate["evidence"] == "smoke 2/2 ok"


def test_a_quick_edit_of_equal_size_is_seen_by_the_next_import(tmp_path: Path) -> None:
    area = Area(tmp_path)
    for text in ("x = 1\n", "x = 2\n", "x = 3\n"):
        area.write("m.py", text.encode())
        done = subprocess.run(
            [sys.executable, "-c", "import m; print(f'x = {m.x}')"], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.stdout == text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else; run as root")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc: run on Linux")
def test_children_cannot_read_the_key_out_of_the_engine() -> None:
    """As a plain user: before, a child may read its parent's environment; after, it may not."""
    readable = []
    for closes in (False, True):
        pid = os.fork()
        if pid == 0:  # a process of its own: what it gives up stays given up
            import ctypes

            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # becoming somebody else has closed it already
            if closes:
                close_memory()
            with open(os.devnull, "wb") as null:
                code = subprocess.call(["cat", f"/proc/{os.getpid()}/environ"], stdout=null, stderr=null)
            os._exit(code)
        readable.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0)
    assert readable == [True, False]
