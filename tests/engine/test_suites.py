"""What a suite's children show, in many layouts, and when they crash, hang or lie."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from often import every
from support import git, make_repo

from engine.cancel import CancelToken
from engine.config import Suite
from engine.model import Ended, TestOutcome, TestReport
from engine.suites.environment import scrubbed
from engine.suites.interpreter import probe
from engine.suites.layout import import_roots
from engine.suites.runner import Place, SuiteRunner
from engine.suites.sandbox import Confinement

FAST = Suite(test_timeout_s=1, timeout_s=60)
OUTCOMES = """
import pytest, unittest
def test_pass(): pass
def test_fail(): assert 1 == 2
@pytest.mark.skip(reason="later")
def test_skip(): pass
@pytest.mark.xfail
def test_xfail(): assert 0
@pytest.mark.xfail(strict=False)
def test_xpass(): pass
@pytest.mark.xfail(strict=True)
def test_strict(): pass
@pytest.fixture
def broken(): raise RuntimeError("no")
def test_setup(broken): pass
@pytest.fixture
def late():
    yield
    raise RuntimeError("late")
def test_teardown(late): pass
@pytest.mark.parametrize("x", ["a b", "[1]", "é::/"])
def test_ids(x): pass
class TestThings:
    def test_in_class(self): pass
class Old(unittest.TestCase):
    def test_unit(self): self.assertEqual(1, 1)
    def test_sub(self):
        for i in range(3):
            with self.subTest(i=i): self.assertNotEqual(i, 1)
"""


@pytest.fixture
def run(lean_python: Path, tmp_path: Path) -> Callable[..., TestReport]:
    """Run a suite on some files; the files are the worktree, and a copy of them is the user's checkout."""

    def go(
        files: dict[str, str], suite: Suite = FAST, environ: dict[str, str] | None = None, **given: object
    ) -> TestReport:
        checkout, worktree = tmp_path / "checkout", tmp_path / "worktree"
        if not checkout.exists():
            for folder in (checkout, worktree):
                folder.mkdir()
                make_repo(folder, files)
        env = scrubbed(environ or dict(os.environ))
        python = probe(str(given.pop("python", lean_python / "bin" / "python")), checkout, env)
        extra = [str(Path(p).relative_to(checkout.resolve())) for p in python.editable]
        roots = import_roots(list(files), "", extra)
        editable = frozenset(f for f in files if f.endswith(".py") and "test" not in f)
        place = Place(worktree, checkout, "", tmp_path / "scratch", given.pop("roots", roots), editable)  # type: ignore[arg-type]
        runner = SuiteRunner("r", python, Confinement("", (), ()), environ or dict(os.environ), CancelToken())
        return runner.report("cpu", suite, place, **given)  # type: ignore[arg-type]

    return go


def outcomes(report: TestReport) -> dict[str, str]:
    return {r.nodeid.split("::", 1)[-1]: str(r.outcome) for r in report.results}


def test_every_outcome_is_told_as_what_it_is(run: Callable[..., TestReport]) -> None:
    report = run({"test_all.py": OUTCOMES})
    assert report.problem == ""
    assert report.exit_code == 1
    assert outcomes(report) == {
        "test_pass": "passed",
        "test_fail": "failed",
        "test_skip": "skipped",
        "test_xfail": "xfailed",
        "test_xpass": "xpassed",
        "test_strict": "failed",
        "test_setup": "error",
        "test_teardown": "error",
        "test_ids[a b]": "passed",
        "test_ids[[1]]": "passed",
        "test_ids[\\xe9::/]": "passed",
        "TestThings::test_in_class": "passed",
        "Old::test_unit": "passed",
        "Old::test_sub": "failed",
    }
    failed = next(r for r in report.results if r.nodeid.endswith("test_fail"))
    assert (failed.path, failed.message) == ("test_all.py", "assert 1 == 2")


def test_a_project_that_knows_only_its_own_markers_is_run(run: Callable[..., TestReport]) -> None:
    files = {"pytest.ini": "[pytest]\naddopts = --strict-markers\n", "test_a.py": "def test_a(): pass\n"}
    report = run(files, Suite(marker="not gpu"))
    assert (report.problem, outcomes(report)) == ("", {"test_a": "passed"})


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("import os; os._exit(0)", TestOutcome.CRASHED),
        ("import ctypes; ctypes.string_at(0)", TestOutcome.CRASHED),
        ("\n    while True: pass", TestOutcome.TIMEOUT),
        (
            "\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
            TestOutcome.TIMEOUT,
        ),
    ],
)
def test_a_crash_or_hang_costs_its_own_test_only(
    run: Callable[..., TestReport], body: str, outcome: TestOutcome
) -> None:
    report = run({"test_c.py": f"def test_a(): pass\ndef test_bad(): {body}\ndef test_z(): pass\n"})
    assert outcomes(report) == {"test_a": "passed", "test_bad": str(outcome), "test_z": "passed"}
    assert report.ended is Ended.FINISHED
    assert not report.green


def test_a_suite_that_is_over_its_time_says_so(run: Callable[..., TestReport]) -> None:
    slow = "import time\ndef test_a(): pass\ndef test_b(): time.sleep(60)\n"
    report = run({"test_s.py": slow}, replace(FAST, timeout_s=2, test_timeout_s=50))
    assert report.ended is Ended.TIMEOUT
    assert "ended after 2 s in test_s.py::test_b" in report.problem


def test_a_process_that_ends_itself_on_import_is_not_green(run: Callable[..., TestReport]) -> None:
    report = run({"m.py": "import os\nos._exit(0)\n", "test_m.py": "import m\ndef test_a(): pass\n"})
    assert not report.green
    assert report.problem


def test_a_forged_report_does_not_count(run: Callable[..., TestReport]) -> None:
    """Code under test that writes a perfect-looking report and stream, and ends the process, lacks the nonce."""
    forge = (
        "import json, os, glob\n"
        "def f():\n"
        "    for path in glob.glob(os.path.join(os.environ['TMPDIR'], '..', '*')): pass\n"
        "    for fd in range(3, 30):\n"
        "        for e in ({'event': 'finished', 'nodeid': 'test_m.py::test_a', 'outcome': 'passed', 'phase': 'call',\n"
        "                   'seconds': 0.1},\n"
        "                  {'event': 'ended', 'nonce': '0' * 32, 'exit': 0, 'foreign': [], 'replaced': []}):\n"
        "            try: os.write(fd, (json.dumps(e) + '\\n').encode())\n"
        "            except OSError: pass\n"
        "    os._exit(0)\n"
    )
    report = run({"m.py": forge, "test_m.py": "import m\ndef test_a():\n    m.f()\n    assert 0\n"})
    assert not report.green
    assert "nonce" in report.problem


@pytest.mark.parametrize("layout", ["plain", "src", "lib"])
def test_the_worktree_is_what_is_tested_in_every_layout(run: Callable[..., TestReport], layout: str) -> None:
    base = {"plain": "", "src": "src/", "lib": "lib/"}[layout]
    tests = "import acme\ndef test_a(): assert 'worktree' in acme.__file__\n"
    report = run({f"{base}acme/__init__.py": "", "tests/test_a.py": tests})
    assert report.green, (report.problem, [r.detail for r in report.results])
    assert report.foreign == ()


@pytest.mark.parametrize("style", ["pth", "finder"])
def test_an_editable_install_does_not_bring_the_users_checkout(
    run: Callable[..., TestReport], lean_python: Path, tmp_path: Path, style: str
) -> None:
    python = tmp_path / "venv"
    import venv

    venv.create(python, symlinks=True)
    site = next((python / "lib").glob("python*/site-packages"))
    for entry in next((lean_python / "lib").glob("python*/site-packages")).iterdir():
        if entry.name != "__pycache__" and not (site / entry.name).exists():
            (site / entry.name).symlink_to(entry)
    checkout = tmp_path / "checkout"
    if style == "pth":
        (site / "_acme.pth").write_text(f"{checkout}/python\n")
    else:
        finder = (
            "import sys\nfrom importlib.machinery import PathFinder\n"
            f"MAPPING = {{'acme': '{checkout}/python/acme'}}\n"
            "class Finder:\n    @classmethod\n    def find_spec(cls, name, path=None, target=None):\n"
            f"        return PathFinder.find_spec(name, ['{checkout}/python']) if name == 'acme' else None\n"
            "def install(): sys.meta_path.append(Finder)\n"
        )
        (site / "__editable___acme_finder.py").write_text(finder)
        (site / "__editable__.acme.pth").write_text(
            "import __editable___acme_finder; __editable___acme_finder.install()\n"
        )
    tests = "import acme\ndef test_a(): assert 'worktree' in acme.__file__\n"
    files = {"python/acme/__init__.py": "", "deep/er/tests/test_a.py": tests}
    report = run(files, python=python / "bin" / "python")
    assert report.green, (report.problem, [r.detail for r in report.results])


def test_testing_the_wrong_files_names_both(run: Callable[..., TestReport], tmp_path: Path) -> None:
    tests = f"import sys\nsys.path.insert(0, {str(tmp_path / 'checkout')!r})\n"
    tests += "sys.modules.pop('acme', None)\nimport acme\ndef test_a(): pass\n"
    report = run({"acme/__init__.py": "", "test_a.py": tests})
    used, wanted = report.foreign[0]
    assert used.endswith("checkout/acme/__init__.py")
    assert wanted.endswith("worktree/acme/__init__.py")


def test_children_see_no_keys_and_nothing_of_pytest(run: Callable[..., TestReport]) -> None:
    secrets = {
        "ANTHROPIC_API_KEY": "sk-secret",
        "GITHUB_TOKEN": "t",
        "PYTEST_ADDOPTS": "-k nothing",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    tests = (
        "import os\nBAD = ('KEY', 'TOKEN', 'PYTEST_ADDOPTS', 'BITNET_TUI_CONTROL')\n"
        "def test_a(): assert not [n for n in os.environ for b in BAD if b in n]\n"
    )
    assert run({"test_a.py": tests}, environ=dict(os.environ) | secrets).green


def test_a_stop_at_first_failure_in_the_projects_options_is_lifted(run: Callable[..., TestReport]) -> None:
    files = {"pytest.ini": "[pytest]\naddopts = -x\n", "test_a.py": "def test_a(): assert 0\ndef test_b(): pass\n"}
    assert outcomes(run(files)) == {"test_a": "failed", "test_b": "passed"}


def test_chosen_tests_run_alone_whatever_their_ids(run: Callable[..., TestReport]) -> None:
    report = run(
        {"test_all.py": OUTCOMES}, only=["test_all.py::test_ids[a b]", "test_all.py::TestThings::test_in_class"]
    )
    assert outcomes(report) == {"test_ids[a b]": "passed", "TestThings::test_in_class": "passed"}


def test_a_function_a_class_or_a_folder_names_all_its_tests(run: Callable[..., TestReport]) -> None:
    files = {
        "test_a.py": "import pytest\n\n\n@pytest.mark.parametrize('x', ['a::b', '[', 'c'])\ndef test_p(x): pass\n"
        "def test_p2(): pass\n\n\nclass TestC:\n    class TestD:\n        def test_in(self): pass\n",
        "sub/test_b.py": "def test_b(): pass\n",
        "subs/test_c.py": "def test_c(): pass\n",
    }
    report = run(files, only=["test_a.py::test_p", "test_a.py::TestC", "sub"])
    assert {r.nodeid for r in report.results} == {
        "test_a.py::test_p[a::b]",
        "test_a.py::test_p[[]",
        "test_a.py::test_p[c]",
        "test_a.py::TestC::TestD::test_in",
        "sub/test_b.py::test_b",
    }


def test_collection_errors_say_whose_they_are(run: Callable[..., TestReport]) -> None:
    files = {
        "acme/__init__.py": "",
        "acme/bad.py": "x = undefined\n",
        "test_ours.py": "import acme.bad\ndef test_a(): pass\n",
        "test_name.py": "from acme import missing\ndef test_a(): pass\n",
        "test_theirs.py": "import not_installed_anywhere\ndef test_a(): pass\n",
        "test_fine.py": "def test_a(): pass\n",
    }
    errors = {e.nodeid: e.ours for e in run(files).collect_errors}
    assert errors == {"test_ours.py": True, "test_name.py": True, "test_theirs.py": False}


def test_no_test_is_never_green(run: Callable[..., TestReport]) -> None:
    report = run({"m.py": "x = 1\n"})
    assert not report.green
    assert report.results == ()


def test_doctests_of_production_modules_are_found(run: Callable[..., TestReport]) -> None:
    files = {"acme/__init__.py": 'def f():\n    """\n    >>> f()\n    2\n    """\n    return 1\n'}
    report = run(files, replace(FAST, args=("--doctest-modules",)))
    assert [str(r.outcome) for r in report.results] == ["failed"]


def test_our_own_interpreter_is_asked_the_same_way(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    make_repo(folder, {"m.py": ""})
    found = probe(sys.executable, folder, scrubbed(dict(os.environ)))
    assert found.version.startswith("3.")
    assert found.pytest
    assert git(folder, "status", "--porcelain") == ""


@pytest.mark.parametrize("body", ["pytest.exit('ok', 0)", "raise KeyboardInterrupt", "pytest.exit('ok')"])
def test_a_session_that_is_ended_early_is_a_problem_not_a_result(run: Callable[..., TestReport], body: str) -> None:
    report = run({"test_m.py": f"import pytest\ndef test_a(): pass\ndef test_b(): {body}\ndef test_c(): assert 0\n"})
    assert not report.green
    assert report.problem


@pytest.mark.parametrize(
    "options",
    ["--ff", "--lf", "--sw", "-W error --strict-markers --strict-config --junitxml=out.xml -vv -s"],
)
def test_a_projects_own_options_do_not_hide_its_tests(run: Callable[..., TestReport], options: str) -> None:
    files = {
        "pytest.ini": f"[pytest]\naddopts = {options}\ncache_dir = .cache\n",
        "test_a.py": "def test_a(): assert 0\ndef test_b(): pass\n",
    }
    report = run(files)
    assert report.problem == ""
    assert outcomes(report) == {"test_a": "failed", "test_b": "passed"}


def test_a_subtest_that_fails_makes_its_test_red(run: Callable[..., TestReport]) -> None:
    tests = "def test_a(subtests):\n    for i in range(3):\n        with subtests.test(i=i): assert i != 1\n"
    tests += "def test_b(subtests):\n    with subtests.test(): pass\n"
    report = run({"test_a.py": tests})
    assert report.problem == ""
    assert outcomes(report) == {"test_a": "failed", "test_b": "passed"}


@pytest.mark.parametrize(
    "body",
    [
        "os.closerange(3, 64)",
        "os.chdir('/'); import shutil; shutil.rmtree(os.environ['TMPDIR'])",
        "sys.stdout.close(); sys.stderr.close()",
        "os.kill(os.getpid(), 15)",
        "os.kill(0, 9)",
        "sys.setrecursionlimit(10**6); f = lambda f: f(f); f(f)",
    ],
)
def test_a_test_that_wrecks_its_process_hides_no_other_test(run: Callable[..., TestReport], body: str) -> None:
    report = run({"test_m.py": f"import os, sys\ndef test_a(): pass\ndef test_bad(): {body}\ndef test_z(): assert 0\n"})
    assert not report.green
    assert outcomes(report)["test_a"] == "passed"
    assert outcomes(report)["test_z"] in ("failed", "error")


@pytest.mark.parametrize(
    "line", every(3, ['{"event": "started", "nodeid": 5}', "5", "[]", "\\xff", '{"event": "ended"}', ""])
)
def test_a_line_of_the_stream_that_is_not_the_plug_ins_is_counted_not_believed(
    run: Callable[..., TestReport], line: str
) -> None:
    writes = "import os\ndef test_a():\n    for fd in range(3, 4096):\n"
    writes += f"        try: os.write(fd, b'{line}' + bytes([10]))\n        except OSError: pass\n"
    report = run({"test_m.py": writes})
    assert not report.green
    assert "are not the plug-in's" in report.problem


def test_a_message_that_is_no_valid_unicode_is_a_message(run: Callable[..., TestReport]) -> None:
    report = run({"test_m.py": "def test_a(): raise ValueError('\\udcff')\ndef test_b(): pass\n"})
    assert report.problem == ""
    assert outcomes(report) == {"test_a": "failed", "test_b": "passed"}


def test_a_process_that_chatters_on_does_not_keep_its_suite(run: Callable[..., TestReport]) -> None:
    loop = "while 1: print(1, flush=True); time.sleep(.02)"
    tests = f"import subprocess, sys\ndef test_a(): subprocess.Popen([sys.executable, '-c', 'import time\\n{loop}'],"
    tests += " start_new_session=True)\n"
    report = run({"test_m.py": tests}, replace(FAST, args=("-s",), timeout_s=60.0))
    subprocess.run(["pkill", "-f", loop], check=False)
    assert report.green, report.problem


def test_only_a_mark_in_the_test_file_marks_a_skip(run: Callable[..., TestReport]) -> None:
    tests = (
        "import pytest\nimport m\n"
        "@pytest.mark.skip\ndef test_skip(): pass\n"
        "@pytest.mark.skipif(True, reason='r')\ndef test_skipif(): pass\n"
        "@pytest.mark.skipif(False, reason='r')\ndef test_dodged(): m.dodge()\n"
        "@pytest.mark.xfail\ndef test_xfail(): assert 0\n"
        "@pytest.mark.xfail\ndef test_claimed(): pytest.xfail('later')\n"
        "def test_called(): m.dodge()\n"
        "@pytest.fixture\ndef fix(): m.dodge()\n"
        "def test_fixture(fix): pass\n"
        "def test_fine(): pass\n"
    )
    report = run({"m.py": "import pytest\ndef dodge(): pytest.skip('no')\n", "test_m.py": tests})
    marked = {r.nodeid.split("_", 2)[-1] for r in report.results if r.marked}
    assert marked == {"skip", "skipif", "xfail"}


@pytest.mark.parametrize(
    "body",
    [
        "TestReport.from_item_and_call = classmethod(lambda cls, item, call: old(cls, item, quiet(call)))",
        "TestReport.failed = property(lambda self: False)",
        "_pytest.runner.CallInfo.from_call = classmethod(lambda cls, *a, **k: keep(*a, **k))",
        "_pytest.python.Function.runtest = lambda self: None",
    ],
)
def test_code_that_replaces_a_part_of_pytest_is_named(run: Callable[..., TestReport], body: str) -> None:
    code = (
        "import _pytest.runner, _pytest.python\nfrom _pytest.reports import TestReport\n"
        "old, keep = TestReport.from_item_and_call.__func__, _pytest.runner.CallInfo.from_call\n"
        f"def quiet(call):\n    call.excinfo = None\n    return call\n{body}\n"
    )
    report = run({"m.py": code, "test_m.py": "import m\ndef test_a(): assert 0\n"})
    assert report.replaced


def test_code_that_replaces_what_tests_decide_by_is_named(run: Callable[..., TestReport]) -> None:
    code = (
        "import builtins, math, unittest, pytest\n"
        "unittest.TestCase.assertEqual = lambda *given: None\n"
        "vars(math)['is' + 'close'] = lambda *given: True\n"
        "builtins.sorted = lambda given, keep=sorted: keep(given)\n"
        "type(pytest.approx(1)).__eq__ = lambda one, other: True\n"
    )
    tests = "import m, unittest\nclass TestA(unittest.TestCase):\n    def test_a(self): self.assertEqual(1, 2)\n"
    report = run({"m.py": code, "test_m.py": tests})
    assert {n for n in report.replaced if not n.startswith("_")} == {
        "TestCase.assertEqual",
        "math.isclose",
        "builtins.sorted",
        "ApproxScalar.__eq__",
    }


def test_tests_that_put_others_in_their_place_for_a_while_replace_nothing(run: Callable[..., TestReport]) -> None:
    tests = (
        "import builtins, math\nfrom unittest import TestCase, mock\n"
        "class Mine(TestCase):\n    def assertEqual(self, one, other): super().assertEqual(one, other)\n"
        "    def test_a(self): self.assertEqual(1, 1)\n"
        "def test_b(monkeypatch):\n    monkeypatch.setattr(math, 'isclose', lambda *given: True)\n"
        "    with mock.patch('builtins.sorted'): pass\n"
    )
    report = run({"test_m.py": tests})
    assert report.green
    assert not report.replaced


def test_a_suite_of_skips_is_not_green(run: Callable[..., TestReport]) -> None:
    report = run({"test_a.py": "import pytest\n@pytest.mark.skip(reason='x')\ndef test_a(): pass\n"})
    assert outcomes(report) == {"test_a": "skipped"}
    assert not report.green


def test_options_of_a_plug_in_that_is_absent_are_named(run: Callable[..., TestReport]) -> None:
    report = run({"pytest.ini": "[pytest]\naddopts = -n 2\n", "test_a.py": "def test_a(): pass\n"})
    assert "-n" in report.problem
    assert not report.green


def test_a_broken_conftest_is_told_with_its_reason(run: Callable[..., TestReport]) -> None:
    report = run({"conftest.py": "import not_installed_anywhere\n", "test_a.py": "def test_a(): pass\n"})
    assert "not_installed_anywhere" in report.problem


def test_a_module_that_never_ends_on_import_is_over_its_time(run: Callable[..., TestReport]) -> None:
    report = run({"test_a.py": "while True: pass\n"}, replace(FAST, timeout_s=2))
    assert report.ended is Ended.TIMEOUT
    assert "ended after 2 s" in report.problem


def test_a_coverage_threshold_is_no_test(run: Callable[..., TestReport]) -> None:
    """The hooks of pytest-cov that decide an exit code, under the name it registers."""
    conftest = (
        "import types, pytest\n"
        "class Cov:\n    options = types.SimpleNamespace(cov_fail_under=95)\n"
        "    @pytest.hookimpl(hookwrapper=True)\n    def pytest_runtestloop(self, session):\n        yield\n"
        "        if self.options.cov_fail_under is not None: session.testsfailed += 1\n"
        "def pytest_configure(config): config.pluginmanager.register(Cov(), '_cov')\n"
    )
    report = run({"conftest.py": conftest, "test_a.py": "def test_a(): pass\n"})
    assert (report.exit_code, report.problem) == (0, "")


def test_many_crashes_cost_their_own_tests_only(run: Callable[..., TestReport]) -> None:
    tests = (
        "import os, pytest\n@pytest.mark.parametrize('x', range(8))\ndef test_c(x): os._exit(3)\ndef test_z(): pass\n"
    )
    report = run({"test_c.py": tests})
    assert report.problem == ""
    assert outcomes(report) == {f"test_c[{n}]": "crashed" for n in range(8)} | {"test_z": "passed"}
