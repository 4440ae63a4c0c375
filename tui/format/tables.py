"""The small tables: attempts, gates, hops."""

from __future__ import annotations

import time

from textual.content import Content

from engine.model import GateStatus, Hop, Verdict
from engine.state import AttemptRow, RunState
from tui.format.status import retries
from tui.format.text import clean, fit, line, money, took
from tui.glyphs import Glyphs
from tui.theme import ALIVE, BAD, GOOD, MUTED, STRONG, WANTS
from tui.view import View

KNOWN_GATES = ("guard", "tests", "build", "features", "format", "clippy", "crossval", "impl")


def gate_names(state: RunState) -> list[str]:
    """The gates every run has, impl last, and between them whatever else was set."""
    others = [n for n in state.gates if n not in KNOWN_GATES]
    return [*KNOWN_GATES[:-1], *others, KNOWN_GATES[-1]]


def gate_style(status: GateStatus) -> str:
    return {GateStatus.PASS: GOOD, GateStatus.FAIL: BAD}.get(status, MUTED)


def gate_row(name: str, state: RunState, glyphs: Glyphs) -> Content:
    gate = state.gates.get(name)
    label = fit(clean(name), 10)
    if gate is None:
        return line((f"{glyphs.absent}          {label} no receipt yet", MUTED))
    mark = (f"{glyphs.gate(gate.status)} {gate.status:<9}", gate_style(gate.status))
    if gate.status is GateStatus.SKIPPED:
        text = f"({clean(gate.reason)})" + (f" {clean(gate.evidence)}" if gate.evidence else "")
        return line(mark, label, " ", (text, MUTED))
    return line(mark, label, " ", clean(gate.evidence))


def gates_line(state: RunState, glyphs: Glyphs, width: int) -> Content:
    """All gates in one line, for a narrow screen."""
    parts: list[str | tuple[str, str]] = [(" gates ", MUTED)]
    for name in gate_names(state):
        gate = state.gates.get(name)
        mark, style = (glyphs.absent, MUTED) if gate is None else (glyphs.gate(gate.status), gate_style(gate.status))
        parts += [(f" {mark}", style), (f" {clean(name)}", MUTED if gate is None else "")]
    return line(*parts).truncate(width, ellipsis=True)


def gates_foot(state: RunState, glyphs: Glyphs) -> Content:
    gate = state.gates.get("impl")
    if gate is None:
        return line((f"impl {glyphs.absent}", MUTED))
    return line((f"impl {glyphs.gate(gate.status)} {gate.status}", gate_style(gate.status)))


def attempt_row(row: AttemptRow, view: View, width: int) -> Content:
    """``#1 ✗  32 → 12 failing   +340 −12   1m02   $0.11``; after a diet, ``+340 −12 → +3 −1, minimal``."""
    g, state = view.glyphs, view.state
    open_ = row.verdict is None and state.ended is None and row is state.attempt
    mark = (g.alive, ALIVE) if open_ else (g.fails, BAD)
    mark = (g.holds, GOOD) if row.verdict is Verdict.VERIFIED else mark
    after = str(row.failing_after) if row.failing_after is not None else "?" if open_ else g.absent
    until = row.finished_at if row.finished_at and not open_ else view.now if open_ else state.updated_at
    spent = took(max(0.0, until - row.started_at))
    word = f"  {row.verdict}" if row.verdict in (Verdict.CLAIMED, Verdict.TAMPERED) else ""
    head = line(f"#{row.number} ", mark, f" {row.failing_before:>3} → ", (f"{after:>2}", STRONG), " failing  ")
    cost = f"  {money(row.usage.usd):>6}"

    def told(diff: str, cost: str) -> Content:
        return head + line(f"{diff:>9} ", (f" {spent:>6}{cost}", MUTED), (word, BAD))

    tried = [told(str(row.diff) if row.finished is not None else "", cost)]
    if row.diet is not None and (row.diet.dropped or row.restored):
        # Where the diet's words need the room, the cost goes: it is in the header too.
        tried = [told(row.change, cost), told(row.slimmed, cost), told(row.slimmed, "")]
    best = next((t for t in tried if t.cell_length <= width), tried[-1])
    whole = best + _advised(row, g)
    return whole if whole.cell_length <= width else best


def _advised(row: AttemptRow, glyphs: Glyphs) -> Content:
    """``▲ 1/2``: advisories that were followed, of how many; where there is room for it."""
    settled = len(row.followed) + len(row.ignored)
    if not settled:
        return line("")
    return line((f"  {glyphs.advisory} {len(row.followed)}/{settled}", WANTS if row.ignored else MUTED))


def attempts_foot(view: View) -> Content:
    dots, words = retries(view)
    s = view.state
    raised = s.followed + len(s.advised)
    told = f"{view.glyphs.advisory} {s.followed} of {raised} followed   " if raised else ""
    return line((told, WANTS if s.advised else MUTED), (f"retries {dots} {words} used", MUTED))


def attempts_empty(view: View) -> str:
    if view.ended:
        return "No attempt was made."
    return "No attempt yet. The audit says first what fails."


def hop_row(hop: Hop, at: float, glyphs: Glyphs) -> Content:
    """``14:01:52 ● spec-creator  FINALIZE → test-creator  4 contracts``"""
    return line(
        (time.strftime("%H:%M:%S ", time.localtime(at)), MUTED),
        (f"{glyphs.hop} ", ALIVE),
        f"{fit(clean(hop.agent), max(13, len(hop.agent)))} ",
        (f"{hop.route.kind:<8} → {clean(hop.route.target)}", STRONG),
        f"  {clean(hop.text)}",
    )


def waiting_row(view: View) -> Content:
    """The hop that is not written yet: the run waits for a person."""
    agent = view.state.started.agent if view.state.started else "the agent"
    if (last := view.state.asking) is not None:
        agent = last.agent
    at = time.strftime("%H:%M:%S ", time.localtime(view.state.updated_at))
    return line((at, MUTED), (f"{view.glyphs.asks} ", WANTS), f"{clean(agent)}  ", ("awaiting your decision", WANTS))


def hops_empty(view: View) -> str:
    return "No hop was written." if view.ended else "No hop yet. One is written whenever the run routes on."
