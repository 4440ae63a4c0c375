"""Text comes back from its tokens as it was, and is never taken for a control token."""

import subprocess
import sys

import numpy as np
import pytest
import vocabularies as make
from hypothesis import given, settings
from hypothesis import strategies as st
from vocabularies import NASTY, texts

from kernels import InputError
from kernels.tokenizer.text import MOST_CHARACTERS
from kernels.tokenizer.vocabulary import BYTE, CONTROL, NORMAL, UNKNOWN, USER_DEFINED


@pytest.fixture(scope="module")
def by_bytes(tmp_path_factory):
    return make.bpe(tmp_path_factory.mktemp("bpe"))


@pytest.fixture(scope="module")
def by_pieces(tmp_path_factory):
    return make.spm(tmp_path_factory.mktemp("spm"))


@pytest.fixture(params=["by_bytes", "by_pieces"])
def tokenizer(request):
    return request.getfixturevalue(request.param)


def back(tokenizer, text):
    """What comes back: ▁ is the space of an spm."""
    return text.replace("▁", " ") if tokenizer.vocabulary.kind == "spm" else text


@settings(max_examples=300, deadline=None)
@given(texts | st.lists(st.sampled_from(["<named>", " ", "a", "▁", "<|end|>", "</s>", "é", "\n"])).map("".join))
def test_inference_tokenizer_gives_every_text_back(by_bytes, by_pieces, text):
    for tokenizer in (by_bytes, by_pieces):
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == back(tokenizer, text)
        stretches = 1 + text.count("<named>")
        assert len(ids) <= len(text.encode()) + stretches * len("▁".encode()) + 2


@pytest.mark.parametrize("text", NASTY)
def test_inference_tokenizer_gives_nasty_texts_back(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == back(tokenizer, text)


def test_inference_tokenizer_without_a_piece_for_the_space_gives_it_back(tmp_path):
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer = make.file(tmp_path, "llama", [*bytes_, "ab"], [BYTE] * 256 + [NORMAL], scores=np.zeros(257, np.float32))
    assert tokenizer.encode(" ab") == [*(" ".replace(" ", "▁▁").encode()), 256]
    assert tokenizer.decode(tokenizer.encode(" ab c")) == " ab c"


def test_inference_tokenizer_without_bytes_says_what_it_does_not_know(tmp_path):
    tokens, types = ["<unk>", "▁", "a"], [UNKNOWN, NORMAL, NORMAL]
    tokenizer = make.file(tmp_path, "llama", tokens, types, scores=np.zeros(3, np.float32))
    assert tokenizer.encode("aéa") == [1, 2, 0, 2]
    assert tokenizer.decode([1, 2, 0, 2]) == "a\ufffda"


@pytest.mark.parametrize("text", ["🙂 漢字 é", "a\xff", "👩‍👩‍👧"])
def test_inference_tokenizer_streams_whole_characters(tokenizer, text):
    stream = tokenizer.stream()
    parts = [stream.add(number) for number in tokenizer.encode(text)]
    assert "".join(parts) + stream.end() == text
    assert "\ufffd" not in "".join(parts)
    stream = tokenizer.stream()
    cut = tokenizer.encode(text + "𓀀")[:-1]
    assert ("".join(stream.add(number) for number in cut) + stream.end()).endswith("\ufffd")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 255), max_size=40))
def test_inference_tokenizer_streams_any_bytes(by_pieces, values):
    """What is shown early never changes: it begins the text that all of it gives."""
    stream, raw = by_pieces.stream(after=[3]), bytes(values)
    shown = "".join(stream.add(3 + value) for value in raw) + stream.end()
    assert shown == raw.decode("utf-8", "replace").replace("▁", " ")


def test_inference_tokenizer_streams_on_from_what_was_before(by_pieces):
    numbers = by_pieces.vocabulary.of_type(NORMAL, USER_DEFINED)
    space, named = numbers["▁"], numbers["<named>"]
    assert by_pieces.stream().add(space) == ""
    assert by_pieces.stream(after=[1]).add(space) == ""
    assert by_pieces.stream(after=[named]).add(space) == ""
    assert by_pieces.stream(after=[1, space]).add(space) == " "


def test_inference_tokenizer_keeps_control_tokens_out_of_text(by_bytes):
    numbers = by_bytes.vocabulary.of_type(CONTROL)
    text = "a<|end|>b<|begin|>"
    assert not set(by_bytes.encode(text, add_bos=False)) & set(numbers.values())
    meant = by_bytes.encode(text, add_bos=False, special=True)
    assert [number for number in meant if number in numbers.values()] == [numbers["<|end|>"], numbers["<|begin|>"]]
    assert by_bytes.decode(meant) == "ab"
    assert by_bytes.decode(meant, special=True) == text
    assert by_bytes.vocabulary.of_type(USER_DEFINED)["<named>"] in by_bytes.encode("x<named>y")


def test_inference_tokenizer_never_merges_into_what_is_no_text(tmp_path):
    """However the pieces and scores of a file are laid out for it."""
    parts = ["<", "s", ">", "<s", "u", "<u", "0", "<0", "1", "<01", "▁"]
    tokens = ["<u>", "<s>", "<01>", *parts]
    types = [UNKNOWN, CONTROL, BYTE] + [NORMAL] * len(parts)
    tokenizer = make.file(tmp_path, "llama", tokens, types, scores=np.ones(len(tokens), np.float32))
    ids = tokenizer.encode("<s><u><01>", add_bos=False)
    assert tokenizer.decode(ids) == "<s><u><01>"
    assert not {0, 1, 2} & set(ids)
    tokens, types = [*make.LETTERS, "ab", "abc", "abcd"], [NORMAL] * 256 + [CONTROL, UNKNOWN, NORMAL]
    for pre in ("llama-bpe", "gpt-2"):
        tokenizer = make.file(tmp_path, "gpt2", tokens, types, merges=["a b", "ab c", "abc d"], pre=pre)
        assert not {256, 257} & set(tokenizer.encode("ab abc abcd"))
        assert tokenizer.decode(tokenizer.encode("ab abc abcd")) == "ab abc abcd"


def test_inference_tokenizer_finds_the_longest_token_in_text(tmp_path):
    tokens = [*make.LETTERS, "ab", "<x>", "<x><y>", "x><"]
    keys = {"merges": ["a b"], "pre": "gpt-2"}
    tokenizer = make.file(tmp_path, "gpt2", tokens, [NORMAL] * 257 + [USER_DEFINED] * 3, **keys)
    assert tokenizer.encode("<x><x><y>x><") == [257, 258, 259]


def test_inference_tokenizer_takes_ends_for_control_tokens_whatever_their_type(tmp_path):
    tokens = [*make.LETTERS, "<|eot_id|>", "<stop>", "<|im_end|>"]
    types = [NORMAL] * 256 + [USER_DEFINED, NORMAL, NORMAL]
    merges = ["< |", "s t"]
    tokens += ["<|", "st"]
    tokenizer = make.file(tmp_path, "gpt2", tokens, types + [NORMAL] * 2, {"eos": 257}, merges=merges, pre="gpt-2")
    assert tokenizer.end_ids == {256, 257, 258}
    assert set(tokenizer.vocabulary.of_type(CONTROL).values()) == {256, 257, 258}
    assert not tokenizer.end_ids & set(tokenizer.encode("<|eot_id|><stop><|im_end|>"))
    assert tokenizer.encode("<|eot_id|><stop><|im_end|>", special=True) == [256, 257, 258]


def test_inference_tokenizer_knows_where_texts_begin_and_end(by_bytes, by_pieces, tmp_path):
    assert by_bytes.encode("x")[0] == by_bytes.bos
    assert by_pieces.encode("x")[0] == 1
    assert by_bytes.encode("x", add_bos=False)[0] != by_bytes.bos
    eot = by_bytes.vocabulary.of_type(CONTROL)["<|eot_id|>"]
    assert by_bytes.end_ids == {by_bytes.eos, eot, by_bytes.vocabulary.of_type(CONTROL)["<|end|>"]}
    assert by_bytes.eot == eot
    asked = make.spm(tmp_path, add_bos_token=False, add_eos_token=True, add_space_prefix=False)
    assert asked.encode("<") == [asked.vocabulary.tokens.index("<"), 2]
    assert asked.decode(asked.encode(" x")) == " x"


def test_inference_tokenizer_without_names_takes_those_of_sentence_piece(tmp_path):
    tokenizer = make.spm(tmp_path, ids=())
    assert (tokenizer.bos, tokenizer.eos, tokenizer.vocabulary.unknown) == (1, 2, 0)


def test_inference_tokenizer_refuses_what_is_no_text(tokenizer):
    with pytest.raises(InputError, match="character 1"):
        tokenizer.encode("a\ud800")
    with pytest.raises(InputError, match="vocabulary"):
        tokenizer.decode([len(tokenizer)])
    with pytest.raises(InputError, match="at most"):
        tokenizer.encode("a" * (MOST_CHARACTERS + 1))


WITHOUT = """
import sys
sys.modules["tokenizers"] = sys.modules["jinja2"] = None  # importing them fails
import kernels, kernels.model, kernels.generate, kernels.tokenizer
try:
    kernels.tokenizer.Tokenizer
except ImportError:
    print("wanted now")
"""


def test_inference_tokenizer_is_imported_when_it_is_wanted():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=60)
    assert done.stdout == "wanted now\n", done.stderr
