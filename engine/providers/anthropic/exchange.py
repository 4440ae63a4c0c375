"""One request and its answer, whatever it takes: retries, a smaller profile, a shorter conversation.

Every wait and every read ends at once when the token is cancelled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.cancel import CancelToken
from engine.config import Anthropic as Settings
from engine.errors import ProviderError
from engine.events import ActivityReported, UsageCounted
from engine.plain import whole
from engine.providers import Reporter
from engine.providers.anthropic import profile as profiles
from engine.providers.anthropic import tools
from engine.providers.anthropic.client import Endpoint, Wire
from engine.providers.anthropic.forecast import Forecast, length
from engine.providers.anthropic.history import History
from engine.providers.anthropic.meter import LEAST_TOKENS, Meter
from engine.providers.anthropic.models import Model
from engine.providers.anthropic.pricing import Tokens
from engine.providers.anthropic.profile import Profile
from engine.providers.anthropic.reply import Reply, read
from engine.providers.anthropic.retry import Backoff, Failure, Kind, classify

SHOWN_CHARS = 4_000


class DoesNotFit(Exception):
    """The conversation is too long for the model, however much of it is left out."""


@dataclass(slots=True)
class Shape:
    """What was learnt about the server; it outlives an attempt."""

    profile: Profile
    max_tokens: int
    proven: bool = False  # the model used the built-in editor, so the server told it of that


class Exchange:
    """Asks the model, on behalf of one attempt."""

    name = "anthropic"

    def __init__(
        self,
        *,
        where: Endpoint,
        wire: Wire,
        settings: Settings,
        model: Model,
        shape: Shape,
        system: str,
        lent: Sequence[str],
        meter: Meter,
        backoff: Backoff,
        report: Reporter,
        cancel: CancelToken,
        log: Callable[[dict[str, Any]], None],
    ) -> None:
        self._where, self._wire, self._settings = where, wire, settings
        self._model, self._shape, self._system, self._lent = model, shape, system, lent
        self._meter, self._backoff = meter, backoff
        self._report, self._cancel, self._log = report, cancel, log
        self._forecast, self._asked = Forecast(), 0  # characters of the request that is under way

    def ask(self, history: History) -> Reply:
        """The model's next turn.

        Raises
        ------
        ProviderError
            The server does not take the request, or did not answer within the bounded retries.
        DoesNotFit
            The conversation is too long and cannot be shortened further.
        BudgetSpent, AttemptEnded, Stopped
        """
        retries = 0
        self._note_freed(history.compact())
        while True:
            self._cancel.check()
            outcome = self._once(history, retries)
            if isinstance(outcome, Reply):
                self._shape.proven |= any(c.name == tools.EDITOR and c.input.get("command") for c in outcome.calls)
                if outcome.model and "claude" not in outcome.model.lower():
                    self.doubt(f"the server answers as {outcome.model}, which is no Claude")
                return outcome
            if outcome.kind is Kind.TOO_LONG:
                self.shorten(history, outcome.text)
            elif outcome.kind is Kind.SHAPE and self._reshape(outcome.text):
                pass
            elif outcome.kind is Kind.RETRY and retries < self._backoff.limit:
                retries += 1
                self._wait(outcome, retries)
            else:
                raise self._error(outcome, retries)

    def shorten(self, history: History, why: str) -> None:
        """Leave out what can be left out of the conversation, or raise DoesNotFit."""
        freed = history.compact(force=True)
        if not freed:
            raise DoesNotFit(why)
        self._note_freed(freed)

    def doubt(self, why: str) -> bool:
        """Ask for less from now on if an odd answer may come from a server that ignored a part of the request."""
        shape = self._shape
        if shape.proven or not profiles.doubt(shape.profile, self._settings.profile, own_host=self._where.own):
            return False
        shape.profile = profiles.PLAIN
        self._note(f"{why}; going on with profile plain: ordinary tools, no thinking, no caching")
        return True

    def _once(self, history: History, retries: int) -> Reply | Failure:
        request = self._afford(self._request(history))
        record = {"model": request["model"], "profile": self._shape.profile.name, "turns": len(history)}
        self._log({"kind": "request", **record, "retry": retries, "new": history.tail()})
        started = time.monotonic()
        self._forecast.sending()
        try:
            reply = read(self._wire.client, request, self._say, self._spent)
        except Exception as error:
            self._cancel.check()  # a stop shows itself as any of a dozen errors of the wire
            failure = classify(error, self._where.shown)
            if failure is None:
                raise
            failure = replace(failure, text=self._where.redact(failure.text))
            self._log({"kind": "failure", "what": failure.kind.value, "text": failure.text})
            return failure
        self._cancel.check()
        self._log(
            {
                "kind": "answer",
                "request_id": reply.request_id,
                "model": reply.model,
                "stop": reply.stop,
                "content": list(reply.content),
                "tokens": [reply.tokens.fresh, reply.tokens.written, reply.tokens.read, reply.tokens.out],
                "seconds": round(time.monotonic() - started, 3),
            }
        )
        return reply

    def _afford(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request, its answer no longer than the run can pay for; waits where a person must allow more."""
        self._doubt_price(self._model.id)
        self._asked = length(request)
        estimate = replace(self._forecast.of(self._asked), marked=self._shape.profile.rich)
        allowed = self._meter.allow(self._model.id, estimate, request["max_tokens"])
        self._report(allowed)
        return {**request, "max_tokens": allowed.tokens_out}

    def _request(self, history: History) -> dict[str, Any]:
        shape, model = self._shape, self._model
        request: dict[str, Any] = {
            "model": model.id,
            "max_tokens": min(shape.max_tokens, model.max_tokens or shape.max_tokens),
            "system": self._system,
            "tools": [t for t in tools.schemas(shape.profile) if not self._lent or t["name"] in self._lent],
            "messages": history.render(shape.profile),
        }
        if shape.profile.rich:
            request["system"] = [{"type": "text", "text": self._system, "cache_control": {"type": "ephemeral"}}]
        if shape.profile.thinking and self._settings.thinking and model.adaptive:
            request["thinking"] = {"type": "adaptive"}
            if self._where.own:
                request["thinking"]["display"] = "summarized"  # else there is nothing to show while it works
        if shape.profile.thinking and self._settings.effort:  # it holds for all of an answer, not for thoughts alone
            request["output_config"] = {"effort": self._settings.effort}
        return request

    def _reshape(self, text: str) -> bool:
        """Ask for less from now on; False if there is nothing less to ask for."""
        shape = self._shape
        if "max_tokens" in text and shape.max_tokens > LEAST_TOKENS:
            shape.max_tokens = max(LEAST_TOKENS, shape.max_tokens // 4)
            self._note(f"{text}; asking for {shape.max_tokens} tokens at most")
            return True
        less = profiles.smaller(shape.profile, self._settings.profile, text, own_host=self._where.own)
        if less is None:
            return False
        shape.profile = less
        lost = "no thinking" if less.rich else "ordinary tools, no thinking, no caching"
        lost += ", no effort" if self._settings.effort else ""
        self._note(f"{text}; going on with profile {less.name}: {lost}")
        return True

    def _wait(self, failure: Failure, retry: int) -> None:
        seconds = self._backoff.seconds(retry, failure.wait)
        self._report(UsageCounted(self.name, self._model.id, self._meter.retried()))
        told = f"{failure.text}; retry {retry} of {self._backoff.limit} in {seconds:.1f} s"
        self._report(ActivityReported("retry", told))
        self._cancel.wait(seconds)

    def _error(self, failure: Failure, retries: int) -> ProviderError:
        if failure.kind is Kind.RETRY:
            text = f"provider anthropic: {failure.text}; gave up after {retries + 1} tries"
            return ProviderError(text, hint=failure.hint, transient=True)
        hint = failure.hint
        if failure.kind is Kind.SHAPE:
            hint = "[anthropic] profile = plain asks a server for the least" if self._shape.profile.rich else ""
        return ProviderError(f"provider anthropic: {failure.text}", hint=hint)

    def _spent(self, model: str, tokens: Tokens) -> None:
        name = model or self._model.id
        self._forecast.learn(self._asked, tokens)
        self._doubt_price(name)
        self._report(UsageCounted(self.name, name, self._meter.count(name, tokens)))

    def _doubt_price(self, model: str) -> None:
        if told := self._meter.doubt(model):
            self._note(told)

    def _say(self, kind: str, text: str) -> None:
        self._report(ActivityReported(kind, whole(self._where.redact(text))[:SHOWN_CHARS]))

    def _note(self, text: str) -> None:
        self._report(ActivityReported("note", text))

    def _note_freed(self, freed: int) -> None:
        if freed:
            self._note(f"the conversation grew long: {freed:,} characters of old tool answers left out")
