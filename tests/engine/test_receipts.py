"""What a run leaves for others to check: trace table, receipt, in-toto statement; and who checks finds the forger."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from support import CALC, DONE, FIX_ADD, FIX_MUL, Command, edit, finish, git, leftovers, make_repo, start, stop_at

from engine.cancel import CancelToken
from engine.errors import ConfigError
from engine.feed import Feed
from engine.launch import Options, Plan, prepare
from engine.model import Exit, TestOutcome
from engine.receipts import consistency, objects, outcomes
from engine.receipts.check import Check
from engine.receipts.difference import Difference, Kind, verdict
from engine.receipts.form import read
from engine.records import intoto, ledger, receipt, trace
from engine.records.lint import lint
from engine.session import Steering
from engine.workspace.repository import Repository

TEST = (
    "from calc import add, mul\n\n\n"
    "# AC: sums are exact\n"
    "def test_cpu_add():\n    assert add(1, 2) == 3\n\n\n"
    'def test_cpu_mul():\n    """AC-12: products of small integers."""\n    assert mul(2, 3) == 6\n\n\n'
    "def test_cpu_two():\n    assert mul(2, 2) == 4\n"
)
FIX = [edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]


@dataclass(frozen=True)
class Ran:
    """A verified run, and a plan to check its receipt with."""

    folder: Path
    run: Path
    command: Command
    plan: Plan

    @property
    def receipt(self) -> Path:
        return self.run / "receipts" / "impl.json"

    @property
    def plain(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.receipt.read_bytes())
        return data

    def copy(self, place: Path) -> Path:
        """The run's records elsewhere, to be forged."""
        shutil.copytree(self.run, place / "copy")
        return place / "copy" / "receipts" / "impl.json"

    def check(self, path: Path) -> list[Difference]:
        check = Check(read(path), self.plan)
        code = check(Feed(), Steering(CancelToken(), ask=False))
        assert check.error is None
        assert code is verdict(check.found)
        return check.found


@pytest.fixture(scope="module")
def ran(lean_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    place = tmp_path_factory.mktemp("receipts")
    (place / "home").mkdir()
    (place / "repo").mkdir()
    command = Command(lean_python, place / "home")
    folder = make_repo(place / "repo", CALC | {"tests/test_calc.py": TEST})
    (folder / "notes.txt").write_text("mine\n")  # so that the snapshot is a commit of its own
    answer = command("--json", *command.script(FIX), cwd=folder)
    assert answer.code == 0, answer.err
    plan = prepare(Options(folder, providers=("repair",)), command.environment())
    return Ran(folder, Path(answer.result["ledger"]).parent, command, plan)


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads(path.read_bytes())
    change(data)
    path.write_bytes(receipt.dumps(data))


# -- what a run writes ------------------------------------------------------------------------------------------------


def test_the_ledger_of_a_run_traces_each_target_to_the_code_it_ran(ran: Ran) -> None:
    text = (ran.run / "ledger.md").read_text(encoding="utf-8")
    assert ledger.parse(text).trace == (
        ledger.Trace("sums are exact", "–", "tests/test_calc.py::test_cpu_add", "calc/__init__.py:add"),
        ledger.Trace(
            "AC-12: products of small integers.", "–", "tests/test_calc.py::test_cpu_mul", "calc/__init__.py:mul"
        ),
    )
    assert lint(text) == []


def test_a_receipt_holds_everything_the_interface_names(ran: Ran) -> None:
    plain = ran.plain
    head = git(ran.folder, "rev-parse", "HEAD")
    assert plain["base"] == {"commit": head, "branch": "main"}
    assert plain["snapshot"]["commit"] == git(ran.folder, "rev-parse", f"{plain['head']['commit']}^")
    assert git(ran.folder, "rev-parse", plain["head"]["branch"]) == plain["head"]["commit"]
    assert plain["protected"]["tests/test_calc.py"] == git(ran.folder, "rev-parse", "HEAD:tests/test_calc.py")
    assert {"python_version", "packages_sha256", "platform", "protections"} <= plain["environment"].keys()
    assert {"PATH", "HOME"} <= set(plain["environment_names"])
    assert plain["commands"]["cpu"][1:3] == ["-m", "pytest"]
    assert plain["suites"]["cpu"]["marker"] == "not gpu"
    assert set(plain["tests"]["before"].values()) == {"failed", "passed"}
    assert set(plain["tests"]["after"].values()) == {"passed"}
    assert {g["name"]: g["status"] for g in plain["gates"]}["impl"] == "pass"
    assert plain["patch_sha256"] == receipt.sha256(ran.run / "patch.diff")
    assert plain["attempts"][0]["diet"]["minimal"] is True
    assert plain["providers"] == ["scripted"]
    assert plain["models"] == {}
    assert plain["usage"]["tokens_in"] == 0
    assert plain["seconds"]["total"] > 0
    assert {"analyze", "edit", "verify", "diet", "judge"} <= plain["seconds"]["steps"].keys()
    assert {"audit1", "audit2", "verify1"} <= plain["seconds"]["suites"].keys()
    assert len(plain["journal_sha256"]) == 64


def test_the_statement_is_one_that_readers_of_in_toto_take(ran: Ran) -> None:
    plain = json.loads((ran.run / "receipts" / "impl.intoto.json").read_bytes())
    found = Statement.copy_from_pb(json_format.ParseDict(plain, statement_pb2.Statement()))
    found.validate()
    assert found.pb.predicate_type == "https://in-toto.io/attestation/test-result/v0.1"
    assert {k: v for s in found.pb.subject for k, v in s.digest.items()} == {
        "sha256": receipt.sha256(ran.run / "patch.diff"),
        "gitCommit": ran.plain["head"]["commit"],
    }
    predicate = json_format.ParseDict(plain["predicate"], test_result_pb2.TestResult())
    assert predicate.result == "PASSED"
    assert list(predicate.passed_tests) == sorted(
        f"cpu tests/test_calc.py::test_cpu_{n}" for n in ("add", "mul", "two")
    )
    assert not predicate.failed_tests
    assert predicate.configuration[0].digest["sha256"] == receipt.sha256(ran.receipt)


@pytest.mark.parametrize(
    ("gate", "result"),
    [
        ({"name": "impl", "status": "fail", "reason": "", "evidence": "rejected"}, "FAILED"),
        ({"name": "impl", "status": "skipped", "reason": "missing-tool", "evidence": ""}, "FAILED"),
        ({"name": "impl", "status": "skipped", "reason": "n/a-surface", "evidence": "nothing to do"}, "PASSED"),
        ({"name": "impl", "status": "pass", "reason": "", "evidence": "look first at swallow a.py:3"}, "WARNED"),
    ],
)
def test_a_statement_says_how_a_run_ended(ran: Ran, gate: dict[str, str], result: str) -> None:
    gates = [gate, {"name": "tests", "status": "pass", "reason": "", "evidence": ""}]
    assert intoto.statement(ran.plain | {"gates": gates}, "0" * 64)["predicate"]["result"] == result


def test_a_statement_without_patch_and_commit_is_about_the_snapshot(ran: Ran) -> None:
    bare = ran.plain | {"patch_sha256": "", "head": {"tree": "", "commit": "", "branch": ""}, "flaky": ["cpu a"]}
    bare["tests"] = {"before": {}, "after": {"cpu a": "failed", "cpu b": "failed"}}
    made = intoto.statement(bare, "0" * 64)
    assert [s["digest"] for s in made["subject"]] == [{"gitCommit": ran.plain["snapshot"]["commit"]}]
    assert (made["predicate"]["failedTests"], made["predicate"]["warnedTests"]) == (["cpu b"], ["cpu a"])


# -- the trace table --------------------------------------------------------------------------------------------------

BEFORE = "def a():\n    return 1\n\n\ndef b():\n    return a()\n\n\ndef c():\n    return b()\n"
AFTER = "import os\n\n\ndef a():\n    return 1\n\n\ndef b():\n    return 2\n\n\ndef c():\n    return b() + new()\n\n\ndef new():\n    return 0\n"  # noqa: E501


def test_changed_functions_come_first_whatever_lines_they_moved_to() -> None:
    seen = {"cpu t.py::test": {"m.py": ["a", "b", "gone"], "z.py": ["p", "q", "r"]}}
    made = trace.rows(["cpu t.py::test"], trace.Sources({"m.py": BEFORE}, {"m.py": AFTER}, {}, seen))
    assert [t.code for t in made] == ["m.py:b, m.py:a, z.py:p, z.py:q and 1 more"]


def test_where_nobody_watched_the_change_is_named() -> None:
    source = trace.Sources({"m.py": BEFORE}, {"m.py": AFTER, "data.txt": "x"}, {}, {})
    assert trace.rows(["cpu t.py::test"], source)[0].code == "m.py:b, m.py:c, m.py:new"
    assert trace.rows(["cpu t.py"], trace.Sources({}, {"m.py": ""}, {}, {}))[0].code == "m.py"


def test_many_targets_share_rows_and_the_table_says_so() -> None:
    nothing = trace.Sources({}, {}, {}, {})
    keys = [f"cpu t.py::test_{n // 10}[{n}]" for n in range(100)]
    assert trace.rows(keys, nothing)[0].tests == "t.py::test_0 (10 cases)"
    many = trace.rows([f"cpu t.py::test_{n}" for n in range(100)], nothing)
    assert (len(many), many[-1].tests) == (trace.ROWS, "81 more tests, not listed")
    both = trace.rows(["cpu t.py::test", "gpu t.py::test"], nothing)
    assert [t.tests for t in both] == ["t.py::test (cpu)", "t.py::test (gpu)"]


@pytest.mark.parametrize(
    ("text", "story", "schema"),
    [
        ("def test():\n    assert 1\n", "–", "–"),
        ('def test():\n    """Sums are exact.\n\n    More.\n    """\n', "Sums are exact.", "–"),
        ("# AC: one\n# Schema: Order\ndef test():\n    assert 1\n", "one", "Order"),
        ("def test():\n    # story: two\n    assert 1\n", "two", "–"),
        ('@pytest.mark.story("US-3")\ndef test():\n    assert 1\n', "US-3", "–"),
        ("# covers AC3\ndef test():\n    assert 1\n", "AC-3", "–"),
        ('"""Story: of the file"""\ndef test():\n    assert 1\n', "of the file", "–"),
        ("# AC: another test's\ndef other():\n    assert 1\n\n\ndef test():\n    assert 'AC: no'\n", "–", "–"),
        ("def test(:\n", "–", "–"),
    ],
)
def test_a_story_is_what_the_repository_says_and_never_made_up(text: str, story: str, schema: str) -> None:
    assert trace.about("t.py::test[1]", {"t.py": text}) == (story, schema)


# -- forged -----------------------------------------------------------------------------------------------------------

KEY = "cpu tests/test_calc.py::test_cpu_add"
FOUND = (("before", "failed"), ("after", "passed"))
FORGERIES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "an outcome": (lambda r: r["tests"]["after"].update({KEY: "failed"}), "1 of 2 target tests do not pass"),
    "a target that was green": (lambda r: r["tests"]["before"].update({KEY: "passed"}), "not red before the change"),
    "a row less": (lambda r: r["tests"]["after"].pop(KEY.replace("add", "two")), "tests that passed before do not"),
    "a row less on both sides": (lambda r: [r["tests"][s].pop(KEY.replace("add", "two")) for s in ("before", "after")],
                                 "tests: not what the journal says"),
    "no targets": (lambda r: r.update(targets=[]), "gate impl passes without a target"),
    "no suites": (lambda r: r.update(suites={}), "suites that are not among those of the receipt: cpu"),
    "a suite nobody has": (lambda r: [r["tests"][s].update({"ghost t.py::x": o}) for s, o in FOUND]
                           and r["targets"].append("ghost t.py::x"), "not among those of the receipt: ghost"),
    "no change": (lambda r: r["head"].update(tree="", commit=""), "gate impl passes without a change"),
    "no command lines": (lambda r: r.pop("commands"), "'commands' is missing"),
    "a flaky target": (lambda r: r.update(flaky=[KEY]), "a target, and a test that decides nothing"),
    "a gate": (lambda r: r["gates"][1].update(status="fail"), "gate impl passes, and tests fails"),
    "the verdict": (lambda r: r["attempts"][0].update(verdict="claimed"), "the last attempt is claimed"),
    "the check run": (lambda r: r["check"].update(conclusion="failure"), "the check run says failure"),
    "a protected file": (lambda r: r["protected"].update({"tests/test_calc.py": "0" * 40}), "not as the receipt says"),
    "a protected file less": (lambda r: r["protected"].pop("tests/test_calc.py"), "that the receipt leaves out"),
    "the patch's digest": (lambda r: r.update(patch_sha256="0" * 64), "patch.diff is not the one of the receipt"),
    "the journal's digest": (lambda r: r.update(journal_sha256="0" * 64), "journal.jsonl is not the one"),
    "the tree": (lambda r: r["head"].update(tree=r["snapshot"]["tree"]), "do not make the tree that was tested"),
    "the base": (lambda r: r["base"].update(commit=r["head"]["commit"]), "the snapshot was not taken on"),
    "the run": (lambda r: r.update(run="20200101-000000-0000"), "does not name run 20200101-000000-0000"),
    "a word": (lambda r: r.update(model="another"), "the journal names another receipt"),
}  # fmt: skip


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forged_receipt_is_found_without_running_anything(ran: Ran, tmp_path: Path, what: str) -> None:
    change, said = FORGERIES[what]
    path = ran.copy(tmp_path)
    rewrite(path, change)
    found = ran.check(path)
    assert verdict(found) is Exit.INTEGRITY
    assert any(d.kind is Kind.FORGED and said in d.what for d in found), found
    assert any("impl.intoto.json" in d.what for d in found)
    assert not leftovers(ran.folder)


def test_a_changed_patch_is_found(ran: Ran, tmp_path: Path) -> None:
    path = ran.copy(tmp_path)
    patch = path.parents[1] / "patch.diff"
    patch.write_text(
        patch.read_text(encoding="utf-8").replace("+    return a * b", "+    return b * a"), encoding="utf-8"
    )
    assert [d.what.split(":")[0] for d in ran.check(path)] == [
        "patch.diff is not the one of the receipt",
        "snapshot and patch do not make the tree that was tested",
    ]


def test_a_journal_written_anew_is_found(ran: Ran, tmp_path: Path) -> None:
    path = ran.copy(tmp_path)
    journal = path.parents[1] / "journal.jsonl"
    journal.write_text(journal.read_text(encoding="utf-8").replace('"outcome":"passed"', '"outcome":"failed"'))
    assert "journal.jsonl is not the one the receipt was made from" in [d.what for d in ran.check(path)]


def test_a_receipt_of_another_repository_cannot_be_seen_here(
    ran: Ran, tmp_path: Path, repo: Callable[..., Path]
) -> None:
    other = Repository(repo())
    found = list(objects.here(read(ran.receipt).receipt, other))
    assert {d.kind for d in found} == {Kind.HERE}
    assert verdict(found) is Exit.ENVIRONMENT


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r.update(v=1), "receipt version 1"),
        (lambda r: r.update(snapshot=None), "took no snapshot"),
        (lambda r: r.pop("tests"), "missing required field"),
        (lambda r: r["head"].update(commit="--output=/tmp/x"), "names no commit or tree"),
        (lambda r: r.update(run="../../etc"), "names no run"),
        (lambda r: r.update(prefix="../elsewhere"), "names no folder of a repository"),
        (lambda r: r["tests"]["after"].update({KEY: "splendid"}), "splendid"),
    ],
)
def test_what_is_no_receipt_is_refused_in_a_sentence(
    ran: Ran, tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    path = ran.copy(tmp_path)
    rewrite(path, change)
    with pytest.raises(ConfigError, match=said):
        read(path)
    path.write_bytes(b"\xff{")
    with pytest.raises(ConfigError, match="no JSON"):
        read(path)


def test_a_receipt_of_before_the_repository_moved_on_is_stale(ran: Ran, tmp_path: Path) -> None:
    known = read(ran.receipt).receipt
    git(tmp_path, "clone", "-q", str(ran.folder), "moved")
    moved = Repository(tmp_path / "moved")
    assert list(objects.moved_on(known, moved)) == []
    git(moved.root, "rm", "-q", "calc/__init__.py")
    git(moved.root, "commit", "-q", "-m", "later")
    stale = list(objects.moved_on(known, moved))
    assert [d.kind for d in stale] == [Kind.STALE]
    assert "1 commits later; the receipt was made on" in stale[0].what
    git(moved.root, "checkout", "-q", known.head.commit)
    git(moved.root, "commit", "-q", "--allow-empty", "-m", "after it was merged")
    assert list(objects.moved_on(known, moved)) == []
    git(moved.root, "rm", "-q", "tests/test_calc.py")
    git(moved.root, "commit", "-q", "-m", "what judged it is gone")
    assert "what judged it is another now: tests/test_calc.py" in next(objects.moved_on(known, moved)).what


def test_what_differs_is_said_with_its_cause(ran: Ran) -> None:
    known = read(ran.receipt).receipt
    settings = dict(known.suites)
    assert outcomes.around(known, ran.plan, settings).kind is Kind.FORGED
    moved = outcomes.around(known, ran.plan, {"cpu": {}})
    assert (moved.kind, moved.notes) == (Kind.STALE, ("suite cpu: its settings are others now",))
    passed, failed, timeout = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.TIMEOUT
    recorded = {"a": passed, "b": failed, "c": passed, "d": passed}
    seen = {"a": passed, "b": timeout, "c": failed, "e": passed}
    assert outcomes.differing(recorded, seen, frozenset()) == ["c", "d", "e"]
    assert outcomes.differing(recorded, seen, frozenset("c"), whole=False) == ["d"]
    said = list(outcomes.compare("after", recorded, seen, ["c", "e"], frozenset("e"), Kind.STALE))
    assert [(d.kind, d.what) for d in said] == [
        (Kind.STALE, "c after the change: passed in the receipt, failed here"),
        (Kind.HERE, "e after the change: not there in the receipt, flaky here"),
    ]


def test_an_honest_receipt_has_nothing_against_itself(ran: Ran) -> None:
    paper = read(ran.receipt)
    assert list(consistency.of_itself(paper.receipt)) == []


# -- run again --------------------------------------------------------------------------------------------------------


def test_a_receipt_holds_when_its_tests_run_again(ran: Ran) -> None:
    answer = ran.command("receipt", "verify", str(ran.receipt), "--json", cwd=ran.run)
    assert answer.code == 0, answer.out + answer.err
    assert answer.result["holds"] is True
    assert answer.result["why"] == "receipt holds: 2 of 2 targets red before and green after, 3 tests as recorded"
    assert not leftovers(ran.folder)
    assert [p.name for p in ran.run.parent.iterdir()] == [ran.run.name]


@pytest.fixture
def alone(ran: Ran, tmp_path: Path) -> Iterator[Path]:
    """A copy of the receipt, and no other record of its run anywhere."""
    path = tmp_path / "impl.json"
    shutil.copy2(ran.receipt, path)
    away = ran.run.rename(tmp_path / "away")
    yield path
    away.rename(ran.run)


def test_a_forger_who_recomputed_everything_is_found_by_running_again(ran: Ran, alone: Path) -> None:
    """A test that was always green is said to have been mended: nothing contradicts it but the test."""
    rewrite(alone, lambda r: r["tests"]["before"].update({KEY.replace("add", "two"): "failed"}))
    assert [(d.kind, d.what) for d in ran.check(alone)] == [
        (Kind.FORGED, f"{KEY.replace('add', 'two')} before the change: failed in the receipt, passed here")
    ]
    assert not leftovers(ran.folder)


def test_a_test_the_change_breaks_is_found_though_it_is_said_to_be_flaky(ran: Ran, alone: Path, tmp_path: Path) -> None:
    two, known = KEY.replace("add", "two"), read(alone).receipt
    wrong = b"def add(a, b):\n    return a + b\n\n\ndef mul(a, b):\n    return 6\n"
    tree = ran.plan.repository.tree_with(known.snapshot.tree, {"calc/__init__.py": wrong}, tmp_path)

    def forge(r: dict[str, Any]) -> None:
        r["head"] = {"tree": tree, "commit": "", "branch": ""}
        r["tests"]["after"][two] = "failed"
        r.update(flaky=[two], patch_sha256="0" * 64)

    rewrite(alone, forge)
    assert [(d.kind, d.what) for d in ran.check(alone)] == [
        (Kind.FORGED, f"{two} decides nothing in the receipt; here the change breaks it, 3 times of 3")
    ]


def test_a_receipt_of_which_nothing_can_run_does_not_hold(ran: Ran, alone: Path) -> None:
    def empty(r: dict[str, Any]) -> None:
        r.update(suites={}, targets=[], gates=[], attempts=[], patch_sha256="")
        r["check"]["conclusion"] = "neutral"
        r["tests"] = {"before": {}, "after": {}, "whole": True}
        r["head"] = {"tree": "", "commit": "", "branch": ""}

    rewrite(alone, empty)
    assert [(d.kind, d.what) for d in ran.check(alone)] == [
        (Kind.HERE, "it names no suite: nothing of it could run again")
    ]


def test_ctrl_c_leaves_nothing_behind(ran: Ran) -> None:
    argv, env = ran.command.argv("receipt", "verify", str(ran.receipt)), ran.command.environment()
    child = subprocess.Popen(argv, cwd=ran.folder, env=env, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    assert "before the change" in child.stderr.readline()
    child.send_signal(signal.SIGINT)
    child.stderr.read()
    assert child.wait(30) == 130
    assert not leftovers(ran.folder)


# -- a ledger that a person broke -------------------------------------------------------------------------------------


def test_a_run_that_goes_on_over_two_gate_tables_keeps_them_and_says_so(
    repo: Callable[..., Path], command: Command
) -> None:
    folder = repo()
    more = finish({"outcome": "more-work", "summary": "one of two"})
    script = command.script([edit(FIX_ADD), more], [edit(FIX_MUL), finish(DONE)])
    run = stop_at(start(command, folder, *script), "HopAdded", signal.SIGINT)
    path = folder / ".bitnet-tui" / "runs" / run / "ledger.md"
    mine = path.read_bytes().replace(b"\n", b"\r\n", 1) + b"\xe4 note of mine\n" + path.read_bytes()
    path.write_bytes(mine)
    answer = command("resume", run, "--json", cwd=folder)
    assert answer.code == 0, answer.err + answer.out[-2000:]
    said = [e["text"] for e in answer.of("ActivityReported") if "could not be edited" in e["text"]]
    assert len(said) == 1
    assert "ledger.kept-1.md" in said[0]
    assert path.with_name("ledger.kept-1.md").read_bytes() == mine
    text = path.read_text(encoding="utf-8")
    assert text.startswith("The ledger that stood here could not be edited (trace: want exactly one")
    assert [str(h.route) for h in ledger.parse(text).hops] == [
        "NEXT → self (attempt 2/3)",
        "FINALIZE → code-reviewer",
    ]
    assert lint(text) == []
