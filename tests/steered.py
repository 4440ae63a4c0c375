"""A program: a run of the scripted provider that is answered as by a person, and killed at an event if asked to."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from engine import events as ev
from engine.cancel import CancelToken
from engine.commands import Decide, Restore
from engine.events import Record
from engine.feed import Feed
from engine.launch import Options, prepare
from engine.model import Proposal
from engine.run import Run
from engine.session import Steering


class Person(Steering):
    """Brings the first removed piece back, once; else takes the recommended route."""

    piece: ev.Piece | None = None

    def answer(self, proposal: Proposal) -> Decide | Restore:
        self.cancel.check()
        piece, self.piece = self.piece, None
        if piece is not None:
            return Restore(proposal.id, (piece.index,))
        return Decide(proposal.id, proposal.best.route)


class Watching(Feed):
    """Sees every event once it is in the journal."""

    def __init__(self, person: Person, kill: str) -> None:
        super().__init__(lambda: None)
        self._person, self._kill = person, kill
        self._restored = False

    def publish(self, record: Record) -> None:
        event = record.event
        if isinstance(event, ev.DietFinished) and not self._restored:
            self._person.piece = next(iter(event.removed_pieces), None)
        self._restored = self._restored or isinstance(event, ev.PiecesRestored)
        if self._restored and type(event).__name__ == self._kill:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    run = Run(prepare(Options(Path(), providers=("scripted",), script=Path(sys.argv[1])), dict(os.environ)))
    person = Person(CancelToken(), ask=True)
    sys.exit(int(run(Watching(person, sys.argv[2]), person)))
