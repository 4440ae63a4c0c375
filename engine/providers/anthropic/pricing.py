"""What tokens cost, by model. Pure; list prices in US dollars a million tokens, as published in November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.config import Price

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one answer used, as the server counts it."""

    fresh: int = 0  # input, neither read from nor written to the cache
    written: int = 0
    read: int = 0
    out: int = 0

    @property
    def prompt(self) -> int:
        return self.fresh + self.written + self.read


@dataclass(frozen=True, slots=True)
class Rate:
    into: float
    out: float
    read: float = 0.1  # of ``into``
    write: float = 1.25  # of ``into``; marks that live five minutes
    long: tuple[int, float] | None = None  # prompts above so many tokens cost so many times as much

    def cost(self, tokens: Tokens) -> float:
        into = tokens.fresh + tokens.written * self.write + tokens.read * self.read
        times = self.long[1] if self.long and tokens.prompt > self.long[0] else 1.0
        return times * (into * self.into + tokens.out * self.out) / _MILLION

    def of(self, price: Price) -> Rate:
        """This rate with what a price of the settings says; what it does not say stays."""
        into = self.into if price.input < 0 else price.input
        read = self.read if price.cache_read < 0 else _share(price.cache_read, into)
        write = self.write if price.cache_write < 0 else _share(price.cache_write, into)
        long = self.long if price.input < 0 else None  # a price for all prompts, however long
        return Rate(into, self.out if price.output < 0 else price.output, read, write, long)

    def at_least(self, known: Rate) -> Rate:
        """This rate where it is dearer, else the other, price by price."""
        into = max(self.into, known.into)
        read, write = (
            max(mine * self.into, theirs * known.into) / into if into else 0.0
            for mine, theirs in ((self.read, known.read), (self.write, known.write))
        )
        return Rate(into, max(self.out, known.out), read, write, self.long or known.long)


FREE = Rate(0.0, 0.0)

# Looked up by what a model id contains, in this order: the longer name comes first.
TABLE: tuple[tuple[str, Rate], ...] = (
    ("fable-5-1", Rate(10, 50, read=0.025)),
    ("fable-5", Rate(10, 50)),
    ("mythos-5-1", Rate(10, 50, read=0.025)),
    ("mythos-5", Rate(10, 50)),
    ("mythos-preview", Rate(25, 125)),
    ("opus-5-5", Rate(4, 20, read=0.05)),
    ("opus-5", Rate(5, 25)),
    ("opus-4-5", Rate(5, 25)),
    ("opus-4-6", Rate(5, 25)),
    ("opus-4-7", Rate(5, 25)),
    ("opus-4-8", Rate(5, 25)),
    ("opus-4", Rate(15, 75)),
    ("3-opus", Rate(15, 75)),
    ("sonnet-5-5", Rate(2, 10, read=0.05)),
    ("sonnet-5", Rate(2, 10)),
    ("sonnet-4", Rate(3, 15)),
    ("3-7-sonnet", Rate(3, 15)),
    ("3-5-sonnet", Rate(3, 15)),
    ("haiku-5-5", Rate(0.10, 0.50, long=(100_000, 5.0))),
    ("haiku-4-5", Rate(1, 5)),
    ("3-5-haiku", Rate(0.8, 4)),
    ("3-haiku", Rate(0.25, 1.25)),
)

LINES = ("haiku", "sonnet", "opus", "fable", "mythos")


def _share(price: float, of: float) -> float:
    return price / of if of else 0.0


def overridden(model: str, prices: Mapping[str, Price], known: Rate) -> Rate | None:
    """The rate the settings give a model; the longest name that its id contains counts. None: they say nothing."""
    name = model.lower()
    found = max((part for part in prices if part.lower() in name), key=len, default=None)
    return None if found is None else known.of(prices[found])


def below(prices: Mapping[str, Price]) -> str:
    """The first price that is below the table's for a model it would hold for, in words; empty if none is."""
    for name, price in prices.items():
        part = name.lower().replace(".", "-")
        rows = [(row, known) for row, known in TABLE if row in part][:1]
        for row, known in rows or [(row, known) for row, known in TABLE if part in f"claude-{row}"]:
            told = known.of(price)
            pairs = {
                "input": (told.into, known.into),
                "output": (told.out, known.out),
                "cache_read": (told.read * told.into, known.read * known.into),
                "cache_write": (told.write * told.into, known.write * known.into),
            }
            for key, (mine, theirs) in pairs.items():
                if getattr(price, key) >= 0 and mine < theirs * (1 - 1e-9):
                    return f'[prices."{name}"] {key} = {mine:g} is less than {row} costs ({theirs:g})'
    return ""


def priced(model: str) -> bool:
    """Whether the table has a model, or at least its line."""
    return rate(model)[1] or any(line in model.lower() for line in LINES)


def rate(model: str) -> tuple[Rate, bool]:
    """The rate of a model, and whether it is in the table.

    A model that is not in the table is priced as the dearest of its line, or as the dearest of all:
    a budget may then end a run early, never late.

    Examples
    --------
    >>> rate("claude-opus-5-5")[0].into, rate("claude-opus-9")[1]
    (4, False)
    """
    name = model.lower().replace(".", "-")
    for part, known in TABLE:
        if part in name:
            return known, True
    line = next((line for line in LINES if line in name), "")
    return max((r for part, r in TABLE if line in part), key=lambda r: r.out), False
