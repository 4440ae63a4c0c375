"""Brings an issue-creator's issue to GitHub, where the run may speak there; the file in the run's folder stays."""

from __future__ import annotations

import hashlib
import traceback
from typing import TYPE_CHECKING

from engine import events as ev
from engine.errors import BitnetError
from engine.github.comment import quiet
from engine.github.connect import connect
from engine.github.issues import create_issue
from engine.github.unwritten import Unwritten
from engine.model import Outcome
from engine.providers import Finish
from engine.specialists.case import Evidence
from engine.specialists.issue import FILE

if TYPE_CHECKING:
    from engine.loop import Loop

ISSUE = "issue"


def bring(loop: Loop, finish: Finish | None, evidence: Evidence) -> None:
    """Open the issue, or find the open one of an earlier run; whatever comes of it is an event, never an end."""
    if FILE not in evidence.keep or any(p.kind == ISSUE and p.url for p in loop.state.published):
        return
    if finish is not None and finish.outcome is Outcome.ARCHITECTURE:  # no missing part, it says
        return
    drafted = evidence.keep[FILE].decode("utf-8", "replace")
    said = plain(finish.summary) if finish is not None and finish.outcome is Outcome.DONE else ""
    # What a model has written is for people; the draft below it is what was measured.
    text = loop.recorder.redact.text(f"{said}\n\n---\n\n{drafted}" if said else drafted)
    title, _, body = text.partition("\n")
    about = sorted(t.nodeid for t in loop.state.tests.values() if t.target) or [title]
    key = hashlib.sha256("\n".join(about).encode("utf-8", "replace")).hexdigest()[:16]
    try:
        with connect(loop.plan, loop.recorder, loop.steering.cancel) as wire:
            url = create_issue(wire, title.lstrip("# "), body.strip(), key)
        loop.emit(ev.Published(ISSUE, url))
    except Unwritten as refused:
        loop.emit(ev.Published(ISSUE, "", refused.reason, refused.words))
    except (BitnetError, OSError):  # the run's own: its journal cannot be written, or it was stopped
        raise
    except Exception:  # noqa: BLE001  # said, with its traceback in a file
        file = loop.keeper.folder / "crash-github.txt"
        file.write_text(loop.recorder.redact.text(traceback.format_exc()), encoding="utf-8")
        words = f"a defect of bitnet-tui: the traceback is in {file.name}"
        loop.emit(ev.Published(ISSUE, "", "defect", words))


def plain(summary: str) -> str:
    """A model's words as text that calls nobody and cannot swallow what comes after it.

    Examples
    --------
    >>> plain("see `x`: <b>")
    "see 'x': &lt;b>"
    """
    return quiet(summary.strip().replace("`", "'").replace("~~~", "'" * 3).replace("<", "&lt;"))
