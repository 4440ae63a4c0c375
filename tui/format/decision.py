"""The decision screen: what is known, every route with its key, and why some are off."""

from __future__ import annotations

from typing import NamedTuple

from textual.content import Content

from engine.events import SpecialistFinished
from engine.model import Option, Proposal, RouteKind
from engine.state import AttemptRow
from tui.format import others, removed
from tui.format.status import retries
from tui.format.text import clean, count, cut, fit, line, wrapped
from tui.keymap import Keymap
from tui.theme import GOOD, MUTED, STRONG
from tui.view import View


class Choice(NamedTuple):
    """A route and the key that takes it."""

    key: str
    option: Option
    recommended: bool = False


def choices(proposal: Proposal) -> list[Choice]:
    """The recommended route first, then those that hand over by number, then retry and finalize by letter."""
    best = proposal.best
    rows = [Choice("a", best, recommended=True)]
    letters: list[Choice] = []
    number = 0
    for option in proposal.options:
        if option is best:
            continue
        if option.route.retry:
            letters.append(Choice("r", option))
        elif option.route.kind is RouteKind.FINALIZE:
            letters.append(Choice("f", option))
        else:
            number += 1
            rows.append(Choice(str(number) if number <= 9 else "", option))
    return [*rows, *sorted(letters, key=lambda c: c.key, reverse=True)]


def question(view: View) -> str:
    number = view.state.attempt.number if view.state.attempt else 0
    if (last := view.state.asking) is not None:
        return f"{view.glyphs.asks} Where next, after {clean(last.agent)}"
    return f"{view.glyphs.asks} Where next, after attempt {number}" if number else f"{view.glyphs.asks} Where next"


def facts(view: View, width: int) -> list[Content]:
    """What a person needs to know before choosing."""
    attempt = view.state.attempt
    dots, words = retries(view)
    lines: list[Content] = []
    if (last := view.state.asking) is not None and last.finished is not None:
        return _of_specialist(last.finished, width)
    if attempt is not None and attempt.failing_after is not None:
        p = attempt.progress
        broken = f"{len(p.broken)} newly broken" if p.broken else "none newly broken"
        said = f"{attempt.failing_before} → {attempt.failing_after} failing, {len(p.fixed)} newly passing, {broken}."
        lines += wrapped(said, width, STRONG)
    if attempt is not None and attempt.finished is not None and attempt.finished.summary:
        who = clean(attempt.provider) or "the provider"
        lines.append(line((cut(f"{who} says: {clean(attempt.finished.summary)}", width), MUTED)))
    if (found := removed.pieces(view)) and attempt is not None:
        said = f"The diet took {count(len(found), 'piece')} away: {attempt.slimmed}.   "
        if mine := len(attempt.reverted):
            said = f"{count(len(found), 'piece')} taken away, {mine} by you: {attempt.slimmed}.   "
        lines.append(line(said, (view.keys.written("decide.restore"), STRONG), " brings back"))
    if attempt is not None:
        lines += _plausible(attempt, view.keys, width)
    lines.append(Content(f"Retries {dots} {words} used."))
    return lines


def _plausible(attempt: AttemptRow, keymap: Keymap, width: int) -> list[Content]:
    """How far passing tests can be trusted here, and what else would pass them."""
    rows: list[Content] = []
    if attempt.plausible:
        said = f"{attempt.plausible[0].upper()}{attempt.plausible[1:]}."
        more = attempt.finished is not None and attempt.finished.runners_up
        rows.append(
            line(f"{said}   ", (keymap.written("decide.others"), STRONG), " shows them") if more else Content(said)
        )
    if attempt.finished is not None and attempt.finished.doubt:
        rows += wrapped(clean(attempt.finished.doubt), width)
    if refused := others.refused(attempt):
        rows += wrapped(refused, width)
    return rows


def _of_specialist(done: SpecialistFinished, width: int) -> list[Content]:
    """What an agent that a route named came to."""
    rows = wrapped(f"Gate {clean(done.gate.name)}: {clean(done.gate.word)}  {clean(done.gate.evidence)}", width, STRONG)
    if done.summary:
        rows.append(line((cut(f"{clean(done.agent)} says: {clean(done.summary)}", width), MUTED)))
    if done.files:
        rows.append(Content(cut(f"It changed {clean(', '.join(done.files))}: +{done.added} −{done.removed}.", width)))
    if done.undone:
        rows += wrapped(f"Its change was undone: {clean(done.undone)}", width)
    return rows


_NAMES = {"a": "decide.take", "r": "decide.retry", "f": "decide.finalize"}


def pressed(choice: Choice, keymap: Keymap) -> str:
    """The key of a choice as the person has it."""
    return keymap.written(_NAMES.get(choice.key, f"decide.{choice.key}")) if choice.key else " "


def choice_row(choice: Choice, keymap: Keymap, width: int) -> Content:
    option = choice.option
    key = (f" {pressed(choice, keymap)}  ", MUTED if not option.allowed else STRONG)
    route = fit(clean(str(option.route)), 36)
    if not option.allowed:
        return line(key, (f"{route} off: {clean(option.why_not)}", MUTED)).truncate(width, ellipsis=True)
    hint = f", {keymap.written('decide.retry')} adds a hint" if option.route.retry else ""
    word = (f"recommended{hint}", GOOD)
    if not choice.recommended:
        word = (clean(option.outcome), "")
    return line(key, (route, STRONG if choice.recommended else ""), " ", word).truncate(width, ellipsis=True)


def rows(proposal: Proposal, keymap: Keymap, width: int) -> list[tuple[Choice | None, Content]]:
    """The list as drawn: a line a choice, and the reason below the recommended one."""
    out: list[tuple[Choice | None, Content]] = []
    for choice in choices(proposal):
        out.append((choice, choice_row(choice, keymap, width)))
        if choice.recommended:
            out.append((None, line((cut(f"    {clean(proposal.reason)}", width), MUTED))))
    return out


def taken(option: Option, hint: str, *, dispatch: bool = False) -> str:
    """What the toast says after a choice."""
    return (
        f"{option.route}"
        + (", which runs here" if dispatch else "")
        + (f", with a hint of {count(len(hint.split()), 'word')}" if hint else "")
    )
