"""Keys one after the other: each means what it means on the screen that the one before it has left.

Textual hands every key to what has the focus when it comes in, and an action may move the focus only later. Of keys
that come faster than they are handled, as on a busy machine, the second would go to where the first was typed: ``/a``
would filter nothing and accept a decision.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App
from textual.dom import DOMNode
from textual.events import Key, Paste

Typed = Key | Paste


class Queue:
    """What was typed and is not handled yet.

    Parameters
    ----------
    app
        Whose keys these are.
    handle
        Hands a key on to what has the focus.
    """

    def __init__(self, app: App[Any], handle: Callable[[Typed], Awaitable[None]]) -> None:
        self._app = app
        self._handle = handle
        self._waiting: deque[Typed] = deque()
        self._busy = False
        self.at = 0.0  # when the last one came

    async def add(self, event: Typed) -> None:
        """Handle a key now, or after those before it."""
        self.at = time.monotonic()
        self._waiting.append(event)
        if not self._busy:
            await self._next()

    async def _next(self) -> None:
        self._busy = bool(self._waiting)
        if self._busy:
            focused = self._app.focused or self._app.screen
            try:
                await self._handle(self._waiting.popleft())
            finally:
                self._follow(focused)

    def _follow(self, node: DOMNode | None) -> None:
        """Go the way of the key, behind it: from queue to queue, as it bubbles up to the program."""
        while node is not None and node is not self._app:
            if node.call_later(self._follow, node.parent):
                return
            node = node.parent  # it is going: it hands nothing on any more
        # Behind what the key's own action has put off: that is where the focus moves.
        self._app.call_later(self._app.call_later, self._next)
