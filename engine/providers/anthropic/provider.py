"""The loop: ask the model, do what it calls for with the guarded tools, until it finishes or something ends it.

Nothing here touches a file, a test or git; the toolbox does, and says no where it must.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from engine.allowance import Allowance
from engine.cancel import CancelToken
from engine.config import Anthropic as Settings
from engine.config import Budget, Price
from engine.events import ActivityReported
from engine.model import Outcome, Usage
from engine.plain import whole
from engine.providers import Brief, Finish, Reporter, Tools
from engine.providers.anthropic import history as turns
from engine.providers.anthropic import models, profile, prompt
from engine.providers.anthropic.client import Endpoint, Wire, endpoint
from engine.providers.anthropic.exchange import DoesNotFit, Exchange, Shape
from engine.providers.anthropic.handover import handed_over
from engine.providers.anthropic.history import History
from engine.providers.anthropic.meter import Meter
from engine.providers.anthropic.models import Model
from engine.providers.anthropic.pricing import Rate
from engine.providers.anthropic.reply import Call, Reply
from engine.providers.anthropic.retry import Backoff
from engine.providers.anthropic.stacks import excerpts
from engine.providers.anthropic.tape import Tape
from engine.providers.anthropic.tools import NAMES, cut
from engine.records.redact import Redactor
from engine.workspace.area import Area, Refused

NUDGES = 2  # turns in a row without a tool call that are answered
CUT_OFFS = 3  # answers in a row that ran into the length limit
PAUSES = 8  # turns in a row the server paused

Transcript = Callable[[dict[str, Any]], None]
_CUT_OFF = ("max_tokens", "model_context_window_exceeded")


class AnthropicProvider:
    """Claude, or whatever speaks the same protocol behind ``base_url``.

    Parameters
    ----------
    environ
        Where the key is looked for: ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN, ANTHROPIC_BASE_URL.
    transcript
        Called with the essentials of each request and answer; the key is never in them.
    spent
        What the run used before this provider was made.
    backoff
        How retries wait; from the settings if not given.
    budget
        What may be used; an Allowance also knows whom to ask for more.
    prices
        What the settings say of prices; else a table, and nothing for a server on this machine.
    floor
        The prices are a repository's own and may not be below the table's.
    tape
        Keeps every answer, or plays those that were kept.
    part
        What of the run this is, for the tape.
    rates
        One price for every model, whatever else is said.
    """

    name = "anthropic"

    def __init__(
        self,
        settings: Settings,
        budget: Budget | Allowance,
        environ: Mapping[str, str],
        transcript: Transcript | None = None,
        *,
        spent: Usage | None = None,
        backoff: Backoff | None = None,
        rates: Rate | None = None,
        prices: Mapping[str, Price] | None = None,
        floor: bool = False,
        tape: Tape | None = None,
        part: str = "",
        answers_chars: int = turns.ANSWERS_CHARS,
    ) -> None:
        self._settings, self._budget, self._environ = settings, budget, environ
        self._transcript = transcript
        self._spent, self._rates, self._prices = spent or Usage(), rates, prices
        self._floor = floor
        self._tape, self._part = tape, part
        self._backoff = backoff or Backoff(settings.retries, settings.retry_cap_s)
        self._answers_chars = answers_chars
        self._redactor = Redactor.of(environ)
        self._meter: Meter | None = None
        self._models: dict[str, Model] = {}
        self._shapes: dict[str, Shape] = {}

    def attempt(self, brief: Brief, tools: Tools, report: Reporter, cancel: CancelToken) -> Finish:
        """Make one attempt; see :class:`engine.providers.Provider`."""
        cancel.check()
        where = endpoint(self._settings, self._environ)
        if self._tape is not None:
            retries = self._tape.start(self._part or f"attempt {brief.attempt}", where.shown, self._backoff.limit)
            self._backoff = replace(self._backoff, limit=retries)
        wire = Wire(where, self._settings.timeout_s, self._tape)
        try:
            with cancel.closing(wire.interrupt):
                model = self._model(brief, wire, report, cancel)
                exchange = self._exchange(where, wire, model, brief, report, cancel)
                hide = self._redactor.values
                return Conversation(exchange, brief, tools, report, cancel, self._answers_chars, hide).run()
        finally:
            wire.close()

    def _model(self, brief: Brief, wire: Wire, report: Reporter, cancel: CancelToken) -> Model:
        name = self._settings.model or brief.model
        if name not in self._models:
            found = models.resolve(name, wire.client)
            cancel.check()  # a stop looks like a list that could not be had
            self._models[name] = found
            report(ActivityReported("note", found.note or f"model {found.id}"))
        return self._models[name]

    def _exchange(
        self, where: Endpoint, wire: Wire, model: Model, brief: Brief, report: Reporter, cancel: CancelToken
    ) -> Exchange:
        if self._meter is None:
            self._meter = Meter(
                self._budget,
                self._spent,
                free=where.loopback,
                foreign=not where.own,
                rates=self._rates,
                prices=self._prices,
                floor=self._floor,
            )
        if model.id not in self._shapes:
            first = profile.first(self._settings.profile, own_host=where.own, model=model.id)
            self._shapes[model.id] = Shape(first, self._settings.max_tokens)
            if self._settings.effort and not first.thinking:
                said = f"[anthropic] effort = {self._settings.effort!r} has no effect: profile plain asks for none"
                report(ActivityReported("note", said))
        system = whole(self._redactor.values(prompt.system_prompt(brief)))

        def log(record: dict[str, Any]) -> None:
            if self._transcript is not None:
                self._transcript(where.redact({"attempt": brief.attempt, **record}))

        log({"kind": "start", "server": where.shown, "model": model.id, "system": system})
        return Exchange(
            where=where,
            wire=wire,
            settings=self._settings,
            model=model,
            shape=self._shapes[model.id],
            system=system,
            lent=brief.tools,
            meter=self._meter,
            backoff=self._backoff,
            report=report,
            cancel=cancel,
            log=log,
        )


class Conversation:
    """One attempt, turn by turn."""

    def __init__(
        self,
        exchange: Exchange,
        brief: Brief,
        tools: Tools,
        report: Reporter,
        cancel: CancelToken,
        limit: int,
        hide: Callable[[str], str],
    ) -> None:
        self._exchange, self._tools, self._report, self._cancel = exchange, tools, report, cancel
        self._history = History(limit)
        self._hide = hide
        told = handed_over(brief) if brief.task else prompt.first_turn(brief, _source(brief))
        self._history.user(turns.text(hide(told)))
        self._in_a_row: dict[str, int] = {}

    def run(self) -> Finish:
        while True:
            try:
                reply = self._exchange.ask(self._history)
                ended = self._turn(reply)
            except DoesNotFit as error:
                return Finish(Outcome.MORE_WORK, "the conversation does not fit the model any more", str(error))
            if ended is not None:
                return ended

    def _turn(self, reply: Reply) -> Finish | None:
        """Take in one answer; a Finish ends the attempt."""
        if reply.stop == "refusal":
            said = reply.why or reply.text
            refusal = "the model refused to work on this"
            return Finish(
                Outcome.ARCHITECTURE, refusal, said, refusal=said or "it gave no reason", lessons="model refusal"
            )
        if reply.stop in _CUT_OFF:
            return self._cut_off(reply)
        if reply.calls:
            self._in_a_row.clear()
            if unknown := [c.name for c in reply.calls if c.name not in NAMES]:
                self._exchange.doubt(f"the model called {unknown[0][:60]!r}, a tool nobody offered")
            self._history.assistant(list(reply.content))
            return self._answer(reply.calls)
        if reply.stop == "pause_turn" and self._again("pause", PAUSES):
            self._history.assistant(list(reply.content))
            return None
        self._history.assistant(list(reply.content))
        written = profile.written_call(reply.text)
        # It may never have heard of the tools.
        self._exchange.doubt("the model wrote its call as text" if written else "the model called no tool")
        if not self._again("silence", NUDGES):
            return Finish(Outcome.MORE_WORK, reply.text or "the model stopped calling tools", "no call of finish")
        self._report(ActivityReported("note", "the model called no tool; asked it to go on or finish"))
        self._history.user(turns.text(prompt.NUDGE_WRITTEN if written else prompt.NUDGE))
        return None

    def _answer(self, calls: tuple[Call, ...]) -> Finish | None:
        """Do what one turn calls for, in order, and put all the answers into one turn."""
        answers = []
        for call in calls:
            self._cancel.check()
            if call.broken:
                said = f"Not run: {call.broken}. Call {call.name} again with a JSON object."
                answers.append(turns.result(call.id, said, is_error=True))
                continue
            result = self._tools.call(call.name, call.input)
            if result.finished:
                return _finish(call.input)
            said = cut(self._hide(result.text), call.name)
            answers.append(turns.result(call.id, said, is_error=result.is_error))
        self._history.user(*answers)
        return None

    def _cut_off(self, reply: Reply) -> Finish | None:
        """An answer that hit a limit: whatever it calls for may be half of what was meant, so none of it is run."""
        if not self._again("cut-off", CUT_OFFS):
            return Finish(Outcome.MORE_WORK, "the model's answers kept running into their length limit", reply.text)
        self._report(ActivityReported("note", f"the answer was cut off ({reply.stop}); nothing of it was run"))
        if reply.stop == "model_context_window_exceeded":
            self._exchange.shorten(self._history, "the model's context window is full")
            return None
        whole = [b for b in reply.content if b.get("type") != "thinking" or b.get("signature")]
        self._history.assistant(whole)
        answers = [turns.result(call.id, prompt.CUT_OFF, is_error=True) for call in reply.calls]
        self._history.user(*(answers or [turns.text(prompt.CUT_OFF_TEXT)]))
        return None

    def _again(self, what: str, most: int) -> bool:
        """Count something that must not go on for ever; False when it has."""
        self._in_a_row[what] = self._in_a_row.get(what, 0) + 1
        return self._in_a_row[what] <= most


def _source(brief: Brief) -> str:
    """The code the targets fail in, as it is on disk now."""
    area = Area(brief.worktree)

    def read(path: str) -> str:
        try:
            return area.read(area.locate(path)).content
        except Refused:
            return ""

    cwd = brief.sandbox.cwd if brief.sandbox else brief.worktree
    prefix = os.path.relpath(cwd, brief.worktree)
    return excerpts(brief.targets, brief.ran, read, prefix="" if prefix == "." else prefix)


def _finish(arguments: Mapping[str, Any]) -> Finish:
    try:
        outcome = Outcome(str(arguments.get("outcome", "")))
    except ValueError:
        outcome = Outcome.MORE_WORK
    summary, evidence = (whole(str(arguments.get(key) or "")) for key in ("summary", "evidence"))
    return Finish(outcome, summary, evidence)
