"""The runs of this repository: look at one at its end, replay it, bring its change into one's files."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from engine.errors import BitnetError
from engine.workspace.home import Home
from tui import keys
from tui.format import diff, runs
from tui.format.text import clean, wrapped
from tui.playback import AT_ONCE, SPEED, Playback
from tui.recorded import JOURNAL, Past, load, past
from tui.screens.over import Over, lines
from tui.theme import MUTED
from tui.widgets.rows import RowList

WIDEST = 100
AROUND = 5  # the box's edges, its heading, the lines of the main screen that stay in sight
MOST = 200  # older ones are for `bitnet-tui runs`: reading a journal takes a while
PATCH_BYTES = 2_000_000


class RunsScreen(Over[None]):
    """Reads one journal after the other beside the screen's thread; rows appear as they are known.

    Parameters
    ----------
    home
        Where the runs are; None if nobody knows.
    live
        The run that goes on below; it is not listed.
    """

    BINDINGS = keys.bindings("runs")

    def __init__(self, home: Home | None, *, live: str) -> None:
        super().__init__()
        self._home = home
        self._live = live
        self._found: dict[str, Past] = {}
        self._more = 0
        self._done = home is None
        self._list = RowList(id="pieces")

    @property
    def width(self) -> int:
        return max(20, min(WIDEST, self.app.size.width) - 6)

    def inside(self) -> ComposeResult:
        yield lines(self._heading())
        yield self._list

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#box").add_class("wide")
        self.edges("Runs", "{item.open} open   {runs.replay} replay   {runs.apply} apply   {runs.close} close")
        self._list.focus()
        self._draw()
        self.run_worker(self._read())

    def on_resize(self) -> None:
        self._draw()

    async def _read(self) -> None:
        if self._home is None:
            return
        names = [n for n in reversed(await asyncio.to_thread(self._home.known)) if n != self._live]
        self._more = max(0, len(names) - MOST)
        for name in names[:MOST]:
            self._found[name] = await asyncio.to_thread(past, self._home, name)
            self._draw()
        self._done = True
        self._draw()

    def _heading(self) -> list[Content]:
        if self._found:
            said = runs.heading(list(self._found.values()), self._more)
        elif not self._done:
            said = "Reading…"
        else:
            said = runs.NOWHERE if self._home is None else runs.NONE
        return [*wrapped(said, self.width, MUTED), *([Content("")] if self._found else [])]

    def _draw(self) -> None:
        heading, found = self._heading(), list(self._found.values())
        self.query_one(Static).update(Content("\n").join(heading))
        self._list.display = bool(found)
        self._list.styles.height = max(1, min(len(found), self.app.size.height - AROUND - len(heading)))
        self._list.set_rows([p.name for p in found], lambda n, width: runs.row(found[n], self.main.glyphs, width))
        if found and self._list.cursor < 0:
            self._list.action_first()

    # -- one of them ------------------------------------------------------------------------------------------------

    def _chosen(self) -> Past | None:
        chosen = self._found.get(self._list.cursor_key)
        if chosen is None:
            self.main.say("there is no run to choose" if self._done else "the runs are still being read", wrong=True)
        elif chosen.state is None:
            self.main.say(f"run {chosen.short} cannot be read: {clean(chosen.damage)}", wrong=True)
            return None
        return chosen

    def on_row_list_opened(self, event: RowList.Opened) -> None:
        event.stop()
        self._watch(AT_ONCE)

    def on_row_list_moved(self, event: RowList.Moved) -> None:
        event.stop()

    def action_replay(self) -> None:
        self._watch(SPEED)

    def _watch(self, speed: float) -> None:
        chosen = self._chosen()
        if chosen is not None:
            self.run_worker(self._open(chosen, speed), exclusive=True, group="open")

    async def _open(self, chosen: Past, speed: float) -> None:
        assert self._home is not None
        try:
            recorded = await asyncio.to_thread(load, self._home.run(chosen.name) / JOURNAL)
        except BitnetError as error:  # it was there a moment ago
            self.main.say(clean(error.message), wrong=True)
            return
        self.main.watch_recorded(Playback(recorded.records, recorded.folder, speed=speed))

    def action_apply(self) -> None:
        chosen = self._chosen()
        if chosen is None or self._home is None:
            return
        patch = self._home.run(chosen.name) / "patch.diff"
        why = runs.why_not_applied(chosen, patch)
        if why:
            self.main.say(f"run {chosen.short} is not applied: {why}", wrong=True)
            return
        try:
            with patch.open(encoding="utf-8", errors="replace") as file:
                text = file.read(PATCH_BYTES)
        except OSError as error:
            self.main.say(f"{clean(str(patch))}: {error.strerror}", wrong=True)
            return
        asked = ApplyScreen(chosen, text, self._home.root, live=bool(self._live))

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(self._apply(chosen, text), exclusive=True, group="apply")

        self.main.push_screen(asked, answered)

    async def _apply(self, chosen: Past, patch: str) -> None:
        from tui.history import bring

        assert self._home is not None
        try:
            done, _ = await asyncio.to_thread(bring, self._home.root, chosen.name)
        except BitnetError as error:
            self.main.say(clean(str(error)), wrong=True)
            return
        self.main.say(runs.applied(chosen, len(diff.files(patch)), written=done))

    def action_close(self) -> None:
        self.dismiss(None)


class ApplyScreen(Over[bool]):
    """Answers whether the change is to be brought into the user's files; names them first."""

    BINDINGS = keys.bindings("apply")
    CALM = False

    def __init__(self, chosen: Past, patch: str, root: Path, *, live: bool) -> None:
        super().__init__()
        self._chosen = chosen
        self._patch = patch
        self._root = root
        self._live = live

    def inside(self) -> ComposeResult:
        yield lines(runs.to_apply(self._patch, self._root, self.width, live=self._live))

    def on_mount(self) -> None:
        super().on_mount()
        self.edges(f"Apply run {clean(self._chosen.short)}?", "{apply.now} apply   {apply.back} back")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
