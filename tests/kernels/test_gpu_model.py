"""A model on a CUDA device: the bits of the CPU, one recorded launch a token."""

import gc
import weakref
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from often import some
from ops_checks import equal, in_pieces

from kernels import InputError
from kernels.generate import Sampler, generate
from kernels.generate.stream import Generation
from kernels.model import Model, Rounding
from kernels.ops.head import Head

pytest_plugins = ["gpu_on_cpu"]

DATA = Path(__file__).parents[1] / "data"
TOKENS = np.arange(3, 27)


def loaded(backend, name="tiny-i2_s", **options):
    return Model.load(DATA / f"{name}.gguf", backend, **options)


def logits(model, pieces, cache=None):
    return in_pieces(model, TOKENS, pieces, cache)


@pytest.mark.parametrize(
    ("name", "head"),
    some(list(product(("tiny-i2_s", "tiny-TQ2_0-bitnet"), ("f16", "int8"))), (3,)),
)
def test_gpu_model_gives_the_bits_of_the_cpu(gpu, name, head):
    expected = logits(loaded("numpy", name, head=head), (24,))
    model = loaded("gpu", name, head=head)
    assert model.report.used == "gpu"
    equal(logits(model, (24,)), expected)
    equal(logits(model, (7, 1, 1, 12, 1, 2)), expected)


def test_gpu_model_on_older_devices_gives_the_same_bits(stand_in):
    cupy = stand_in("forward", "75")
    equal(logits(loaded("gpu"), (3, 1, 1)), logits(loaded("numpy"), (5,)))
    assert "portable" in cupy.launched


def test_gpu_model_repeats_a_token_with_one_launch_of_a_graph(stand_in):
    cupy = stand_in("forward")
    model = loaded("gpu")
    cache = model.new_cache(24)
    logits(model, (5, 1), cache)
    cupy.launched.clear()
    cupy.calls.clear()
    expected = loaded("numpy")
    before = expected.new_cache(24)
    expected.forward(TOKENS[:6], before)
    for token in TOKENS[6:12]:
        equal(model.forward([token], cache, last_only=True), expected.forward([token], before))
    assert (cupy.launched, cupy.calls) == ([], ["download"] * 6)


def test_gpu_model_takes_few_launches_a_layer(stand_in):
    """A device waits for the end of each longer than for its memory."""
    cupy, model = stand_in("forward"), loaded("gpu")
    cache = model.new_cache(24)
    cupy.launched.clear()
    model.forward(TOKENS[:2], cache)
    norms, products = (sum(name.startswith(kind) for name in cupy.launched) for kind in ("rms_norm", "gemv"))
    layers = model.sizes.layers
    assert (norms, products, len(cupy.launched)) == (4 * layers + 1, 4 * layers, 15 * layers + 2)


def test_gpu_model_keeps_a_graph_for_each_cache_and_as_long(stand_in):
    stand_in("forward")
    model = loaded("gpu")
    caches = [model.new_cache(size) for size in (24, 30)]
    parts = [[model.forward([token], cache) for token in TOKENS[:4]] for cache in caches]
    equal(np.concatenate(parts[0]), np.concatenate(parts[1]))
    caches[0].truncate(2)
    equal(model.forward(TOKENS[2:3], caches[0]), parts[0][2])
    gone = weakref.ref(caches.pop(0))
    gc.collect()
    assert gone() is None
    assert len(model.ops._steps) == 1


def test_gpu_model_shows_every_intermediate(stand_in):
    stand_in("random")
    seen = [{}, {}]
    for backend, names in zip(("gpu", "numpy"), seen, strict=True):
        model = loaded(backend)
        model.forward(TOKENS[:5], model.new_cache(5), observe=names.__setitem__)
    assert list(seen[0]) == list(seen[1])
    for name, numbers in seen[0].items():
        equal(numbers, seen[1][name])


def test_gpu_model_generates_the_same_text(stand_in):
    stand_in("forward")
    tokens = []
    for backend in ("gpu", "numpy"):
        generation = Generation([1, 33, 403])
        for _ in generate(loaded(backend), generation, sampler=Sampler(temperature=0.8, seed=3), most=8):
            pass
        tokens.append(generation.tokens)
    assert tokens[0] == tokens[1]
    assert len(tokens[0]) == 8


@pytest.mark.parametrize("pieces", [(3,), (1, 1)])
def test_gpu_model_refuses_what_is_not_finite_and_changes_nothing(stand_in, pieces):
    stand_in("forward")
    model = loaded("gpu")
    embedding = model.weights.embedding
    object.__setattr__(model.weights, "embedding", np.full_like(embedding, np.inf))
    cache = model.new_cache(24)
    for size in pieces:
        with pytest.raises(InputError, match=r"activations\[0\] are not finite"):
            model.forward(TOKENS[:size], cache)
        assert cache.length == 0
    object.__setattr__(model.weights, "embedding", embedding)
    equal(logits(model, (1, 4), cache), logits(loaded("numpy"), (5,)))


def test_gpu_model_gives_nan_where_the_head_holds_it(stand_in):
    stand_in("forward")
    parts = []
    for backend in ("gpu", "numpy"):
        model = loaded(backend)
        weights = model.weights.head.weights.copy()
        weights[:, 0] = np.nan
        object.__setattr__(model.weights, "head", Head(weights))
        parts.append(logits(model, (1, 2)))
    assert np.isnan(parts[0]).all()
    equal(*parts)


def test_gpu_model_refuses_a_cache_of_the_cpu_and_the_rounding_of_others(stand_in):
    stand_in("forward")
    model, other = loaded("gpu"), loaded("numpy")
    for tokens in ([1], [1, 2]):
        with pytest.raises(InputError, match="want an array on the device"):
            model.forward(tokens, other.new_cache(4))
    with pytest.raises(InputError, match="not computed on a GPU"):
        loaded("gpu", rounding=Rounding.named("bitnet.cpp-one"))


def test_gpu_model_asks_for_no_more_memory_than_there_is(stand_in, monkeypatch):
    cupy = stand_in("forward")
    model = loaded("gpu")

    def empty(*_):
        raise MemoryError

    monkeypatch.setattr(cupy, "empty", empty)
    with pytest.raises(InputError, match="ask for fewer"):
        model.new_cache(24)
