"""What a front end may ask of the engine: imperative, frozen, nothing else crosses in that direction."""

from __future__ import annotations

from dataclasses import dataclass

from engine.model import Route


@dataclass(frozen=True, slots=True)
class Decide:
    """Answer the proposal ``id``; the first answer wins, a late one is refused."""

    id: str
    route: Route
    hint: str = ""  # typed by a person, handed to the provider with a retry


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait at the next safe point."""


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on after a pause."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End the run: after the current step, or ``now``. It stays resumable."""

    now: bool = True


Command = Decide | Pause | Continue | Stop
