"""A tokenizer that contradicts itself is refused in words; one that does not is harmless, however strange."""

import time

import numpy as np
import pytest
import vocabularies as make
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from often import THOROUGH
from tokenizers import pre_tokenizers
from vocabularies import LETTERS

from kernels.gguf import BadTokenizer, ModelFile, ModelFileError, NewTensor, write
from kernels.tokenizer import Tokenizer, vocabulary
from kernels.tokenizer.vocabulary import CONTROL, USER_DEFINED

GOOD = {"model": "gpt2", "tokens": [*LETTERS, "ab"], "types": [1] * 257, "merges": ["a b"], "pre": "gpt-2"}
PIECES = {"merges": None, "pre": None, "model": "llama", "scores": np.zeros(257, np.float32)}
LONG = {"tokens": [*LETTERS, "ab", "<" * 257]}
NAN = np.full(257, np.nan, np.float32)


@pytest.mark.parametrize(("words", "change"), [
    ("token_type: 1 items", {"types": [1]}),
    ("want gpt2 or llama", {"model": "wordpiece"}),
    ("model: ", {"model": 7}),
    ("'klingon'; want llama-bpe", {"pre": "klingon"}),
    ("pre: ", {"pre": 7}),
    ("254 bytes have no token", {"tokens": ["a", "b", "ab"], "types": [1] * 3}),
    ("256 bytes have no token, and there is none", PIECES),
    ("want an array of STRING", {"tokens": np.zeros(257, np.int32)}),
    ("1 tokens are there twice", {"tokens": [*LETTERS, "a"]}),
    ("merges: the key is missing", {"merges": None}),
    ("want an array of STRING", {"merges": np.zeros(3, np.int32)}),
    ("1 merges of tokens there are none of", {"merges": ["a zz"]}),
    ("1 merges of", {"merges": ["a b", "a c"]}),
    ("1 merges of", {"merges": ["ab"]}),
    ("2 merges of", {"merges": ["", " "]}),
    ("scores: the key is missing", {"model": "llama"}),
    ("scores that are not finite", PIECES | {"scores": NAN}),
    ("scores: 2 items", PIECES | {"scores": NAN[:2]}),
    ("want an array of FLOAT32", PIECES | {"scores": np.zeros(257)}),
    ("bos_token_id: ", {"ids": {"bos": 10**6}}),
    ("eos_token_id: ", {"ids": {"eos": -1}}),
    ("add_bos_token", {"add_bos_token": 3}),
    ("want at most 65536", {"template": "x" * 70_000}),
    ("257 characters; want at most 256", {**LONG, "types": [1] * 257 + [CONTROL]}),
    ("257 characters; want at most 256", {**LONG, "types": [1] * 257 + [USER_DEFINED]}),
    ("257 characters; want at most 256", {**LONG, "types": [1] * 258, "ids": {"eos": 257}}),
])  # fmt: skip
def test_inference_tokenizer_refuses_what_contradicts_itself(words, change, tmp_path):
    make.file(tmp_path, **GOOD)
    with pytest.raises(ModelFileError, match=words):
        make.file(tmp_path, **{**GOOD, **change})


def test_inference_tokenizer_refuses_what_is_no_utf8(tmp_path):
    good = write(tmp_path / "a.gguf", metadata(tokens=[*LETTERS, "ab", "QQ"]), [NewTensor("w", np.ones(1, np.float32))])
    bad = tmp_path / "b.gguf"
    bad.write_bytes(good.read_bytes().replace(b"QQ", b"Q\xff"))
    with pytest.raises(BadTokenizer, match="1 tokens are not UTF-8"):
        Tokenizer.of(ModelFile(bad))


def test_inference_tokenizer_needs_one(tmp_path):
    path = write(tmp_path / "a.gguf", {"general.architecture": "x"}, [NewTensor("w", np.ones(1, np.float32))])
    with pytest.raises(BadTokenizer, match="there is none"):
        Tokenizer.of(ModelFile(path))


def test_inference_tokenizer_refuses_more_text_than_vocabularies_have(tmp_path, monkeypatch):
    monkeypatch.setattr(vocabulary, "MOST_TEXT", 600)
    with pytest.raises(BadTokenizer, match="bytes; want at most 600"):
        make.file(tmp_path, **{**GOOD, "tokens": [*LETTERS, "ab", "x" * 300], "types": [1] * 258})


def test_inference_tokenizer_takes_numbers_without_a_token(tmp_path):
    tokenizer = make.file(tmp_path, **{**GOOD, "tokens": [*LETTERS, "ab", "", ""], "types": [1] * 257 + [5, CONTROL]})
    assert tokenizer.decode([*tokenizer.encode("ab", special=True), 257, 258]) == "ab"


def test_inference_tokenizer_finds_many_tokens_in_text_quickly(tmp_path):
    """User-defined ones may be as many as a file can hold."""
    names = [f"<{number}>" for number in range(20_000)]
    tokenizer = make.file(tmp_path, **{**GOOD, "tokens": [*LETTERS, "ab", *names], "types": [1] * 257 + [4] * 20_000})
    began = time.process_time()
    assert len(tokenizer.encode("<" * 20_000 + "<7><12345>" * 2000)) == 24_000
    assert time.process_time() - began < 3  # a pattern of all of them would take minutes


def metadata(**keys):
    keys = {"model": "gpt2", "merges": ["a b"], "pre": "gpt-2"} | keys
    return {"general.architecture": "x"} | {f"tokenizer.ggml.{key}": value for key, value in keys.items()}


words = st.text("ab<>x0▁1é \0", max_size=6) | st.sampled_from(["<0x41>", "<s>", "<|eot_id|>", "Ġ", "\ue000", "a" * 400])
counts = st.integers(-(2**31), 2**31 - 1) | st.integers(-2, 9)
anything = st.one_of(
    counts,
    st.floats(width=32),
    st.booleans(),
    words,
    st.lists(words, min_size=1, max_size=9),
    st.lists(counts, min_size=1, max_size=9).map(lambda all_: np.array(all_, np.int32)),
    st.lists(st.floats(width=32), min_size=1, max_size=9).map(lambda all_: np.array(all_, np.float32)),
)


@st.composite
def vocabularies(draw):
    """Keys that agree with each other, but for a few."""
    kind = draw(st.sampled_from(["gpt2", "llama"]))
    known = LETTERS if kind == "gpt2" else [f"<0x{byte:02X}>" for byte in range(256)]
    more = [word for word in draw(st.lists(words, max_size=12, unique=True)) if word not in known]
    tokens = [*known, *more, *({"ab"} - {*more})]
    own = len(tokens) - 256
    types = [1 if kind == "gpt2" else 6] * 256 + draw(st.lists(st.integers(0, 7), min_size=own, max_size=own))
    ways = [f"{t[:at]} {t[at:]}" for t in tokens[256:] for at in range(1, len(t)) if {t[:at], t[at:]} <= {*tokens}]
    scores = draw(st.lists(st.floats(-9, 9, width=32), min_size=own, max_size=own))
    keys = {
        "model": kind,
        "tokens": tokens,
        "pre": draw(st.sampled_from(["gpt-2", "llama-bpe", "default"])),
        "token_type": np.array(types, np.int32),
        "merges": draw(st.permutations(ways)) or ["a b"],
        "scores": np.array([0] * 256 + scores, np.float32),
    }
    ids = st.integers(254, len(tokens) - 1)
    for key in draw(st.sets(st.sampled_from(["bos", "eos", "eot", "unknown"]))):
        keys[f"{key}_token_id"] = draw(ids)
    for key in draw(st.sets(st.sampled_from(["add_bos_token", "add_eos_token", "add_space_prefix"]))):
        keys[key] = draw(st.booleans())
    for key in draw(st.sets(st.sampled_from([*keys, "eom_token_id"]), max_size=2)) if draw(st.booleans()) else ():
        keys[key] = draw(anything)
    return keys


def refused_or_harmless(path, text):
    """Whether it was refused; if not, the text goes in and comes out, and is no control token."""
    try:
        tokenizer = Tokenizer.of(ModelFile(path))
    except ModelFileError:
        return True
    for special in (False, True):
        ids = tokenizer.encode(text, special=special)
        assert all(0 <= number < len(tokenizer) for number in ids)
        assert isinstance(tokenizer.decode(ids, special=True), str)
    plain = tokenizer.encode(text, add_bos=False)
    assert not {*tokenizer.vocabulary.of_type(CONTROL).values()} & {*plain}
    if tokenizer.vocabulary.unknown not in plain:
        expected = text.replace("▁", " ") if tokenizer.vocabulary.kind == "spm" else text
        got = tokenizer.decode(plain)
        assert got == expected or "▁" in got  # which a user-defined token may have
    assert isinstance(tokenizer.decode(range(len(tokenizer))), str)
    return False


def test_inference_tokenizer_of_any_file_is_refused_or_harmless(tmp_path):
    refusals = []

    @settings(max_examples=500 if THOROUGH else 150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(vocabularies(), st.text("ab<>x0▁1é \0|_eot", max_size=30))
    def check(keys, text):
        whole = {f"tokenizer.ggml.{key}": value for key, value in keys.items()} | {"general.architecture": "x"}
        path = write(tmp_path / "t.gguf", whole, [NewTensor("w", np.ones(1, np.float32))])
        refusals.append(refused_or_harmless(path, text))

    check()
    assert 0.1 < np.mean(refusals) < 0.9  # both happen


def test_inference_tokenizer_of_a_damaged_file_is_refused_or_harmless(tmp_path):
    tensor, refusals = [NewTensor("w", np.ones(1, np.float32))], []
    good = write(tmp_path / "a.gguf", metadata(tokens=[*LETTERS, "ab"]), tensor).read_bytes()

    @settings(max_examples=500, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, len(good) - 9), st.binary(min_size=1, max_size=8)), min_size=1, max_size=3)
    )
    def check(changes):
        bad = bytearray(good)
        for at, written in changes:
            bad[at : at + len(written)] = written
        path = tmp_path / "b.gguf"
        path.write_bytes(bad)
        refusals.append(refused_or_harmless(path, "ab <|x|>\0é"))

    check()
    assert not all(refusals)


def test_inference_tokenizer_alphabet_is_the_librarys():
    assert set(LETTERS) == set(pre_tokenizers.ByteLevel.alphabet())
