"""What a front end may ask of the engine: imperative, frozen, nothing else crosses in that direction."""

from __future__ import annotations

from engine.model import Noun, Route


class Decide(Noun, frozen=True):
    """Answer the proposal ``id``; the first answer wins, a late one is refused."""

    id: str
    route: Route
    hint: str = ""  # typed by a person, handed to the provider with a retry
    dispatch: bool = False  # run the agent of the route here, in this run


class Restore(Noun, frozen=True):
    """Bring back pieces that the diet took away; answers the proposal ``id`` with a changed change.

    No pieces: take away again what was brought back.
    """

    id: str
    pieces: tuple[int, ...]


class Revert(Noun, frozen=True):
    """Take away pieces of the change that are still in it; answers the proposal ``id`` with a changed change.

    ``pieces`` are some of those that came with the proposal. :class:`Restore` brings them back.
    """

    id: str
    pieces: tuple[int, ...]


class Pick(Noun, frozen=True):
    """Put a runner-up in place of the change; answers the proposal ``id`` with a changed change.

    ``index`` counts from 0; -1 is the change that was proposed first.
    """

    id: str
    index: int


class Raise(Noun, frozen=True):
    """Answer the question ``id``, asked at a spent limit: the run may use more, up to ``to``."""

    id: str
    limit: str  # usd, tokens, turns or minutes
    to: float


class EndAttempt(Noun, frozen=True):
    """Answer the question ``id``, asked at a spent limit: what the attempt has is judged as it stands.

    ``forward``: and the run then routes forward without asking again.
    """

    id: str
    forward: bool = False


class Pause(Noun, frozen=True):
    """Wait at the next safe point."""


class Continue(Noun, frozen=True):
    """Go on after a pause."""


class Stop(Noun, frozen=True):
    """End the run: after the current step, or ``now``. It stays resumable."""

    now: bool = True


Reply = Decide | Restore | Revert | Pick
"""What a person may answer to a proposal."""

Answer = Reply | Raise | EndAttempt
Command = Answer | Pause | Continue | Stop
