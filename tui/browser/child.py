"""The program behind one page: its screen goes to the browser, what is typed comes back. It ends with the page."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio import StreamReader
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence

from tui.browser.packets import Packets, note, packet
from tui.format.text import clean_lines

LEAVE_S = 12.0
"""A run ends its own children within this; what is left then is killed."""
_RESET = "\x1b[?1049l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[0m\x1b[?25h\x1b[2J\x1b[H"
_DRIVEN = {
    "TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver",
    "TEXTUAL_COLOR_SYSTEM": "truecolor",
    "TERM": "xterm-256color",
}


class Child:
    """One process, started by :meth:`start`.

    Parameters
    ----------
    argv
        The program and its arguments; no shell reads them.
    show
        Hands bytes to the terminal of the page.
    """

    def __init__(self, argv: Sequence[str], show: Callable[[bytes], Awaitable[None]]) -> None:
        self._argv = argv
        self._show = show
        self._process: Process | None = None
        self._gone = False  # the page is

    async def start(self, environ: Mapping[str, str], width: int, height: int) -> None:
        size = {"COLUMNS": str(width), "ROWS": str(height)}
        # In a session of its own: Ctrl-C in the terminal of the server is for the server, which ends this in order.
        self._process = await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={**environ, **_DRIVEN, **size},
            start_new_session=True,
        )

    async def type(self, text: str) -> None:
        """What was typed, as a terminal would send it."""
        await self._tell(packet(b"D", text.encode("utf-8", "replace")))

    async def resize(self, width: int, height: int) -> None:
        await self._tell(note(type="resize", width=width, height=height))

    async def notice(self, what: str) -> None:
        """Tell it that the page has the ``focus``, has lost it (``blur``), or that it is to ``quit``."""
        await self._tell(note(type=what))

    async def _tell(self, data: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError, RuntimeError):  # it ended meanwhile
            self._process.stdin.write(data)
            await self._process.stdin.drain()

    async def attend(self) -> None:
        """Pass its screen on until it ends; then its last words, where the screen was."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        assert process.stderr is not None
        stream, errors = Packets(), Packets(plain=True)
        await asyncio.gather(self._read(process.stdout, stream), self._read(process.stderr, errors))
        code = await process.wait()
        said = bytes(stream.text + errors.text).decode("utf-8", "replace").strip()
        await self._pass_on((_RESET + "\r\n".join([*clean_lines(said), "", f"ended with {code}"]) + "\r\n").encode())

    async def _read(self, source: StreamReader, into: Packets) -> None:
        # To the end, even where nobody looks any more: a program that cannot write waits for ever.
        while data := await source.read(65536):
            await self._pass_on(into.feed(data))
        into.end()

    async def _pass_on(self, screen: bytes) -> None:
        if screen and not self._gone:
            try:
                await self._show(screen)
            except (ConnectionError, RuntimeError):
                self._gone = True

    async def stop(self) -> None:
        """Ask it to leave, as closing a terminal would; kill it with its group if it does not."""
        self._gone = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        await self.notice("quit")
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(process.wait(), LEAVE_S)
            self.signal(number)
        await process.wait()

    def signal(self, number: signal.Signals) -> None:
        """To the process and its group, while it is there."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
