"""What the diet took away, as rows: a mark, where it was, how long it is, and its first lines with their signs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from textual.content import Content

from engine.events import Piece
from engine.state import AttemptRow
from tui.format.text import clean, count, cut, fit, line, wrapped
from tui.keymap import Keymap
from tui.theme import BAD, GOOD, MUTED, STRONG
from tui.view import View

Row = tuple[str, Content]  # the piece it belongs to, its line


def pieces(view: View) -> Sequence[Piece]:
    """What can be brought back now."""
    attempt = view.state.attempt
    return attempt.diet.removed_pieces if attempt is not None and attempt.diet is not None else ()


def place(piece: Piece) -> str:
    """``calc/more.py:12  +3 −1``"""
    return f"{clean(piece.path)}:{piece.line}  +{piece.added} −{piece.removed}"


def facts(attempt: AttemptRow | None, keymap: Keymap, width: int) -> list[Content]:
    """What was done, and what bringing back does."""
    if attempt is None or attempt.diet is None:
        return []
    mine = len(attempt.reverted)
    taken = attempt.diet.dropped - mine
    said = f"No test needs {'this piece' if taken == 1 else f'these {taken} pieces'}: {attempt.change}."
    if not taken:
        said = f"All that the diet took away was brought back: {attempt.change}."
    if mine:
        diet = f"The diet took {count(taken, 'piece')} away, you" if taken else "You"
        said = f"{diet} took {count(mine, 'piece')} away: {attempt.change}."
    then = "What you bring back stays; the change is verified and judged again."
    if mine:
        then = f"- brings back {'the piece' if mine == 1 else 'the pieces'} that you took away. {then}"
    if attempt.restored:
        back = count(len(attempt.restored), "piece")
        undo = keymap.written("diet.undo")
        then = f"{back} came back; {undo} takes {'it' if len(attempt.restored) == 1 else 'them'} away again. {then}"
    return [*wrapped(said, width, STRONG), *wrapped(then, width, MUTED)]


def rows(found: Sequence[Piece], marked: Collection[int], width: int) -> list[Row]:
    """The list as drawn; the cursor rests on the first line of a piece."""
    out: list[Row] = []
    for piece in found:
        key = str(piece.index)
        box = "[x]" if piece.index in marked else "[ ]"
        numbers = [(f"+{piece.added}", GOOD), (" ", ""), (f"−{piece.removed}", BAD)]
        room = max(8, width - 4 - 2 - sum(len(text) for text, _ in numbers))
        where = clean(f"{piece.path}:{piece.line}")
        out.append((key, line((f"{box} ", STRONG), (fit(where, room), STRONG), "  ", *numbers)))
        for text in piece.lines:
            sign, style = ("−", BAD) if text.startswith("-") else ("+", GOOD)
            out.append((key, line((cut(f"    {sign} {clean(text[1:])}", width), style))))
        left = piece.added + piece.removed - len(piece.lines)
        if left > 0:
            out.append((key, line((f"      {count(left, 'more line')} in removed.diff", MUTED))))
        out.append((key, Content("")))
    return out[:-1]


def nothing(view: View) -> str:
    """Why there is nothing to bring back; empty if there is something."""
    attempt = view.state.attempt
    back = attempt is not None and attempt.restored
    return "" if pieces(view) or back else "the diet took nothing away"


def sent(number: int) -> str:
    """What the toast says after pieces were brought back, or taken away again."""
    return f"brought back {count(number, 'piece')}: verified again" if number else "taken away again: verified again"
