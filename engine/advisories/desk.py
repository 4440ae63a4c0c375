"""The advisories of one attempt: each is said once, so many go into an answer, and at the end it is seen which were
followed."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from engine.advisories import advise
from engine.advisories.hooks import Edit, Seen
from engine.advisories.module import Standards, parsed
from engine.advisories.said import PREFIX
from engine.events import ActivityReported, AdvisoriesSettled, AdvisoryRaised, Event
from engine.model import Advisory

Key = tuple[str, str, str]


@dataclass(slots=True)
class Desk:
    """Where advisories of an attempt are raised.

    Parameters
    ----------
    hooks
        What the project's own checks say of an edit.
    lines, chars
        How many advisories, and how much of them, go into one answer.
    log
        Where the traceback of a rule that failed goes.
    """

    report: Callable[[Event], None]
    standards: Standards = Standards()
    hooks: Callable[[Edit], Seen] = lambda _edit: Seen()
    redact: Callable[[str], str] = str
    log: Callable[[str], None] = lambda _text: None
    lines: int = 8
    chars: int = 1200
    _said: set[Key] = field(default_factory=set)
    _again: set[Key] = field(default_factory=set)
    _broke: bool = False
    _latest: dict[str, dict[str, set[Key]]] = field(default_factory=dict)  # by file and hook: what it said last

    def raise_(self, advisory: Advisory) -> bool:
        """Say it, unless it was said before; whether it was said now."""
        if advisory.key in self._said:
            self._again.add(advisory.key)
            return False
        self._said.add(advisory.key)
        self.report(AdvisoryRaised(advisory))
        return True

    def edited(self, edit: Edit, before: str, after: str) -> list[str]:
        """Lines for the answer to an edit."""
        own = self._advise(edit.path, before, after)
        seen = self.hooks(edit)
        latest = self._latest.setdefault(edit.path, {})
        latest |= {hook: {a.key for a in said} for hook, said in seen.by.items()}
        return self._told([a for a in (*own, *seen.advisories) if self.raise_(a)])

    def _told(self, new: list[Advisory]) -> list[str]:
        shown: list[str] = []
        size = 0
        for advisory in new[: self.lines]:
            line = str(advisory)
            size += len(line)
            if size > self.chars:
                break
            shown.append(line)
        left = len(new) - len(shown)
        return [*shown, f"… and {left} more"] if left and shown else [f"… {left} advisories"] if left else shown

    def settle(
        self, attempt: int, given: Iterable[Advisory], before: Mapping[str, str], after: Mapping[str, str]
    ) -> AdvisoriesSettled:
        """Which advisories the change of the attempt has followed, and which are open.

        Parameters
        ----------
        given
            What was raised and is open, earlier attempts' too.
        before, after
            Texts of the files that differ from where the run began.
        """
        still = {
            a.key
            for path, text in after.items()
            if before.get(path) != text
            for a in self._advise(path, before.get(path, ""), text)
        }
        followed, open_ = list[Advisory](), list[Advisory]()
        for advisory in given:
            (open_ if self._open(advisory, still, before, after) else followed).append(advisory)
        return AdvisoriesSettled(attempt, tuple(followed), tuple(open_))

    def _open(self, advisory: Advisory, still: set[Key], before: Mapping[str, str], after: Mapping[str, str]) -> bool:
        if advisory.code == "SCOPE":  # nothing of it can be in the change: it was heeded if it was not tried again
            return advisory.key in self._again
        if after.get(advisory.path) == before.get(advisory.path):
            return False
        if advisory.code.startswith(PREFIX):  # only the hook could say that it is content
            latest = self._latest.get(advisory.path)
            return not latest or any(advisory.key in said for said in latest.values())
        text = after.get(advisory.path, "")
        if advisory.path.endswith(".py") and parsed(text) is None:  # nothing can be seen in it
            return True
        return advisory.key in still

    def _advise(self, path: str, before: str, after: str) -> list[Advisory]:
        """What the rules say; a rule that fails says nothing, and never ends a run."""
        try:
            return [self._clean(a) for a in advise(path, before, after, self.standards, self.failed)]
        except Exception as error:  # noqa: BLE001  # this edge lets nothing through
            self.failed(error)
            return []

    def failed(self, error: Exception) -> None:
        """Say once that hints are missing, and keep the traceback."""
        if self._broke:
            return
        self._broke = True
        self.log("".join(traceback.format_exception(error)))
        text = f"some advisories could not be worked out ({type(error).__name__}); run.log has the traceback"
        self.report(ActivityReported("note", text))

    def _clean(self, advisory: Advisory) -> Advisory:
        text = self.redact(advisory.text)
        return advisory if text == advisory.text else Advisory(advisory.code, text, advisory.path, advisory.line)
