"""Driving the app in a test: wait for a claim to hold, read the screen as text, compare it with a golden."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from engine.model import Exit
from engine.session import Runnable
from tests.tui.story import START
from tui.app import BitnetApp
from tui.screens.main import MainScreen

GOLDENS = Path(__file__).parent / "goldens"
REWRITE = "BITNET_TUI_GOLDENS"  # set it to 1 to accept what is drawn now
SIZES = ((120, 40), (80, 24))


def make(run: Runnable, **given: Any) -> BitnetApp:
    return BitnetApp(run, **{"glyphs": "unicode", "clock": lambda: START + 271, **given})


async def until(pilot: Pilot[Any], holds: Callable[[], Any], what: str = "", seconds: float = 15.0) -> None:
    """Let the app work until ``holds()``; fail if it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"never happened: {what or holds}\n{screen(pilot.app)}"
        await asyncio.sleep(0.005)


async def settled(pilot: Pilot[Any]) -> None:
    """Everything published so far is drawn."""
    app = pilot.app
    assert isinstance(app, BitnetApp)
    await until(pilot, lambda: not app.bridge.feed._records and not app._paint_due)
    app.paint()
    await pilot.pause()
    await pilot.pause()  # a scroll bar comes one layout later


async def deciding(pilot: Pilot[Any]) -> None:
    app = pilot.app
    assert isinstance(app, BitnetApp)
    await until(pilot, lambda: app.bridge.state.deciding, "a decision")
    await settled(pilot)


async def ended(pilot: Pilot[Any]) -> None:
    app = pilot.app
    assert isinstance(app, BitnetApp)
    await until(pilot, lambda: app.bridge.state.ended is not None and app.bridge.gone is not None, "the end")
    await settled(pilot)


def screen(app: Any) -> str:
    """The screen as text."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips) + "\n"


def main(app: Any) -> MainScreen:
    found = app.screen_stack[0]
    assert isinstance(found, MainScreen)
    return found


def golden(name: str, text: str) -> None:
    """``text`` is what was accepted under ``name``."""
    path = GOLDENS / f"{name}.txt"
    if os.environ.get(REWRITE):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"no golden {path.name} yet; look at the screen, then set {REWRITE}=1\n{text}"
    wanted = path.read_text(encoding="utf-8")
    assert text.splitlines() == wanted.splitlines(), f"{path.name} differs; it is now\n{text}"


__all__ = ["SIZES", "Exit", "deciding", "ended", "golden", "main", "make", "screen", "settled", "until"]
