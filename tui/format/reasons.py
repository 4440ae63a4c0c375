"""Why a key does nothing right now, in words; an empty string if it would do something."""

from __future__ import annotations

from engine.model import RouteKind
from tui import keys
from tui.format import others, removed
from tui.view import View


def _no_question(view: View) -> str:
    if view.ended:
        return "the run has ended"
    if view.status == "stopping":
        return "the run is stopping"
    return "" if view.state.deciding else f"nothing to decide yet, the run is {_going(view)}"


def _going(view: View) -> str:
    asks = view.keys.written("decide.open")
    return {"analyze": "at its audit", "starting": "starting", "at a limit": f"at a limit: {asks} asks what to do"}.get(
        view.status, f"at step {view.status}"
    )


def _route(view: View, *, retry: bool) -> str:
    why = _no_question(view)
    if why or view.state.proposal is None:
        return why
    for option in view.state.proposal.options:
        if option.route.retry if retry else option.route.kind is RouteKind.FINALIZE:
            return "" if option.allowed else option.why_not
    return "the proposal has no such route"


STEERING = frozenset(k.id for k in keys.of("main") if k.action.startswith("act("))


def _in_replay(action: str, view: View) -> str:
    """What was decided then was decided; only how fast it goes by can be changed."""
    if action == "run.pause" or action.startswith("replay."):
        return "the replay has ended" if view.ended else ""
    return "this is a replay, nothing in it can be steered" if action in STEERING else ""


def _whole(view: View) -> str:
    """Why nothing of the change can be taken away."""
    if view.state.asking is not None:
        return "this question is about another agent's work"
    attempt = view.state.attempt
    changed = attempt is not None and attempt.files
    return "this change cannot be taken apart" if changed else "nothing was changed"


def why_off(action: str, view: View) -> str:
    """The reason ``action`` (an id of keys.py) is off, or an empty string."""
    if view.replay:
        return _in_replay(action, view)
    if action == "decide.open" and view.status == "at a limit":
        return ""
    if action in ("decide.accept", "decide.open"):
        return _no_question(view)
    if action == "diet.restore":
        return _no_question(view) or removed.nothing(view)
    if action == "change.revert":
        return _no_question(view) or ("" if view.state.pieces else _whole(view))
    if action == "change.others":
        return _no_question(view) or others.nothing(view)
    if action == "run.retry":
        return _route(view, retry=True)
    if action == "run.finalize":
        return _route(view, retry=False)
    if action in ("run.pause", "run.stop"):
        if view.ended:
            return "the run has ended"
        if action == "run.stop":
            return ""
        if view.status == "stopping":
            return "the run is stopping"
        return "the run is parked already and waits for your decision" if view.state.parked else ""
    return ""
