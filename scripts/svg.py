"""Screens as an SVG: one picture, or several in turn by CSS keyframes. No scripts, no fonts to load.

What does not change from one frame to the next is drawn once, so that twelve frames weigh little more than three.
Lines of boxes are drawn as lines: as letters they would have gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

CELL = (8.4, 17.0)  # width and height, for letters of SIZE
SIZE = 14
MARGIN = 12
BASELINE = 12.6
FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"

# Which way the strokes of a sign go, from the middle of its cell, and whether they are heavy.
_STROKES = {
    "─": ("lr", False),
    "│": ("ud", False),
    "╭": ("rd", False),
    "╮": ("ld", False),
    "╰": ("ru", False),
    "╯": ("lu", False),
    "━": ("lr", True),
    "┃": ("ud", True),
    "┏": ("rd", True),
    "┓": ("ld", True),
    "┗": ("ru", True),
    "┛": ("lu", True),
}


class Run(NamedTuple):
    """Cells in a row that look the same."""

    column: int
    text: str
    colour: str
    ground: str
    bold: bool
    underlined: bool


Row = tuple[Run, ...]


@dataclass(frozen=True)
class Frame:
    """A screen, and for how many seconds it is shown."""

    rows: tuple[Row, ...]
    seconds: float = 1.0


def frame(strips: Iterable[Iterable[Segment]], foreground: str, background: str, seconds: float = 1.0) -> Frame:
    """What Textual drew, as colours and text."""
    rows = []
    for strip in strips:
        column, runs = 0, []
        for segment in strip:
            if segment.control:
                continue
            runs.append(_run(column, segment.text, segment.style or Style(), foreground, background))
            column += cell_len(segment.text)
        rows.append(tuple(runs))
    return Frame(tuple(rows), seconds)


def _run(column: int, text: str, style: Style, foreground: str, background: str) -> Run:
    colour = style.color.triplet.hex if style.color is not None and style.color.triplet else foreground
    ground = style.bgcolor.triplet.hex if style.bgcolor is not None and style.bgcolor.triplet else background
    if style.reverse:
        colour, ground = ground, colour
    return Run(column, text, colour.lower(), ground.lower(), bool(style.bold), bool(style.underline))


def picture(frames: Sequence[Frame], background: str, says: str) -> str:
    """The SVG; with more than one frame it moves, for ever.

    Parameters
    ----------
    says
        What it shows, for those who do not see it.
    """
    rows = max(len(f.rows) for f in frames)
    columns = max(r[-1].column + cell_len(r[-1].text) for f in frames for r in f.rows if r)
    width, height = columns * CELL[0] + 2 * MARGIN, rows * CELL[1] + 2 * MARGIN
    styles = [
        f"text{{font-family:{FONT};font-size:{SIZE}px;white-space:pre}}.b{{font-weight:700}}.u{{text-decoration:underline}}"
    ]
    total = sum(f.seconds for f in frames)
    body: list[str] = []
    shown: dict[tuple[float, float], str] = {}
    for number in range(rows):
        spans = _spans(frames, number)
        for drawn, since, until in spans:
            mark = ""
            if len(spans) > 1:
                name = shown.setdefault((since, until), f"k{len(shown)}")
                mark = f' class="{name}"'
            body.append(f'<g{mark} transform="translate(0 {_n(number * CELL[1])})">{_draw(drawn, background)}</g>')
    if shown:
        styles.append("@media (prefers-reduced-motion:reduce){g{animation:none!important}}")
    styles += [_moment(name, since / total, until / total, total) for (since, until), name in shown.items()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" role="img">'
        f"<title>{escape(says)}</title><style>{''.join(styles)}</style>"
        f'<rect width="100%" height="100%" rx="8" fill="{background}"/>'
        f'<g transform="translate({MARGIN} {MARGIN})">\n' + "\n".join(body) + "\n</g></svg>\n"
    )


def _spans(frames: Sequence[Frame], number: int) -> list[tuple[Row, float, float]]:
    """A line of the screen as it was drawn, each time with its seconds from and until; never twice in a row."""
    out, at = [], 0.0
    for row, group in groupby(frames, key=lambda f: f.rows[number] if number < len(f.rows) else ()):
        seconds = sum(f.seconds for f in group)
        out.append((row, at, at + seconds))
        at += seconds
    return out


def _moment(name: str, since: float, until: float, total: float) -> str:
    """A class that is visible only between two parts of the whole."""
    a, b = _n(since * 100), _n(until * 100)
    last = until > 0.9999
    before = f"0%{{visibility:hidden}}{a}%{{visibility:visible}}" if since else "0%{visibility:visible}"
    after = "100%{visibility:visible}" if last else f"{b}%,100%{{visibility:hidden}}"
    rest = "visible" if last else "hidden"  # where nothing moves, the last frame stands
    return (
        f"@keyframes {name}{{{before}{after}}}"
        f".{name}{{visibility:{rest};animation:{name} {_n(total)}s step-end infinite}}"
    )


def _draw(row: Row, background: str) -> str:
    out = []
    for ground, group in groupby(row, key=lambda r: r.ground):
        runs = list(group)  # as one: between two of them a hair would be seen
        x, cells = runs[0].column * CELL[0], sum(cell_len(r.text) for r in runs)
        if ground != background:
            out.append(f'<rect x="{_n(x)}" width="{_n(cells * CELL[0])}" height="{_n(CELL[1])}" fill="{ground}"/>')
    for run in row:
        column = run.column
        for boxes, signs in groupby(run.text, key=lambda c: c in _STROKES):
            text = "".join(signs)
            if boxes:
                out.append(_strokes(column, text, run.colour))
            else:
                out.append(_words(column, text, run))
            column += cell_len(text)
    return "".join(out)


def _words(column: int, text: str, run: Run) -> str:
    """Every word stands in its own cells, whatever font is at hand."""
    out = []
    for blank, group in groupby(_cells(text), key=lambda c: c[1] == " "):
        part = list(group)
        if blank:
            continue
        start, word = column + part[0][0], "".join(c for _, c in part)
        kind = " ".join(k for k, on in (("b", run.bold), ("u", run.underlined)) if on)
        out.append(
            f'<text x="{_n(start * CELL[0])}" y="{BASELINE}" fill="{run.colour}" '
            f'textLength="{_n(cell_len(word) * CELL[0])}" lengthAdjust="spacingAndGlyphs"'
            + (f' class="{kind}"' if kind else "")
            + f">{escape(word)}</text>"
        )
    return "".join(out)


def _cells(text: str) -> list[tuple[int, str]]:
    """The letters with the cell each begins in."""
    out, at = [], 0
    for letter in text:
        out.append((at, letter))
        at += cell_len(letter)
    return out


def _strokes(column: int, text: str, colour: str) -> str:
    path: list[str] = []
    width = {False: "1", True: "2.2"}[_STROKES[text[0]][1]]
    middle = CELL[1] / 2
    for heavy, group in groupby(text, key=lambda c: c in "─━"):
        signs = "".join(group)
        x = column * CELL[0]
        if heavy:
            path.append(f"M{_n(x)} {_n(middle)}h{_n(len(signs) * CELL[0])}")
        else:
            for n, sign in enumerate(signs):
                path.append(_stroke(x + n * CELL[0], _STROKES[sign][0]))
        column += len(signs)
    return f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _stroke(x: float, ways: str) -> str:
    """A bar, or a corner."""
    half, middle = CELL[0] / 2, CELL[1] / 2
    if ways == "ud":
        return f"M{_n(x + half)} 0v{_n(CELL[1])}"
    across = x if "l" in ways else x + CELL[0]
    along = 0.0 if "u" in ways else CELL[1]
    return f"M{_n(across)} {_n(middle)}H{_n(x + half)}V{_n(along)}"


def _n(number: float) -> str:
    return f"{number:.3f}".rstrip("0").rstrip(".")
