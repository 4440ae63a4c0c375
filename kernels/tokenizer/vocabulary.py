"""What a model file says of its tokens, checked: their texts, kinds, scores, merges, and the ones with a meaning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.gguf.errors import BadTokenizer, plain
from kernels.gguf.model import ModelFile
from kernels.gguf.tokenizer import PREFIX, faults
from kernels.gguf.values import ValueType

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""Kinds of tokens, as the files number them."""

KINDS = {"gpt2": "bpe", "llama": "spm"}
"""Names of tokenizers in the files, and what they are."""

ENDS = ("<|eot_id|>", "<|im_end|>", "<|end_of_text|>", "<|endoftext|>", "<end_of_turn>", "<|end|>", "<EOT>")
"""Control tokens after which nothing more is said, beside the one a file names."""

MOST_TEMPLATE = 2**16
"""Characters of a chat template."""


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """The tokenizer of a model file.

    Parameters
    ----------
    kind : ``bpe``, bytes merged by rank, or ``spm``, characters merged by the score of what they become.
    pre : how ``bpe`` cuts a text before it merges.
    types : (V,) int32.
    scores : (V,) float32 of ``spm``.
    end_ids : tokens that end a generation.
    space : whether ``spm`` begins a text with a space.
    """

    kind: str
    pre: str
    tokens: list[str]
    types: NDArray[np.int32]
    scores: NDArray[np.float32]
    merges: list[tuple[str, str]]
    bos: int | None
    eos: int | None
    unknown: int | None
    end_ids: frozenset[int]
    add_bos: bool
    add_eos: bool
    space: bool
    template: str | None

    def of_type(self, *types: int) -> dict[str, int]:
        """Texts and numbers of the tokens of some kinds; empty texts are none."""
        numbers = np.flatnonzero(np.isin(self.types, types)).tolist()
        return {self.tokens[number]: number for number in reversed(numbers) if self.tokens[number]}


def read(file: ModelFile) -> Vocabulary:
    """The vocabulary of a file.

    Raises
    ------
    BadTokenizer
        There is none, it contradicts itself, or is of a kind that is not known here.
    """
    for severity, error in faults(file, None):
        if severity == "error" or PREFIX + "tokens" not in file.metadata:
            raise error
    name = file.value(PREFIX + "model", (ValueType.STRING,))
    if name not in KINDS:
        raise BadTokenizer(plain(repr(name)), where=f"key {PREFIX}model", expected=" or ".join(KINDS))
    tokens = list(_texts(file, "tokens"))
    types = _column(file, "token_type", np.full(len(tokens), NORMAL, np.int32))
    kind = KINDS[name]
    known = set(tokens)
    # A merge into what is no token never happens.
    merges = [(left, right) for left, _, right in (pair.partition(" ") for pair in _texts(file, "merges"))
              if left in known and right in known and left + right in known] if kind == "bpe" else []  # fmt: skip
    named = {key: _number(file, f"{key}_token_id") for key in ("bos", "eos", "unknown", "eot", "eom")}
    ends = {named[key] for key in ("eos", "eot", "eom")} - {None}
    ends |= {number for number in np.flatnonzero(types == CONTROL).tolist() if tokens[number] in ENDS}
    pre = file.value(PREFIX + "pre", (ValueType.STRING,)) or "default"
    template = file.value("tokenizer.chat_template", (ValueType.STRING,))
    if template is not None and len(template) > MOST_TEMPLATE:
        raise BadTokenizer(
            f"{len(template)} characters", where="key tokenizer.chat_template", expected=f"at most {MOST_TEMPLATE}"
        )
    return Vocabulary(
        kind, pre, tokens, types, _column(file, "scores", np.zeros(len(tokens), np.float32)), merges,
        named["bos"], named["eos"], named["unknown"], frozenset(number for number in ends if number is not None),
        add_bos=_flag(file, "add_bos_token", kind == "spm" or pre in LLAMA3) and named["bos"] is not None,
        add_eos=_flag(file, "add_eos_token", False) and named["eos"] is not None,
        space=_flag(file, "add_space_prefix", kind == "spm"),
        template=template,
    )  # fmt: skip


LLAMA3 = ("llama3", "llama-v3", "llama-bpe", "falcon3")
"""Names of one way to cut texts, whose texts begin with a token of their own where the file does not say."""


def _texts(file: ModelFile, name: str) -> Iterator[str]:
    for number, raw in enumerate(file.metadata[PREFIX + name].data.raw()):
        try:
            yield raw.decode("utf-8")
        except UnicodeDecodeError:
            raise BadTokenizer(
                f"item {number} is {plain(repr(raw))}", where=f"key {PREFIX}{name}", expected="UTF-8"
            ) from None


def _column(file: ModelFile, name: str, default: NDArray[Any]) -> NDArray[Any]:
    value = file.metadata.get(PREFIX + name)
    return default if value is None else np.asarray(value.data)


def _number(file: ModelFile, name: str) -> int | None:
    value = file.metadata.get(PREFIX + name)
    return None if value is None else int(value.data)


def _flag(file: ModelFile, name: str, default: bool) -> bool:
    value = file.value(PREFIX + name, (ValueType.BOOL,))
    return default if value is None else bool(value)
