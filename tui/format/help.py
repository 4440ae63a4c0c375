"""The key line and the help page, both read off the table of keys."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.style import Style

from tui import keys
from tui.format.reasons import STEERING, why_off
from tui.format.text import line, wrapped
from tui.glyphs import Glyphs
from tui.keymap import Keymap
from tui.theme import ALIVE, BAD, GOOD, MUTED, STRONG, WANTS
from tui.view import View

KEY_CELLS = 11
SPARE = ("view.bench",)  # left out of a key line that has no room for all


def key_line(view: View, width: int) -> Content:
    """``r Retry o Route …``; what is off is dimmed, and still says why when pressed. A click is a press."""
    parts: dict[str, Content] = {}
    for key in _offered(view):
        if not key.label:
            continue
        label = "Continue" if key.id == "run.pause" and view.state.paused else key.label
        off = bool(why_off(key.id, view))
        if not view.keys.pressed(key):
            continue
        text = line((view.keys.written(key.id), MUTED if off else STRONG), (f" {label}", MUTED))
        parts[key.id] = text.stylize(Style.from_meta({"@click": f"screen.{key.action}"}))
    for spare in SPARE:
        if sum(part.cell_length + 1 for part in parts.values()) > width + 1:
            parts.pop(spare, None)
    return Content(" ").join(list(parts.values())).truncate(width, ellipsis=True)


def _offered(view: View) -> list[keys.Key]:
    """In a replay its own keys stand where those that steer a run would."""
    if not view.replay:
        return keys.of("main")
    return [*keys.of("replay"), *(k for k in keys.of("main") if k.id not in STEERING)]


def _rows(found: Sequence[keys.Key], keymap: Keymap, width: int) -> list[Content]:
    rows: list[Content] = []
    for key in found:
        first, *rest = wrapped(key.tooltip, width - KEY_CELLS)
        rows.append(line((f"  {keymap.written(key.id):<{KEY_CELLS - 2}}", STRONG)) + first)
        rows += [Content(" " * KEY_CELLS) + part for part in rest]
    return rows


def page(
    pane: str, pane_help: str, glyphs: Glyphs, keymap: Keymap, width: int, *, replay: bool = False
) -> list[Content]:
    """The keys of the focused pane first, then those that work everywhere, then the signs."""
    lines = [line((pane, STRONG)), *wrapped(keymap.fill(pane_help), width, MUTED)]
    lines += [*_rows(keys.of("list"), keymap, width), Content("")]
    if replay:
        lines += [line(("Replay", STRONG)), *_rows(keys.of("replay"), keymap, width), Content("")]
    lines += [line(("Everywhere", STRONG)), *_rows([*keys.of("main"), *keys.of("app")], keymap, width), Content("")]
    lines += [line(("Signs", STRONG)), *legend(glyphs)]
    return lines


def legend(glyphs: Glyphs) -> list[Content]:
    """What each sign means."""
    signs = (
        (glyphs.holds, GOOD, "pass: it holds"),
        (glyphs.fails, BAD, "fail: it does not hold"),
        (glyphs.skipped, MUTED, "skipped, always with its reason"),
        (glyphs.absent, MUTED, "nothing known yet"),
        (glyphs.asks, WANTS, "the run is parked and asks you"),
        (glyphs.advisory, WANTS, "advisory: worth knowing, never blocks"),
        (glyphs.alive, ALIVE, "under way"),
        (glyphs.used + glyphs.unused, "", "retries: used, left"),
    )
    return [line((f"  {sign:<9}", style), text) for sign, style, text in signs]
