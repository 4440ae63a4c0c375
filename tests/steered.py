"""A program: a run of the scripted provider that is answered as by a person, and killed at an event if asked to."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from engine import events as ev
from engine.cancel import CancelToken
from engine.commands import Decide, Pick, Restore, Revert
from engine.events import Record
from engine.feed import Feed
from engine.launch import Options, prepare
from engine.model import Proposal
from engine.run import Run
from engine.session import Steering

NOWHERE = 1_000_000


class Person(Steering):
    """Brings the first removed piece back, once; else takes the recommended route. Says before what nobody knows of."""

    piece: ev.Piece | None = None
    refused = 0

    def answer(self, proposal: Proposal) -> Decide | Restore | Revert | Pick:
        self.cancel.check()
        unknown = (Restore(proposal.id, (NOWHERE,)), Revert(proposal.id, (NOWHERE,)), Pick(proposal.id, NOWHERE))
        if self.refused < len(unknown):
            return unknown[self.refused]
        piece, self.piece = self.piece, None
        if piece is not None:
            return Restore(proposal.id, (piece.index,))
        return Decide(proposal.id, proposal.best.route)

    def refuse(self, question: str) -> None:
        self.refused += 1
        super().refuse(question)


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
    code = int(run(Watching(person, sys.argv[2]), person))
    print(person.refused, "answers refused")
    sys.exit(code)
