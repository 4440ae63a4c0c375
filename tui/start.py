"""A run from the command line: with a dashboard where there is a terminal, in plain lines elsewhere."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tui.curtain import Curtain
    from tui.keymap import Keymap


def start(target: Path, given: dict[str, Any], resume: str = "") -> int:
    """Begin a run, or go on with one, as the options say; the exit code."""
    from engine.flow.guard import guard

    as_json = given.get("as_json", False)
    flow, allowed = guard(os.environ)
    if not allowed:
        return _out_of_scope(flow, as_json)
    if given.get("no_tui") or as_json or not terminal():
        from engine.headless import run_headless

        return int(run_headless(_run(target, given, resume), as_json=as_json))
    return _dashboard(lambda: _run(target, given, resume), ask=not given.get("yes"))


def terminal() -> bool:
    """Whether somebody sees one: in a terminal, or in the browser that `serve` drives."""
    # The screen is drawn through stderr; with any of the three elsewhere there is no terminal.
    terminal = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    return terminal or os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")


def _run(target: Path, given: dict[str, Any], resume: str) -> Any:
    from engine.launch import prepare
    from engine.run import Run

    return Run(prepare(_options(target, given), dict(os.environ)), resume=resume)


def _dashboard(make: Callable[[], Any], *, ask: bool) -> int:
    gc.disable()  # until the first paint: a quarter of the time to it goes into looking for garbage
    from tui.curtain import Curtain

    curtain = Curtain()
    try:
        curtain.draw()
        return _behind(curtain, make, ask=ask)
    finally:
        curtain.lift()


def _behind(curtain: Curtain, make: Callable[[], Any], *, ask: bool) -> int:
    from engine.model import Exit
    from tui.app import BitnetApp
    from tui.opening import Opening

    keymaps: list[Keymap] = []

    def prepared() -> Any:
        from engine.config import of_the_screen
        from tui.keymap import checked

        run = make()
        plan = run.plan
        keymaps.append(checked(plan.config.tui.keys, of_the_screen(plan.config_source)))
        return run

    opening = Opening(prepared)
    app = BitnetApp(opening, ask=ask, curtain=curtain)
    opening.ready = lambda plan: app.call_later(app.dress, plan.config.tui.theme, plan.config.tui.glyphs, keymaps[0])
    code = app.run()
    if opening.error is not None:
        raise opening.error
    code = Exit.DEFECT if code is None else code
    from engine.headless import closing
    from tui.last_words import kept

    folder = opening.folder
    with contextlib.suppress(OSError):  # the terminal may have been closed
        if app.faults:
            click.echo(f"parts of the screen failed; the run did not: {kept(chr(10).join(app.faults))}", err=True)
        click.echo(closing(app.bridge.state, code, folder if folder is not None and folder.is_dir() else None))
    return int(code)


def _options(target: Path, given: dict[str, Any]) -> Any:
    from engine.launch import Options

    providers = tuple(p.strip() for p in (given.get("provider") or "").split(",") if p.strip())
    return Options(
        target=target,
        config=given.get("config"),
        providers=providers,
        agent=given.get("agent") or "",
        suites=given.get("suites") or (),
        tests=given.get("tests") or (),
        script=given.get("script"),
        apply=given.get("apply", False),
        publish={None: "", True: "on", False: "off"}[given.get("publish")],
        max_retries=given.get("max_retries"),
        max_usd=given.get("max_usd"),
        max_minutes=given.get("max_minutes"),
        max_turns=given.get("max_turns"),
    )


def _out_of_scope(flow: str, as_json: bool) -> int:
    import json

    from engine.plain import safe
    from engine.result import guarded

    if as_json:
        click.echo(json.dumps(guarded(flow)))
    else:
        click.echo(safe(f"generative:gate:guard = skipped (out-of-scope)\nCURRENT_FLOW is {flow}, not generative"))
    return 0
