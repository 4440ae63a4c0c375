"""Which of many plausible edits is taken: the one the others agree with beyond the tests, never one that mends less."""

import contextlib
import subprocess
import sys
from dataclasses import replace
from itertools import count
from random import Random

import numpy as np
import pytest

from engine.providers.repair import rounds
from engine.providers.repair.answer import trusted
from engine.providers.repair.attempt import Plausible
from engine.providers.repair.budget import Budget
from engine.providers.repair.child import bounds
from engine.providers.repair.child.behave import Behaviour, Calls, shown
from engine.providers.repair.child.perturb import edges, near, variants
from engine.providers.repair.child.steps import Steps
from engine.providers.repair.child.undefined import undefined
from engine.providers.repair.choose import Choice, Outlook, choose, runners_up
from engine.providers.repair.edits import Candidate
from engine.providers.repair.source import Source
from engine.providers.repair.task import RepairTask
from engine.providers.repair.vote import CHANGED, ENDLESS, RAISED, UNDEFINED, VALUE, Show, confidence, elect

# -- arguments near those of a call -----------------------------------------------------------------------------------


def many(value, count=60):
    chance = Random("some seed")
    return [near(value, chance) for _ in range(count)]


@pytest.mark.parametrize("value", [7, -3, 2.5, "abc", [3, 1, 2], (1, "a"), {"a": 1}, {1, 2}, True])
def test_a_value_near_another_has_its_type_and_is_left_alone(value):
    before = repr(value)
    found = many(value)
    assert {type(v) for v in found} == {type(value)}
    assert any(v != value for v in found)
    assert repr(value) == before


def test_what_holds_for_a_value_goes_on_to_hold():
    assert all(v >= 0 for v in many(3))
    assert all(v <= 0 for v in many(-3))
    assert all(rows == sorted(rows) for rows in many([1, 4, 6, 9]))
    assert all(rows == sorted(rows, reverse=True) for rows in many([9, 6, 2]))
    assert all(len(set(rows)) == len(rows) for rows in many([5, 9, 1]))
    assert any(len(set(rows)) < len(rows) for rows in many([5, 5, 1]))
    assert all(len(rows) == 2 and {len(row) for row in rows} == {3} for rows in many([[1, 2, 3], [4, 5, 6]]))
    assert all(set(text) <= set("()") for text in many("(())"))


def test_an_array_keeps_shape_and_type():
    array = np.array([[1, 200, 3], [4, 5, 6]], np.uint8)
    found = many(array)
    assert {(v.shape, v.dtype) for v in found} == {((2, 3), np.dtype(np.uint8))}
    assert any((v != array).any() for v in found)
    assert {v.shape for v in edges(array)} == {(2, 3), (1, 3), (0, 3), (2, 2)}
    assert {v.dtype for v in edges(array)} == {array.dtype}
    assert array.tolist() == [[1, 200, 3], [4, 5, 6]]


def rows_of(*arguments):
    return [[v.tolist() for v in some] for some in variants(arguments, Random(1), 0)]


def test_the_edges_of_an_array_are_those_that_quantised_code_forgets():
    codes = rows_of(np.array([[-100, 5, 7], [1, 2, 3]], np.int8))
    assert [[[-100, 5, 7], [0, 0, 0]]] in codes, "one row of zeros"
    assert [[[1, 1], [1, 1]]] in rows_of(np.array([[1, 1]])), "more than one row"
    assert [[[-100, 5], [1, 2]]] in codes, "no whole block"
    assert [[[100, -5, -7], [-1, -2, -3]]] in codes, "the largest value is the least"
    assert [[[7] * 3] * 2] in codes, "sums grow"
    assert [[[-128, 127, -128], [127, -128, 127]]] in codes, "both ends of the type"
    assert rows_of(np.array([-1, 0, 1], np.int8))[-1] == [[-1, -1, -1]], "of few values no others are made"
    assert all(v >= 0 for some in rows_of(np.array([3, 200], np.uint8)) for v in some[0])
    ties = np.array([0.5, -1.5, 2.5, -0.5])
    assert any(np.isin(ties, some[0]).all() for some in rows_of(np.array([0.1, -0.7, 0.3, 2.0, 5.0])))
    assert {v.dtype.name for v in edges(np.array([1.5, 2.0], np.float32))} == {"float32", "float64"}
    assert rows_of(np.array([True, False]))[0] == [[False, False]]


def test_what_stands_beside_an_array_as_its_scale_is_not_made_zero():
    weights, scale = np.array([[1.0, -2.0]]), np.array([0.5, 2.0])
    assert not any(0.0 in some[1] for some in rows_of(weights, scale))
    assert any(some[0] == [[0.0, 0.0]] for some in rows_of(weights, scale))
    assert [0.0] not in [some[1:] for some in variants((weights, 0.5), Random(1), 0)]
    assert [[0.0, 0.0]] in rows_of(scale), "alone it is data"
    assert all((v > 0).all() for v in many(scale))


def test_edge_cases_come_first_one_argument_at_a_time():
    found = list(variants(([5, 2, 9], 3, None), Random(1), 4))
    assert found[:7] == [
        ([], 3, None),
        ([5], 3, None),
        ([9], 3, None),
        ([5, 2], 3, None),
        ([5, 2, 9], 0, None),
        ([5, 2, 9], 1, None),
        ([5, 2, 9], 7, None),
    ]
    assert len(found) == 11
    assert found == list(variants(([5, 2, 9], 3, None), Random(1), 4))
    assert list(variants((None, b"x"), Random(1), 4)) == []


def test_what_names_a_place_is_not_changed():
    for place in ("/tmp/x", "~/x", "C:\\x", "rm x | y", "https://x"):
        assert edges(place) == []
        assert list(variants((place,), Random(1), 4)) == []
        assert all(rows in ([], [place]) or set(rows) == {place} for rows in many([place]))


HARMS = """
import os, shutil, socket, subprocess, sys, runpy
runpy.run_path(sys.argv[1])["refuse_harm"]()
tries = [
    lambda: open("new", "w"), lambda: open("there", "a"), lambda: os.open("new", os.O_CREAT | os.O_RDWR),
    lambda: os.remove("there"), lambda: os.rename("there", "new"), lambda: os.mkdir("new"),
    lambda: os.chmod("there", 0), lambda: shutil.rmtree("."), lambda: os.system("touch new"),
    lambda: subprocess.run(["touch", "new"]), lambda: os.fork() or os._exit(0), lambda: os.kill(os.getppid(), 0),
    lambda: socket.create_connection(("127.0.0.1", 9)),
]
for number, harm in enumerate(tries):
    try:
        harm()
    except PermissionError:
        continue
    print(number)
print(open("there").read(), os.listdir("."))
"""


def test_arguments_nobody_thought_of_reach_nothing_beyond_the_process(tmp_path):
    (tmp_path / "there").write_text("kept")
    argv = [sys.executable, "-I", "-c", HARMS, bounds.__file__]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "kept ['there']\n", done.stderr


class Chain:
    def __init__(self, value, after=None):
        self.value, self.after = value, after


def test_what_is_shown_is_the_same_for_what_counts_as_equal():
    assert shown(0.1 + 0.2) == shown(0.3)
    assert shown(-0.0) == shown(0.0) != shown(0)
    assert shown({"b": 1, "a": {2, 1}}) == shown({"a": {1, 2}, "b": 1}) == "{'a': {1, 2}, 'b': 1}"
    assert shown(iter([1, 2])) == shown(v for v in (1, 2)) == "iter(1, 2)"
    assert shown(Chain(1, Chain(2))) == shown(Chain(1, Chain(2))) != shown(Chain(1, Chain(3)))
    assert len({shown(1), shown(True), shown(1.0), shown("1"), shown([1]), shown((1,))}) == 6
    assert shown(np.zeros(2, np.int8)) != shown(np.zeros(2, np.int16))
    large = np.arange(1, 5000, dtype=np.float32)
    assert shown(large) == shown(large + np.float32(1e-9)) != shown(large[::-1]) != shown(np.roll(large[::-1], 1))
    assert len(shown(large)) < 400
    ring = Chain(1)
    ring.after = ring
    assert shown(ring) == "Chain(after=(again), value=1)"
    assert len(shown(list(range(10**5)))) < 20_000


def doubled(rows, times=2):
    rows.append(0)
    for row in rows:
        if row > 90:
            raise ValueError(row)
    return [row * times for row in rows]


def by_chance(rows):
    return [*rows, next(COUNTER)]


COUNTER = count()


def taken_down(run, *functions):
    calls = Calls({function.__code__: function for function in functions})
    calls.watch()
    with contextlib.suppress(ValueError):
        run()
    calls.stop()
    return calls.found


def behaves(found, seed=0):
    return list(Behaviour(Steps(), seed=seed, seconds=2.0, room=1000, most=10**6).shows(found))


def test_the_calls_of_tests_are_taken_down_as_they_were_made_and_repeated_with_others_like_them():
    rows = [3, 1]
    found = taken_down(lambda: (doubled(rows), doubled(rows, times=3), doubled([99])), doubled)
    assert list(found) == ["doubled([3, 1], 2)", "doubled([3, 1, 0], 3)", "doubled([99], 2)"]
    shows = behaves(found)
    assert shows[0] == ("doubled([3, 1], 2)", VALUE, "list", "[6, 2, 0]; argument 1 is then [3, 1, 0]")
    assert shows[2] == ("doubled([99], 2)", RAISED, "ValueError", "; argument 1 is then [99, 0]")
    assert ("doubled([], 2)", VALUE, "list", "[0]; argument 1 is then [0]") in shows
    assert len(shows) > 20
    assert len({call for call, *_ in shows}) == len(shows)
    assert shows == behaves(found)
    assert shows != behaves(found, seed=1)


def shares(row):
    return row / row.sum()


def codes(row):
    return (row / np.abs(row).max()).astype(np.int8)


def careful(row):
    with np.errstate(invalid="ignore"):
        return np.where(row.any(), row / np.abs(row).max(), 0).astype(np.int8)


def overwritten(row):
    row[row > 2] = 0
    return row.sum()


def parted(row, count):
    return row.sum() / np.float64(count)


@pytest.mark.filterwarnings("ignore")
def test_numbers_get_lost_by_other_arrays_not_by_other_parameters():
    row = np.array([1.0, 3.0])
    found = behaves(taken_down(lambda: parted(row, 2), parted))
    (zero,) = [how for call, how, *_ in found if call.endswith("3.0), 0)")]
    assert zero == VALUE
    (empty,) = [how for call, how, *_ in behaves(taken_down(lambda: averaged(row), averaged)) if "(0,)" in call]
    assert empty == VALUE, "nor of nothing"


def averaged(row):
    return row.mean()


def test_an_array_that_is_another_afterwards_is_noticed():
    row = np.array([1.0, 3.0])
    hows = {call: how for call, how, *_ in behaves(taken_down(lambda: overwritten(row), overwritten))}
    assert hows["overwritten(ndarray(float64, (2,), 1.0, 3.0))"] == CHANGED
    assert hows["overwritten(ndarray(float64, (2,), 0.0, 0.0))"] == VALUE
    # Who changes what it is given and returns nothing is there for that.
    assert {how for _, how, *_ in behaves(taken_down(lambda: row.fill(2) or emptied(row), emptied))} == {VALUE}


def emptied(row):
    row[:] = 0


@pytest.mark.filterwarnings("ignore")
def test_numbers_that_get_lost_are_noticed_and_nobody_is_warned():
    row = np.array([1.0, 3.0])
    found = taken_down(lambda: (shares(row), codes(row), careful(row)), shares, codes, careful)
    shows = {call: how for call, how, *_ in behaves(found)}
    zeros = "(ndarray(float64, (2,), 0.0, 0.0))"
    assert shows[f"shares{zeros}"] == shows[f"codes{zeros}"] == UNDEFINED
    assert shows[f"careful{zeros}"] == VALUE
    assert {how for call, how in shows.items() if "0.0, 0.0" not in call} <= {VALUE, RAISED}
    assert undefined([], ["f(1.0)"], "(inf, 1.0)")
    assert not undefined([], ["f(nan)"], "nan")
    assert not undefined([], [], "'nano' and 'info'")


def test_what_comes_out_otherwise_each_time_is_left_out():
    found = taken_down(lambda: (by_chance([1]), doubled([1])), by_chance, doubled)
    assert len(found) == 2
    assert {call.split("(")[0] for call, *_ in behaves(found)} == {"doubled"}


# -- the vote ---------------------------------------------------------------------------------------------------------


def value(text, kind="int"):
    return Show(VALUE, kind, text)


RAISES = Show(RAISED, "IndexError", "")


def elected(*behaviours, costs=None, places=None, before=None):
    calls = [None if b is None else {f"f({n})": show for n, show in enumerate(b)} for b in behaviours]
    was = {f"f({n})": show for n, show in before.items()} if before else None
    return elect(calls, costs or [1.0] * len(calls), places or list(range(len(calls))), was)


ONE, TWO = value("1"), value("2")


def test_the_larger_cluster_wins_and_cost_settles_the_rest():
    election = elected((ONE, TWO), (ONE, ONE), (ONE, ONE), costs=[1.0, 1.4, 1.2])
    assert election.order == (2, 1, 0)
    assert election.agreement == pytest.approx(2 / 3)
    assert {n: str(doubt) for n, doubt in election.doubts.items()} == {0: "f(1) → 1 or 2"}


def test_two_spellings_of_one_edit_are_one_voice():
    behaviours = ((ONE, TWO), (ONE, ONE), (ONE, ONE))
    election = elected(*behaviours, costs=[1.0, 1.2, 1.4], places=["here", "there", "there"])
    assert election.order[0] == 0
    assert election.agreement == 1 / 2


def test_many_far_fetched_edits_do_not_outvote_a_likely_one():
    assert elected((ONE,), (TWO,), (TWO,), costs=[1.0, 5.0, 4.0]).order[0] == 0


@pytest.mark.parametrize("odd", [RAISES, Show(ENDLESS, "", ""), value("None", "NoneType"), value("1.0", "float")])
def test_who_returns_no_value_or_another_type_where_the_others_return_one_comes_last(odd):
    election = elected((ONE, odd), (ONE, ONE), (ONE, TWO), (ONE, TWO), costs=[1.0, 1.2, 1.2, 1.2])
    assert election.order[-1] == 0
    # What all of them raise is no fault of any.
    assert elected((ONE, RAISES), (TWO, RAISES), costs=[1.0, 2.0]).order == (0, 1)


def test_who_loses_a_value_that_was_there_before_comes_last():
    assert elected((ONE, RAISES), (ONE, ONE), costs=[1.0, 3.0]).order == (0, 1)
    assert elected((ONE, RAISES), (ONE, ONE), costs=[1.0, 3.0], before={1: TWO}).order == (1, 0)


NAN = Show(UNDEFINED, "int", "0")


def test_who_makes_no_numbers_where_another_edit_or_the_unedited_code_does_comes_last_and_is_not_trusted():
    calls = ({"f(0)": ONE, "f(1)": NAN}, {"f(0)": ONE, "f(1)": ONE})
    assert elect(calls, [1.0, 3.0], [0, 1]).order == (1, 0)
    assert elect((calls[0], {"f(0)": ONE, "f(1)": RAISES}), [1.0, 3.0], [0, 1]).order == (0, 1)
    lost = elect(calls[:1], [1.0], [0], None, {"f(1)": TWO}).lost
    assert str(lost) == "f(1) → 0 (not all of it a number) or 2"
    assert elect(calls[:1], [1.0], [0], None, {"f(0)": TWO, "f(1)": NAN}).lost is None
    election = elect(calls[:1], [1.0], [0], None, {"f(0)": RAISES, "f(1)": RAISES})
    assert election.lost is None
    assert str(election.unsure) == "f(1) → 0 (not all of it a number) or IndexError is raised"
    choice = Choice((plausible("+", {1, 2}, 1.0, 0),), 1, 1.0, {}, None, election.unsure)
    assert Outlook().then(choice, choice.order, []).unsure
    assert Outlook().then(choice, choice.order, []).doubt == str(election.unsure)


def test_who_changes_an_array_that_the_unedited_code_leaves_alone_comes_last_and_is_not_trusted():
    spoils = Show(CHANGED, "int", "1; argument 1 is then 5")
    calls = ({"f(0)": spoils}, {"f(0)": ONE})
    assert elect(calls, [1.0, 3.0], [0, 1]).order == (0, 1)
    assert elect(calls, [1.0, 3.0], [0, 1], None, {"f(0)": TWO}).order == (1, 0)
    assert elect(calls, [1.0, 3.0], [0, 1], None, {"f(0)": spoils}).order == (0, 1)
    lost = elect(calls[:1], [1.0], [0], None, {"f(0)": TWO}).lost
    assert str(lost) == "f(0) → 1; argument 1 is then 5 or 2"
    # It is no other type of value for that.
    assert elect(calls[:1], [1.0], [0], {"f(0)": ONE}).lost is None


def test_a_value_that_is_lost_is_told_and_leaves_little_confidence():
    election = elected((ONE, RAISES), before={0: TWO, 1: TWO})
    assert str(election.lost) == "f(1) → IndexError is raised or 2"
    assert elected((ONE, TWO), before={1: ONE}).lost is None
    assert elected((ONE, TWO), before={1: value("None", "NoneType")}).lost is None
    assert confidence(9, 0, None, lost=True) == "low"
    outlook = Outlook().then(Choice((plausible("+", {1}, 1.0, 0),), 1, 1.0, {}, election.lost), [], [])
    assert not outlook.lost, "what was not taken loses nothing"


def test_one_that_was_not_seen_comes_after_the_others_and_speaks_for_nobody():
    election = elected(None, (ONE,), (ONE,), costs=[0.5, 1.0, 1.0])
    assert election.order == (1, 2, 0)
    assert election.agreement == pytest.approx(2 / 3)
    assert elected(None, None) is None
    assert elected((), ()) is None


def test_a_doubt_names_the_shortest_call_to_which_both_return_a_value():
    calls = ({"f(22)": ONE, "f(333)": ONE, "f(1)": ONE}, {"f(22)": ONE, "f(333)": TWO, "f(1)": RAISES})
    (doubt,) = elect(calls, [1.0, 1.0], [1, 2]).doubts.values()
    assert str(doubt) == "f(333) → 1 or 2"
    (doubt,) = elected((ONE,), (RAISES,)).doubts.values()
    assert str(doubt) == "f(0) → 1 or IndexError is raised"


def test_confidence_is_less_after_one_failing_test_and_where_edits_disagree():
    assert [confidence(n, 0, None) for n in (1, 2)] == ["medium", "high"]
    assert [confidence(n, 3, 1.0) for n in (1, 2)] == ["medium", "high"]
    assert [confidence(n, 3, 0.5) for n in (1, 2)] == ["low", "medium"]
    assert [confidence(n, 3, 0.2) for n in (1, 5)] == ["low", "low"]
    assert [confidence(n, 3, None) for n in (1, 2)] == ["low", "medium"]
    assert [confidence(n, 0, None, unsure=True) for n in (1, 2)] == ["medium", "medium"]
    assert confidence(2, 3, 0.2, unsure=True) == "low"


# -- the choice -------------------------------------------------------------------------------------------------------

TEXT = "def f(a, b):\n    return a - b\n"


def plausible(new, mended, cost, index):
    at = TEXT.index("-")
    candidate = Candidate("core.py", at, at + 1, new, 2, cost, "t", f"became {new}", False, "f")
    return Plausible((candidate,), None, frozenset(mended), index, whole=True, full=True)


def test_an_edit_that_mends_fewer_tests_is_never_taken_first_however_likely():
    few, more = plausible("+", {1}, 0.1, 0), plausible("*", {1, 2}, 4.0, 1)
    other = plausible("/", {2}, 0.1, 2)
    spent = Budget(RepairTask(*[()] * 9, budget_s=0.0), lambda _: None, lambda: False)
    choice = choose([few, more, other], None, None, spent, 0)
    assert choice.order[0] is more
    assert choice.group == 1


def test_a_part_has_little_confidence_while_tests_that_run_it_fail():
    whole, part = plausible("+", {1, 2}, 1.0, 0), replace(plausible("+", {1, 2}, 1.0, 0), full=False)
    for found, told in ((whole, "medium"), (part, "low")):
        outlook = Outlook().then(Choice((found,), 1), [found], ())
        assert trusted(frozenset("ab"), outlook, left=True) == told
        assert trusted(frozenset("ab"), outlook, left=False) == "high"


def test_runners_up_are_whole_texts_and_those_that_behave_otherwise_come_first():
    order = tuple(plausible(new, {1}, 1.0, n) for n, new in enumerate("+*/%|"))
    doubts = elected((ONE,), (ONE,), (TWO,), (TWO,)).doubts
    choice = Choice(order, 4, 0.5, doubts)
    source = {"core.py": Source("core.py", TEXT)}
    found = list(runners_up(choice, order[:1], source, {"core.py": TEXT}))
    assert [(r.note, r.differs) for r in found] == [
        ("became /", "f(0) → 2 in place of 1"),
        ("became *", ""),
        ("became %", "f(0) → 2 in place of 1"),
    ]
    assert found[0].files == {"core.py": TEXT.replace("-", "/")}


def test_the_outlook_of_two_rounds_counts_both_and_keeps_the_least_agreement():
    one, two = plausible("+", {1}, 1.0, 0), plausible("*", {1}, 1.0, 1)
    doubts = elected((ONE,), (TWO,)).doubts
    first = Outlook().then(Choice((one, two), 2, 0.5, doubts), [one], ["a"])
    assert (first.alternatives, first.agreement, first.doubt) == (1, 0.5, "f(0) → 1 or 2")
    second = first.then(Choice((one, two), 2, 1.0), [one], ["b"])
    assert (second.alternatives, second.agreement, second.doubt) == (2, 0.5, "f(0) → 1 or 2")
    assert second.runners_up == ("b",)
    assert first.witnesses == second.witnesses == 1
    # Where another than the elected one was taken, the vote says nothing of it.
    assert Outlook().then(Choice((one, two), 2, 1.0), [two], []).agreement is None


LAST = 'def last_word(text):\n    words = text.split(" ")\n    return words[0]\n'
ASKED = 'from core import last_word\ndef test_last(): assert last_word("a b") == "b"\n'


def test_the_vote_takes_the_edit_that_generalises_and_the_other_is_a_runner_up(project, monkeypatch):
    without = []

    def watched(plausible, *given):
        without.append(min(plausible, key=lambda p: p.rank).candidates[0].note)
        return choose(plausible, *given)

    monkeypatch.setattr(rounds, "choose", watched)
    project.file("core.py", LAST).file("tests/test_core.py", ASKED)
    result = project.repair(["tests/test_core.py::test_last"], workers=1)
    assert without == ["`0` became `1`"], "the vote must be what decides here"
    assert "words[-1]" in result.files["core.py"], result.note
    assert "`0` became `1`" in [other.note for other in result.runners_up]
    assert 3 <= len(result.runners_up) <= 5
    assert result.alternatives >= len(result.runners_up)
    assert result.confidence == "low"
    assert result.doubt.startswith("last_word(")
    assert result.doubt in result.note
    for other in result.runners_up:
        compile(other.files["core.py"], "core.py", "exec")
        assert other.files["core.py"] not in (LAST, result.files["core.py"])
