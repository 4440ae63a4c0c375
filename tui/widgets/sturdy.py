"""What a part of the screen cannot do is said; it does not take the screen, and with it the run, down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.dom import DOMNode
from textual.events import Compose, Mount
from textual.message import Message

if TYPE_CHECKING:
    Base = DOMNode
else:
    Base = object


class Sturdy(Base):
    """Goes before a Textual class among the bases; the app has ``fault``."""

    async def _dispatch_message(self, message: Message) -> None:
        try:
            await super()._dispatch_message(message)
        except Exception as error:
            if isinstance(message, Compose | Mount):
                raise  # there is nothing to go on with
            self.app.fault(error)  # type: ignore[attr-defined]
