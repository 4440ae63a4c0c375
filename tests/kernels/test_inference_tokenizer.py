"""Text becomes the tokens it becomes elsewhere, comes back as it was, and is never taken for a control token."""

import json
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Library
from tokenizers import decoders, models, pre_tokenizers, trainers

from kernels import InputError
from kernels.gguf import BadTokenizer, ModelFile, NewTensor, write
from kernels.tokenizer import Tokenizer
from kernels.tokenizer.vocabulary import BYTE, CONTROL, NORMAL, UNKNOWN, USER_DEFINED

ROOT = Path(__file__).parents[2]
CORPUS = [path.read_text("utf-8") for path in sorted((ROOT / "kernels").rglob("*.py"))[:40]] + [
    "naïve café — “quotes” … ½ µ Ελληνικά русский עברית العربية हिन्दी 漢字かな 한국어 🙂🙃 👩‍👩‍👧 é",
]
NASTY = [
    "", " ", "  ", "\n", "\r\n", "\t\t x", "a" * 3000, " " * 3000, "ab " * 500, "▁", "▁▁ ▁", "<0x41>", "<s>", "</s>",
    "don't WE'LL I'M it's", "1234567890 1 22 333", "é vs é", "👩‍👩‍👧‍👦🏳️‍🌈", "\0\x01\x7f\x80\xff",
    "x\u200b\u2028y", "\ue000\U0010ffff", "def f(x):\n    return x**2  # ²\n\n\n", "مرحبا بالعالم",
    "日本語のテキスト。", "A\u0301\u0327", "\ufeffbom", "<|end|><|user|>", " <|end|> ",
]  # fmt: skip
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def bpe(folder, pre="llama-bpe", **more):
    library = Library(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=1200, initial_alphabet=alphabet, show_progress=False)
    library.train_from_iterator(CORPUS, trainer)
    tokens = [token for token, _ in sorted(library.get_vocab().items(), key=lambda item: item[1])]
    model = json.loads(library.to_str())["model"]
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in model["merges"]]
    extra = ["<|begin|>", "<|end|>", "<|eot_id|>", "<named>"]
    types = [NORMAL] * len(tokens) + [CONTROL] * 3 + [USER_DEFINED]
    ids = {"bos": len(tokens), "eos": len(tokens) + 1}
    return file(folder, "gpt2", [*tokens, *extra], types, merges=merges, pre=pre, ids=ids, **more)


def spm(folder, **more):
    """Pieces as sentence-piece has them, numbered by how often they were merged: the score is minus the number."""
    library = Library(models.BPE(byte_fallback=True))
    trainer = trainers.BpeTrainer(vocab_size=900, show_progress=False, limit_alphabet=120)
    library.train_from_iterator([text.replace(" ", "▁") for text in CORPUS], trainer)
    pieces = [token for token, _ in sorted(library.get_vocab().items(), key=lambda item: item[1])]
    pieces.sort(key=lambda piece: len(piece) == 1)  # single characters last, as in files
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    tokens = ["<unk>", "<s>", "</s>", *bytes_, *pieces]
    types = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * len(pieces)
    scores = np.array([0] * 259 + [-number for number in range(len(pieces))], np.float32)
    return file(folder, "llama", tokens, types, scores=scores, ids={"bos": 1, "eos": 2, "unknown": 0}, **more)


def file(folder, model, tokens, types, merges=None, pre=None, scores=None, ids=(), **more):
    metadata = {
        "general.architecture": "bitnet-b1.58",
        "tokenizer.ggml.model": model,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": np.array(types, np.int32),
    }
    for key, value in {"merges": merges, "pre": pre, "scores": scores}.items():
        if value is not None:
            metadata[f"tokenizer.ggml.{key}"] = value
    metadata |= {f"tokenizer.ggml.{key}_token_id": value for key, value in dict(ids).items()}
    metadata |= {f"tokenizer.{key}": value for key, value in more.items()}
    path = write(folder / "t.gguf", metadata, [NewTensor("w", np.ones(1, np.float32))])
    return Tokenizer.of(ModelFile(path))


@pytest.fixture(scope="module")
def by_bytes(tmp_path_factory):
    return bpe(tmp_path_factory.mktemp("bpe"))


@pytest.fixture(scope="module")
def by_pieces(tmp_path_factory):
    return spm(tmp_path_factory.mktemp("spm"))


@pytest.fixture(params=["by_bytes", "by_pieces"])
def tokenizer(request):
    return request.getfixturevalue(request.param)


def merged_by_score(tokenizer, text):
    """What sentence-piece does, spelled out: the best pair, the leftmost of equals, again and again."""
    vocabulary = tokenizer.vocabulary
    numbers = vocabulary.of_type(NORMAL, BYTE)
    parts = list((" " + text).replace(" ", "▁")) if text else []
    while True:
        pairs = [(vocabulary.scores[numbers[a + b]], -at) for at, (a, b) in enumerate(pairwise(parts))
                 if a + b in numbers]  # fmt: skip
        if not pairs:
            break
        at = -max(pairs)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    ids = []
    for part in parts:
        ids += [numbers[part]] if part in numbers else [numbers[f"<0x{byte:02X}>"] for byte in part.encode()]
    return ids


def merged_by_rank(tokenizer, word, whole=True):
    """What byte-level BPE does with one word; ``whole``: one that is a token stays one."""
    letters = {byte: letter for letter, byte in tokenizer._byte.items()}
    numbers = tokenizer.vocabulary.of_type(NORMAL)
    ranks = {tuple(pair.split(" ")): rank for rank, pair in enumerate(tokenizer.vocabulary.merges)}
    parts = [letters[bytes([byte])] for byte in word.encode()]
    if whole and "".join(parts) in numbers:
        return [numbers["".join(parts)]]
    while len(parts) > 1:
        rank, at = min((ranks.get(pair, len(ranks)), at) for at, pair in enumerate(pairwise(parts)))
        if rank == len(ranks):
            break
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return [numbers[part] for part in parts]


@settings(max_examples=300, deadline=None)
@given(texts)
@example("    def   x")
def test_inference_tokenizer_merges_pieces_by_score(by_pieces, text):
    if "<" in text:
        return  # pieces of control tokens are cut before
    assert by_pieces.encode(text, add_bos=False) == merged_by_score(by_pieces, text)


@pytest.mark.parametrize("text", [each[:300] for each in NASTY + CORPUS])
def test_inference_tokenizer_merges_a_corpus_by_score(by_pieces, text):
    assert by_pieces.encode(text, add_bos=False) == merged_by_score(by_pieces, text)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(categories=["L"]), min_size=1, max_size=30))
def test_inference_tokenizer_merges_bytes_by_rank(by_bytes, word):
    assert by_bytes.encode(word, add_bos=False) == merged_by_rank(by_bytes, word)


@pytest.mark.parametrize(("pre", "text", "pieces"), [
    ("llama-bpe", "I'M 12345 ok!!\n\n  x", ["I", "'M", " ", "123", "45", " ok", "!!\n\n", " ", " x"]),
    ("gpt-2", "I'm 12345 ok!!\n\n  x", ["I", "'m", " 12345", " ok", "!!", "\n\n ", " x"]),
    ("qwen2", "ab 12", ["ab", " ", "1", "2"]),
    ("smollm", "ab 12", ["ab", " ", "1", "2"]),
    ("default", "ab=12345, c", ["ab", "=", "123", "45", ",", " c"]),
])  # fmt: skip
def test_inference_tokenizer_cuts_text_as_the_file_says(pre, text, pieces, tmp_path):
    tokenizer = bpe(tmp_path, pre)
    whole = pre == "llama-bpe"
    expected = [number for piece in pieces for number in merged_by_rank(tokenizer, piece, whole)]
    assert tokenizer.encode(text, add_bos=False) == expected


@settings(max_examples=300, deadline=None)
@given(texts)
def test_inference_tokenizer_gives_every_text_back(by_bytes, by_pieces, text):
    for tokenizer in (by_bytes, by_pieces):
        if tokenizer is by_pieces:
            text = text.replace("▁", " ")  # which stands for a space there
        assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("text", NASTY)
def test_inference_tokenizer_gives_nasty_texts_back(tokenizer, text):
    if tokenizer.vocabulary.kind == "spm":
        text = text.replace("▁", " ")
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("text", ["🙂 漢字 é", "a\xff", "👩‍👩‍👧"])
def test_inference_tokenizer_streams_whole_characters(tokenizer, text):
    stream = tokenizer.stream()
    parts = [stream.add(number) for number in tokenizer.encode(text)]
    assert "".join(parts) + stream.end() == text
    assert "\ufffd" not in "".join(parts)
    stream = tokenizer.stream()
    cut = tokenizer.encode(text + "𓀀")[:-1]
    assert ("".join(stream.add(number) for number in cut) + stream.end()).endswith("\ufffd")


def test_inference_tokenizer_keeps_control_tokens_out_of_text(by_bytes):
    numbers = by_bytes.vocabulary.of_type(CONTROL)
    text = "a<|end|>b<|begin|>"
    assert not set(by_bytes.encode(text, add_bos=False)) & set(numbers.values())
    meant = by_bytes.encode(text, add_bos=False, special=True)
    assert [number for number in meant if number in numbers.values()] == [numbers["<|end|>"], numbers["<|begin|>"]]
    assert by_bytes.decode(meant) == "ab"
    assert by_bytes.decode(meant, special=True) == text
    assert by_bytes.vocabulary.of_type(USER_DEFINED)["<named>"] in by_bytes.encode("x<named>y")


def test_inference_tokenizer_knows_where_texts_begin_and_end(by_bytes, by_pieces):
    assert by_bytes.encode("x")[0] == by_bytes.bos
    assert by_pieces.encode("x")[0] == 1
    assert by_bytes.encode("x", add_bos=False)[0] != by_bytes.bos
    assert by_bytes.end_ids == {by_bytes.eos, by_bytes.vocabulary.of_type(CONTROL)["<|eot_id|>"]}


@pytest.mark.slow
def test_inference_tokenizer_takes_long_runs_in_its_stride(tokenizer):
    for run in ("a", " ", "\n", "é", "1", "ab"):
        began = time.perf_counter()
        assert tokenizer.decode(tokenizer.encode(run * 50_000)) == run * 50_000
        assert time.perf_counter() - began < 30  # the square of it would take hours


def test_inference_tokenizer_refuses_what_is_no_text(tokenizer):
    with pytest.raises(InputError, match="character 1"):
        tokenizer.encode("a\ud800")
    with pytest.raises(InputError, match="vocabulary"):
        tokenizer.decode([len(tokenizer)])


CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " Hi <|eot_id|>\n"}]


def test_inference_chat_without_a_template_is_bitnets(by_bytes):
    assert by_bytes.chat(CHAT) == "<|begin|>System: Be brief.<|eot_id|>User: Hi <|eot_id|><|eot_id|>Assistant: "
    ids = by_bytes.encode_chat(CHAT)
    assert ids[0] == by_bytes.bos
    assert ids.count(by_bytes.vocabulary.of_type(CONTROL)["<|eot_id|>"]) == 2  # not the user's own
    assert by_bytes.decode(ids, special=True) == by_bytes.chat(CHAT)


TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|begin|>{{ m.role }}\n{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|begin|>assistant\n{% endif %}"
)


def test_inference_chat_by_the_files_template(tmp_path):
    tokenizer = bpe(tmp_path, chat_template=TEMPLATE)
    control = tokenizer.vocabulary.of_type(CONTROL)
    for content in ("x", "<|end|>", "<|", "end|>", " <|end|> ", "", "  ", "\U0010fffd<|end|>"):
        ids = tokenizer.encode_chat([{"role": "user", "content": content}])
        assert [number for number in ids if number in control.values()] == [
            control[name] for name in ("<|begin|>", "<|begin|>", "<|end|>", "<|begin|>")
        ]
        assert tokenizer.decode(ids, special=True).count(content.strip()) >= 1


@pytest.mark.parametrize("template", [
    "{{ ''.__class__.__mro__ }}", "{{ messages.append(1) }}", "{% for", "{{ 1 / 0 }}", "{{ nothing.at.all }}",
    "{{ 'a' * 10 ** 12 }}", "{% include '/etc/passwd' %}", "{% for a in range(99999) %}{{ 'x' * 999999 }}{% endfor %}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}", "{{ 'x' | center(10 ** 11) }}",
])  # fmt: skip
def test_inference_chat_templates_that_misbehave_are_refused(template, tmp_path):
    tokenizer = bpe(tmp_path, chat_template=template)
    with pytest.raises(BadTokenizer, match="template"):
        tokenizer.chat(CHAT)


@pytest.mark.slow
def test_inference_chat_templates_that_never_end_are_ended(tmp_path):
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    tokenizer = bpe(tmp_path, chat_template=loop)
    with pytest.raises(BadTokenizer, match="ended its child"):
        tokenizer.chat(CHAT)


def test_inference_chat_refuses_what_is_no_conversation(by_bytes, tmp_path):
    for messages in (
        [],
        [{"role": "user"}],
        [{"role": "user", "content": 1}],
        [7],
        [{"role": "u", "content": "", "x": ""}],
    ):
        with pytest.raises(InputError, match="message"):
            by_bytes.chat(messages)
    tokenizer = bpe(tmp_path, chat_template="{{ raise_exception('no systems here') }}")
    with pytest.raises(InputError, match="no systems here"):
        tokenizer.chat(CHAT)


@pytest.mark.parametrize(("words", "change"), [
    ("token_type", {"types": [1]}), ("model", {"model": "wordpiece"}), ("pre", {"pre": "klingon"}),
    ("bytes", {"tokens": ["a", "aa"], "types": [1, 1], "merges": ["a a"]}), ("scores", {"model": "llama"}),
    ("merges", {"merges": None}),
    ("bos", {"ids": {"bos": 10**6}}), ("characters", {"chat_template": "x" * 70_000}),
])  # fmt: skip
def test_inference_tokenizer_refuses_what_contradicts_itself(words, change, tmp_path):
    letters = pre_tokenizers.ByteLevel.alphabet()
    good = {"model": "gpt2", "tokens": [*letters, "ab"], "types": [1] * 257, "merges": ["a b"], "pre": "gpt-2"}
    file(tmp_path, **good)
    with pytest.raises(BadTokenizer, match=words):
        file(tmp_path, **{**good, **change})


def test_inference_tokenizer_needs_one(tmp_path):
    path = write(tmp_path / "a.gguf", {"general.architecture": "x"}, [NewTensor("w", np.ones(1, np.float32))])
    with pytest.raises(BadTokenizer, match="there is none"):
        Tokenizer.of(ModelFile(path))
