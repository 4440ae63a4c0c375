"""From end to end: Chromium loads the page, a person presses keys in it and reads how the run ended.

It is driven over the DevTools protocol; what is read is what the page's terminal was told, and that it drew it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.tui.chromium import browser
from tests.tui.served import serving, tiny, until, words

DRAWN = """
[...document.querySelectorAll('canvas')].reduce((most, canvas) => {
  const context = canvas.width && canvas.getContext('2d');
  if (!context) return most;
  const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return Math.max(most, new Set(new Uint32Array(data.buffer)).size);
}, 0)
"""
"""How many colours the terminal of the page has on it."""


class Tab:
    """A tab of a browser, and what the websockets of its page brought."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.session = ""
        self.seen = b""
        self.outside: list[str] = []  # what was asked of anyone but the server
        self.origin = ""
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
                continue
            given = told["params"]
            if told["method"] == "Network.webSocketFrameReceived" and given["response"]["opcode"] == 2:
                self.seen += base64.b64decode(given["response"]["payloadData"])
            elif told["method"] == "Network.requestWillBeSent":
                url = given["request"]["url"]
                self.outside += [url] if not url.startswith((self.origin, "data:")) else []

    async def __call__(self, method: str, **given: Any) -> Any:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        session = {"sessionId": self.session} if self.session else {}
        await self._socket.send_json({"id": number, "method": method, "params": given, **session})
        told = await asyncio.wait_for(answer, 60)
        assert "error" not in told, told
        return told["result"]

    async def open(self, url: str) -> None:
        target = await self("Target.createTarget", url="about:blank")
        self.session = (await self("Target.attachToTarget", targetId=target["targetId"], flatten=True))["sessionId"]
        self.origin = url.rsplit("/", 2)[0]
        for domain in ("Network", "Page", "Runtime"):
            await self(f"{domain}.enable")
        await self("Emulation.setDeviceMetricsOverride", width=1280, height=800, deviceScaleFactor=1, mobile=False)
        await self("Page.navigate", url=url)

    async def value(self, expression: str) -> Any:
        return (await self("Runtime.evaluate", expression=expression))["result"].get("value")

    async def press(self, key: str) -> None:
        self.seen = b""
        await self("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        await self("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def shows(self, text: str) -> None:
        await until(lambda: text in words(self.seen), f"{text} in {words(self.seen)[-2000:]}")


@contextlib.asynccontextmanager
async def chromium(program: str, folder: Path) -> AsyncIterator[Tab]:
    argv = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    argv += ["--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        told = ""
        while not (found := re.search(r"ws://\S+", told)):
            line = await asyncio.wait_for(asyncio.to_thread(process.stderr.readline), 60)
            assert line, told
            told += line
        async with aiohttp.ClientSession() as client, client.ws_connect(found[0], max_msg_size=0) as socket:
            yield Tab(socket)
    finally:
        process.terminate()
        process.communicate(timeout=30)


async def test_a_person_follows_a_run_in_a_browser_and_finalizes_it(tmp_path: Path) -> None:
    program = browser()
    with serving(*tiny(tmp_path), cwd=tmp_path) as served:
        async with chromium(program, tmp_path / "profile") as tab:
            await tab.open(served.url)
            await tab.shows("1 Tests")
            await tab.shows("deciding")
            assert await tab.value("document.title") == f"bitnet-tui run '{tmp_path}/a repo; echo' " + " ".join(
                ["--provider scripted --script", str(tmp_path / "script.json"), "--suite cpu"]
            )
            assert await tab.value("document.body.classList.contains('-first-byte')")
            drawn = await tab.value(DRAWN)
            assert drawn > 10, drawn
            await tab.value("document.querySelector('.xterm-helper-textarea').focus()")
            await tab.press("d")
            await tab.shows("return a * b")
            await tab.press("f")
            await tab.shows("gate impl passed and verified")
            assert list(tmp_path.glob("*/.bitnet-tui/runs/*/receipts/impl.json"))
            await tab.press("q")
            await tab.shows("ended with 0")
            for _ in range(500):
                if await tab.value("document.body.classList.contains('-closed')"):
                    break
                await asyncio.sleep(0.02)
            assert await tab.value("getComputedStyle(document.querySelector('#ended')).display") == "block"
            assert tab.outside == []
        await until(lambda: len(served.processes()) == 1, "only the server")
