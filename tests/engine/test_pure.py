"""The pure core: fold, policy, acceptance, ledger, diet, scope, settings."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import config, policy
from engine import events as ev
from engine.model import (
    CollectError,
    Ended,
    Gate,
    GateStatus,
    Label,
    Progress,
    Purpose,
    TestOutcome,
    TestReport,
    TestResult,
    Verdict,
)
from engine.plain import safe
from engine.state import _FOLDS, AttemptRow, RunState, fold, fold_all
from engine.verify.acceptance import Baseline, judge
from engine.workspace import diet
from engine.workspace.changes import Hunk, apply_hunks, hunks
from engine.workspace.scope import Scope

text = st.text(max_size=30)
some_events = st.one_of(*(st.from_type(kind) for kind in ev.TYPES.values()))


# -- events and fold --------------------------------------------------------------------------------------------------


@given(some_events, st.integers(1, 10**6))
@settings(max_examples=300, deadline=None)
def test_every_event_survives_the_journal(event: ev.Event, seq: int) -> None:
    record = ev.Record(seq, 12.5, event)
    line = json.dumps(ev.to_record(record), allow_nan=True)
    if "NaN" not in line and "Infinity" not in line:
        assert ev.from_record(json.loads(line)) == record


def test_every_event_has_a_fold() -> None:
    assert set(_FOLDS) == set(ev.TYPES.values())


def test_an_unknown_or_broken_line_is_refused() -> None:
    good = ev.to_record(ev.Record(1, 0.0, ev.GateSet(Gate("impl", GateStatus.PASS))))
    for bad in (good | {"v": 2}, good | {"type": "Nothing"}, good | {"gate": 3}, {"v": 1, "type": "GateSet"}):
        with pytest.raises(ValueError, match=r"version|unknown|GateSet"):
            ev.from_record(bad)


results = st.builds(
    TestResult, st.sampled_from(["cpu", "gpu"]), st.sampled_from(["a::x", "a::y", "b::z"]), st.sampled_from(TestOutcome)
)
journal_events = st.one_of(
    st.builds(ev.TestFinished, st.sampled_from(Purpose), st.integers(1, 3), results),
    st.builds(ev.SuiteStarted, st.sampled_from(["cpu", "gpu"]), st.sampled_from(Purpose), st.integers(1, 3)),
    st.builds(ev.GateSet, st.builds(Gate, text, st.sampled_from(GateStatus))),
    st.builds(ev.ActivityReported, st.sampled_from(["note", "progress"]), text),
    st.builds(ev.AttemptStarted, st.integers(1, 3), text),
    st.builds(ev.RunResumed, st.integers(1, 9)),
)


@given(st.lists(journal_events, max_size=30))
@settings(deadline=None)
def test_folding_many_equals_folding_one_by_one(events: list[ev.Event]) -> None:
    records = [ev.Record(i, float(i), e) for i, e in enumerate(events, 1)]
    one = RunState()
    for record in records:
        one = fold(one, record)
    assert fold_all(RunState(), records) == one


def test_a_round_that_runs_again_counts_nothing_twice() -> None:
    result = TestResult("cpu", "t::a", TestOutcome.FAILED)
    events: list[ev.Event] = [ev.RunStarted("r", "/", "", "0", "a", ("repair",), ("cpu",), 2)]
    for _ in range(2):
        events += [ev.SuiteStarted("cpu", Purpose.AUDIT, 1), ev.TestFinished(Purpose.AUDIT, 1, result)]
    state = fold_all(RunState(), [ev.Record(i, 0.0, e) for i, e in enumerate(events)])
    assert len(state.outcomes("audit1")) == 1
    assert state.suites["cpu"].done == 1


# -- policy -----------------------------------------------------------------------------------------------------------


def state_with(
    *,
    impl: bool,
    before: int,
    after: int | None,
    broken: int = 0,
    used: int = 0,
    transient: str = "",
    outcome: str = "done",
) -> RunState:
    finished = ev.AttemptFinished(1, "p", outcome, "", "t", (), 0, 0, False, transient)
    moved = Progress(broken=tuple(f"cpu b{i}" for i in range(broken)))
    row = AttemptRow(1, "p", failing_before=before, failing_after=after, finished=finished, progress=moved)
    row = msgspec.structs.replace(row, verdict=Verdict.VERIFIED if impl else Verdict.REJECTED)
    gate = Gate("impl", GateStatus.PASS if impl else GateStatus.FAIL)
    state = RunState(attempts=(row,), gates={"impl": gate})
    return msgspec.structs.replace(state, retries=msgspec.structs.replace(state.retries, used=used))


@given(
    st.booleans(), st.integers(0, 5), st.integers(0, 5) | st.none(), st.integers(0, 2), st.integers(0, 3), text,
    st.sampled_from(["done", "more-work", "harden", "security", "architecture", "docs"]), st.integers(0, 2),
)  # fmt: skip
def test_a_proposal_is_always_legal(
    impl: bool, before: int, after: int | None, broken: int, used: int, transient: str, outcome: str, limit: int
) -> None:
    state = state_with(
        impl=impl, before=before, after=after, broken=broken, used=used, transient=transient, outcome=outcome
    )
    proposal = policy.propose(state, policy.Limits(limit))
    assert proposal.best.allowed
    by_route = {o.route: o for o in proposal.options}
    assert by_route[policy.FINALIZE].allowed == impl
    assert all(bool(o.why_not) != o.allowed for o in proposal.options)
    retry = by_route[policy.RETRY].allowed
    progressed = after is not None and after < before and not broken
    assert retry == (not impl and used < limit and (bool(transient) or progressed))


# -- acceptance -------------------------------------------------------------------------------------------------------

P, F = TestOutcome.PASSED, TestOutcome.FAILED
BASE = Baseline({"cpu t::red": F, "cpu t::green": P, "cpu t::skip": TestOutcome.SKIPPED}, frozenset(), ("cpu t::red",))


def report(outcomes: dict[str, TestOutcome], **change: Any) -> TestReport:
    rows = tuple(TestResult("cpu", k, o) for k, o in outcomes.items())
    code = 1 if any(o.red for o in outcomes.values()) else 0
    return TestReport(**({"suite": "cpu", "results": rows, "exit_code": code} | change))


GOOD = {"t::red": P, "t::green": P, "t::skip": TestOutcome.SKIPPED}


def test_a_full_honest_round_is_accepted() -> None:
    accepted = judge(BASE, [report(GOOD)])
    assert accepted.holds
    assert accepted.progress.fixed == ("cpu t::red",)


@pytest.mark.parametrize(
    ("reports", "words"),
    [
        ([report(GOOD | {"t::red": F})], "target tests do not pass"),
        ([report(GOOD | {"t::green": F})], "passed before do not"),
        ([report({k: v for k, v in GOOD.items() if k != "t::green"})], "were not collected"),
        ([report({k: v for k, v in GOOD.items() if k != "t::skip"})], "were not collected"),
        ([report(GOOD | {"t::new": P})], "not in the baseline"),
        ([report(GOOD | {"t::new": F})], "newly red"),
        ([report(GOOD | {"t::green": TestOutcome.SKIPPED})], "newly skipped"),
        ([report(GOOD | {"t::red": TestOutcome.XFAILED})], "newly skipped"),
        ([report(GOOD | {"t::red": TestOutcome.RERUN})], "target tests do not pass"),
        ([report(GOOD, exit_code=3)], "does not fit"),
        ([report(GOOD, problem="no report")], "no report"),
        ([report(GOOD, foreign=(("/a", "/b"),))], "imported /a in place of /b"),
        ([TestReport("cpu", (), 0, Ended.SKIPPED, reason="missing-tool")], "is skipped now"),
        ([], "target tests do not pass"),
    ],
)
def test_each_rule_rejects_alone(reports: list[TestReport], words: str) -> None:
    accepted = judge(BASE, reports)
    assert not accepted.holds
    assert any(words in r for r in accepted.reasons), accepted.reasons


def test_a_flaky_test_decides_nothing() -> None:
    flaky = dataclasses.replace(BASE, flaky=frozenset({"cpu t::green"}))
    assert judge(flaky, [report(GOOD | {"t::green": F})]).holds


def test_a_module_that_could_not_be_collected_must_bring_passing_tests() -> None:
    base = Baseline({"cpu t.py": TestOutcome.ERROR}, frozenset(), ("cpu t.py",))
    assert judge(base, [report({"t.py::a": P, "t.py::b": P})]).holds
    assert not judge(base, [report({"t.py::a": P, "t.py::b": F})]).holds
    assert not judge(base, [report({})]).holds
    error = (CollectError("t.py", "no"),)
    assert not judge(base, [report({"t.py": TestOutcome.ERROR}, collect_errors=error)]).holds


# -- diet and changes -------------------------------------------------------------------------------------------------

lines = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "d\n"]), max_size=12).map("".join)


@given(lines, lines)
def test_hunks_rebuild_the_new_text(before: str, after: str) -> None:
    assert apply_hunks(before, hunks("f", before, after)) == after


@given(st.sets(st.integers(0, 11), min_size=1), st.integers(1, 12))
def test_the_diet_keeps_just_what_is_needed(needed: set[int], count: int) -> None:
    needed = {n % count for n in needed}
    before = "".join(f"{i}\nkeep\n" for i in range(count))
    after = "".join(f"{i}x\nkeep\n" for i in range(count))
    parts = hunks("f", before, after)
    slim = diet.reduce(parts, lambda kept: needed <= {parts.index(h) for h in kept}, lambda: False)
    assert {parts.index(h) for h in slim.kept} == needed
    assert slim.minimal


@pytest.mark.parametrize(("fat", "most"), [((), 0), ((4,), 1), ((1, 4, 7), 1), (tuple(range(1, 10)), 1)])
def test_what_was_foreseen_is_asked_for_once_and_together(fat: tuple[int, ...], most: int) -> None:
    parts = hunks("f", "".join(f"{i}\nkeep\n" for i in range(10)), "".join(f"{i}x\nkeep\n" for i in range(10)))
    asked: list[int] = []

    def right(kept: Sequence[Hunk]) -> bool:
        return all(parts[n] in kept for n in range(10) if n not in fat)

    def holds(kept: Sequence[Hunk]) -> bool:
        asked.append(len(kept))
        return right(kept)

    slim = diet.reduce(parts, holds, lambda: False, foresee=lambda several: [right(some) for some in several])
    assert slim.minimal
    assert slim.kept == tuple(p for n, p in enumerate(parts) if n not in fat)
    assert len(asked) == most


def test_a_diet_out_of_time_says_it_is_not_minimal() -> None:
    parts = hunks("f", "1\nk\n2\nk\n", "x\nk\ny\nk\n")
    slim = diet.reduce(parts, lambda kept: True, lambda: True)
    assert (slim.kept, slim.minimal) == (tuple(parts), False)


# -- scope ------------------------------------------------------------------------------------------------------------


@given(
    st.sampled_from(["tests", "test", "Tests", ".git", ".bitnet-tui", "a/tests/b"]), st.sampled_from(["x.py", "y/z.py"])
)
def test_what_judges_the_work_is_never_writable(folder: str, rest: str) -> None:
    assert Scope(allow=("**/*",)).refusal(f"{folder}/{rest}")


STEERING = (
    "conftest.py a/conftest.py test_a.py a_test.py pytest.ini pyproject.toml pytest.py sitecustomize.py x.pth "
    "setup.cfg tox.ini CONFTEST.PY"
)


@pytest.mark.parametrize("path", STEERING.split())
def test_names_that_steer_pytest_are_never_writable(path: str) -> None:
    assert Scope(allow=("**/*",)).refusal(path)


def test_the_scope_is_the_patterns_inside_the_project() -> None:
    scope = Scope(allow=("src/**/*.py",), deny=("src/gen/",), prefix="sub", witnesses=frozenset({"sub/src/checks.py"}))
    assert scope.refusal("sub/src/a.py") == ""
    assert "outside the project" in scope.refusal("src/a.py")
    assert "denied" in scope.refusal("sub/src/gen/a.py")
    assert "outside the write scope" in scope.refusal("sub/a.py")
    assert "protected" in scope.refusal("sub/src/checks.py")


# -- settings ---------------------------------------------------------------------------------------------------------


def test_the_settings_file_holds_every_setting_with_its_default() -> None:
    root = Path(__file__).parents[2]
    data = tomli.loads((root / "config.toml").read_text(encoding="utf-8"))
    read, default = config.parse(data, "config.toml"), config.Config()
    for part in dataclasses.fields(config.Config):
        if part.name == "suites":
            for table in data["suites"].values():
                assert set(table) == {f.name for f in dataclasses.fields(config.Suite)}
            continue
        if part.name == "prices":
            shown = set(re.findall(r"^# (\w+) = ", (root / "config.toml").read_text(encoding="utf-8"), re.MULTILINE))
            assert shown == {f.name for f in dataclasses.fields(config.Price)}
            continue
        assert getattr(read, part.name) == getattr(default, part.name), part.name
        assert set(data[part.name]) == {f.name for f in dataclasses.fields(getattr(default, part.name))}
    for line in (root / "config.toml").read_text(encoding="utf-8").splitlines():
        if "=" in line and "[suites.gpu]" not in line:
            assert len(line) < 140


SIMPLE = [
    (s.name, f.name)
    for s in dataclasses.fields(config.Config)
    if s.name not in ("suites", "prices")
    for f in dataclasses.fields(getattr(config.Config(), s.name))
]


@pytest.mark.parametrize(("section", "key"), SIMPLE)
def test_a_wrong_type_names_file_key_got_and_wanted(section: str, key: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        config.parse({section: {key: {"a": 1}}}, "bitnet-tui.toml")
    assert f"bitnet-tui.toml: [{section}] {key} = {{'a': 1}}; want " in caught.value.message
    with pytest.raises(config.ConfigError) as caught:
        config.parse({section: {key + "x": 1}}, "bitnet-tui.toml")
    assert "did you mean" in caught.value.hint


def personal(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    (folder / "bitnet-tui").mkdir()
    (folder / "bitnet-tui" / "config.toml").write_text(text, encoding="utf-8")


def test_a_persons_own_screen_and_keys_hold_in_every_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    personal(tmp_path, monkeypatch, '[tui]\ntheme = "ansi"\n[tui.keys]\nrun.retry = "R"\n')
    assert config.discover(tmp_path)[0].tui.theme == "ansi"
    (tmp_path / "bitnet-tui.toml").write_text(
        '[tui]\ntheme = "nord"\nglyphs = "ascii"\n[tui.keys]\nrun.retry = "T"\nview.log = "O"\n', encoding="utf-8"
    )
    found, source = config.discover(tmp_path)
    assert source == "bitnet-tui.toml"
    assert (found.tui.theme, found.tui.glyphs) == ("ansi", "ascii")
    assert found.tui.keys == {"run.retry": ("R",), "view.log": ("O",)}


def test_a_persons_own_file_settles_nothing_but_the_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    personal(tmp_path, monkeypatch, "[budget]\nusd = 100.0\n")
    with pytest.raises(config.ConfigError, match=r"config.toml: \[budget\] has no place here"):
        config.discover(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.delenv("HOME", raising=False)
    assert config.discover(tmp_path) == (config.Config(), "defaults")


# -- printing ---------------------------------------------------------------------------------------------------------


@given(st.text())
def test_printed_text_steers_no_terminal(raw: str) -> None:
    shown = safe(raw)
    assert not [
        c for c in shown if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 or "\u202a" <= c <= "\u202e"
    ]


def test_labels_are_words_people_read() -> None:
    red = ["always-red", "flaky", "order-dependent", "environment-broken"]
    assert [str(label) for label in Label] == [*red, "green", "skipped", "not-collectable"]
