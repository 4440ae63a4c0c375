"""Every answer is kept, with no key in it; a run made again from that goes the same way, or says where it does not."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support import CALC, FIX_ADD, FIX_MUL, Command, git, leftovers

from engine.errors import AttemptEnded, EnvironmentFailure, ProviderError
from engine.model import Outcome
from engine.providers.anthropic.recording import NAME, Recording
from engine.providers.anthropic.replaying import RecordingOver, Replay, read
from engine.providers.anthropic.tape import Asked, alike, asked, differences, joined, packed, unpacked
from engine.records.redact import Redactor
from engine.replaying import Replayed
from engine.replaying import replay as make_again
from tests.engine.anthropic.conftest import Make
from tests.engine.anthropic.double import Body, Double, Refuse, Say, text, thinking, use
from tests.engine.anthropic.kit import EDITOR, KEY, QUICK, Attempt

DONE = use("finish", outcome="done", summary="s")
LOOK = use("search", pattern="pack")
SECRET = "kQ7-correct-horse-battery"


def lines(path: Path, kind: str = "call") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in found if line["kind"] == kind]


def posts(path: Path) -> list[dict[str, Any]]:
    return [line for line in lines(path) if line["method"] == "POST"]


def recorded(attempt: Make, path: Path, **settings: Any) -> Attempt:
    redact = Redactor.of({"MY_TOKEN": SECRET, "ANTHROPIC_API_KEY": KEY}).data
    return attempt(tape=Recording(path, redact), **settings)


# -- what is kept -----------------------------------------------------------------------------------------------------


def test_a_request_is_kept_as_what_it_adds_to_the_one_before() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    turns: list[Body] = [{"role": "user", "content": [{"type": "text", "text": "one", **mark}]}]
    body: Body = {"model": "m", "max_tokens": 5, "system": [{"type": "text", "text": "s", **mark}], "messages": turns}
    first = asked("post", "/v1/messages", {**body, "tools": [{"name": "t", **mark}]})
    assert list(first.marks) == ["system", "tools", [0, 0]]
    assert "cache_control" not in str([first.turns, first.tools, first.system])
    second = replace(first, turns=[*first.turns, {"role": "assistant", "content": []}], marks=[[1, 0]])
    line = json.loads(json.dumps(packed(second, first)))
    assert line["same"] == 1
    assert "system" not in line
    assert unpacked(line, first) == second
    assert unpacked(json.loads(json.dumps(packed(first, None))), None) == first
    assert first.digest == replace(first, marks=(), max_tokens=9).digest != second.digest


@pytest.mark.parametrize("cut", [0, 40, 1000])
def test_a_stream_is_kept_with_the_pieces_of_a_block_in_one(cut: int) -> None:
    events = [f"event: {n}\ndata: {json.dumps({'type': n, **d})}\n\n" for n, d in Say([thinking("hm"), LOOK]).events()]
    body = "".join(events)
    body = body[: len(body) - cut]
    short = joined(body)
    assert short.count("input_json_delta") == (1 if cut < 1000 else body.count("input_json_delta"))
    assert joined(short) == short
    if not cut:
        assert '"partial_json": "{\\"pattern\\": \\"pack\\"}"' in short
        assert short.count("event: ") == 11


@pytest.mark.parametrize(
    "body", ["", "{}", "data: x\n\n", "event: a\ndata: {\n\n", "event: a\ndata: []\n\n", "a\r\n\r\n"]
)
def test_what_is_no_stream_is_kept_as_it_is(body: str) -> None:
    assert joined(body) == body


def test_every_try_is_kept_and_no_key_in_it(double: Double, attempt: Make, tmp_path: Path) -> None:
    path = tmp_path / NAME
    said = text(f"the token is {SECRET}")
    tool = use("search", pattern=f"{SECRET} {KEY}")
    double.script = [Refuse(429, "slow down", headers={"retry-after": "0"}), Say([said, tool]), Say([DONE])]
    recorded(attempt, path).run()
    kept = path.read_text()
    assert SECRET not in kept
    assert KEY not in kept
    assert "authorization" not in kept.lower()
    calls = posts(path)
    assert [c["status"] for c in calls] == [429, 200, 200]
    assert [c["ended"] for c in calls] == ["whole"] * 3
    assert calls[0]["headers"] == {"request-id": "req_1", "content-type": "application/json", "retry-after": "0"}
    assert calls[1]["digest"] == calls[0]["digest"]
    assert "MY_TOKEN" in calls[1]["body"]
    assert path.stat().st_mode & 0o077 == 0


def test_a_fault_of_the_wire_is_kept_and_played_as_one(double: Double, attempt: Make, tmp_path: Path) -> None:
    path = tmp_path / NAME
    double.script = [Say([LOOK], drop_before="message_delta"), Say([LOOK], cut_before="message_delta"), Say([LOOK])]
    double.script += [Say([DONE])]
    first = recorded(attempt, path)
    first.run()
    ends = [c["ended"].split(":")[0] for c in posts(path)]
    assert ends[1:] == ["whole"] * 3
    assert ends[0].endswith("Error")
    tape = Replay(read(path))
    again = Attempt("http://127.0.0.1:9", first.tools.root, tape=tape)  # where nobody listens
    again.run()
    assert again.report.usage == first.report.usage
    assert again.report.usage.retries == 2
    assert (tape.found, tape.left) == ([], 0)


def test_a_server_that_is_not_there_is_kept_too(attempt: Make, tmp_path: Path) -> None:
    path = tmp_path / NAME
    with pytest.raises(ProviderError):
        recorded(attempt, path, url="http://127.0.0.1:9", backoff=replace(QUICK, limit=0)).run()
    assert posts(path)[0]["error"].startswith("ConnectError: ")
    again = Attempt("http://127.0.0.1:9", tmp_path, tape=Replay(read(path)), backoff=replace(QUICK, limit=0))
    with pytest.raises(ProviderError, match="no connection"):
        again.run()


def test_a_recording_that_cannot_be_written_costs_no_run(double: Double, attempt: Make, tmp_path: Path) -> None:
    double.script = [Say([DONE])]
    run = recorded(attempt, tmp_path / "not there" / NAME)
    assert run.run().outcome is Outcome.DONE
    assert len(double.seen) == 1
    assert not (tmp_path / "not there").exists()


def test_what_could_not_be_kept_leaves_no_half_and_hides_nothing_that_follows(tmp_path: Path) -> None:
    path = tmp_path / NAME
    turns = [{"role": "user", "content": [{"type": "text", "text": "a"}]}]

    def call(tape: Recording) -> None:
        body = {"model": "m", "system": "be good", "messages": turns}
        request = SimpleNamespace(method="post", url="/v1/messages", json=body)
        with pytest.raises(RuntimeError):
            tape.handle(request, fail)

    def fail(request: object) -> object:
        raise RuntimeError("gone")

    tape = Recording(path, lambda value: value)
    path.symlink_to("/dev/full")  # the disk is full when the part begins, and at its first call
    assert tape.start("attempt 1", "s", 4) == 4
    call(tape)
    path.unlink()
    path.write_text('{"v":1,"kind":"part","part":"attempt 0","server":"s"}\n{"v":1,"kind":"ca')  # and a killed run's
    call(tape), call(tape)
    kept = read(path)
    assert {part: [c.asked.system for c in calls] for part, calls in kept.parts.items()} == {
        "attempt 0": [],
        "attempt 1": ["be good", "be good"],
    }
    assert kept.retries == {"attempt 1": 4}


def test_an_outage_is_replayed_as_the_same_outage(double: Double, attempt: Make, tmp_path: Path) -> None:
    path = tmp_path / NAME
    double.script = [Refuse(529)] * 2
    with pytest.raises(ProviderError, match="gave up after 2 tries"):
        recorded(attempt, path, backoff=replace(QUICK, limit=1)).run()
    tape = Replay(read(path))
    with pytest.raises(ProviderError, match="gave up after 2 tries"):
        Attempt("http://127.0.0.1:9", tmp_path, tape=tape).run()
    assert (tape.found, tape.left) == ([], 0)


def test_an_attempt_that_was_made_again_is_replayed_as_it_was_the_last_time(
    double: Double, attempt: Make, tmp_path: Path
) -> None:
    path = tmp_path / NAME
    double.script = [Say([LOOK]), Say([DONE]), Say([text("again"), DONE])]
    run = recorded(attempt, path)
    run.run(), run.run()
    with path.open("a") as file:
        file.write('{"v":1,"kind":"call","attem')  # it was killed while it wrote
    kept = read(path)
    assert kept.calls == 1
    assert "again" in str(kept.parts["attempt 1"][-1].line)


def test_a_conversation_that_goes_on_after_its_recording_is_told_so(
    double: Double, attempt: Make, tmp_path: Path
) -> None:
    path = tmp_path / NAME
    double.script = [Say([LOOK]), Say([DONE])]
    recorded(attempt, path).run()
    kept = read(path)
    short = replace(kept, parts={"attempt 1": kept.parts["attempt 1"][:-1]})
    with pytest.raises(RecordingOver, match="ends before call 2"):
        Attempt("http://127.0.0.1:9", tmp_path, tape=Replay(short)).run()
    with pytest.raises(AttemptEnded):
        Attempt("http://127.0.0.1:9", tmp_path, tape=Replay(short, ended=frozenset({"attempt 1"}))).run()


@pytest.mark.parametrize(
    "line", ["{}", '{"v":9,"kind":"call"}', "nothing", '{"v":1,"kind":"call","part":"attempt 1","same":"x"}']
)
def test_a_damaged_recording_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / NAME).write_text(f'{{"v":1,"kind":"part","part":"attempt 1","server":"s"}}\n{line}\n')
    with pytest.raises(EnvironmentFailure, match=f"{NAME}:2"):
        read(tmp_path / NAME)


# -- where two requests part ------------------------------------------------------------------------------------------


def test_what_differs_is_told_with_its_first_line_on_both_sides() -> None:
    def turn(*said: str) -> Body:
        return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "\n".join(said)}]}

    then = Asked(system="be good\nbe brief", turns=[turn("a", "took 0.12s at 0x7f0012345678", "c")])
    same = Asked(system="be good\nbe brief", turns=[turn("a", "took 3.5s at 0x7f0087654321", "c")])
    assert differences(then, same) == []
    marks = [Asked(system=f'<repository-data id="{mark * 16}" about="x">') for mark in "ab"]
    assert differences(*marks) == []
    other = Asked(system="be good\nbe long", turns=[turn("a", "b", "c"), turn("d")])
    system, first, second = differences(then, other)
    assert (system.place, system.recorded, system.now) == ("the system prompt", "be brief", "be long")
    assert (first.place, first.recorded, first.now) == ("turn 1 (user)", "took … s at 0x…", "b")
    assert (second.recorded, second.now) == ("(nothing)", "answer: d")


@pytest.mark.parametrize("text", ["3 passed", "assert 5 == 57", "width[33]", "20 rows", "v1.2.3", "tests/s.py:12"])
def test_what_says_something_of_a_test_is_not_taken_for_noise(text: str) -> None:
    assert alike(text) == text


# -- a whole run ------------------------------------------------------------------------------------------------------


@pytest.fixture
def made(double: Double, repo: Callable[..., Path], command: Command) -> tuple[Path, str]:
    """A run of three calls, the first of them refused once; its tests print where they are."""
    test = CALC["tests/test_calc.py"] + (
        "\n\ndef test_cpu_place(tmp_path):\n    print(__file__, tmp_path, object())\n    assert mul(3, 3) == 9\n"
    )
    folder = repo({**CALC, "tests/test_calc.py": test})
    double.script = [
        Refuse(529, "busy", "overloaded_error"),
        Say([text("I look."), use(EDITOR, command="view", path="calc/__init__.py"), use("run_tests")]),
        Say(
            [
                use(EDITOR, **FIX_ADD),
                use("run_tests", tests=["tests/test_calc.py::test_cpu_place"]),
                use(EDITOR, **FIX_MUL),
            ]
        ),
        Say([use("finish", outcome="done", summary="the operators were wrong")]),
    ]
    server = {"ANTHROPIC_API_KEY": "sk-ant-nobody", "ANTHROPIC_BASE_URL": double.url}
    done = command("--json", cwd=folder, **server)
    assert done.code == 0, done.result
    told = json.dumps(double.bodies)
    assert str(folder) not in told, "what a model is told does not depend on where the run is made"
    assert done.result["run"] not in told
    return folder, done.result["run"]


def again(folder: Path, lean_python: Path) -> Replayed:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ANTHROPIC")} | {"VIRTUAL_ENV": str(lean_python)}
    return make_again(folder, "", environ, watch=lambda session: contextlib.nullcontext())


def test_a_run_made_again_is_the_same_or_says_where_it_is_not(
    made: tuple[Path, str], command: Command, double: Double, lean_python: Path
) -> None:
    folder, run = made
    refs = git(folder, "for-each-ref")
    (folder / "calc/__init__.py").write_text("def add(a, b):\n    return 0\n")  # it begins where the run began
    seen = len(double.seen)
    same = command("replay", run, "--engine", cwd=folder)
    assert same.code == 0, same.out + same.err
    assert f"replayed {run}: 4 calls, same verdict (verified), same patch" in same.out
    assert len(double.seen) == seen, "nobody was asked"
    assert git(folder, "for-each-ref") == refs
    assert not leftovers(folder)
    assert [line.split()[0] for line in command("runs", cwd=folder).out.splitlines()] == [run]

    # An earlier version of the program asked in other words, the tests answered another thing, and the model mended it
    # in another way.
    path = folder / ".bitnet-tui/runs" / run / NAME
    kept = path.read_text()
    recorded = kept.replace("You work inside bitnet-tui", "You live inside bitnet-tui")
    path.write_text(recorded.replace("4 failed", "5 failed").replace("return a * b", "return b * a"))
    other = again(folder, lean_python)
    assert other.exit == 1
    assert [d.place for d in other.found] == [
        "attempt 1, call 1: the system prompt",
        "attempt 1, call 3: turn 3 (user)",
        "attempt 1, patch",
    ]
    assert other.found[0].recorded.startswith("You live inside")
    assert other.found[0].now.startswith("You work inside")
    assert "5 failed" in other.found[1].recorded


def test_a_run_without_a_recording_or_a_snapshot_cannot_be_replayed(
    double: Double, repo: Callable[..., Path], command: Command, lean_python: Path
) -> None:
    folder = repo({**CALC})
    (folder / "calc/extra.py").write_text("X = 1\n")
    double.script = [Say([text("No.")], stop="refusal")]
    server = {"ANTHROPIC_API_KEY": "sk-ant-nobody", "ANTHROPIC_BASE_URL": double.url}
    stopped = command("--json", cwd=folder, **server)
    assert stopped.code == 6
    kept = again(folder, lean_python)
    assert (kept.found, kept.calls, kept.ended) == ((), 1, "the model refused: No.")
    run = stopped.result["run"]
    git(folder, "update-ref", "-d", f"refs/bitnet-tui/{run}/base")
    git(folder, "prune", "--expire=now")
    gone = command("replay", "--engine", cwd=folder)
    assert gone.code == 5
    assert f"the snapshot of run {run} is gone" in gone.err
    (folder / ".bitnet-tui/runs" / run / NAME).unlink()
    nothing = command("replay", "--engine", cwd=folder)
    assert nothing.code == 5
    assert "only runs of the provider anthropic are recorded" in nothing.err
