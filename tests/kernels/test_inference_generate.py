"""Text comes as it is sure, ends where it should, and is the same for the same seed."""

import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import InputError
from kernels.__main__ import main
from kernels.generate import Generation, Sampler, generate
from kernels.generate.sample import _likeliest
from kernels.generate.stream import Held
from kernels.gguf import ModelFile, NewTensor, write
from kernels.model import Model
from kernels.tokenizer import Tokenizer

MODEL = Path(__file__).parents[1] / "data" / "tiny-i2_s.gguf"
PROMPT = [1, 33, 403, 326]


@pytest.fixture(scope="module")
def model():
    return Model.load(MODEL, "numpy")


def tokens(model, **options):
    generation = Generation(list(PROMPT))
    text = "".join(generate(model, generation, **options))
    assert text == generation.text
    return generation


def test_inference_generate_takes_the_likeliest(model):
    generation = tokens(model, most=6)
    cache, expected, next_ = model.new_cache(16), [], PROMPT
    for _ in range(6):
        next_ = [int(model.forward(next_, cache)[-1].argmax())]
        expected += next_
    assert generation.tokens == expected
    assert generation.ended == "length"


def test_inference_generate_is_the_same_for_the_same_seed(model):
    def drawn(seed):
        return tokens(model, sampler=Sampler(temperature=30.0, seed=seed), most=12).tokens

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


class Few:
    """A decoder that knows the first tokens alone."""

    known = 200

    def add(self, number):
        assert number < self.known
        return f"{number} "

    def end(self):
        return ""


def test_inference_generate_draws_no_token_without_a_text(model):
    everything = tokens(model, sampler=Sampler(temperature=30.0, seed=1), most=12).tokens
    assert max(everything) >= Few.known
    sampler = Sampler(temperature=30.0, repetition_penalty=1.5, seed=1)
    assert len(tokens(model, sampler=sampler, most=12, decoder=Few()).tokens) == 12


def test_inference_generate_ends(model):
    first = tokens(model, most=3).tokens
    assert tokens(model, ends=frozenset(first[:1])).ended == "end"
    assert tokens(model, ends=frozenset(first[:1])).tokens == []
    small = model.new_cache(6)
    generation = Generation(list(PROMPT))
    list(generate(model, generation, cache=small))
    assert generation.ended == "context"
    assert len(generation.tokens) == 3  # two in the cache, one that needs no place
    tokenizer = Tokenizer.of(ModelFile(MODEL))
    text = tokens(model, decoder=tokenizer.stream(), most=8).text
    stopped = tokens(model, decoder=tokenizer.stream(), most=8, stops=[text[2:4]])
    assert (stopped.ended, stopped.text) == ("stop", text[: text.index(text[2:4])])


@pytest.mark.parametrize(("words", "options"), [
    ("empty", {"prompt": []}), ("room for 4096", {"prompt": [1] * 5000}), ("1 or more", {"most": 0}),
    ("stop string", {"stops": [""]}), ("vocabulary", {"prompt": [512]}),
])  # fmt: skip
def test_inference_generate_refuses(model, words, options):
    generation = Generation(options.pop("prompt", [1]))
    words = words.replace("4096", str(model.sizes.context))
    with pytest.raises(InputError, match=words):
        list(generate(model, generation, **options))


@given(st.lists(st.text("abE", max_size=4), max_size=12), st.lists(st.text("abE", min_size=1, max_size=3), max_size=3))
def test_inference_stop_strings_are_never_shown(pieces, stops):
    held, shown = Held(stops), []
    for piece in pieces:
        shown.append(held.add(piece))
    whole, cut = "", None
    for piece in pieces:
        whole += piece
        if any(stop in whole for stop in stops):  # the first that is complete ends it
            cut = min(whole.find(stop) for stop in stops if stop in whole)
            break
    assert held.met == (cut is not None)
    assert "".join(shown) + held.end("") == whole[:cut]


def test_inference_stop_strings_hold_back_no_more_than_they_must():
    held = Held(["END", "xyz"])
    assert [held.add(piece) for piece in ("abc", "xE", "Q", "xy", "E", "N")] == ["abc", "x", "EQ", "", "xy", ""]
    assert held.end("") == "EN"


LOGITS = np.array([1.0, 3.0, 2.0, -1.0], np.float32)


def drawn(logits=LOGITS, before=(), **options):
    sampler = Sampler(**{"temperature": 1.0, **options})
    return {sampler.draw(logits, before) for _ in range(400)}


def test_inference_sampling_filters():
    assert drawn() == {0, 1, 2, 3}
    assert drawn(top_k=2) == {1, 2}
    assert drawn(top_k=99) == {0, 1, 2, 3}
    assert drawn(top_p=0.6) == {1}  # 0.66 of all
    assert drawn(top_p=0.67) == {1, 2}
    assert drawn(min_p=0.3) == {1, 2}  # the second is 0.37 as likely
    assert drawn(temperature=1e-4) == {1}
    assert drawn(temperature=0) == {1}
    assert Sampler().draw(np.array([2.0, 2.0], np.float32)) == 0
    assert Sampler(repetition_penalty=2.0).draw(LOGITS, [1]) == 2
    assert Sampler(repetition_penalty=2.0).draw(np.array([-1.0, -1.5], np.float32), [0]) == 1
    assert Sampler(repetition_penalty=2.0).draw(LOGITS, [1] + [3] * 64) == 1  # too long ago


def test_inference_sampling_follows_the_chances():
    sampler = Sampler(temperature=1.0, seed=3)
    counts = np.bincount([sampler.draw(LOGITS) for _ in range(20_000)], minlength=4) / 20_000
    chances = np.exp(LOGITS) / np.exp(LOGITS).sum()
    assert np.allclose(counts, chances, atol=0.015)


@pytest.mark.parametrize("options", [
    {"temperature": -1.0}, {"temperature": float("nan")}, {"temperature": float("inf")}, {"top_k": -1}, {"top_p": 0.0},
    {"top_p": 1.1}, {"min_p": -0.1}, {"repetition_penalty": 0.0}, {"seed": -1},
])  # fmt: skip
def test_inference_sampling_refuses(options):
    with pytest.raises(InputError, match=next(iter(options))):
        Sampler(**options)


@pytest.mark.parametrize("logits", [[1, np.nan], [1, np.inf], [-np.inf, -np.inf]])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_inference_sampling_refuses_logits_that_are_no_numbers(logits, temperature):
    with pytest.raises(InputError, match="not numbers"):
        Sampler(temperature).draw(np.array(logits, np.float32))


def test_inference_sampling_never_draws_what_has_no_chance():
    masked = np.array([-np.inf, 1.0, -np.inf, 1.0], np.float32)
    assert drawn(masked) == drawn(masked, temperature=1e30) == {1, 3}
    assert drawn(masked, before=[0, 1], repetition_penalty=2.0, top_k=1) == {3}


@pytest.mark.parametrize("temperature", [5e-324, 1e-100, 1e-30])
def test_inference_sampling_with_next_to_no_temperature_is_greedy(temperature):
    assert drawn(np.array([3e38, 1.0, -3e38], np.float32), temperature=temperature) == {0}


@pytest.mark.parametrize("penalty", [1e-300, 1e300])
def test_inference_sampling_penalties_leave_finite_numbers(penalty):
    assert drawn(before=[0, 1, 2, 3], repetition_penalty=penalty) <= {0, 1, 2, 3}


@given(st.lists(st.sampled_from([0.0, -0.0, 1.0, -1.5, 1e-42, 3e38, -3e38, -np.inf]), min_size=1), st.integers(0, 9))
def test_inference_sampling_takes_the_largest_and_of_equals_the_first(scores, most):
    scores = np.array(scores, np.float32) + np.float32(0)
    assert (_likeliest(scores, most) == np.argsort(-scores, kind="stable")[: most or None]).all()


def test_inference_sampling_is_the_same_everywhere():
    logits = np.random.PCG64(1).random_raw(5000).astype(np.float32) * np.float32(2.0**-60)  # from 0 to 16
    several = [Sampler(1.0, seed=5), Sampler(1.0, 5000, seed=5), Sampler(1.0, 40, 0.9, 0.05, 1.1, seed=5)]
    draws = [[sampler.draw(logits, [1, 2]) for _ in range(4)] for sampler in several]
    assert draws == [[3064, 2395, 1885, 2991], [3064, 2395, 1885, 2991], [1181, 1181, 3525, 641]]


def test_inference_generate_command(capsys):
    assert main(["generate", str(MODEL), "--tokens", "1,33", "--max-tokens", "3", "--json", "--backend", "numpy"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (len(said["tokens"]), said["ended"], said["backend"]["used"]) == (3, "length", "numpy")
    assert main(["generate", str(MODEL), "--prompt", "t1 t2", "--max-tokens", "3", "--backend", "numpy"]) == 0
    shown = capsys.readouterr()
    assert shown.out.endswith("\n")
    assert "ended by length" in shown.err
    assert main(["generate", str(MODEL), "--tokens", "1,33", "--max-tokens", "3", "--backend", "numpy"]) == 0
    assert capsys.readouterr().out == ",".join(map(str, said["tokens"])) + "\n"


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_inference_generate_command_refuses_a_standard_input_that_is_no_text(errors, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9"), "utf-8", errors))
    assert main(["generate", str(MODEL), "--prompt", "-"]) == 2
    assert capsys.readouterr().err.startswith("standard input is no text: 'utf-8' codec can't decode byte 0xe9")


@pytest.mark.parametrize(("words", "arguments"), [
    ("no such file", ["/no/such/file", "--prompt", "a"]), ("temperature", [str(MODEL), "--temperature", "-1"]),
    ("prompt is empty", [str(MODEL)]), ("unknown backend", [str(MODEL), "--backend", "fats"]),
    ("vocabulary", [str(MODEL), "--tokens", "99999"]),
])  # fmt: skip
def test_inference_generate_command_says_what_is_wrong(words, arguments, capsys):
    assert main(["generate", *arguments]) == 2
    said = capsys.readouterr()
    assert words in said.err.lower()
    assert not said.out


def test_inference_generate_ends_by_a_key_and_keeps_what_is_written(tmp_path):
    file = ModelFile(MODEL)
    tensors = [
        NewTensor(name, each.matrix() if each.type.ternary else each.array()) for name, each in file.tensors.items()
    ]
    path = write(tmp_path / "a.gguf", dict(file.metadata) | {"bitnet-b1.58.context_length": 100_000}, tensors)
    command = [sys.executable, "-m", "kernels", "generate", path, "--prompt", "t1", "--max-tokens", "90000"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = child.stdout.read(1)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert (first + out).endswith(b"\n")
    assert b"ended by interrupted" in err
    assert b"Traceback" not in err
