"""A token that is recorded once is repeated in one call: the same bits, the same refusals, nothing kept too long."""

import gc
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from ops_checks import equal, in_pieces

from kernels import InputError
from kernels.backend import why_not
from kernels.cpu.fast.record import Recorder
from kernels.model import Model, Rounding

pytestmark = pytest.mark.skipif(why_not("fast") is not None, reason=f"missing-tool: {why_not('fast')}")

MODEL = Path(__file__).parents[1] / "data/tiny-i2_s.gguf"
TOKENS = np.arange(3, 27)


def logits(model, pieces, cache=None):
    return in_pieces(model, TOKENS, pieces, cache)


@pytest.fixture(scope="module")
def expected():
    return logits(Model.load(MODEL, "numpy"), (24,))


@pytest.fixture(params=[1, 2])
def model(request):
    return Model.load(MODEL, "fast", threads=request.param)


@pytest.mark.parametrize("pieces", [(1,) * 24, (7, 1, 1, 12, 1, 2)])
def test_cpu_record_gives_the_bits_of_numpy(model, pieces, expected):
    equal(logits(model, pieces), expected)


@pytest.mark.parametrize("head", ["f16", "int8"])
def test_cpu_record_is_one_call_a_token(model, head, monkeypatch):
    model = Model.load(MODEL, "fast", threads=model.report.threads, head=head)
    cache, same, plain = model.new_cache(24), model.new_cache(24), Model.load(MODEL, "numpy", head=head)
    model.forward(TOKENS[:1], cache)
    monkeypatch.setattr(model.ops, "_run", None)  # what is not recorded would need it
    for token in range(1, 24):
        got = model.forward(TOKENS[token : token + 1], cache)
    equal(got, plain.forward(TOKENS, plain.new_cache(24), last_only=True))
    with pytest.raises(TypeError):
        model.forward(TOKENS[:2], same)


def test_cpu_record_lets_an_earlier_result_be(model, expected):
    cache = model.new_cache(24)
    parts = [model.forward([token], cache) for token in TOKENS]
    equal(np.concatenate(parts), expected)


def test_cpu_record_goes_back_with_its_cache(model, expected):
    cache = model.new_cache(24)
    logits(model, (1,) * 9, cache)
    cache.truncate(4)
    for token in range(4, 24):
        equal(model.forward(TOKENS[token : token + 1], cache), expected[token : token + 1])


def test_cpu_record_refuses_what_is_not_finite_and_changes_nothing(model, expected):
    embedding = model.weights.embedding
    broken = embedding.copy()
    broken[9] = np.inf
    object.__setattr__(model.weights, "embedding", broken)
    cache = model.new_cache(24)
    for _ in range(2):  # while it would be recorded, and again
        with pytest.raises(InputError, match=r"activations\[0, 0\] is"):
            model.forward([9], cache)
    for token in range(6):
        model.forward([TOKENS[token]], cache)
    with pytest.raises(InputError, match=r"activations\[0, 0\] is"):
        model.forward([9], cache)
    assert cache.length == 6
    object.__setattr__(model.weights, "embedding", embedding)
    equal(model.forward(TOKENS[6:7], cache), expected[6:7])


def test_cpu_record_is_not_made_where_something_else_looks_or_rounds(model):
    cache = model.new_cache(24)
    model.forward([1], cache, observe=lambda *_: None)
    other = Model.load(MODEL, "fast", rounding=Rounding(False, True, False, False))
    other.forward([1], other.new_cache(3))
    assert not len(model.ops._records)
    assert not len(getattr(other.ops, "_records", ()))


def test_cpu_record_goes_with_its_cache(model):
    cache = model.new_cache(24)
    logits(model, (1, 1), cache)
    assert len(model.ops._records) == 1
    del cache
    gc.collect()
    assert not len(model.ops._records)


def test_cpu_record_serves_callers_at_once(model, expected):
    """Each with a cache of its own; and one that reads prompts between them."""
    wrong = []

    def call(pieces):
        for _ in range(5):
            got = logits(model, pieces)
            if (got.view(np.uint32) != expected.view(np.uint32)).any():
                wrong.append(pieces)

    callers = [threading.Thread(target=call, args=(pieces,)) for pieces in ((1,) * 24, (1,) * 24, (8, 8, 8), (1,) * 24)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="missing-tool: os.fork")
def test_cpu_record_is_made_anew_in_the_child_of_a_fork(model, expected):
    cache = model.new_cache(24)
    logits(model, (1, 1), cache)
    child = os.fork()
    if child == 0:
        got = model.forward(TOKENS[2:3], cache)
        os._exit(0 if (got.view(np.uint32) == expected[2:3].view(np.uint32)).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    equal(model.forward(TOKENS[2:3], cache), expected[2:3])


def test_cpu_record_gives_an_array_again_when_nobody_has_it(model):
    recorder = Recorder(model.ops._backend)
    one = recorder.new((1, 8))
    view = recorder.new((1, 8))[:, :4]
    assert not np.shares_memory(one, view)
    owner, other = one.ctypes.data, recorder.new((1, 8))
    del one
    assert recorder.new((1, 8)).ctypes.data == owner
    assert not np.shares_memory(recorder.new((1, 8)), view)
    assert not np.shares_memory(recorder.new((1, 8)), other)
