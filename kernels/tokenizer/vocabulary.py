"""What a model file says of its tokens, checked: their texts, kinds, scores, merges, and the ones with a meaning."""

from __future__ import annotations

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

LLAMA3 = ("llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral")
"""Names of one way to cut texts, whose texts begin with a token of their own where the file does not say."""

ENDS = (
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|eom_id|>", "<EOT>", "<|end_of_text|>", "<|endoftext|>",
)  # fmt: skip
"""Texts of tokens after which nothing more is said, beside those a file names; the ends of a turn come first."""

DEFAULTS = {"bos": (1, CONTROL), "eos": (2, CONTROL), "unknown": (0, UNKNOWN)}
"""Where sentence-piece puts them and of which kind they are; taken of an ``spm`` whose file does not name them."""

MOST_TEMPLATE = 2**16
"""Characters of a chat template."""

MOST_MARK = 256
"""Characters of a token that is found in texts as it stands."""

MOST_TEXT = 2**26
"""Bytes of all tokens, and of all merges; a vocabulary of 256,000 has about two million."""


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """The tokenizer of a model file.

    Parameters
    ----------
    kind : ``bpe``, bytes merged by rank, or ``spm``, characters merged by the score of what they become.
    pre : how ``bpe`` cuts a text before it merges; ``default`` where the file does not say.
    types : (V,) int32. Tokens that end or begin a text are `CONTROL` whatever the file calls them.
    scores : (V,) float32 of ``spm``.
    merges : texts of two tokens and the space between, each once, the first to merge first.
    eot : ends a turn of a conversation.
    end_ids : tokens that end a generation.
    space : whether ``spm`` begins a text with a space.
    """

    kind: str
    pre: str
    tokens: list[str]
    types: NDArray[np.int32]
    scores: NDArray[np.float32]
    merges: list[str]
    bos: int | None
    eos: int | None
    eot: int | None
    unknown: int | None
    end_ids: frozenset[int]
    add_bos: bool
    add_eos: bool
    space: bool
    template: str | None

    def of_type(self, *types: int) -> dict[str, int]:
        """Texts and numbers of the tokens of some kinds; empty texts are none."""
        numbers = np.flatnonzero(np.isin(self.types, types)).tolist()
        return {self.tokens[number]: number for number in numbers if self.tokens[number]}


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
    kind, tokens = KINDS[name], _texts(file, "tokens")
    types = _column(file, "token_type", np.full(len(tokens), NORMAL, np.int32)).copy()
    named = {key: _number(file, key) for key in ("bos", "eos", "eot", "eom", "unknown")}
    for key, (number, type_) in DEFAULTS.items() if kind == "spm" else ():
        if named[key] is None and number < len(types) and types[number] == type_:
            named[key] = number
    wanted = set(ENDS)
    ends = {text: number for number, text in enumerate(tokens) if text in wanted}
    if named["eot"] is None:
        named["eot"] = next((ends[text] for text in ENDS if text in ends), None)
    end_ids = {*ends.values(), named["eos"], named["eot"], named["eom"]} - {None}
    for control in (*end_ids, named["bos"]):
        if control is not None and len(tokens[control]) > 1:  # one letter may be needed to write with
            types[control] = CONTROL
    _marks_are_short(tokens, types)
    pre = file.value(PREFIX + "pre", (ValueType.STRING,)) or "default"
    return Vocabulary(
        kind, pre, tokens, types, _column(file, "scores", np.zeros(len(tokens), np.float32)),
        list(dict.fromkeys(_texts(file, "merges"))) if kind == "bpe" else [],
        named["bos"], named["eos"], named["eot"], named["unknown"],
        frozenset(number for number in end_ids if number is not None),
        add_bos=_flag(file, "add_bos_token", kind == "spm" or pre in LLAMA3) and named["bos"] is not None,
        add_eos=_flag(file, "add_eos_token", False) and named["eos"] is not None,
        space=kind == "spm" and _flag(file, "add_space_prefix", True),
        template=_template(file),
    )  # fmt: skip


def _texts(file: ModelFile, name: str) -> list[str]:
    raw = list(file.metadata[PREFIX + name].data.raw())
    where, size = f"key {PREFIX}{name}", sum(map(len, raw))
    if size > MOST_TEXT:
        raise BadTokenizer(f"{size} bytes", where=where, expected=f"at most {MOST_TEXT}")
    try:
        return [each.decode("utf-8") for each in raw]
    except UnicodeDecodeError as error:
        said = f"item {raw.index(error.object)} is {plain(repr(error.object))}"
        raise BadTokenizer(said, where=where, expected="UTF-8") from None


def _marks_are_short(tokens: list[str], types: NDArray[np.int32]) -> None:
    for number in np.flatnonzero(np.isin(types, (UNKNOWN, CONTROL, USER_DEFINED))).tolist():
        if len(tokens[number]) > MOST_MARK:
            said = f"token {number} is found in texts as it stands and has {len(tokens[number])} characters"
            raise BadTokenizer(said, where=f"key {PREFIX}tokens", expected=f"at most {MOST_MARK}")


def _template(file: ModelFile) -> str | None:
    template = file.value("tokenizer.chat_template", (ValueType.STRING,))
    if template is not None and len(template) > MOST_TEMPLATE:
        where = "key tokenizer.chat_template"
        raise BadTokenizer(f"{len(template)} characters", where=where, expected=f"at most {MOST_TEMPLATE}")
    return None if template is None else str(template)


def _column(file: ModelFile, name: str, default: NDArray[Any]) -> NDArray[Any]:
    value = file.metadata.get(PREFIX + name)
    return default if value is None else np.asarray(value.data)


def _number(file: ModelFile, name: str) -> int | None:
    value = file.metadata.get(f"{PREFIX}{name}_token_id")
    return None if value is None else int(value.data)


def _flag(file: ModelFile, name: str, default: bool) -> bool:
    value = file.value(PREFIX + name, (ValueType.BOOL,))
    return default if value is None else bool(value)
