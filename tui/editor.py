"""A file at a line in a person's own editor: which one, what it is told, and where the file is."""

from __future__ import annotations

import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.state import RunState
from tui.format.places import Place

# How an editor is told the line, by the name of its program; without an entry it is told the file alone.
_PLUS = (
    "vi vim nvim view gvim nvi elvis vis kak emacs emacsclient mg zile jmacs nano pico micro joe jed ne mcedit gedit"
)
_COLON = "hx helix subl sublime_text zed zeditor lapce"
_GOTO = "code code-insiders codium vscodium code-oss cursor windsurf positron"
_FORMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_PLUS.split(), ("+{line}", "{path}")),
    **dict.fromkeys(_COLON.split(), ("{path}:{line}",)),
    **dict.fromkeys(_GOTO.split(), ("-g", "{path}:{line}")),
    **dict.fromkeys(("mate", "kate"), ("-l", "{line}", "{path}")),
    **dict.fromkeys(("idea", "pycharm", "charm"), ("--line", "{line}", "{path}")),
}


class NoEditor(Exception):
    """Why nothing can be opened, as a sentence."""


def argv(environ: Mapping[str, str], path: Path, line: int) -> list[str]:
    """The command that opens a file; line 0 is nowhere in particular.

    Raises
    ------
    NoEditor
        The environment names none, or nothing that can be a command.

    Examples
    --------
    >>> argv({"EDITOR": "code --wait"}, Path("/p/a.py"), 12)
    ['code', '--wait', '-g', '/p/a.py:12']
    """
    name = next((n for n in ("VISUAL", "EDITOR") if environ.get(n, "").strip()), "")
    if not name:
        raise NoEditor("no editor is set: export EDITOR=vim, say, and start again")
    try:
        words = shlex.split(environ[name])
    except ValueError:
        words = []
    if not words:
        raise NoEditor(f"${name} is no command: its quotes do not match")
    form = _FORMS.get(Path(words[0]).name.removesuffix(".exe")) if line > 0 else None
    return [*words, *(part.format(line=line, path=path) for part in form or ("{path}",))]


def in_checkout(place: Place, state: RunState) -> Path:
    """The file of a place in the person's own files, where the run began; never one outside of them.

    Raises
    ------
    NoEditor
        There is no such file.
    """
    if state.started is None:
        raise NoEditor("the run has not begun: there is no file yet")
    root = Path(state.started.root).resolve()
    # A test's path is relative to the project, a diff's to the repository.
    for base in dict.fromkeys((root / state.started.prefix, root)):
        try:
            found = (base / place.path).resolve()
            if found.is_relative_to(root) and found.is_file():
                return found
        except (OSError, ValueError):  # a name no file can have
            continue
    raise NoEditor(f"{place.path} is not in your files: the run's own copy has it, or nobody has")


def run(command: Sequence[str], folder: Path) -> str:
    """Let a person edit until they are done; what went wrong, or nothing. The terminal must be theirs."""
    # ctrl+c belongs to the editor now. A function, since what is ignored stays ignored in a child.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        code = subprocess.run(command, cwd=folder, check=False).returncode
    except OSError as error:
        return f"{command[0]} cannot be started: {error.strerror}"
    finally:
        signal.signal(signal.SIGINT, before)
    return "" if code == 0 else f"{command[0]} ended with {code}"
