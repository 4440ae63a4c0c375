"""Where the run stands, in a glyph and a word, and what is under way, in a line that moves."""

from __future__ import annotations

from textual.content import Content

from engine import events as ev
from engine import spending
from engine.model import Exit, Label, Purpose, Verdict
from engine.state import RunState, SuiteRow
from tui.format import limit, removed
from tui.format.text import clean, clock, cut, edges, line, money
from tui.theme import ALIVE, BAD, GOOD, MUTED, STRONG, WANTS
from tui.view import View

_WORDS = {
    "analyze": "analyzing",
    "edit": "editing",
    "test": "testing",
    "verify": "verifying",
    "diet": "on diet",
    "judge": "judging",
    "stopping": "stopping…",
}
_EXITS = {
    Exit.NOT_GREEN: "not green",
    Exit.USAGE: "not usable",
    Exit.INTEGRITY: "not verified",
    Exit.BUDGET: "budget spent",
    Exit.ENVIRONMENT: "environment",
    Exit.PROVIDER: "provider",
    Exit.DEFECT: "our defect",
    Exit.INTERRUPTED: "interrupted",
}
_ROUNDS = {
    Purpose.AUDIT: "audit",
    Purpose.ALONE: "red alone",
    Purpose.ATTEMPT: "attempt",
    Purpose.REACH: "reach",
    Purpose.VERIFY: "verify",
    Purpose.DIET: "diet",
}
STATUS_CELLS = 13
COST_CELLS = 5
NARROW = 100


def exit_code(view: View) -> int | None:
    """The code the run ended with, from the journal or, without one, from the thread."""
    return view.state.ended.exit if view.state.ended is not None else view.exit


def ending(view: View) -> tuple[str, str, str]:
    """Glyph, word and style of a run that ended."""
    g, code = view.glyphs, exit_code(view)
    if code == Exit.OK:
        attempt = view.state.attempt
        verified = attempt is not None and attempt.verdict is Verdict.VERIFIED
        return g.holds, "verified" if verified else "nothing to do", GOOD
    word = _EXITS.get(Exit(code), "ended") if code in set(Exit) else "ended"
    resumable = code in (Exit.BUDGET, Exit.PROVIDER, Exit.INTERRUPTED)
    return (g.skipped, word, WANTS) if resumable else (g.fails, word, BAD)


def status(view: View) -> tuple[str, str, str]:
    """Glyph, word and style of where the run stands."""
    if view.ended:
        return ending(view)
    word = view.status
    if word in ("deciding", "at a limit"):
        return view.glyphs.asks, word, WANTS
    if word == "paused":
        return view.glyphs.paused, word, WANTS
    return view.glyphs.alive, _WORDS.get(word, word), ALIVE


def retries(view: View) -> tuple[str, str]:
    """The dots and the words of the retry budget: ``●●``, ``2 of 2``."""
    budget, g = view.state.retries, view.glyphs
    return g.used * budget.used + g.unused * (budget.limit - budget.used), f"{budget.used} of {budget.limit}"


def header(view: View, width: int) -> Content:
    """The top line: product, agent · flow · provider; status, retries, time, cost."""
    s = view.state
    glyph, word, style = status(view)
    dots, words = retries(view)
    gap = "  " if width < NARROW else "   "
    tail = f"retries {dots} {words}{gap}{clock(view.elapsed):>5}{gap}{money(s.usage.usd):>{COST_CELLS}} "
    right = line(gap, (f"{glyph} {word}".ljust(STATUS_CELLS), style), gap[1:], tail)
    who = [s.started.agent] if s.started else [view.title] if view.title else []
    if s.guard is not None:
        who.append(s.guard.flow)
    provider = s.attempt.provider if s.attempt and s.attempt.provider else ""
    if not provider and s.started is not None:
        provider = ", ".join(s.started.providers)
    if provider:
        who.append(provider)
    replay = (f" replay {view.replay} ", f"{ALIVE} reverse") if view.replay else ""
    left = line((" bitnet-tui ", STRONG), replay, " ", " · ".join(clean(w) for w in who if w))
    return edges(left, right, width)


def running(state: RunState) -> SuiteRow | None:
    return next((r for r in state.suites.values() if r.running), None)


def round_words(stage: str) -> str:
    """``audit1`` as ``audit 1``."""
    name = stage.rstrip("0123456789")
    return f"{_ROUNDS.get(Purpose(name), name) if name in set(Purpose) else name} {stage[len(name) :]}"


def suite_progress(row: SuiteRow) -> str:
    """``cpu 120/340``; before the number is known, ``cpu collecting…``."""
    if not row.expected and not row.done:
        return f"{clean(row.name)} collecting…"
    return f"{clean(row.name)} {row.done}/{row.expected or '?'}"


def under_way(view: View) -> str:
    """What happens now, in words and with a number that moves."""
    s = view.state
    suite = running(s)
    attempt = f"attempt {s.attempt.number} of {s.retries.limit + 1}" if s.attempt else ""
    parts: list[str] = []
    if suite is not None:
        stage = round_words(suite.running)
        if attempt:
            stage = attempt if suite.running.startswith("attempt") else f"{attempt}, {stage.split()[0]}"
        parts = [stage, suite_progress(suite)]
    elif s.step is not None and attempt:
        parts = [attempt]
    if s.step_note:
        parts.append(clean(s.step_note))
    if s.step == "edit" and suite is None and s.activity:
        parts.append(clean(s.activity[-1]))
    if parts:
        return " · ".join(p for p in parts if p)
    if s.started is None:
        return "starting the engine"
    suites = " and ".join(s.started.suites) or "no suite"
    return f"looking at {clean(s.started.root)}, suites {clean(suites)}"


def _ended_bar(view: View, width: int) -> Content:
    glyph, word, style = ending(view)
    ended = view.state.ended
    parts: list[str | tuple[str, str]] = [(f" {glyph} {word}", style), "   "]
    if isinstance(ended, ev.RunFinished):
        parts += [(clean(ended.route), STRONG), "   "] if ended.route else []
    if view.state.commit is not None:
        parts.append(f"branch {clean(view.state.commit.branch)}   ")
    parts.append(((clean(ended.why) if ended else "the engine stopped without a word"), MUTED))
    return edges(line(*parts), line((f"  {view.keys.written('quit')}", STRONG), " quit "), width)


def _taken_away(view: View) -> list[str | tuple[str, str]]:
    """Shown while there is something to bring back."""
    return [(view.keys.written("diet.restore"), STRONG), " bring back   "] if removed.pieces(view) else []


def bar(view: View, width: int) -> Content:
    """The line above the keys: the question, the ending, or what is under way."""
    if view.ended:
        return _ended_bar(view, width)
    glyph, word, style = status(view)
    proposal = view.state.proposal
    if view.replay and proposal is not None and view.status == "deciding":
        asked = line((f" {glyph} decide", f"bold {style}"), f"  recommended then: {clean(str(proposal.best.route))}   ")
        return (asked + line((clean(proposal.reason), MUTED))).truncate(width, ellipsis=True, pad=True)
    if view.status == "deciding" and proposal is not None:
        text = line(
            (f" {glyph} decide", f"bold {style}"),
            (f"  {view.keys.written('decide.accept')}", STRONG),
            f" accept {clean(str(proposal.best.route))}   ",
            (view.keys.written("decide.open"), STRONG),
            " other   ",
            *_taken_away(view),
            (clean(proposal.reason), MUTED),
        )
        return text.truncate(width, ellipsis=True, pad=True)
    if view.status == "at a limit" and view.state.limit is not None:
        text = line(
            (f" {glyph} {word}", f"bold {style}"),
            *(
                ((f"  {view.keys.written('decide.open')}", STRONG), " raise, finish or route   ")
                if not view.replay
                else ("   ",)
            ),
            (limit.short(view.state.limit), MUTED),
        )
        return text.truncate(width, ellipsis=True, pad=True)
    text = line((f" {glyph} {word}", style), f"  {under_way(view)}")
    if view.state.step == "edit" and view.status == "edit" and (cost := _cost(view, width)):
        return edges(text, line(("  " + cost + " ", MUTED)), width)
    if view.status == "stopping":
        text = line((f" {glyph} {word}", style), "  the run ends and stays resumable   ", (under_way(view), MUTED))
    elif view.status == "paused":
        text = line(
            (f" {glyph} {word}", style),
            "  ",
            (view.keys.written("run.pause"), STRONG),
            " goes on   ",
            (under_way(view), MUTED),
        )
    return text.truncate(width, ellipsis=True, pad=True)


def _cost(view: View, width: int) -> str:
    """What the calls of the model take, on the right of the line; the least of it where there is little room."""
    if width >= NARROW:
        return " · ".join(spending.live(view.state))
    return " · ".join(p for p in (spending.share(view.state), spending.forecast(view.state).split(",")[0]) if p)


def flaky(state: RunState) -> int:
    return sum(1 for t in state.tests.values() if t.label is Label.FLAKY)


def too_small(width: int, height: int) -> str:
    """What is said below the smallest size that works."""
    return cut(
        f"bitnet-tui needs 80x24, this is {width}x{height}. Enlarge it, or use --no-tui.", max(1, width * height)
    )
