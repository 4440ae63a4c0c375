"""A way to the repository's GitHub, for a run that may speak there: asked for, a remote, a token."""

from __future__ import annotations

from engine import events as ev
from engine.cancel import CancelToken
from engine.github import remote, token
from engine.github.unwritten import Unwritten
from engine.github.wire import Patience, Wire
from engine.launch import Plan
from engine.recorder import Recorder


def connect(plan: Plan, recorder: Recorder, cancel: CancelToken, patience: Patience | None = None) -> Wire:
    """A client for the repository of a plan; nothing is sent yet. It is closed by leaving its ``with`` block.

    Raises
    ------
    Unwritten
        Nobody asked for it, there is nowhere to write to, or there is no token.
    """
    wish, environ = plan.config.github.publish, plan.environ
    if wish == "off":
        raise Unwritten("off", "as asked")
    snapshot = recorder.state.snapshot
    where = remote.find(plan.repository, snapshot.branch if snapshot else "", environ)
    if wish == "auto" and not remote.in_actions(environ):
        raise Unwritten("not-asked", f"--publish writes to {where}; in GitHub Actions it is not needed")
    address = remote.api(where.host, environ)
    found = token.find(where.host, environ)
    recorder.keep_secret(found.source, found.value)

    def note(text: str, kind: str = "note") -> None:
        recorder.emit(ev.ActivityReported(kind, f"github: {text}"))

    note(f"writing to {where} on {where.host} with {found}")
    return Wire(where, address, found, cancel, lambda text: note(text, "retry"), patience)
