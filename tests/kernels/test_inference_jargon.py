"""The shipped model: trained, whole, small, and as good here as where it was trained."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from kernels.__main__ import main
from kernels.gguf import ModelFile, convert
from kernels.model import Model
from kernels.tokenizer import Tokenizer

HOME = Path(__file__).parents[2] / "examples" / "jargon"
MODEL = HOME / "jargon.gguf"
FIGURES = json.loads((HOME / "jargon.json").read_text())


def tokens():
    """The held-out entries as the training code laid them end to end."""
    entries = re.split(r"(?m)^(?=:[^\n]+:(?: |$))", (HOME / "held-out.txt").read_text("utf-8"))
    tokenizer = Tokenizer.of(ModelFile(MODEL))
    return np.concatenate([tokenizer.encode(entry) for entry in entries if entry])


def perplexity(model, ids):
    losses = []
    for start in range(0, len(ids) - FIGURES["context"] + 1, FIGURES["context"]):
        window = ids[start : start + FIGURES["context"]]
        logits = model.forward(window[:-1], model.new_cache(len(window))).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        chosen = np.take_along_axis(logits, window[1:, np.newaxis], axis=1)[:, 0]
        losses.append(np.mean(np.log(np.exp(logits).sum(axis=1)) - chosen))
    return math.exp(float(np.mean(losses)))


def test_inference_jargon_is_as_good_as_where_it_was_trained():
    ids = tokens()
    assert len(ids) == FIGURES["held_out_tokens"]
    model = Model.load(MODEL, "auto")
    assert perplexity(model, ids) == pytest.approx(FIGURES["perplexity"], rel=2e-3)
    assert perplexity(model, np.random.default_rng(0).permutation(ids)) > 5 * FIGURES["perplexity"]


def test_inference_jargon_with_an_int8_head_is_as_good():
    assert perplexity(Model.load(MODEL, "auto", head="int8"), tokens()) == pytest.approx(
        FIGURES["perplexity"], rel=5e-3
    )


def test_inference_jargon_is_a_good_small_file(capsys):
    assert MODEL.stat().st_size < 2_000_000
    assert main(["verify", str(MODEL), "--deep", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["errors"] == 0


@pytest.mark.parametrize("layout", ["tq1_0", "tq2_0"])
def test_inference_jargon_is_the_same_model_in_another_format(layout, tmp_path):
    other = Model.load(convert(MODEL, tmp_path / "a.gguf", layout, nearest_scale=True), "numpy")
    one = Model.load(MODEL, "numpy")
    ids = tokens()[:40]
    got = other.forward(ids, other.new_cache(40))
    expected = one.forward(ids, one.new_cache(40))
    # Their scales are float16: as near as that.
    assert np.sqrt(np.mean((got - expected) ** 2) / np.mean(expected**2)) < 0.05


def test_inference_jargon_says_something(capsys):
    assert main(["generate", str(MODEL), "--prompt", ":kernel panic: n.", "--max-tokens", "40", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    words = re.findall(r"[a-z]{2,}", said["text"])
    assert len(words) >= 5, said["text"]
