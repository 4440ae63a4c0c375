"""A believable run, canned: what the screen is driven by where the engine would be too slow or too honest.

``python -m tests.tui.story`` plays it on a real terminal.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from engine import events as ev
from engine.allowance import Allowance
from engine.commands import Pick, Restore, Revert
from engine.config import Budget
from engine.errors import AttemptEnded, Stopped
from engine.feed import Feed
from engine.model import (
    Advisory,
    Ended,
    Exit,
    Gate,
    GateStatus,
    Hop,
    Progress,
    Purpose,
    Route,
    RouteKind,
    Step,
    TestOutcome,
    TestResult,
    Usage,
    Verdict,
    test_key,
)
from engine.policy import Limits, propose
from engine.session import Steering
from engine.state import RunState, fold

START = 1_700_000_000.0  # 22:13:20 UTC
FILE = "tests/kernels/test_{suite}_{fmt}.py"
RED = TestOutcome.FAILED
TRACE = """\
    39 │ @pytest.mark.parametrize("width", WIDTHS)
    40 │ def test_cpu_i2s_round_trip(width):
    41 │     packed, scale = i2s.pack(weights(width))
▶   42 │     assert_close(i2s.unpack(packed, scale, width), w)
    43 │
E   AssertionError: max |x - y| = 0.500, allowed 0.001"""
PATCH = """\
diff --git a/kernels/i2s.py b/kernels/i2s.py
index 1111111..2222222 100644
--- a/kernels/i2s.py
+++ b/kernels/i2s.py
@@ -29,5 +29,6 @@ def unpack(packed, scale, width):
     lanes = np.empty((packed.size, 4), np.int8)
     for lane in range(4):
-        lanes[:, lane] = (packed >> (2 * lane)) & 2
+        lanes[:, lane] = (packed >> (2 * lane)) & 3
+    lanes = lanes.reshape(-1)[:width]
     return lanes * scale
"""


def nodeid(suite: str, fmt: str, name: str) -> str:
    return f"{FILE.format(suite=suite, fmt=fmt)}::test_{suite}_{fmt}_{name}"


TARGETS = (
    ("cpu", nodeid("cpu", "i2s", "round_trip[width=33]")),
    ("cpu", nodeid("cpu", "tl1", "lut_matches_reference")),
    ("gpu", nodeid("gpu", "i2s", "matmul_parity[4096]")),
)
EARLY = tuple(("cpu", nodeid("cpu", "i2s", f"scale_is_absmean[{n}]")) for n in range(6))
GREEN = tuple(("cpu", nodeid("cpu", "ternary", f"values[{n}]")) for n in range(22)) + tuple(
    ("gpu", nodeid("gpu", "tl2", f"parity[{n}]")) for n in range(9)
)
SKIPPED = tuple(("gpu", nodeid("gpu", "tl2", f"pack_u{n}")) for n in (8, 16, 32, 64))

Said = ev.Event | str | float


class Story:
    """Plays the run on the session's thread; stops before the point called ``until`` and waits there.

    Points: ``audit``, ``edit``, ``verify``, ``decide``, ``end``.
    """

    def __init__(self, *, until: str = "", pace: float = 0.0, folder: Path | None = None) -> None:
        self.until = until
        self.pace = pace
        self.folder = folder
        self.state = RunState()
        self.answers: list[Route] = []
        self.dispatched: list[bool] = []
        self.hints: list[str] = []
        self.restored: list[tuple[int, ...]] = []
        self.reverted: list[tuple[int, ...]] = []
        self.picked: list[int] = []
        self.reached = threading.Event()
        self._seq = 0
        self._at = START

    def __call__(self, feed: Feed, steering: Steering) -> Exit:
        self._feed, self._steering = feed, steering
        try:
            self._play()
            return Exit.OK
        except Stopped as stopped:
            self._publish(ev.StopRequested())
            self._publish(ev.RunInterrupted(Exit.INTERRUPTED, str(stopped), "bitnet-tui resume 4f1c"))
            return Exit.INTERRUPTED

    def emit(self, event: ev.Event, seconds: float = 0.5) -> None:
        self._at += seconds
        self._publish(event)
        if self.pace:
            self._steering.cancel.wait(self.pace)
        steering = self._steering
        if steering.pause_requested.is_set():
            self._publish(ev.Paused())
            steering.wait_while_paused()
            self._publish(ev.Continued())
        if steering.stop_after_step.is_set() and isinstance(event, ev.StepFinished):
            raise Stopped("stopped after the step, on request")
        steering.cancel.check()

    def _publish(self, event: ev.Event) -> None:
        self._seq += 1
        self._at = time.time() if self.pace else self._at
        record = ev.Record(self._seq, self._at, event)
        self.state = fold(self.state, record)
        self._feed.publish(record)

    def point(self, name: str) -> None:
        """Wait here, if this is where the story is to stand still."""
        if self.until == name:
            self.reached.set()
            while True:
                self._steering.cancel.wait(60)

    # -- the plot -----------------------------------------------------------------------------------------------------

    def _audit(self) -> None:
        for event in opening():
            self.emit(event)
        for number in (1, 2):
            self._round(Purpose.AUDIT, number, dict.fromkeys((*TARGETS, *EARLY), RED), hold=number == 1)
        self.emit(ev.AuditFinished(tuple(test_key(*k) for k in (*TARGETS, *EARLY))))
        self.emit(ev.StepFinished(Step.ANALYZE))

    def _play(self) -> None:
        self._audit()
        self._attempt(1, "finish", left=TARGETS)
        if not self._decide().retry:
            return self._close(Exit.NOT_GREEN)
        self._attempt(2, "anthropic", left=())
        self._decide()
        return self._close(Exit.OK)

    def _round(
        self, purpose: Purpose, number: int, red: dict[tuple[str, str], TestOutcome], *, hold: bool = False
    ) -> None:
        for suite in ("cpu", "gpu"):
            mine = [k for k in (*TARGETS, *EARLY, *GREEN, *SKIPPED) if k[0] == suite]
            self.emit(ev.SuiteStarted(suite, purpose, number))
            self.emit(ev.SuiteCollected(suite, purpose, number, len(mine)))
            for place, key in enumerate(mine):
                if hold and suite == "cpu" and place == 12:
                    self.point("audit")
                self._feed.output(f"{key[1]} …")
                self.emit(ev.TestFinished(purpose, number, result(key, red.get(key))), 0.05)
            self.emit(ev.SuiteFinished(suite, purpose, number, 1 if red else 0, Ended.FINISHED, 2.0, len(mine)))

    def _attempt(self, number: int, provider: str, left: tuple[tuple[str, str], ...]) -> None:
        self.emit(ev.AttemptStarted(number, "anthropic", self.hints[-1] if self.hints else ""))
        self.emit(ev.StepStarted(Step.EDIT, number, "anthropic works on it"))
        for event in self.working():
            self.emit(event, 8.0)
        self.point("edit")
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "patch.diff").write_text(PATCH, encoding="utf-8")
        summary = "unpack masks two bits and cuts the tail block"
        self.emit(
            ev.AttemptFinished(
                number,
                "anthropic",
                "done" if not left else "more-work",
                summary,
                "t" * 40,
                ("kernels/i2s.py",),
                22,
                17,
                not left,
                **self.trust(),
            )
        )
        told = self.state.advised
        self.emit(ev.AdvisoriesSettled(number, (), told) if left else ev.AdvisoriesSettled(number, told))
        self.emit(ev.StepFinished(Step.EDIT, number))
        self._diet(number)
        self._verify(number, left)

    def working(self) -> Iterator[ev.Event]:
        """What the provider does in an attempt."""
        yield from working()

    def trust(self) -> dict[str, Any]:
        """How far the attempt's own words go, and what else would pass."""
        return {}

    def left(self) -> tuple[ev.Piece, ...]:
        """Pieces of the change that a person may take away."""
        return ()

    def _diet(self, number: int) -> None:
        """Nothing is taken away here."""

    def _verify(self, number: int, left: tuple[tuple[str, str], ...]) -> None:
        self.emit(ev.StepStarted(Step.VERIFY, number, "every suite, in a fresh worktree"))
        self._round(Purpose.VERIFY, number, dict.fromkeys(left, RED))
        keys = tuple(test_key(*k) for k in (*TARGETS, *EARLY))
        still = tuple(test_key(*k) for k in left)
        progress = Progress(fixed=tuple(k for k in keys if k not in still), still=still)
        verdict = Verdict.REJECTED if left else Verdict.VERIFIED
        reasons = (f"{len(left)} target tests are red",) if left else ()
        self.emit(ev.VerificationFinished(number, "t" * 40, verdict, reasons, progress))
        self.emit(ev.StepFinished(Step.VERIFY, number))
        self.point("verify")
        for gate in gates(passes=not left):
            self.emit(ev.GateSet(gate))

    def _decide(self) -> Route:
        proposal = propose(self.state, Limits())
        self.emit(ev.ProposalMade(proposal, self.left()))
        if self._steering.ask:
            answer = self._steering.answer(proposal)
            if isinstance(answer, Restore | Revert | Pick):
                number = self.state.attempts[-1].number
                if isinstance(answer, Pick):
                    self.picked.append(answer.index)
                    self.emit(ev.RunnerUpTaken(number, answer.index))
                elif isinstance(answer, Revert):
                    self.reverted.append(answer.pieces)
                    self.emit(ev.PiecesReverted(number, answer.pieces))
                else:
                    self.restored.append(answer.pieces)
                    self.emit(ev.PiecesRestored(number, answer.pieces))
                return self._again(number)
            route, by, hint = answer.route, "user", answer.hint
            self.dispatched.append(answer.dispatch)
        else:
            route, by, hint = proposal.best.route, "policy", ""
        self.answers.append(route)
        self.hints.append(hint)
        self.emit(ev.DecisionTaken(proposal.id, route, by, hint))
        attempt = self.state.attempts[-1]
        text = f"{attempt.failing_before} → {attempt.failing_after}"
        self.emit(ev.HopAdded(Hop("impl-creator", text, route)))
        return route

    def _again(self, number: int) -> Route:
        """What a person made of the change is verified, and the question asked anew."""
        self._diet(number)
        self._verify(number, ())
        return self._decide()

    def _close(self, code: Exit) -> None:
        folder = self.folder or Path("/work/demo/.bitnet-tui/runs/4f1c")
        self.emit(ev.CheckoutCompared(untouched=True))
        if code is Exit.OK:
            self.emit(
                ev.CommitCreated("bitnet-tui/4f1c", "e09be11" + "0" * 33, "fix(kernels): mask two bits, cut the tail")
            )
        self.emit(ev.ReceiptWritten(str(folder / "receipts/impl.json"), "a" * 64))
        self.emit(ev.LedgerWritten(str(folder / "ledger.md"), "b" * 64))
        self.point("end")
        why = "gate impl passed and verified" if code is Exit.OK else "not green: 3 target tests are red"
        self.emit(ev.RunFinished(int(code), why, str(self.answers[-1]), 271.0))


class Limited(Story):
    """The second call of its model would cost more than the run may."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.allowance = Allowance(Budget(usd=0.5))

    def _attempt(self, number: int, provider: str, left: tuple[tuple[str, str], ...]) -> None:
        self.allowance.emit, self.allowance.ask = self.emit, self._steering.reply
        self.allowance.part, self.allowance.reopen = f"attempt {number}", self._steering.refuse
        super()._attempt(number, provider, left)

    def working(self) -> Iterator[ev.Event]:
        sonnet = "claude-sonnet-5-5"
        yield ev.CallEstimated("anthropic", sonnet, 9_000, 0, 32_000, 0.03, 0.34)
        yield ev.UsageCounted("anthropic", sonnet, Usage(1, 9_100, 0, 900, 0.03, 0))
        yield ev.UsageCounted("anthropic", sonnet, Usage(1, 1_250, 9_100, 40_500, 0.41, 0))
        yield ev.CallEstimated("anthropic", sonnet, 12_000, 10_350, 4_900, 0.012, 0.06)
        yield ev.ActivityReported("text", "The mask keeps one bit of two.")
        self.point("spending")
        with contextlib.suppress(AttemptEnded):
            told = "the next call may cost $0.09, and $0.06 of $0.50 are left"
            self.allowance.reached("usd", 0.44, 0.53, told)


RIVALS = (
    ev.RunnerUp(
        "`2` became `4`",
        "u" * 40,
        ("kernels/i2s.py",),
        1,
        1,
        (
            "-        lanes[:, lane] = (packed >> (2 * lane)) & 2",
            "+        lanes[:, lane] = (packed >> (4 * lane)) & 3",
        ),
        "unpack(ndarray(uint8, (1,), 146), 1.0, 3) → [1, 0, 2] in place of [1, 0, -1]",
    ),
    ev.RunnerUp("`&` became `%`", "w" * 40, ("kernels/i2s.py",), 2, 1, ("+    lanes %= 4",)),
)


class Rivals(Story):
    """Its only attempt is verified; of the other changes that pass the same tests the first does not verify."""

    def trust(self) -> dict[str, Any]:
        doubt = "unpack(ndarray(uint8, (1,), 146), 1.0, 3) → [1, 0, -1] or [1, 0, 2]"
        told = f"{doubt}: which is right? One more test decides."
        return {"alternatives": 4, "confidence": "low", "doubt": told, "runners_up": RIVALS}

    def _play(self) -> None:
        self._audit()
        self._attempt(1, "finish", left=())
        self._decide()
        return self._close(Exit.OK)

    def _again(self, number: int) -> Route:
        if self.picked[-1] != 0:
            return super()._again(number)
        self._verify(number, TARGETS[:1])
        self.emit(ev.RunnerUpRefused(number, 0, "1 target test is red"))
        return self._decide()


class Fat(Story):
    """Its only attempt is verified, once the diet has taken away what no test needs."""

    def __init__(self, pieces: tuple[ev.Piece, ...] | None = None, **given: Any) -> None:
        super().__init__(**given)
        self.pieces = PIECES if pieces is None else pieces

    def _play(self) -> None:
        self._audit()
        self._attempt(1, "finish", left=())
        self._decide()
        return self._close(Exit.OK)

    def left(self) -> tuple[ev.Piece, ...]:
        return tuple(replace(p, lines=()) for p in LEFT if p.index not in self.state.attempts[-1].reverted)

    def _diet(self, number: int) -> None:
        row = self.state.attempts[-1]
        mine = (p for p in LEFT if p.index in row.reverted)
        gone = (*(p for p in self.pieces if p.index not in row.restored), *mine)
        added, removed = sum(p.added for p in gone), sum(p.removed for p in gone)
        self.emit(ev.StepStarted(Step.DIET, number, "taking away what is not needed"))
        files = ("kernels/i2s.py",)
        left = ev.DietFinished(
            number,
            "s" * 40,
            22 - added,
            17 - removed,
            not row.by_hand,
            dropped=len(gone),
            runs=0 if row.by_hand else 9,
            files=files,
            removed_pieces=gone,
        )
        self.emit(left)
        self.emit(ev.StepFinished(Step.DIET, number))


LEFT = (
    ev.Piece(
        0,
        "kernels/i2s.py",
        31,
        1,
        1,
        (
            "-        lanes[:, lane] = (packed >> (2 * lane)) & 2",
            "+        lanes[:, lane] = (packed >> (2 * lane)) & 3",
        ),
    ),
    ev.Piece(2, "kernels/i2s.py", 32, 1, 0, ("+    lanes = lanes.reshape(-1)[:width]",)),
)
"""What :data:`PATCH` consists of, in the order of all pieces."""

PIECES = (
    ev.Piece(1, "kernels/i2s.py", 12, 2, 0, ("+import logging", "+log = logging.getLogger(__name__)")),
    ev.Piece(3, "kernels/i2s.py", 40, 9, 9, ("-    # old", *(f"+    lanes[{n}] = 0  # [red]" for n in range(5)))),
    ev.Piece(4, "kernels/tl1.py", 7, 1, 1, ("-TABLE = 16", "+TABLE = 1 << 4")),
)


def opening() -> Iterator[ev.Event]:
    yield ev.RunStarted(
        "4f1c", "/work/demo", "", "0.1.0", "impl-creator", ("anthropic",), ("cpu", "gpu"), 2, "defaults", "a key is set"
    )
    yield ev.GuardChecked("generative", True)
    yield ev.GateSet(Gate("guard", GateStatus.PASS, "", "flow generative"))
    yield ev.EnvironmentProbed("/usr/bin/python3", "3.11.7", "9.2.0", "linux", ("process group", "no network"))
    yield ev.SnapshotTaken("e09be11" + "0" * 33, "main", "c" * 40, "d" * 40, 2, 1)
    yield ev.StepStarted(Step.ANALYZE, 0, "red audit")


def working() -> Iterator[ev.Event]:
    yield ev.ActivityReported("text", "The mask keeps one bit of two, so −1 and 0 collapse for odd lanes.")
    yield ev.ToolCalled("search", "unpack", True, 0.1, "3 matches in kernels/i2s.py")
    yield ev.ToolCalled("view", "kernels/i2s.py", True, 0.1)
    yield ev.EditApplied("kernels/i2s.py", 2, 1)
    yield ev.AdvisoryRaised(
        Advisory("tail", "A row of 33 is not a whole block: pad to 4 lanes before the shift.", "kernels/i2s.py", 31)
    )
    yield ev.UsageCounted("anthropic", "claude", Usage(4, 12_000, 30_000, 900, 0.13, 0))
    yield ev.ToolCalled("run_tests", "cpu", False, 2.0, "2 failed, 28 passed")


def gates(*, passes: bool) -> Iterator[Gate]:
    word = GateStatus.PASS if passes else GateStatus.FAIL
    yield Gate("tests", word, "", "40/40; CPU 30/30, GPU 10/10" if passes else "37/40; CPU 28/30, GPU 9/10")
    yield Gate("build", GateStatus.PASS, "", "every changed file imports")
    yield Gate("features", GateStatus.SKIPPED, "n/a-surface")
    yield Gate("format", GateStatus.PASS, "", "ruff: 1 file formatted")
    yield Gate("clippy", GateStatus.PASS, "", "ruff: 0 warnings")
    yield Gate("crossval", GateStatus.SKIPPED, "no-cpp-reference")
    yield Gate("impl", word, "", "verified, +22 −17" if passes else "tests 37/40; clippy 0")


def result(key: tuple[str, str], red: TestOutcome | None) -> TestResult:
    suite, name = key
    if key in SKIPPED:
        return TestResult(suite, name, TestOutcome.SKIPPED, "setup", 0.0, "Skipped: missing-tool")
    if red is None:
        return TestResult(suite, name, TestOutcome.PASSED, seconds=0.01)
    message = "AssertionError: max |x − y| = 0.500, allowed 0.001"
    return TestResult(suite, name, red, "call", 0.02, message, TRACE, name.split("::")[0], 42)


class Burst:
    """Thousands of results, then it ends or waits; each name is used as it is."""

    def __init__(
        self,
        names: list[str],
        outcome: Callable[[int], TestOutcome],
        lines: int = 0,
        *,
        wait: bool = True,
        go: threading.Event | None = None,
    ) -> None:
        self.names = names
        self.outcome = outcome
        self.lines = lines
        self.wait = wait
        self.go = go or threading.Event()
        if go is None:
            self.go.set()

    def __call__(self, feed: Feed, steering: Steering) -> Exit:
        self.go.wait()
        number = 0

        def emit(event: ev.Event) -> None:
            nonlocal number
            number += 1
            feed.publish(ev.Record(number, START + number / 1000, event))

        emit(ev.RunStarted("b", "/b", "", "0", "impl-creator", ("repair",), ("cpu",), 2))
        emit(ev.StepStarted(Step.ANALYZE))
        emit(ev.SuiteStarted("cpu", Purpose.AUDIT, 1))
        emit(ev.SuiteCollected("cpu", Purpose.AUDIT, 1, len(self.names)))
        each = self.lines // max(1, len(self.names))
        for place, name in enumerate(self.names):
            outcome = self.outcome(place)
            message = "assert [red]x[/red] == \x1b[31my" if outcome.red else ""
            emit(ev.TestFinished(Purpose.AUDIT, 1, TestResult("cpu", name, outcome, seconds=0.01, message=message)))
            for n in range(each):
                feed.output(f"{name} line {n}")
        emit(ev.SuiteFinished("cpu", Purpose.AUDIT, 1, 1, Ended.FINISHED, 9.0, len(self.names)))
        try:
            while self.wait:
                steering.cancel.wait(60)
        except Stopped as stopped:
            emit(ev.RunInterrupted(Exit.INTERRUPTED, str(stopped)))
            return Exit.INTERRUPTED
        emit(ev.RunFinished(int(Exit.NOT_GREEN), "not green"))
        return Exit.NOT_GREEN


__all__ = ["PIECES", "START", "Burst", "Fat", "Route", "RouteKind", "Story"]


if __name__ == "__main__":
    from tui.app import BitnetApp

    play = (Fat if os.environ.get("FAT") else Story)(
        pace=float(os.environ.get("PACE", "0.02")),
        until=os.environ.get("UNTIL", ""),
        folder=Path(os.environ.get("FOLDER", "/tmp/bitnet-story/runs/4f1c")),
    )
    print(
        repr(
            BitnetApp(play, glyphs=os.environ.get("GLYPHS", "auto"), theme=os.environ.get("THEME", "bitnet-dark")).run()
        )
    )
