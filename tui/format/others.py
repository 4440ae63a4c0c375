"""The runners-up, as rows: what each changes, its first lines with their signs, and where it behaves otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from engine.events import RunnerUp
from engine.state import AttemptRow
from tui.format.text import clean, count, cut, fit, line, wrapped
from tui.keymap import Keymap
from tui.theme import BAD, GOOD, MUTED, STRONG
from tui.view import View

Row = tuple[str, Content]  # the runner-up it belongs to, its line
FIRST = -1
"""Stands for the change that was proposed first."""


def runners_up(attempt: AttemptRow | None) -> Sequence[RunnerUp]:
    return attempt.finished.runners_up if attempt is not None and attempt.finished is not None else ()


def nothing(view: View) -> str:
    """Why there is nothing to choose; empty if there is something."""
    if view.state.asking is not None:
        return "this question is about another agent's work"
    return "" if runners_up(view.state.attempt) else "no other change was seen to pass the same tests"


def title(other: RunnerUp) -> str:
    """What it changes, and where it is known to behave otherwise."""
    return clean(other.note) + (f" ({clean(other.differs)})" if other.differs else "")


def facts(attempt: AttemptRow | None, keymap: Keymap, width: int) -> list[Content]:
    """What is asked, and what taking one does."""
    if attempt is None or attempt.finished is None:
        return []
    many = len(attempt.finished.runners_up)
    said = f"{count(many, 'other change')} {'passes' if many == 1 else 'pass'} the same tests in a quick look."
    if attempt.taken >= 0:
        said = f"Runner-up {attempt.taken + 1} is in place of the change that was proposed first."
    then = f"{keymap.written('others.take')} has the marked one verified in its place; if it fails, nothing is lost."
    rows = wrapped(said, width, STRONG)
    if attempt.finished.doubt:
        rows += wrapped(clean(attempt.finished.doubt), width)
    return [*rows, *wrapped(then, width, MUTED)]


def rows(attempt: AttemptRow | None, width: int) -> list[Row]:
    """The list as drawn; the cursor rests on the first line of a runner-up."""
    out: list[Row] = []
    if attempt is not None and attempt.taken >= 0 and attempt.first is not None:
        text = fit(f"the first proposal: {clean(attempt.first.summary)}", width)
        out += [(str(FIRST), line((text, STRONG))), (str(FIRST), Content(""))]
    for n, other in enumerate(runners_up(attempt)):
        key = str(n)
        numbers = [(f"+{other.added}", GOOD), (" ", ""), (f"−{other.removed}", BAD)]
        room = max(8, width - 2 - sum(len(text) for text, _ in numbers))
        out.append((key, line((fit(f"{n + 1}  {clean(other.note)}", room), STRONG), "  ", *numbers)))
        for text in other.lines:
            sign, style = ("−", BAD) if text.startswith("-") else ("+", GOOD)
            out.append((key, line((cut(f"   {sign} {clean(text[1:])}", width), style))))
        if other.differs:
            out += [(key, row) for row in wrapped(f"   {clean(other.differs)}", width)]
        if attempt is not None and n == attempt.taken:
            out.append((key, line(("   it is in place now", MUTED))))
        if attempt is not None and n in attempt.turned_down:
            out += [(key, row) for row in wrapped(f"   did not verify: {clean(attempt.turned_down[n])}", width, BAD)]
        out.append((key, Content("")))
    return out[:-1]


def refused(attempt: AttemptRow) -> str:
    """What became of runners-up that were tried; empty where none was turned down."""
    if not attempt.turned_down:
        return ""
    number, why = list(attempt.turned_down.items())[-1]
    return f"Runner-up {number + 1} did not verify: {clean(why)}. The proposal before it stays."


def sent(index: int) -> str:
    """What the toast says after one was taken."""
    return f"runner-up {index + 1} in its place: verified again" if index >= 0 else "the first proposal: verified again"
