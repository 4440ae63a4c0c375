"""What a run has cost so far, in words, the same wherever it is shown. Pure."""

from __future__ import annotations

from engine.model import Usage
from engine.state import RunState


def tokens(number: int) -> str:
    """In at most five cells.

    Examples
    --------
    >>> tokens(950), tokens(12_345), tokens(1_250_000)
    ('950', '12.3k', '1.2M')
    """
    if number < 1000:
        return str(number)
    if number < 99_950:
        return f"{number / 1000:.1f}k"
    return f"{number / 1000:.0f}k" if number < 999_500 else f"{number / 1_000_000:.1f}M"


def usd(amount: float) -> str:
    """Cents; what is less than ten of them with two digits that differ from nothing.

    Examples
    --------
    >>> usd(2), usd(0.0123), usd(0.09)
    ('$2.00', '$0.012', '$0.09')
    """
    return f"${amount:.2f}" if amount >= 0.1 or amount < 0.0001 else f"${amount:.2g}"


def share(state: RunState) -> str:
    """``cached 93 %``: of the input, from the second call on; empty where no server told."""
    return f"cached {100 * state.cached:.0f} %" if state.cached is not None else ""


def forecast(state: RunState) -> str:
    """``next $0.02, at most $0.31``: empty where a call costs nothing."""
    call = state.forecast
    if call is None or not call.most:
        return ""
    return f"next {usd(call.usd)}, at most {usd(call.most)}"


def live(state: RunState) -> list[str]:
    """What is shown while a model works: tokens in, the share from the cache, tokens out, the next call."""
    used = state.usage
    if not used.calls:
        return [forecast(state)] if forecast(state) else []
    parts = [f"in {tokens(used.tokens_in + used.cached)}", share(state), f"out {tokens(used.tokens_out)}"]
    return [part for part in (*parts, forecast(state)) if part]


def summary(state: RunState) -> list[str]:
    """A line of all, and one a model where there are several; nothing where no model was asked."""
    if not state.usage.calls:
        return []
    models = {name or "a model": used for name, used in state.models.items() if used.calls}
    names = next(iter(models)) if len(models) == 1 else f"{len(models)} models"
    lines = [f"cost: {_told(state.usage, share(state))}, {names}"]
    return lines + ([f"  {name}: {_told(used, '')}" for name, used in models.items()] if len(models) > 1 else [])


def _told(used: Usage, cached: str) -> str:
    calls = "1 call" if used.calls == 1 else f"{used.calls} calls"
    inside = f"{used.tokens_in + used.cached:,} tokens in" + (f" ({cached})" if cached else "")
    return f"{usd(used.usd)} for {calls}: {inside}, {used.tokens_out:,} out"
