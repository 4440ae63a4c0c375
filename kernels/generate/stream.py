"""A model's answer, piece by piece, until something ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

from kernels.errors import InputError
from kernels.generate.sample import Sampler
from kernels.model import Cache, Model

PIECE = 128
"""Tokens of the prompt that are run together: more would not be faster, and progress shows between them."""


class Decoder(Protocol):
    """Text of tokens one by one, as `kernels.tokenizer.Stream` gives it."""

    @property
    def known(self) -> int:
        """Tokens below this number have a text. A model may have more, to fill its last matrix; none is drawn."""

    def add(self, number: int) -> str:
        """The text that is sure now."""

    def end(self) -> str:
        """What is left."""


@dataclass(slots=True)
class Generation:
    """What has been generated so far, and how.

    Parameters
    ----------
    ended : why it ended: ``end`` (the model said so), ``stop`` (a stop string), ``length``, ``context``; empty while
        it goes on.
    """

    prompt: list[int]
    tokens: list[int] = field(default_factory=list)
    text: str = ""
    ended: str = ""
    prefill_s: float = 0.0
    decode_s: float = 0.0

    @property
    def prefill_rate(self) -> float:
        """Tokens of the prompt a second."""
        return len(self.prompt) / self.prefill_s if self.prefill_s else 0.0

    @property
    def decode_rate(self) -> float:
        """Tokens a second after the first, which comes with the prompt."""
        return (len(self.tokens) - 1) / self.decode_s if self.decode_s and len(self.tokens) > 1 else 0.0


def generate(
    model: Model,
    generation: Generation,
    *,
    decoder: Decoder | None = None,
    sampler: Sampler | None = None,
    most: int = 128,
    ends: frozenset[int] = frozenset(),
    stops: Sequence[str] = (),
    cache: Cache | None = None,
    progress: Callable[[int], object] = lambda done: None,
) -> Iterator[str]:
    """Pieces of text as they are sure, `generation` being kept up to date.

    Parameters
    ----------
    generation : its prompt is what the cache has not seen yet.
    decoder : without one, pieces are empty.
    most : tokens at most.
    ends : tokens that end it and are not shown.
    stops : strings that end it and are not shown, however tokens cut them.
    cache : to go on in; by default a new one, as large as needed.
    progress : called with the tokens of the prompt that are done.
    """
    sampler = sampler or Sampler()
    prompt = generation.prompt
    if not prompt:
        raise InputError("the prompt is empty", hint="begin with at least one token")
    if most < 1:
        raise InputError(f"{most} tokens at most; want 1 or more")
    if not all(stops):
        raise InputError("a stop string is empty")
    room = model.sizes.context if cache is None else cache.capacity - cache.length
    if len(prompt) > room:
        raise InputError(f"the prompt has {len(prompt)} tokens; the model's context has room for {room}")
    held, known = Held(stops), decoder.known if decoder else model.sizes.vocabulary
    cache = cache or model.new_cache(min(room, len(prompt) + most))
    began = perf_counter()
    for start in range(0, len(prompt), PIECE):
        logits = model.forward(prompt[start : start + PIECE], cache, last_only=True)
        progress(min(start + PIECE, len(prompt)))
    generation.prefill_s = perf_counter() - began
    began = perf_counter()
    while not generation.ended:
        token = sampler.draw(logits[0, :known], prompt + generation.tokens)
        if token in ends:
            generation.ended = "end"
            break
        generation.tokens.append(token)
        piece = held.add(decoder.add(token) if decoder else "")
        generation.text += piece
        if piece:
            yield piece
        if held.met:
            generation.ended = "stop"
        elif len(generation.tokens) >= most:
            generation.ended = "length"
        elif cache.length >= cache.capacity:
            generation.ended = "context"
        else:
            logits = model.forward([token], cache, last_only=True)
        generation.decode_s = perf_counter() - began
    rest = held.end(decoder.end() if decoder else "")
    generation.text += rest
    if rest:
        yield rest


class Held:
    """Lets text go as soon as no stop string can begin in it.

    Examples
    --------
    >>> held = Held(["END"])
    >>> held.add("a E"), held.add("N"), held.add("DEND"), held.met
    ('a ', '', '', True)
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._text = ""
        self.met = False

    def add(self, text: str) -> str:
        """Text that may be shown now."""
        if self.met:
            return ""
        self._text += text
        found = [at for at in (self._text.find(stop) for stop in self._stops) if at >= 0]
        if found:
            self.met, shown, self._text = True, self._text[: min(found)], ""
            return shown
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        keep = next(
            (size for size in range(min(longest, len(self._text)), 0, -1)
             if any(stop.startswith(self._text[-size:]) for stop in self._stops)), 0,
        )  # fmt: skip
        shown, self._text = self._text[: len(self._text) - keep], self._text[len(self._text) - keep :]
        return shown

    def end(self, text: str) -> str:
        """The rest, when no more comes."""
        shown = self.add(text)
        rest, self._text = self._text, ""
        return shown + rest
