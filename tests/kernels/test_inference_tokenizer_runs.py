"""Long runs of one thing, where careless ways of cutting a text take the square of its length: hours, not a second."""

import pytest
import vocabularies as make
from often import every, step


@pytest.fixture(scope="module", params=["bpe", "spm"])
def tokenizer(request, tmp_path_factory):
    return getattr(make, request.param)(tmp_path_factory.mktemp("tokenizer"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "run", every(3, ["a", " ", "\n", "😀", "é", "1", "ab ", "ab", "=", "\u0301", " \n", "漢字", "▁", "'s", "<"])
)
def test_inference_tokenizer_takes_long_runs_in_its_stride(tokenizer, run):
    for text in ((run * 100_000)[:99_999] + "x", (run * 100_000)[:100_000])[:: step(2)]:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == (text.replace("▁", " ") if tokenizer.vocabulary.kind == "spm" else text)
