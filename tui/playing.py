"""A recorded run, on the screens of a run or in plain lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tui.start import terminal

if TYPE_CHECKING:
    from tui.keymap import Keymap


def play(target: Path, run: str, speed: float | None, *, lines: bool, as_json: bool) -> int:
    """Play a run to its end, or until somebody leaves; the exit code."""
    from engine.model import Exit
    from tui.playback import AT_ONCE, SPEED, Playback
    from tui.recorded import find, load

    recorded = load(find(target, run))
    if lines or not terminal():
        from engine.headless import run_headless

        play = Playback(recorded.records, recorded.folder, speed=speed or AT_ONCE)
        code = run_headless(play, as_json=as_json)
        if play.error is not None:
            return int(play.error.exit)
        return int(Exit.INTERRUPTED if code is Exit.INTERRUPTED and not play.ended else Exit.OK)
    from tui.app import BitnetApp

    theme, glyphs, keymap = _looks(target)
    play = Playback(recorded.records, recorded.folder, speed=speed or SPEED)
    left = BitnetApp(play, theme=theme, glyphs=glyphs, ask=False, keymap=keymap).run()
    if play.error is not None:
        raise play.error
    return int(Exit.DEFECT if left is None else left)


def _looks(target: Path) -> tuple[str, str, Keymap]:
    """Theme, glyphs and keys; what keeps a run from starting does not keep one from being looked at."""
    from engine.config import Config, discover, of_the_screen
    from engine.errors import BitnetError
    from tui.keymap import Keymap, checked

    try:
        config, source = discover(target)
        return config.tui.theme, config.tui.glyphs, checked(config.tui.keys, of_the_screen(source))
    except BitnetError:
        return Config().tui.theme, Config().tui.glyphs, Keymap()
