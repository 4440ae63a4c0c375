"""The palette: every key of the main screen by name, read off the same table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand
from textual.screen import Screen

from tui import keys
from tui.screens.main import MainScreen
from tui.widgets.pane import Pane

if TYPE_CHECKING:
    from tui.app import BitnetApp


def commands(app: BitnetApp, screen: Screen[Any]) -> Iterator[SystemCommand]:
    """What can be asked for by name; an action that is off says why when it is asked for, as its key does."""
    if isinstance(screen, MainScreen):
        own = keys.of("replay") if screen.view.replay else []
        for key in [*own, *keys.of("main")]:
            if key.id not in ("palette", "back"):
                name = f"{_subject(key.id)}: {key.tooltip}"
                pressed = f"key {app.keymap.written(key.id)}" if app.keymap.pressed(key) else "no key"
                yield SystemCommand(name, pressed, _doing(app, screen, key.action))
        for key in (keys.by_id("copy"), keys.by_id("edit")):
            name = f"{'Copy' if key.id == 'copy' else 'Edit'}: {key.tooltip}"
            pressed = f"key {app.keymap.written(key.id)}" if app.keymap.pressed(key) else "no key"
            yield SystemCommand(name, pressed, _doing(app, screen.focused_pane, key.action))
        measure = _doing(app, screen, "bench('short')")
        yield SystemCommand("Bench: measure the kernels here", "about half a minute", measure)
        yield SystemCommand("Copy: ledger", "the run's ledger.md", _doing(app, screen, "copy_ledger"))
    themes = "bitnet-dark, bitnet-light, ansi, and Textual's"
    yield SystemCommand("Theme: choose another", themes, app.action_change_theme)


def _subject(id_: str) -> str:
    """``run.retry`` belongs to Run, ``pane.1`` to Pane."""
    head = id_.split(".")[0].title()
    return {"Decide": "Route", "List": "View", "Help": "View"}.get(head, head)


def _doing(app: BitnetApp, where: Screen[Any] | Pane, action: str) -> Callable[[], Any]:
    # Later: the palette must be gone before a screen opens over the main one.
    return lambda: app.call_later(where.run_action, action)
