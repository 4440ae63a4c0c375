"""The outcomes of a receipt beside those of another run of the same tests. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.launch import Plan
from engine.model import TestOutcome
from engine.receipts.difference import Difference, Kind
from engine.receipts.form import Receipt

Outcomes = Mapping[str, TestOutcome]
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Around:
    """How the place where tests run again differs from where they ran."""

    moved: tuple[str, ...] = ()  # interpreter, packages, settings: the receipt is of another time
    weaker: tuple[str, ...] = ()  # platform and protections: it is of another machine

    @property
    def kind(self) -> Kind:
        """What it makes of an outcome that differs."""
        return Kind.STALE if self.moved else Kind.HERE if self.weaker else Kind.FORGED

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.moved, *self.weaker)


def around(receipt: Receipt, plan: Plan, suites: Mapping[str, Mapping[str, object]]) -> Around:
    """The environment then and now.

    Parameters
    ----------
    suites
        Settings of the suites as they are now.
    """
    then, now = receipt.environment, plan.interpreter
    moved = [
        f"{what}: {was} then, {is_} now"
        for what, was, is_ in (
            ("python", then.python_version, now.version),
            ("pytest", then.pytest_version, now.pytest),
            ("packages", then.packages_sha256[:12], now.packages_sha256[:12]),
        )
        if was != is_
    ]
    moved += [f"suite {n}: its settings are others now" for n in suites if receipt.suites.get(n) != suites[n]]
    weaker = [f"platform: {then.platform} then, {now.platform} now"] if then.platform != now.platform else []
    if then.protections != plan.confinement.protections:
        here = "; ".join(plan.confinement.protections)
        weaker.append(f"protections: {'; '.join(then.protections)} then, {here} now")
    return Around(tuple(moved), tuple(weaker))


def differing(recorded: Outcomes, seen: Outcomes, undecided: frozenset[str], *, whole: bool = True) -> list[str]:
    """Tests that came out otherwise; red is red, whichever way a test fails.

    Parameters
    ----------
    whole
        Every test ran then: one that was not there says something too.
    """
    keys = recorded.keys() | seen.keys() if whole else recorded.keys()
    return sorted(k for k in keys - undecided if not _same(recorded.get(k), seen.get(k)))


def _same(one: TestOutcome | None, other: TestOutcome | None) -> bool:
    return one is other or (one is not None and other is not None and one.red and other.red)


def compare(
    when: str, recorded: Outcomes, seen: Outcomes, keys: list[str], shaky: frozenset[str], kind: Kind
) -> Iterator[Difference]:
    """One difference a test, ``shaky`` ones apart: they came out otherwise the second time too, but not the same."""
    for key in keys[:_SHOWN]:
        was = str(recorded[key]) if key in recorded else "not there"
        now = str(seen[key]) if key in seen else "not there"
        if key in shaky:
            yield Difference(Kind.HERE, f"{key} {when} the change: {was} in the receipt, flaky here")
        else:
            yield Difference(kind, f"{key} {when} the change: {was} in the receipt, {now} here")
    if len(keys) > _SHOWN:
        yield Difference(kind, f"{len(keys) - _SHOWN} more tests {when} the change")
