"""Which model a name means: asked of the server once, else looked up in a small table. Never fails a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from engine.providers.anthropic.pricing import LINES

DEFAULT = "sonnet"
LIST_S = 5.0

# The newest of each line when this was written; the server's own list wins.
OFFLINE = {
    "haiku": "claude-haiku-5-5",
    "sonnet": "claude-sonnet-5-5",
    "opus": "claude-opus-5-5",
    "fable": "claude-fable-5-2",
    "mythos": "claude-mythos-5-2",
}
_OLDER = ("claude-3", "-4-5", "-4-1", "-4-0", "-4-2025")  # before adaptive thinking


@dataclass(frozen=True, slots=True)
class Model:
    id: str
    adaptive: bool = True  # takes adaptive thinking
    max_tokens: int = 0  # most it may be asked to write; 0 is unknown
    note: str = ""  # how the name was resolved, when that is worth saying


def is_alias(name: str) -> bool:
    return name in LINES


def known(model_id: str, note: str = "") -> Model:
    """A model named by its id, with what the id alone says of it."""
    return Model(model_id, adaptive=not any(part in model_id for part in _OLDER), note=note)


def choose(alias: str, listed: Iterable[Any]) -> Model | None:
    """The newest active model of a line in a server's list, or the only one of a server that has one."""
    models = [m for m in listed if isinstance(getattr(m, "id", None), str)]
    active = [m for m in models if getattr(m, "lifecycle", None) in (None, "active")]
    of_line = [m for m in active if (getattr(m, "line", None) or _line(m.id)) == alias]
    if of_line:
        return _described(max(of_line, key=lambda m: str(getattr(m, "created_at", "") or "")))
    if len(models) == 1:
        found = _described(models[0])
        return Model(found.id, found.adaptive, found.max_tokens, f"the server has one model, {found.id}: using it")
    return None


def _line(model_id: str) -> str:
    return next((line for line in LINES if line in model_id), "")


def _described(info: Any) -> Model:
    plain = known(info.id)
    types = getattr(getattr(getattr(info, "capabilities", None), "thinking", None), "types", None)
    adaptive = getattr(getattr(types, "adaptive", None), "supported", plain.adaptive)
    most = getattr(info, "max_tokens", None)
    return Model(info.id, adaptive=bool(adaptive), max_tokens=most if isinstance(most, int) else 0)


def resolve(name: str, client: Any) -> Model:
    """The model a name means. Only an alias is asked for; every failure to answer falls back to the table."""
    import anthropic
    import httpx2

    name = name.strip()
    alias = name.lower() if is_alias(name.lower()) else DEFAULT if name in ("", "inherit", "default") else ""
    if not alias:
        return known(name)
    try:
        page = client.models.list(limit=100, timeout=LIST_S)
        chosen = choose(alias, page.data or ())
    except (anthropic.AnthropicError, httpx2.HTTPError, ValueError, TypeError, AttributeError) as error:
        return known(OFFLINE[alias], f"model list not available ({type(error).__name__}): {alias} is {OFFLINE[alias]}")
    return chosen or known(OFFLINE[alias], f"no {alias} in the server's model list: trying {OFFLINE[alias]}")
