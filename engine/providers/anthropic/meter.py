"""What a provider has used and what it may use: counted after each answer, checked before each request."""

from __future__ import annotations

from engine.config import Budget
from engine.errors import BudgetSpent
from engine.model import Usage
from engine.providers.anthropic.pricing import FREE, Rate, Tokens, rate


class Meter:
    """Adds up the usage of a run over all attempts of one provider.

    Parameters
    ----------
    spent
        What the run had used before this provider was made, for a run that was resumed.
    """

    def __init__(self, budget: Budget, spent: Usage, *, free: bool, rates: Rate | None = None) -> None:
        self.spent = spent
        self._budget = budget
        self._free = free
        self._rates = rates
        self._unpriced: set[str] = set()

    def rate(self, model: str) -> Rate:
        if self._rates is not None:
            return self._rates
        return FREE if self._free else rate(model)[0]

    def guessed(self, model: str) -> bool:
        """Whether the price of a model is a guess; True once a model, so that it is said once."""
        if self._rates is not None or self._free or rate(model)[1] or model in self._unpriced:
            return False
        self._unpriced.add(model)
        return True

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

    def check(self, model: str) -> None:
        """Raise BudgetSpent if the next request is one too many."""
        limit, spent = self._budget, self.spent
        paid = self.rate(model).out > 0
        if spent.usd > limit.usd or (paid and spent.usd >= limit.usd):
            raise BudgetSpent(
                f"the money is spent: ${spent.usd:.2f} of ${limit.usd:.2f}",
                hint="raise it with --max-usd or [budget] usd, then resume the run",
            )
        tokens = spent.tokens_in + spent.cached + spent.tokens_out
        if tokens >= limit.tokens:
            raise BudgetSpent(
                f"the tokens are spent: {tokens:,} of {limit.tokens:,}",
                hint="raise [budget] tokens, then resume the run",
            )
        if spent.calls >= limit.turns:
            raise BudgetSpent(
                f"the turns are spent: {spent.calls} of {limit.turns}",
                hint="raise them with --max-turns or [budget] turns, then resume the run",
            )
