"""Tokenizers as model files have them, made here: trained on texts of many kinds, written as GGUF metadata."""

import json
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from tokenizers import Tokenizer as Library
from tokenizers import models, pre_tokenizers, trainers

from kernels.gguf import ModelFile, NewTensor, write
from kernels.tokenizer import Tokenizer
from kernels.tokenizer.vocabulary import BYTE, CONTROL, NORMAL, UNKNOWN, USER_DEFINED

ROOT = Path(__file__).parents[2]
CORPUS = [path.read_text("utf-8") for path in sorted((ROOT / "kernels").rglob("*.py"))[:40]] + [
    "naïve café — “quotes” … ½ µ Ελληνικά русский עברית العربية हिन्दी 漢字かな 한국어 🙂🙃 👩‍👩‍👧 é",
]
NASTY = [
    "", " ", "  ", "\n", "\r\n", "\t\t x", "a" * 10_000, " " * 10_000, "ab " * 500, "\n" * 300, "=-" * 300,
    "▁", "▁▁ ▁", "<0x41>", "<s>", "</s>", "<unk>", "don't WE'LL I'M it's 's 'S ’s", "1234567890 1 22 333 ٣٤ ² Ⅷ ½ 一二",
    "é vs é", "👩‍👩‍👧‍👦🏳️‍🌈", "\0\x01\x7f\x80\xff\x1b[2J", "x\u200b\u2028y\u2029z\u0085w", "a\u00a0b\u3000c\u2003d",
    "\ue000\U0010ffff\ufffe", "def f(x):\n    return x**2  # ²\n\n\n", "مرحبا بالعالم", "हिन्दी में", "ไทยไม่มีช่องว่าง",
    "日本語のテキスト。", "A\u0301\u0327Z͑ͫ̓ͪ̂ͫ̽", "\ufeffbom", "<|end|><|user|>", " <|end|> ",
    "SELECT * FROM t WHERE a<>'b';\r\n\r\n",
    "https://example.org/?q=1&x=%20#frag", "\t\ttab  two   three    four", "ΑΒΓ ßſ İı ǅ ﬁ", "🇩🇪🇫🇷 👍🏽",
    "$1,234.56 +-*/= ^~|`",
]  # fmt: skip
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
"""Everything that is a text."""

LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())


def file(folder, model, tokens, types=None, ids=(), template=None, **keys):
    """A tokenizer from a GGUF file with these keys; those that are None are left out."""
    ids = {f"{key}_token_id": value for key, value in dict(ids).items()}
    kinds = None if types is None else np.array(types, np.int32)
    keys = {"model": model, "tokens": tokens, "token_type": kinds, **ids, **keys}
    metadata = {f"tokenizer.ggml.{key}": value for key, value in keys.items() if value is not None}
    metadata |= {"general.architecture": "bitnet-b1.58"} | ({"tokenizer.chat_template": template} if template else {})
    return Tokenizer.of(ModelFile(write(folder / "t.gguf", metadata, [NewTensor("w", np.ones(1, np.float32))])))


def bpe(folder, pre="llama-bpe", **more):
    """Bytes merged by rank, three control tokens and a user's."""
    tokens, merges = trained_bpe()
    extra = ["<|begin|>", "<|end|>", "<|eot_id|>", "<named>"]
    types = [NORMAL] * len(tokens) + [CONTROL] * 3 + [USER_DEFINED]
    ids = {"bos": len(tokens), "eos": len(tokens) + 1}
    return file(folder, "gpt2", [*tokens, *extra], types, ids, **{"merges": merges, "pre": pre, **more})


def spm(folder, **more):
    """Characters merged by score, 256 bytes, and a user's token."""
    pieces = trained_spm()
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    tokens = ["<unk>", "<s>", "</s>", *bytes_, *pieces, "<named>"]
    types = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * len(pieces) + [USER_DEFINED]
    scores = np.array([0] * 259 + [-number for number in range(len(pieces))] + [0], np.float32)
    return file(folder, "llama", tokens, types, **{"ids": {"bos": 1, "eos": 2, "unknown": 0}, "scores": scores, **more})


@cache
def trained_bpe(size=1200):
    """Tokens and merges."""
    library = Library(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=LETTERS, show_progress=False)
    library.train_from_iterator(CORPUS, trainer)
    return _by_number(library), [" ".join(pair) for pair in json.loads(library.to_str())["model"]["merges"]]


@cache
def trained_spm(size=900):
    """Pieces, numbered as they were merged, single characters last: the score is minus the number."""
    library = Library(models.BPE())
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, limit_alphabet=120)
    library.train_from_iterator([text.replace(" ", "▁") for text in CORPUS], trainer)
    return sorted(_by_number(library), key=lambda piece: len(piece) == 1)


def _by_number(library):
    return [token for token, _ in sorted(library.get_vocab().items(), key=lambda item: item[1])]
