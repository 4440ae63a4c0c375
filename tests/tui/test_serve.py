"""The dashboard in a browser: who may come in, what goes through, and that nothing is left."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from often import everything
from support import leftovers

from engine.errors import ConfigError
from tests.tui.served import Served, serving, tiny, until, words
from tui import serve
from tui.browser.door import Door, new_token
from tui.browser.packets import BEGIN, Packets, note, packet
from tui.browser.page import page
from tui.browser.server import _listening
from tui.cli import cli

DOOR = Door("s3cret", 8000)
HOST = "127.0.0.1:8000"


@pytest.mark.parametrize(
    ("path", "host", "origin", "websocket", "why"),
    [
        ("/s3cret/", HOST, None, False, ""),
        ("/s3cret/static/js/textual.js", "localhost:8000", "http://localhost:8000", False, ""),
        ("/s3cret/ws", HOST, f"http://{HOST}", True, ""),
        ("/", HOST, None, False, "token"),
        ("/s3cre/", HOST, None, False, "token"),
        ("/s3cret2/", HOST, None, False, "token"),
        ("//s3cret/", HOST, None, False, "token"),
        ("/\udcff/", HOST, None, False, "token"),
        ("/s3cret/", "evil.example:8000", None, False, "name"),
        ("/s3cret/", "127.0.0.1", None, False, "name"),
        ("/s3cret/", None, None, False, "name"),
        ("/s3cret/", HOST, "http://evil.example", False, "page"),
        ("/s3cret/ws", HOST, None, True, "page"),
        ("/s3cret/ws", HOST, "null", True, "page"),
        ("/s3cret/ws", HOST, f"https://{HOST}", True, "page"),
        ("/s3cret/ws", HOST, "http://localhost:8000", True, "page"),
    ],
)
def test_the_door_opens_only_with_token_name_and_page(
    path: str, host: str | None, origin: str | None, websocket: bool, why: str
) -> None:
    said = DOOR.refusal(path, host, origin, websocket=websocket)
    assert (why in said) if why else not said


def test_no_two_tokens_are_alike_and_each_stands_in_an_address_as_it_is() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(t) == 32 and t.replace("-", "").replace("_", "").isalnum() for t in tokens)


def test_the_page_shows_its_title_as_text_and_loads_nothing_from_elsewhere() -> None:
    text = page('bitnet-tui "</title><script>', "ws://127.0.0.1:1/x/ws")
    assert "</title><script>" not in text.replace("</title>\n", "")
    assert "//" not in text.replace("ws://127.0.0.1:1/x/ws", "")
    assert text.count("<script") == 1


@given(st.binary(max_size=40), st.lists(st.binary(max_size=300), max_size=5), st.data())
def test_a_screen_is_the_same_however_its_bytes_come(after: bytes, screens: list[bytes], data: st.DataObject) -> None:
    whole = b"before\n" + BEGIN + b"".join(packet(b"D", s) for s in screens) + note(type="exit") + after
    stream, seen = Packets(), b""
    while whole:
        size = data.draw(st.integers(1, len(whole)))
        seen += stream.feed(whole[:size])
        whole = whole[size:]
    stream.end()
    assert seen == b"".join(screens)
    assert bytes(stream.text) == b"before\n" + after


@given(st.binary(max_size=400))
def test_a_program_that_speaks_another_protocol_is_text(raw: bytes) -> None:
    stream = Packets()
    assert stream.feed(raw) == b"" or BEGIN in raw
    stream.end()
    assert len(stream.text) <= len(raw)


def test_what_has_no_full_screen_is_refused_before_anything_is_served() -> None:
    for args, why in (
        (["doctor"], "doctor has no full screen"),
        (["serve"], "serve has no full screen"),
        (["run", "--json"], "--json is for a terminal"),
        (["run", ".", "--no-tui"], "--no-tui is for a terminal"),
        (["run", "--max-retries", "x"], "not a valid integer"),
        (["run", "--colour"], "No such option"),
    ):
        with pytest.raises(click.UsageError) as raised:
            serve.check(cli, args)
        assert why in raised.value.format_message()
    serve.check(cli, ["demo", "--yes"])
    serve.check(cli, ["run", "a b; c", "--provider", "repair"])


def test_arguments_reach_the_program_as_they_are() -> None:
    assert serve.command(["run", "a b; $(c) '\""])[-2:] == ["run", "a b; $(c) '\""]


async def refused(served: Served, client: aiohttp.ClientSession) -> None:
    """Nothing is to be had without the token, by another name, or from another page."""
    own = f"{served.origin}/{served.token}"
    for url, headers in (
        (f"{served.origin}/", {}),
        (f"{served.origin}/ws", {}),
        (f"{served.origin}/static/js/textual.js", {}),
        (f"{served.origin}/{'x' * 32}/", {}),
        (f"{own}/", {"Host": "evil.example"}),
        (f"{own}/static/js/textual.js", {"Host": "evil.example"}),
        (f"{own}/", {"Origin": "http://evil.example"}),
    ):
        async with client.get(url, headers=headers) as answer:
            assert answer.status == 403, (url, headers)
            assert served.token not in await answer.text()
    for url, headers in (
        (f"{served.origin}/ws", {"Origin": served.origin}),
        (f"{own}/ws", {"Origin": "http://evil.example"}),
        (f"{own}/ws", {}),
        (f"{own}/ws", {"Origin": served.origin, "Host": "evil.example"}),
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            await client.ws_connect(url, headers=headers)
        assert raised.value.status == 403, (url, headers)
    for method in ("post", "put", "delete"):
        async with client.request(method, f"{own}/") as answer:
            assert answer.status == 405


async def admitted(served: Served, client: aiohttp.ClientSession) -> None:
    async with client.get(served.url) as answer:
        text = await answer.text()
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert f"{served.origin.replace('http', 'ws')}/{served.token}/ws" in text
    for path in ("js/textual.js", "css/xterm.css", "fonts/RobotoMono-VariableFont_wght.ttf"):
        async with client.get(f"{served.url}static/{path}") as answer:
            assert answer.status == 200, path
    async with client.get(f"{served.url}static/../../../etc/passwd") as answer:
        assert answer.status in (403, 404)


class Page:
    """What a browser does, without one."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.seen = b""
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self.socket:
            self.seen += message.data if isinstance(message.data, bytes) else message.data.encode()

    async def press(self, text: str) -> None:
        self.seen = b""
        await self.socket.send_json(["stdin", text])

    async def shows(self, text: str) -> None:
        try:
            await until(lambda: text in words(self.seen), text)
        except AssertionError as error:
            raise AssertionError(f"{text} in {words(self.seen)[-2000:]}") from error


@everything
async def test_a_page_drives_a_run_and_nothing_is_left_of_either(tmp_path: Path) -> None:
    with serving(*tiny(tmp_path), cwd=tmp_path) as served:
        async with aiohttp.ClientSession() as client:
            await refused(served, client)
            await admitted(served, client)
            assert len(served.processes()) == 1  # nobody who was refused started anything
            where = f"{served.url.replace('http', 'ws')}ws?width=120&height=40"
            async with client.ws_connect(where, origin=served.origin) as socket:
                shown = Page(socket)
                await shown.shows("1 Tests")
                for odd in ('["stdin"', '{"a": 1}', '["resize", {"width": "x"}]', '["stdin", 5]', "[]"):
                    await socket.send_str(odd)
                await socket.send_bytes(b"\0")
                await socket.send_json(["ping", "7"])
                await shown.shows('["pong", "7"]')
                await shown.shows("deciding")
                await shown.press("?")
                await shown.shows("Everywhere")
                await shown.press("?")  # not escape: a key right behind it would be one with it, alt+f
                await socket.send_json(["resize", {"width": 80, "height": 24}])
                await shown.press("f")
                journals = "*/.bitnet-tui/runs/*/journal.jsonl"
                await until(lambda: any('"RunFinished"' in p.read_text() for p in tmp_path.glob(journals)), "the end")
                assert list(tmp_path.glob("*/.bitnet-tui/runs/*/receipts/impl.json"))
                for width, height, text in ((120, 40, "FINALIZE"), (80, 24, "1 hop")):  # all of it is painted again
                    shown.seen = b""
                    await socket.send_json(["resize", {"width": width, "height": height}])
                    await shown.shows(text)
                await shown.press("q")
                await shown.shows("ended with 0")  # the last words, where the screen was
                assert "bitnet-tui/" in words(shown.seen)
                await asyncio.wait_for(shown.reading, 20)
            # A page that goes takes its run along, resumably; one that is open when the server ends, too.
            async with client.ws_connect(where, origin=served.origin) as socket:
                await Page(socket).shows("1 Tests")
            await until(lambda: len(served.processes()) == 1, "only the server")
            async with client.ws_connect(where, origin=served.origin) as socket:
                await Page(socket).shows("1 Tests")
                served.process.send_signal(signal.SIGINT)
                await until(lambda: served.process.poll() is not None, "the end")
        assert served.process.returncode == 0
        assert served.processes() == []
        assert not leftovers(tmp_path / "a repo; echo")
    assert served.token not in served.said  # told once, and in no log
    assert "Traceback" not in served.said


def test_a_port_that_is_taken_is_said_with_what_to_do(tmp_path: Path) -> None:
    with _listening(0) as taken:
        taken.listen()
        assert taken.getsockname()[0] == "127.0.0.1"
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--port {port}: Address already in use"):
            _listening(port)


def test_the_server_is_imported_by_no_other_command() -> None:
    told = "import json, sys, tui.cli, tui.serve; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert not [m for m in json.loads(done.stdout) if m.split(".")[0] in ("aiohttp", "textual_serve", "textual")]
