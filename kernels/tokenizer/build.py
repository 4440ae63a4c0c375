"""A tokenizer of the library `tokenizers` that cuts plain text as the program does that a vocabulary was made for."""

from __future__ import annotations

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from kernels.gguf.errors import BadTokenizer, plain
from kernels.gguf.tokenizer import PREFIX
from kernels.tokenizer.vocabulary import CONTROL, LLAMA3, UNKNOWN, Vocabulary

SPACE = "▁"
"""What stands for a space in an ``spm``."""

MOST_PIECE = 256
"""Characters of a piece that merges may end in; longer ones would cost their square."""

_CONTRACTIONS = r"'s|'t|'re|'ve|'m|'ll|'d"
_GPT2 = rf"{_CONTRACTIONS}| ?\p{{L}}+| ?\p{{N}}+| ?[^\s\p{{L}}\p{{N}}]+|\s+(?!\S)"


def _modern(numbers: str) -> str:
    """Words with what stands before them, so many digits at a time, line ends with what they end."""
    return (
        rf"(?i:{_CONTRACTIONS})|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{numbers}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    )


CUTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(LLAMA3, (_modern(r"\p{N}{1,3}"),)),
    **dict.fromkeys(("gpt-2", "phi-2"), (_GPT2,)),
    "qwen2": (_modern(r"\p{N}"),),
    "smollm": (r"\p{N}", _GPT2),
    "default": (r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"),
}
"""By the name a file gives: patterns, each cutting what those before it left; what none matches is a piece too."""


def build(vocabulary: Vocabulary) -> Tokenizer:
    """Cuts text without control tokens into the numbers of tokens.

    Raises
    ------
    BadTokenizer
        A byte has no token, or the way to cut is not known.
    """
    return _bpe(vocabulary) if vocabulary.kind == "bpe" else _spm(vocabulary)


def _bpe(vocabulary: Vocabulary) -> Tokenizer:
    if vocabulary.pre not in CUTS:
        raise BadTokenizer(plain(repr(vocabulary.pre)), where=f"key {PREFIX}pre", expected=" or ".join(CUTS))
    numbers = _ordinary(vocabulary)
    missing = sum(byte not in numbers for byte in pre_tokenizers.ByteLevel.alphabet())
    if missing:
        raise BadTokenizer(f"{missing} bytes have no token", where=f"key {PREFIX}tokens", expected="one each")
    merges = [pair for pair in vocabulary.merges if all(part in numbers for part in (*pair, "".join(pair)))]
    whole_words = vocabulary.pre in LLAMA3
    made = Tokenizer(models.BPE(vocab=numbers, merges=merges, ignore_merges=whole_words))
    cuts = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in CUTS[vocabulary.pre]]
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([*cuts, bytes_])
    return made


def _spm(vocabulary: Vocabulary) -> Tokenizer:
    numbers = _ordinary(vocabulary)
    missing = sum(f"<0x{byte:02X}>" not in numbers for byte in range(256))
    if missing and vocabulary.unknown is None:
        raise BadTokenizer(f"{missing} bytes have no token, and there is none for the unknown", where=PREFIX + "tokens")
    unknown = None if vocabulary.unknown is None else vocabulary.tokens[vocabulary.unknown]
    if unknown is not None:
        numbers.setdefault(unknown, vocabulary.unknown or 0)
    made = Tokenizer(
        models.BPE(vocab=numbers, merges=_ranked(vocabulary, numbers), unk_token=unknown, byte_fallback=not missing)
    )
    made.normalizer = normalizers.Replace(" ", SPACE)
    return made


def _ordinary(vocabulary: Vocabulary) -> dict[str, int]:
    """Texts and numbers of the tokens a text may become: never control tokens; the first of equal ones."""
    barred = {CONTROL, UNKNOWN}
    types = vocabulary.types.tolist()
    ordered = reversed(range(len(vocabulary.tokens)))
    return {vocabulary.tokens[n]: n for n in ordered if types[n] not in barred and vocabulary.tokens[n]}


def _ranked(vocabulary: Vocabulary, numbers: dict[str, int]) -> list[tuple[str, str]]:
    """Every way to put a piece together from two, the piece with the highest score first."""
    scores = vocabulary.scores.tolist()
    ways = [
        (-scores[number], number, cut, piece)
        for piece, number in numbers.items()
        if 1 < len(piece) <= MOST_PIECE
        for cut in range(1, len(piece))
        if piece[:cut] in numbers and piece[cut:] in numbers
    ]
    return [(piece[:cut], piece[cut:]) for _, _, cut, piece in sorted(ways)]
