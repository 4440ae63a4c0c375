"""What cuts plain text into tokens as the program does that a vocabulary was made for: never into control tokens."""

from __future__ import annotations

from collections.abc import Callable

from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from kernels.gguf.errors import BadTokenizer, plain
from kernels.gguf.tokenizer import PREFIX
from kernels.tokenizer.pieces import Pieces
from kernels.tokenizer.vocabulary import BYTE, CONTROL, LLAMA3, UNKNOWN, Vocabulary

_CONTRACTIONS = r"'s|'t|'re|'ve|'m|'ll|'d"
_GPT2 = rf"{_CONTRACTIONS}| ?\p{{L}}+| ?\p{{N}}+| ?[^\s\p{{L}}\p{{N}}]+|\s+(?!\S)"


def _modern(numbers: str) -> str:
    """Words with what stands before them, so many digits at a time, line ends with what they end."""
    return (
        rf"(?i:{_CONTRACTIONS})|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{numbers}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    )


CUTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*LLAMA3, "dbrx", "smaug-bpe"), (_modern(r"\p{N}{1,3}"),)),
    **dict.fromkeys(("gpt-2", "phi-2", "mpt", "olmo", "jais"), (_GPT2,)),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen", "stablelm2"), (_modern(r"\p{N}"),)),
    **dict.fromkeys(("smollm", "starcoder", "refact", "command-r", "codeshell"), (r"\p{N}", _GPT2)),
    "falcon": (r"[\p{P}\$\+<=>\^~\|`]+", _GPT2, r"[0-9][0-9][0-9]"),
    "default": (r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"),
}
"""By the name a file gives: patterns, each cutting what those before it left; what none matches is a piece too."""


def build(vocabulary: Vocabulary) -> Callable[[str], list[int]]:
    """Gives the numbers of the tokens of a text.

    Raises
    ------
    BadTokenizer
        A byte has no token, or the way to cut is not known.
    """
    return _bpe(vocabulary) if vocabulary.kind == "bpe" else _spm(vocabulary)


def _bpe(vocabulary: Vocabulary) -> Callable[[str], list[int]]:
    if vocabulary.pre not in CUTS:
        raise BadTokenizer(plain(repr(vocabulary.pre)), where=f"key {PREFIX}pre", expected=" or ".join(CUTS))
    barred = vocabulary.of_type(CONTROL, UNKNOWN)
    numbers = {text: number for number, text in enumerate(vocabulary.tokens) if text and text not in barred}
    missing = sum(byte not in numbers for byte in pre_tokenizers.ByteLevel.alphabet())
    if missing:
        raise BadTokenizer(f"{missing} bytes have no token", where=f"key {PREFIX}tokens", expected="one each")
    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in vocabulary.merges)
             if left not in barred and right not in barred and left + right not in barred]  # fmt: skip
    # In these vocabularies a word that is a token need not be one that merges lead to.
    model = models.BPE(vocab=numbers, merges=pairs, ignore_merges=vocabulary.pre in LLAMA3)
    made = Tokenizer(model)
    cuts = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in CUTS[vocabulary.pre]]
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [*cuts, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )

    def encoded(text: str) -> list[int]:
        ids: list[int] = made.encode_batch_fast([text])[0].ids
        return ids

    return encoded


def _spm(vocabulary: Vocabulary) -> Callable[[str], list[int]]:
    barred = {CONTROL, UNKNOWN, BYTE}
    types, scores = vocabulary.types.tolist(), vocabulary.scores.tolist()
    pieces = {
        text: (-scores[number], number)
        for number, text in enumerate(vocabulary.tokens)
        if text and types[number] not in barred
    }
    of_type = vocabulary.of_type(BYTE)
    bytes_ = [of_type.get(f"<0x{byte:02X}>") for byte in range(256)]
    whole = [number for number in bytes_ if number is not None]
    if len(whole) == 256:
        return Pieces(pieces, whole, None)
    if vocabulary.unknown is None or types[vocabulary.unknown] == CONTROL:
        said = f"{256 - len(whole)} bytes have no token, and there is none for the unknown"
        raise BadTokenizer(said, where=f"key {PREFIX}tokens")
    return Pieces(pieces, None, vocabulary.unknown)
