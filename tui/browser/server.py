"""The server: one page and what it needs, on this machine only, until Ctrl-C. Behind each page a program of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from engine.errors import ConfigError
from tui.browser.child import Child
from tui.browser.door import ADDRESS, Door, new_token
from tui.browser.page import page

PAGES = 8
"""So many programs at once: more are a mistake."""
GONE_S = 2.0
WIDEST, HIGHEST = 1000, 500

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Server:
    """Serves ``argv``, titled ``title``, to whoever passes the door."""

    argv: Sequence[str]
    title: str
    door: Door
    children: set[Child] = field(default_factory=set)
    sockets: set[web.WebSocketResponse] = field(default_factory=set)

    def app(self) -> web.Application:
        """The routes, all of them behind the door."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            why = self._refusal(request)
            return web.Response(status=403, text=why) if why else await handler(request)

        app = web.Application(middlewares=[guard])
        base = self.door.base
        app.router.add_get(f"{base}/", self._page)
        app.router.add_get(f"{base}/ws", self._socket)
        app.router.add_static(f"{base}/static", Path(str(files("textual_serve"))) / "static")
        app.on_response_prepare.append(self._dress)
        app.on_shutdown.append(self._end)
        return app

    def _refusal(self, request: web.Request) -> str:
        headers = request.headers
        websocket = "Upgrade" in headers or request.path == f"{self.door.base}/ws"
        why = self.door.refusal(request.path, headers.get("Host"), headers.get("Origin"), websocket=websocket)
        return f"{why}: open the address that `bitnet-tui serve` printed\n" if why else ""

    async def _dress(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self.door.headers(request.headers.get("Host", "")))

    async def _page(self, request: web.Request) -> web.Response:
        size = _number(request.query.get("fontsize"), 16, 6, 60)
        text = page(self.title, f"ws://{request.headers['Host']}{self.door.base}/ws", size)
        return web.Response(text=text, content_type="text/html")

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        if len(self.children) >= PAGES:
            raise web.HTTPServiceUnavailable(text=f"{PAGES} pages are open already: close one\n")
        ws = web.WebSocketResponse(heartbeat=15)
        child = Child(self.argv, ws.send_bytes)
        self.children.add(child)
        self.sockets.add(ws)
        try:
            await ws.prepare(request)
            width = _number(request.query.get("width"), 80, 2, WIDEST)
            await child.start(os.environ, width, _number(request.query.get("height"), 24, 2, HIGHEST))
            attending = asyncio.create_task(_attend(child, ws))
            await _listen(ws, child)
            await child.stop()
            await asyncio.wait([attending], timeout=GONE_S)  # what it left behind may hold its output open
            attending.cancel()
        finally:
            child.signal(signal.SIGKILL)
            self.children.discard(child)
            self.sockets.discard(ws)
        return ws

    async def _end(self, _app: web.Application) -> None:
        await asyncio.gather(*(c.stop() for c in self.children), *(w.close() for w in self.sockets))

    def kill(self) -> None:
        """Whoever asks twice does not want to wait."""
        for child in self.children:
            child.signal(signal.SIGKILL)


async def _attend(child: Child, ws: web.WebSocketResponse) -> None:
    await child.attend()
    await ws.close()


async def _listen(ws: web.WebSocketResponse, child: Child) -> None:
    """What the page says, until it says no more; what means nothing is not heard."""
    async for message in ws:
        try:
            said: Any = json.loads(message.data) if message.type is WSMsgType.TEXT else None
        except ValueError:
            continue
        match said:
            case ["stdin", str(text)]:
                await child.type(text)
            case ["resize", {"width": int(width), "height": int(height)}]:
                await child.resize(min(max(2, width), WIDEST), min(max(2, height), HIGHEST))
            case ["ping", str(text)]:
                await ws.send_json(["pong", text])
            case ["focus" | "blur" as what]:
                await child.notice(what)


def _number(text: str | None, usual: int, least: int, most: int) -> int:
    """A number of an address, within bounds."""
    return min(max(least, int(text)), most) if text and text.isascii() and text.isdigit() and len(text) < 6 else usual


def _listening(port: int) -> socket.socket:
    """A socket of this machine alone.

    Raises
    ------
    ConfigError
        Nothing can listen there.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((ADDRESS, port))
    except OSError as error:
        found.close()
        why = error.strerror or str(error)
        raise ConfigError(f"--port {port}: {why}", hint="without --port a free one is taken") from error
    return found


def serve(argv: Sequence[str], title: str, port: int, say: Callable[[str], None]) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, then leave nothing behind.

    Parameters
    ----------
    say
        Told the address, once: there is no other way to get it.
    """
    listening = _listening(port)
    server = Server(argv, title, Door(new_token(), listening.getsockname()[1]))
    asyncio.run(_serve(server, listening, say))


async def _serve(server: Server, listening: socket.socket, say: Callable[[str], None]) -> None:
    asked = asyncio.Event()

    def ask() -> None:
        if asked.is_set():
            server.kill()
        asked.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ask)
    runner = web.AppRunner(server.app(), access_log=None, handle_signals=False, shutdown_timeout=GONE_S)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        say(server.door.url)
        await asked.wait()
    finally:
        await runner.cleanup()
