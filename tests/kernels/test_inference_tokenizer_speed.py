"""Large vocabularies are built, and long texts cut, in the time they should take: seconds of this process alone."""

import random
import time

import pytest
import vocabularies as make
from vocabularies import LETTERS

from kernels.gguf import ModelFile
from kernels.tokenizer import Tokenizer


@pytest.fixture(scope="module", params=["bpe", "spm"])
def tokenizer(request, tmp_path_factory):
    return getattr(make, request.param)(tmp_path_factory.mktemp("tokenizer"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "run", ["a", " ", "\n", "é", "1", "ab", "ab ", "=", " \n", "漢字", "😀", "\u0301", "'s", "<", "▁"]
)
def test_inference_tokenizer_takes_long_runs_in_its_stride(tokenizer, run):
    for text in ((run * 100_000)[:100_000], (run * 100_000)[:99_999] + "x"):
        began = time.process_time()
        ids = tokenizer.encode(text)
        assert time.process_time() - began < 3  # half a second on a quiet machine; the square of it would take hours
        assert tokenizer.decode(ids) == (text.replace("▁", " ") if tokenizer.vocabulary.kind == "spm" else text)


def large(tokens=128_000, merges=280_000):
    """Tokens of nine letters, and ways to put them together."""
    chance, few = random.Random(0), LETTERS[40:49]
    made, pool = dict.fromkeys(LETTERS), list(few)
    while len(made) < tokens:
        token = chance.choice(pool) + chance.choice(few if chance.random() < 0.7 else pool)
        if len(token) < 10 and token not in made:
            made[token] = None
            pool.append(token)
    ways = (f"{token[:at]} {token[at:]}" for token in made for at in range(1, len(token))
            if token[:at] in made and token[at:] in made)  # fmt: skip
    return list(made), [way for way, _ in zip(ways, range(merges), strict=False)]


@pytest.mark.slow
def test_inference_tokenizer_of_a_large_vocabulary_is_built_in_time(tmp_path):
    tokens, merges = large()
    assert (len(tokens), len(merges)) == (128_000, 280_000)
    make.file(tmp_path, "gpt2", tokens, merges=merges, pre="llama-bpe")
    file = ModelFile(tmp_path / "t.gguf")
    seconds = []
    for _ in range(3):
        began = time.process_time()
        Tokenizer.of(file)
        seconds.append(time.process_time() - began)
    assert min(seconds) < 1.5
