"""A forward pass equals the programs it stands for, and itself however it is cut and computed."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kernels import BackendError, InputError, PackedMatrix, formats
from kernels.gguf import Ambiguous, BadMetadata, BadTensor, BadWeights, ModelFile, NewTensor, write
from kernels.model import Model, Rounding

DATA = Path(__file__).parents[1] / "data"
LOGITS = np.load(DATA / "logits_tiny.npz")
TOKENS = LOGITS["tokens"]
TILE = "tl2:128,96"
HALF_VALUES = Rounding(values=True)
HUGE = PackedMatrix.from_float(np.full((256, 256), 3e38))


@pytest.fixture(autouse=True)
def fixed_order(monkeypatch):
    monkeypatch.setenv("BITNET_DETERMINISTIC", "1")


def logits(name="tiny-i2_s", *, pieces=(24,), backend="numpy", **options):
    model = Model.load(DATA / f"{name}.gguf", backend, **options)
    cache, parts, start = model.new_cache(24), [], 0
    for size in pieces:
        parts.append(model.forward(TOKENS[start : start + size], cache))
        start += size
    assert cache.length == 24
    return np.concatenate(parts)


def distance(got, expected):
    return float(np.sqrt(np.mean((got - expected) ** 2) / np.mean(expected**2)))


@pytest.mark.parametrize(
    ("name", "most", "options"),
    [
        ("bitnetcpp_i2s_batch_kF32vF16", 3e-7, {"rounding": HALF_VALUES}),
        ("bitnetcpp_i2s_batch_kvf16", 2e-6, {"rounding": Rounding.named("bitnet.cpp-batch")}),
        ("bitnetcpp_i2s_seq_kF32vF16", 5e-6, {"rounding": Rounding(False, True, True, True), "pieces": (1,) * 24}),
        # One activation lies so near the middle of two int8 that the order of a sum decides.
        ("bitnetcpp_i2s_seq_kvf16", 1e-3, {"rounding": Rounding.named("bitnet.cpp-one"), "pieces": (1,) * 24}),
        ("hf_relu2_auto", 5e-7, {}),
        ("hf_silu_auto", 5e-7, {"activation": "silu"}),
        ("hf_silu_auto", 5e-7, {"name": "tiny-TQ2_0-bitnet"}),
        # llama.cpp rounds activations by blocks of 256, not by rows.
        ("upstreamSILU_TQ2_0_batch_kvf32", 2e-2, {"name": "tiny-TQ2_0-bitnet"}),
        ("bitnetcpp_tl2_seq_kvf16", 1e-3,
         {"name": "tiny-tl2", "layouts": TILE, "rounding": Rounding.named("bitnet.cpp-one"), "pieces": (1,) * 24}),
    ],
)  # fmt: skip
def test_inference_gives_the_logits_of_other_programs(name, most, options):
    got = logits(**options)
    assert distance(got, LOGITS[name]) < most
    assert (got.argmax(axis=1) == LOGITS[name].argmax(axis=1)).all()


def test_inference_names_and_equals_every_intermediate():
    expected = np.load(DATA / "intermediates_tiny_i2s_batch8.npz")
    model = Model.load(DATA / "tiny-i2_s.gguf", "numpy", rounding=HALF_VALUES)
    seen = {}
    model.forward(expected["tokens"], model.new_cache(8), observe=lambda name, x: seen.setdefault(name, x.copy()))
    assert len(seen) == 1 + 2 * 22 + 2
    assert set(expected.files) - set(seen) == {"tokens", "norm", "node_63", "node_64"}
    shared = set(seen) & set(expected.files)
    assert len(shared) == len(seen)
    for name in shared:
        more = expected[name].shape[-1] - seen[name].shape[-1]  # positions that are not filled
        got = np.pad(seen[name], [(0, 0)] * (seen[name].ndim - 1) + [(0, more)])
        assert distance(got.reshape(-1), expected[name].reshape(-1)) < 3e-7, name


@pytest.mark.parametrize("options", [
    {"backend": "fast"}, {"backend": "reference"}, {"name": "tiny-tl2", "layouts": TILE},
    {"name": "tiny-TQ2_0-bitnet", "activation": "relu2"}, {"pieces": (1,) * 24},
    {"pieces": (7, 1, 16), "backend": "fast"},
])  # fmt: skip
def test_inference_is_the_same_bits_by_any_way(options):
    assert (logits(**options) == logits()).all()


SWEEP = """
import sys, hashlib, numpy as np
from kernels.model import Model
tokens = np.load(sys.argv[2])["tokens"]
for head in ("f16", "int8"):
    for threads in (1, 3):
        for size in (24, 5, 1):
            model = Model.load(sys.argv[1], sys.argv[3], threads=threads, head=head)
            cache = model.new_cache(24)
            parts = [model.forward(tokens[at : at + size], cache) for at in range(0, 24, size)]
            print(head, hashlib.sha256(np.concatenate(parts).tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_inference_is_the_same_bits_with_any_threads_tiers_and_pieces():
    ways = [("numpy", {}), ("fast", {}), ("fast", {"BITNET_KERNELS_TIER": "portable"})]
    said = set()
    for backend, environment in ways:
        command = [sys.executable, "-c", SWEEP, DATA / "tiny-i2_s.gguf", DATA / "logits_tiny.npz", backend]
        child = os.environ | {"BITNET_DETERMINISTIC": "1", "PYTHONPATH": os.getcwd()} | environment
        done = subprocess.run(command, env=child, capture_output=True, text=True, check=True)
        lines = done.stdout.splitlines()
        assert len(lines) == 12
        said |= set(lines)
    assert len(said) == 2  # one a head


def test_inference_with_an_int8_head_is_near():
    assert distance(logits(head="int8"), logits()) < 0.02


def test_inference_of_the_last_token_alone():
    model = Model.load(DATA / "tiny-i2_s.gguf", "numpy")
    last = model.forward(TOKENS, model.new_cache(24), last_only=True)
    assert last.shape == (1, 512)
    assert (last[0] == logits()[-1]).all()


@pytest.mark.parametrize(
    "tokens", [[], [512], [-1], [0.5], [[1]], "abc", [1, None], np.zeros((2, 2), int), [True], [1] * 9]
)
def test_inference_refuses_tokens_and_changes_nothing(tokens):
    model = Model.load(DATA / "tiny-i2_s.gguf", "numpy")
    cache = model.new_cache(8)
    with pytest.raises(InputError):
        model.forward(tokens, cache)
    assert cache.length == 0
    assert not cache.keys.any()


def test_inference_goes_back_in_a_cache():
    model = Model.load(DATA / "tiny-i2_s.gguf", "numpy")
    cache = model.new_cache(24)
    model.forward(TOKENS, cache)
    cache.truncate(20)
    assert (model.forward(TOKENS[20:], cache) == logits()[20:]).all()
    with pytest.raises(InputError, match="want 0 to 24"):
        cache.truncate(25)


def changed(path, metadata=(), without=(), **tensors):
    """tiny-i2_s with other keys and tensors."""
    file = ModelFile(DATA / "tiny-i2_s.gguf")
    kept = {name: NewTensor(name, each.matrix() if each.type.ternary else each.array().copy())
            for name, each in file.tensors.items() if name not in without}  # fmt: skip
    for name, data in tensors.items():
        kept[name] = NewTensor(name, data)
    return write(path, dict(file.metadata) | dict(metadata), list(kept.values()))


@pytest.mark.parametrize(("error", "words", "change"), [
    (BadTensor, "blk.1.ffn_up.weight.*missing", {"without": ["blk.1.ffn_up.weight"]}),
    (BadTensor, "shape", {"blk.0.attn_norm.weight": np.ones(128, np.float32)}),
    (BadTensor, "not finite", {"blk.0.attn_norm.weight": np.full(256, np.nan, np.float32)}),
    (BadTensor, "ternary", {"blk.0.attn_q.weight": np.ones((256, 256), np.float16)}),
    (BadTensor, "blk.1.attn_q.*missing, and 1 more", {"without": ["blk.1.attn_q.weight", "blk.1.attn_v.weight"]}),
    (BadTensor, "rope_freqs.weight: not of this", {"rope_freqs.weight": np.ones(32, np.float32)}),
    (BadTensor, "blk.0.attn_q.bias: not of this", {"blk.0.attn_q.bias": np.ones(256, np.float32)}),
    (BadTensor, "blk.1.* not of this architecture, and 10 more", {"metadata": {"bitnet-b1.58.block_count": 1}}),
    (BadMetadata, "layers, with 24 tensors", {"metadata": {"bitnet-b1.58.block_count": 65536}}),
    (BadTensor, "attn_q.scale: shape", {"blk.0.attn_q.scale": np.ones(2, np.float32)}),
    (BadWeights, "not finite", {"blk.0.attn_q.scale": np.array([np.inf], np.float32)}),
    (BadWeights, "scale is inf", {"blk.0.attn_q.scale": np.array([3e38], np.float32), "blk.0.attn_q.weight": HUGE}),
    *((BadWeights, f"blk.0.{name}.weight: .*could overflow", change) for name, change in (
        ("attn_q", {"blk.0.attn_q.weight": HUGE}), ("ffn_gate", {"blk.0.ffn_norm.weight": np.float32([-1e36] * 256)}),
        ("ffn_down", {"blk.0.ffn_down.scale": np.float32([1e37])}),
    )),
    (BadTensor, "attn_q.scale: i32", {"blk.0.attn_q.scale": np.ones(1, np.int32)}),
    (BadMetadata, "rope.scaling", {"metadata": {"bitnet-b1.58.rope.scaling.type": "yarn"}}),
    (BadMetadata, "scaling.factor", {"metadata": {"bitnet-b1.58.rope.scaling.factor": 4.0}}),
    (BadMetadata, "scale_linear", {"metadata": {"bitnet-b1.58.rope.scale_linear": 4.0}}),
    (BadMetadata, "attn_factor", {"metadata": {"bitnet-b1.58.rope.scaling.attn_factor": 0.5}}),
    (BadMetadata, "yarn_log", {"metadata": {"bitnet-b1.58.rope.scaling.yarn_log_multiplier": 1.0}}),
    (BadMetadata, "scaling.type", {"metadata": {"bitnet-b1.58.rope.scaling.type": ["linear"]}}),
    (BadMetadata, "key_length", {"metadata": {"bitnet-b1.58.attention.key_length": 32}}),
    (BadMetadata, "value_length", {"metadata": {"bitnet-b1.58.attention.value_length": 128}}),
    (BadTensor, "shape", {"metadata": {"bitnet-b1.58.attention.head_count_kv": 4}}),
    (BadMetadata, "head_count", {"metadata": {"bitnet-b1.58.attention.head_count": 3}}),
])  # fmt: skip
def test_inference_refuses_what_is_no_such_model(error, words, change, tmp_path):
    path = changed(tmp_path / "a.gguf", **change)
    with pytest.raises(error, match=words):
        Model.load(path, "numpy")


def test_inference_takes_a_scaling_that_scales_nothing(tmp_path):
    prefix = "bitnet-b1.58.rope."
    keys = {"scaling.type": "linear", "scaling.factor": 1.0, "scaling.original_context_length": 4096}
    path = changed(tmp_path / "a.gguf", {prefix + key: value for key, value in keys.items()})
    model = Model.load(path, "numpy")
    assert (model.forward(TOKENS, model.new_cache(24)) == logits()).all()


@pytest.mark.parametrize("backend", ["numpy", "fast"])
def test_inference_takes_scales_beside_matrices(backend, tmp_path):
    scales, weights = {}, {}
    for name, each in ModelFile(DATA / "tiny-i2_s.gguf").tensors.items():
        if each.type.ternary:
            scales[name.replace(".weight", ".scale")] = np.array([each.matrix().scale])
            weights[name] = PackedMatrix(formats.get("i2_s").pack(each.matrix().unpack(), 1.0), each.shape)
    path = changed(tmp_path / "a.gguf", **weights, **scales)
    model = Model.load(path, backend)
    assert (model.forward(TOKENS, model.new_cache(24)) == logits()).all()


def test_inference_with_a_head_of_its_own(tmp_path):
    embedding = ModelFile(DATA / "tiny-i2_s.gguf").tensors["token_embd.weight"].array()
    path = changed(tmp_path / "a.gguf", **{"output.weight": embedding[::-1].copy()})
    model = Model.load(path, "numpy")
    got = model.forward(TOKENS, model.new_cache(24))
    assert (got == logits()[:, ::-1]).all()


def test_inference_does_not_guess_a_tile():
    with pytest.raises(Ambiguous, match="tl2:128,96"):
        Model.load(DATA / "tiny-tl2.gguf", "numpy")


def test_inference_takes_no_gpu_unasked(monkeypatch):
    monkeypatch.setattr("kernels.backend._why_not_gpu", lambda: None)
    model = Model.load(DATA / "tiny-i2_s.gguf")
    assert (model.report.requested, model.report.used) == ("auto", "fast")
    assert model.forward([1], model.new_cache(1)).shape == (1, 512)


def test_inference_model_says_what_it_passed_over_and_in_strict_mode_does_not(monkeypatch):
    monkeypatch.setattr("kernels.model.forward.why_not", lambda name: f"{name} is gone")
    report = Model.load(DATA / "tiny-i2_s.gguf").report
    assert (report.requested, report.used, report.why) == ("auto", "numpy", "'fast' cannot run here: fast is gone")
    monkeypatch.setenv("BITNET_KERNELS_STRICT", "1")
    with pytest.raises(BackendError, match=r"^strict: 'fast' cannot run here: fast is gone; name the backend"):
        Model.load(DATA / "tiny-i2_s.gguf")
    assert Model.load(DATA / "tiny-i2_s.gguf", "numpy").report.why == ""


@pytest.mark.parametrize("options", [{"head": "q6_k"}, {"activation": "gelu"}])
def test_inference_refuses_options(options):
    with pytest.raises(InputError, match="want"):
        Model.load(DATA / "tiny-i2_s.gguf", "numpy", **options)


def test_inference_refuses_caches_and_roundings():
    model = Model.load(DATA / "tiny-i2_s.gguf", "numpy")
    for capacity, words in (
        (0, "at least 1"),
        (1.5, "whole number"),
        (2**40, "takes 2,251,799"),
        (2**62, "ask for"),
        (2**80, "ask for"),
    ):
        with pytest.raises(InputError, match=words):
            model.new_cache(capacity)
    with pytest.raises(InputError, match=r"bitnet\.cpp-batch"):
        Rounding.named("bitnet")
