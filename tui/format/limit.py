"""The question at a spent limit: what it has cost, what it may be raised to, and how to end instead."""

from __future__ import annotations

import math
from typing import NamedTuple

from textual.content import Content

from engine import events as ev
from engine import spending
from tui.format.text import clean, count, line, wrapped
from tui.keymap import Keymap
from tui.theme import MUTED, STRONG
from tui.view import View

NAMES = {"usd": "money", "tokens": "tokens", "turns": "turns", "minutes": "minutes"}


class Step(NamedTuple):
    """A key and what the limit becomes."""

    key: str
    to: float


def amount(limit: str, value: float) -> str:
    """``$2.50``, ``3,000,000 tokens``, ``80 turns``, ``60 minutes``."""
    return f"${value:,.2f}" if limit == "usd" else f"{value:,.0f} {NAMES[limit]}"


def steps(asked: ev.BudgetReached) -> list[Step]:
    """A quarter more, a half more, twice as much; each is enough for the next step of the run."""
    least = max(asked.allowed, asked.needed)
    return [Step(str(n), _round(asked.limit, least * by)) for n, by in enumerate((1.25, 1.5, 2.0), 1)]


def _round(limit: str, value: float) -> float:
    return math.ceil(round(value * 100, 6)) / 100 if limit == "usd" else float(math.ceil(value))


def typed(asked: ev.BudgetReached, text: str) -> tuple[float, str]:
    """A limit a person typed, and why it cannot be one; the second is empty if it can."""
    try:
        to = float(text.strip().lstrip("$").replace(",", "").replace("_", ""))
    except ValueError:
        return 0.0, f"{clean(text) or 'nothing'} is no number"
    if not math.isfinite(to) or to < asked.needed:
        return 0.0, f"it must be at least {amount(asked.limit, _round(asked.limit, asked.needed))} for the run to go on"
    return to, ""


def question(view: View, asked: ev.BudgetReached) -> str:
    return f"{view.glyphs.asks} At a limit: {NAMES[asked.limit]}"


def facts(view: View, asked: ev.BudgetReached, width: int) -> list[Content]:
    """What was used, and on what."""
    said = clean(asked.why)
    lines = wrapped(f"{said[:1].upper()}{said[1:]}.", width, STRONG)
    for told in spending.summary(view.state):
        lines += wrapped(clean(told[:1].upper() + told[1:]), width, MUTED)
    attempt = view.state.attempt
    if attempt is not None:
        left = f"Attempt {attempt.number} began with {count(attempt.failing_before, 'failing test')}."
        lines += wrapped(left, width)
    return lines


_NAMES = {"t": "limit.type", "f": "limit.finish", "n": "limit.forward"}


def rows(asked: ev.BudgetReached, keymap: Keymap, width: int) -> list[tuple[str, Content]]:
    """A key and its line."""
    raising = [(s.key, f"raise to {amount(asked.limit, s.to)} and go on") for s in steps(asked)]
    other = [("t", "type another limit")]
    if asked.between:
        other += [("f", "finish: the run ends here, and can be resumed with more")]
    else:
        other += [
            ("f", "finish: what the attempt has is judged as it stands"),
            ("n", "route forward: judged, then handed over without asking"),
        ]
    found: list[tuple[str, Content]] = []
    for key, text in [*raising, *other]:
        shown = keymap.written(_NAMES.get(key, f"limit.{key}"))
        found.append((key, line((f" {shown}  ", STRONG), text).truncate(width, ellipsis=True)))
    return found


def ending(asked: ev.BudgetReached | None, forward: bool) -> str:
    """What the end that was chosen ends."""
    if asked is not None and asked.between:
        return "the run ends here; it can be resumed with more"
    return "the attempt ends here and is judged" + (", then handed over" if forward else "")


def short(asked: ev.BudgetReached) -> str:
    """For the line above the keys."""
    return clean(asked.why)
