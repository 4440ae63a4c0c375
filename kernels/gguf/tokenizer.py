"""Whether the tokenizer in a model file agrees with itself, with the model, and with one in a file of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kernels.gguf.errors import BadTokenizer, ModelFileError, NotReadable, plain
from kernels.gguf.model import ModelFile, mapped
from kernels.gguf.values import Value, ValueType

PREFIX = "tokenizer.ggml."
MAX_TOKENS = 2**21
MAX_JSON = 2**25
"""Bytes of a tokenizer.json; those of vocabularies of 256,000 have about half."""

_NAMED = 5
_KINDS = {"scores": ValueType.FLOAT32, "token_type": ValueType.INT32}


def faults(model: ModelFile, rows: int | None) -> Iterator[tuple[str, ModelFileError]]:
    """What is wrong with the tokenizer inside, as (severity, error); ``rows`` are those of the embedding."""
    value = model.metadata.get(PREFIX + "tokens")
    if value is None:
        yield (
            "warning",
            BadTokenizer(
                "there is none",
                where=f"key {PREFIX}tokens",
                hint="without one there are numbers alone: generate --tokens 1,2,3",
            ),
        )
        return
    if value.item is not ValueType.STRING:
        yield "error", BadTokenizer(f"{value!r}", where=f"key {PREFIX}tokens", expected="an array of STRING")
        return
    count = len(value.data)
    if not 0 < count <= MAX_TOKENS:
        yield "error", BadTokenizer(f"{count} tokens", where=f"key {PREFIX}tokens", expected=f"1 to {MAX_TOKENS}")
        return
    if rows is not None and count != rows:
        severity = "error" if count > rows else "warning"
        yield (
            severity,
            BadTokenizer(f"{count} tokens", where=f"key {PREFIX}tokens", expected=f"{rows}, as the embedding"),
        )
    tokens = list(value.data.raw())
    known = set(tokens)
    known.discard(b"")  # a number without a token, of which there may be many
    twice = count - tokens.count(b"") - len(known)
    if twice:
        yield "error", BadTokenizer(f"{twice} tokens are there twice", where=f"key {PREFIX}tokens")
    broken = 0 if _is_utf8(b"\n".join(tokens)) else sum(not _is_utf8(token) for token in tokens)
    if broken:
        yield "error", BadTokenizer(f"{broken} tokens are not UTF-8", where=f"key {PREFIX}tokens")
    for name, kind in _KINDS.items():
        yield from _column(model, name, kind, count)
    yield from _ids(model, count)
    yield from _kind(model, known)


def differences(model: ModelFile, path: Path) -> Iterator[tuple[str, ModelFileError]]:
    """Where the tokens inside and those of another file disagree: a tokenizer.json, or another GGUF file."""
    where = plain(str(path), 400)
    try:
        other = _tokens_of(path)
    except NotReadable:
        raise
    except ModelFileError as error:
        yield "error", error
        return
    value = model.metadata.get(PREFIX + "tokens")
    if value is None or value.item is not ValueType.STRING:
        yield "error", BadTokenizer("the model has no tokens to compare with", where=where)
        return
    own = dict(enumerate(value.data))
    missing = [number for number in other if number not in own]
    unlike = [number for number in other if number in own and own[number] != other[number]]
    alone = len(own) - (len(other) - len(missing))
    for numbers, what in ((missing, "tokens are not in the model"), (unlike, "tokens differ")):
        if numbers:
            pairs = (f"{n}: {plain(repr(own.get(n)), 30)} / {plain(repr(other[n]), 30)}" for n in numbers[:_NAMED])
            said = f"{len(numbers)} {what} ({', '.join(pairs)}{', …' if len(numbers) > _NAMED else ''})"
            yield "error", BadTokenizer(said, where=where)
    if alone > 0:
        yield "warning", BadTokenizer(f"{alone} tokens of the model are not in it", where=where)


def _tokens_of(path: Path) -> dict[int, str]:
    data, where = mapped(path), plain(str(path), 400)
    if data[:4] == b"GGUF":
        value = ModelFile(path, tolerate=True).metadata.get(PREFIX + "tokens")
        if value is None or value.item is not ValueType.STRING:
            raise BadTokenizer("no tokens in it", where=where)
        return dict(enumerate(value.data))
    if len(data) > MAX_JSON:
        raise BadTokenizer(f"{len(data)} bytes", where=where, expected=f"at most {MAX_JSON}")
    try:
        found = json.loads(data[:])
    except (ValueError, RecursionError) as error:
        raise BadTokenizer(
            f"no JSON: {plain(str(error))}", where=where, expected="a tokenizer.json or a GGUF"
        ) from None
    try:
        vocabulary = found["model"]["vocab"]
        if isinstance(vocabulary, dict):
            numbered = {number: token for token, number in vocabulary.items()}
        else:
            numbered = {number: entry[0] for number, entry in enumerate(vocabulary)}
        numbered |= {entry["id"]: entry["content"] for entry in found.get("added_tokens") or ()}
    except (KeyError, TypeError, IndexError, AttributeError):
        raise BadTokenizer("no vocabulary in it", where=where, expected='{"model": {"vocab": …}}') from None
    if not all(type(number) is int and number >= 0 and isinstance(token, str) for number, token in numbered.items()):
        raise BadTokenizer("its vocabulary is no table of tokens and numbers", where=where)
    return numbered


def _column(model: ModelFile, name: str, kind: ValueType, count: int) -> Iterator[tuple[str, ModelFileError]]:
    value, where = model.metadata.get(PREFIX + name), f"key {PREFIX}{name}"
    if value is None:
        return
    if value.item is not kind:
        yield "error", BadTokenizer(f"{value!r}", where=where, expected=f"an array of {kind.name}")
    elif len(value.data) != count:
        yield "error", BadTokenizer(f"{len(value.data)} items", where=where, expected=f"{count}, as there are tokens")
    elif name == "scores" and not np.isfinite(value.data).all():
        yield "error", BadTokenizer("scores that are not finite", where=where)
    elif name == "token_type" and ((value.data < 0) | (value.data > 6)).any():
        yield "warning", BadTokenizer("types outside 0 to 6", where=where)


def _ids(model: ModelFile, count: int) -> Iterator[tuple[str, ModelFileError]]:
    for key, value in model.metadata.items():
        if key.startswith(PREFIX) and key.endswith("_token_id"):
            number = value.data
            if type(number) is not int or not 0 <= number < count:
                expected = f"a token from 0 to {count - 1}"
                yield "error", BadTokenizer(f"{value!r}", where=f"key {plain(key)}", expected=expected)


def _kind(model: ModelFile, known: set[bytes]) -> Iterator[tuple[str, ModelFileError]]:
    named: Value | None = model.metadata.get(PREFIX + "model")
    if named is None or named.type is not ValueType.STRING:
        said = "the key is missing" if named is None else f"{named!r}"
        yield "error", BadTokenizer(said, where=f"key {PREFIX}model", expected="a STRING")
    elif named.data == "gpt2":
        merges: Any = model.metadata.get(PREFIX + "merges")
        if merges is None or merges.item is not ValueType.STRING:
            said = "the key is missing" if merges is None else f"{merges!r}"
            yield "error", BadTokenizer(said, where=f"key {PREFIX}merges", expected="an array of STRING")
            return
        strange = _strange(list(merges.data.raw()), known)
        if strange:
            yield "error", BadTokenizer(f"{strange} merges of tokens there are none of", where=f"key {PREFIX}merges")
    elif named.data == "llama" and PREFIX + "scores" not in model.metadata:
        yield "error", BadTokenizer("the key is missing", where=f"key {PREFIX}scores", expected="a score a token")


def _strange(merges: list[bytes], known: set[bytes]) -> int:
    """How many merges do not make a token of two."""
    parts = b" ".join(merges).split(b" ")
    whole = [merge.replace(b" ", b"") for merge in merges]
    if len(parts) == 2 * len(merges) and known.issuperset(parts) and known.issuperset(whole):
        return 0  # as it nearly always is, told in a third of the time
    halves = (merge.partition(b" ") for merge in merges)
    return sum(not (left in known and right in known and left + right in known) for left, _, right in halves)


def _is_utf8(token: bytes) -> bool:
    try:
        token.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
