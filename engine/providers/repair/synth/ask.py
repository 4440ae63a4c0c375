"""Ask the warm processes what tests want of functions that are still to be written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from engine.providers.repair.slot import Slot
from engine.providers.repair.zygote import Gone, Message, Zygote


def asked(
    slots: Sequence[Slot],
    requests: Iterable[dict[str, Any]],
    check: Callable[[], None],
    heard: Callable[[Message], None],
) -> None:
    """Put each request to a process that is free, and pass on every message that comes back.

    Whoever calls this stops the processes afterwards, as `check` may raise in between.
    """
    waiting = list(requests)
    while waiting or any(slot.busy for slot in slots):
        check()
        for slot in slots:
            zygote = slot.busy
            if zygote is None:
                if waiting:
                    _send(slot.ready(early=False, check=check), waiting.pop(0))
                continue
            try:
                messages = zygote.receive()
            except Gone:
                slot.lost(zygote)
                continue
            for message in messages:
                if "done" in message:
                    zygote.busy = False
                else:
                    heard(message)
        time.sleep(0.004)


def _send(zygote: Zygote, request: dict[str, Any]) -> None:
    zygote.send({"op": "learn", "batch": 0, "patience": request["seconds"] + 8.0, **request})
    zygote.busy = True
