"""What a provider has used and what it may use: counted after each answer, asked for before each request.

A request is made only if the run can pay for it: its input as estimated, and an answer as long as it may get.
Where there is too little left for the longest answer, a shorter one is asked for, down to ``LEAST_TOKENS``.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.allowance import Allowance
from engine.config import Budget, Price
from engine.events import CallEstimated
from engine.model import Usage
from engine.providers.anthropic.forecast import Estimate
from engine.providers.anthropic.pricing import FREE, Rate, Tokens, overridden, priced, rate
from engine.spending import usd

LEAST_TOKENS = 4_096  # an answer is not asked to be shorter than this


class Meter:
    """Adds up the usage of a run over all attempts of one provider.

    Parameters
    ----------
    spent
        What the run had used before this provider was made, for a run that was resumed.
    free
        The server costs nothing, unless ``prices`` says so: it is on this machine.
    foreign
        It is not Anthropic's: models the table knows cost what they cost there, others nothing.
    floor
        ``prices`` are a repository's own: they may be above the table's, never below.
    """

    def __init__(
        self,
        budget: Budget | Allowance,
        spent: Usage,
        *,
        free: bool,
        foreign: bool = False,
        rates: Rate | None = None,
        prices: Mapping[str, Price] | None = None,
        floor: bool = False,
    ) -> None:
        self.spent = spent
        self._allowance = budget if isinstance(budget, Allowance) else Allowance(budget)
        self._free, self._foreign = free, foreign
        self._rates = rates
        self._prices = prices or {}
        self._floor = floor
        self._unpriced: set[str] = set()

    def rate(self, model: str) -> Rate:
        if self._rates is not None:
            return self._rates
        known = FREE if self._costs_nothing(model) else rate(model)[0]
        told = overridden(model, self._prices, known) or known
        return told.at_least(known) if self._floor else told

    def _costs_nothing(self, model: str) -> bool:
        return self._free or (self._foreign and not priced(model))

    def doubt(self, model: str) -> str:
        """What a person should know of the price of a model, once a model; empty if it is known."""
        if self._rates is not None or self._free or rate(model)[1] or model in self._unpriced:
            return ""
        self._unpriced.add(model)
        if overridden(model, self._prices, FREE) is not None:
            return ""
        if self._costs_nothing(model):
            return (
                f"no price known for {model}: counted as free, so the limit on money does not hold ([prices] sets one)"
            )
        known = self.rate(model)
        return f"no price known for {model}: counted as ${known.into:g} in, ${known.out:g} out a million tokens"

    def count(self, model: str, tokens: Tokens) -> Usage:
        """Add one answer, and return what it added."""
        added = Usage(
            calls=1,
            tokens_in=tokens.fresh + tokens.written,
            cached=tokens.read,
            tokens_out=tokens.out,
            usd=self.rate(model).cost(tokens),
        )
        self.spent += added
        return added

    def retried(self) -> Usage:
        """Add one retry, and return it."""
        added = Usage(retries=1)
        self.spent += added
        return added

    def allow(self, model: str, estimate: Estimate, wanted: int) -> CallEstimated:
        """What the next request may take, once the run may pay for it.

        Parameters
        ----------
        wanted
            Most tokens the answer is to have.

        Raises
        ------
        BudgetSpent, AttemptEnded, Stopped
            It may not, and nobody allows more.
        """
        least = min(LEAST_TOKENS, wanted)
        while (short := self._short(model, estimate, least)) is not None:
            self._allowance.reached(*short)
        rates, tokens = self.rate(model), estimate.input
        out = max(least, min(wanted, *self._room(model, estimate)))
        return CallEstimated(
            "anthropic",
            model,
            estimate.prompt,
            estimate.cached,
            out,
            usd=rates.cost(_with_out(tokens, min(out, estimate.out))),
            most=rates.cost(_with_out(tokens, out)),
        )

    def _room(self, model: str, estimate: Estimate) -> list[int]:
        """Most tokens of an answer that each limit leaves room for."""
        limit, rates = self._allowance.budget, self.rate(model)
        room = [limit.tokens - self._tokens - estimate.prompt]
        if rates.out > 0:
            left = limit.usd - self.spent.usd - rates.cost(estimate.input)
            each = (rates.cost(_with_out(estimate.input, 1000)) - rates.cost(estimate.input)) / 1000
            room.append(int(left / each))
        return room

    @property
    def _tokens(self) -> int:
        return self.spent.tokens_in + self.spent.cached + self.spent.tokens_out

    def _short(self, model: str, estimate: Estimate, least: int) -> tuple[str, float, float, str] | None:
        """The limit the next request would pass, with what was spent, what it must be, and a sentence."""
        limit, spent, rates = self._allowance.budget, self.spent, self.rate(model)
        cost = rates.cost(_with_out(estimate.input, least))
        if (cost and spent.usd >= limit.usd) or spent.usd > limit.usd:
            told = f"the money is spent: ${spent.usd:.2f} of ${limit.usd:.2f}"
            return "usd", spent.usd, spent.usd + cost, told
        if cost and spent.usd + cost > limit.usd:
            told = f"the next call may cost {usd(cost)}, and {usd(limit.usd - spent.usd)} of {usd(limit.usd)}"
            return "usd", spent.usd, spent.usd + cost, f"{told} are left"
        taken = estimate.prompt + least
        if self._tokens >= limit.tokens:
            told = f"the tokens are spent: {self._tokens:,} of {limit.tokens:,}"
            return "tokens", self._tokens, self._tokens + taken, told
        if self._tokens + taken > limit.tokens:
            told = f"the next call may take {taken:,} tokens, and {limit.tokens - self._tokens:,} of {limit.tokens:,}"
            return "tokens", self._tokens, self._tokens + taken, f"{told} are left"
        if spent.calls >= limit.turns:
            told = f"the turns are spent: {spent.calls} of {limit.turns}"
            return "turns", spent.calls, spent.calls + 1, told
        return None


def _with_out(tokens: Tokens, out: int) -> Tokens:
    return Tokens(tokens.fresh, tokens.written, tokens.read, out)
