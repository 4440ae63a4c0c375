"""Text becomes the tokens that it becomes elsewhere: spelled out here, in sentencepiece, in tiktoken, in llama.cpp."""

import io
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import regex
import sentencepiece
import tiktoken
import vocabularies as make
from hypothesis import example, given, settings
from hypothesis import strategies as st
from vocabularies import CORPUS, LETTERS, NASTY, texts

from kernels.tokenizer.build import CUTS
from kernels.tokenizer.pieces import Pieces
from kernels.tokenizer.vocabulary import BYTE, CONTROL, LLAMA3, NORMAL, UNKNOWN

REFERENCE = Path(__file__).parents[1] / "data" / "tokens_llama_cpp.json"
SAMPLES = [*NASTY, *(text[:2000] for text in CORPUS)]
LETTER = dict(zip((*range(33, 127), *range(161, 173), *range(174, 256)), LETTERS[: 256 - 68], strict=True))
LETTER |= dict(zip((byte for byte in range(256) if byte not in LETTER), LETTERS[256 - 68 :], strict=True))


@pytest.fixture(scope="module")
def by_bytes(tmp_path_factory):
    return make.bpe(tmp_path_factory.mktemp("bpe"))


@pytest.fixture(scope="module")
def by_pieces(tmp_path_factory):
    return make.spm(tmp_path_factory.mktemp("spm"))


# characters merged by score


def merged_by_score(text, scores):
    """The pieces of a text: the best pair, the leftmost of equals, is one piece, again and again."""
    parts = list(text)
    while True:
        pairs = [(scores[a + b], -at) for at, (a, b) in enumerate(pairwise(parts)) if a + b in scores]
        if not pairs:
            return parts
        at = -max(pairs)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


@settings(max_examples=400, deadline=None)
@given(
    st.dictionaries(st.text("ab▁é", min_size=1, max_size=5), st.sampled_from([0.0, -1.0, -2.0, 3.5]), max_size=30),
    st.text("ab▁éz", max_size=40),
)
@example({"xy": 0.0, "yx": 0.0}, "xyxxxyxyy")
@example({"aa": -1.0, "aaa": 0.0, "ba": 1.0, "ab": 1.0}, "aaabaaabaaaaa")
def test_inference_tokenizer_merges_any_pieces_by_score(scores, text):
    numbers = {piece: number for number, piece in enumerate(scores)}
    pieces = Pieces({piece: (-score, numbers[piece]) for piece, score in scores.items()}, None, -1)
    assert pieces(text) == [numbers.get(part, -1) for part in merged_by_score(text, scores)]


def ids_by_score(tokenizer, text):
    vocabulary = tokenizer.vocabulary
    numbers, bytes_ = vocabulary.of_type(NORMAL), vocabulary.of_type(BYTE)
    scores = {piece: float(vocabulary.scores[number]) for piece, number in numbers.items()}
    ids = []
    for part in merged_by_score((" " + text).replace(" ", "▁"), scores) if text else []:
        ids += [numbers[part]] if part in numbers else [bytes_[f"<0x{byte:02X}>"] for byte in part.encode()]
    return ids


@settings(max_examples=300, deadline=None)
@given(texts)
@example("    def   x <0x41><s></s><unk>")
def test_inference_tokenizer_merges_pieces_by_score(by_pieces, text):
    text = text.replace("<named>", "")
    assert by_pieces.encode(text, add_bos=False) == ids_by_score(by_pieces, text)


@pytest.mark.parametrize("text", [each[:300] for each in SAMPLES])
def test_inference_tokenizer_merges_a_corpus_by_score(by_pieces, text):
    assert by_pieces.encode(text, add_bos=False) == ids_by_score(by_pieces, text)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of sentencepiece, and the same in a GGUF file."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter("".join(CORPUS).split("\n")),
        model_writer=written,
        model_type="bpe",
        vocab_size=1500,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        character_coverage=0.999,
        user_defined_symbols=["<named>"],
        allow_whitespace_only_pieces=True,
        minloglevel=2,
    )
    theirs = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    every = range(theirs.vocab_size())
    kinds = [
        BYTE if theirs.is_byte(n) else CONTROL if theirs.is_control(n) else UNKNOWN if theirs.is_unknown(n)
        else make.USER_DEFINED if theirs.id_to_piece(n) == "<named>" else NORMAL
        for n in every
    ]  # fmt: skip
    ours = make.file(
        tmp_path_factory.mktemp("trained"),
        "llama",
        [theirs.id_to_piece(n) for n in every],
        kinds,
        scores=np.array([theirs.get_score(n) for n in every], np.float32),
    )
    return theirs, ours


@settings(max_examples=300, deadline=None)
@given(texts)
def test_inference_tokenizer_equals_sentencepiece(trained, text):
    theirs, ours = trained
    text = text.replace("▁", " ")  # the same to both
    assert ours.encode(text, add_bos=False) == theirs.encode(text)
    assert ours.decode(theirs.encode(text)) == text


@pytest.mark.parametrize("text", SAMPLES)
def test_inference_tokenizer_equals_sentencepiece_on_a_corpus(trained, text):
    theirs, ours = trained
    assert ours.encode(text) == [1, *theirs.encode(text)]


# bytes merged by rank


def merged_by_rank(word, ranks, numbers, whole):
    """The tokens of one word: the pair that was learned first is one token, again and again."""
    parts = [LETTER[byte] for byte in word.encode()]
    if whole and "".join(parts) in numbers:
        return [numbers["".join(parts)]]
    while len(parts) > 1:
        rank, at = min((ranks.get(pair, len(ranks)), at) for at, pair in enumerate(pairwise(parts)))
        if rank == len(ranks):
            break
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return [numbers[part] for part in parts]


def cut(text, patterns):
    """Pieces that match, and what is between them, cut again by the next pattern."""
    pieces = [text] if text else []
    for pattern in patterns:
        after = []
        for piece in pieces:
            at = 0
            for found in regex.finditer(pattern, piece):
                after += [piece[at : found.start()], found[0]]
                at = found.end()
            after.append(piece[at:])
        pieces = [piece for piece in after if piece]
    return pieces


def ids_by_rank(tokenizer, text):
    vocabulary = tokenizer.vocabulary
    numbers = vocabulary.of_type(NORMAL)
    ranks = {tuple(pair.split(" ")): rank for rank, pair in enumerate(vocabulary.merges)}
    words = cut(text, CUTS[vocabulary.pre])
    return [n for word in words for n in merged_by_rank(word, ranks, numbers, vocabulary.pre in LLAMA3)]


@settings(max_examples=300, deadline=None)
@given(texts)
def test_inference_tokenizer_merges_bytes_by_rank(by_bytes, text):
    text = text.replace("<named>", "")
    assert by_bytes.encode(text, add_bos=False) == ids_by_rank(by_bytes, text)


@pytest.mark.parametrize("pre", ["llama-bpe", "gpt-2", "qwen2", "smollm", "falcon", "default"])
def test_inference_tokenizer_merges_a_corpus_by_rank(pre, tmp_path):
    tokenizer = make.bpe(tmp_path, pre)
    for text in SAMPLES:
        assert tokenizer.encode(text[:400], add_bos=False) == ids_by_rank(tokenizer, text[:400])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(*2 * [st.text("abc", min_size=1, max_size=3)]), max_size=40), st.text("abc", max_size=30))
def test_inference_tokenizer_merges_by_any_ranks(tmp_path_factory, pairs, text):
    known = set("abc")
    merges = [" ".join(pair) for pair in pairs if known.issuperset(pair) and not known.add("".join(pair))]
    tokens = [*LETTERS, *sorted(known - set(LETTERS))]
    if merges:
        merges += merges[:1]  # what is there again counts where it was first
        tokenizer = make.file(tmp_path_factory.mktemp("any"), "gpt2", tokens, merges=merges, pre="gpt-2")
        assert tokenizer.encode(text) == ids_by_rank(tokenizer, text)


@pytest.mark.parametrize(("pre", "text", "pieces"), [
    ("llama-bpe", "I'M 12345 ok!!\n\n  x", ["I", "'M", " ", "123", "45", " ok", "!!\n\n", " ", " x"]),
    ("gpt-2", "I'm 12345 ok!!\n\n  x", ["I", "'m", " 12345", " ok", "!!", "\n\n ", " x"]),
    ("qwen2", "ab 12", ["ab", " ", "1", "2"]),
    ("smollm", "ab 12", ["ab", " ", "1", "2"]),
    ("falcon", "ab=12345, c", ["ab", "=", "123", "45", ",", " c"]),
    ("default", "ab=12345, c", ["ab", "=", "123", "45", ",", " c"]),
])  # fmt: skip
def test_inference_tokenizer_cuts_text_as_the_file_says(pre, text, pieces):
    assert cut(text, CUTS[pre]) == pieces


def test_inference_tokenizer_equals_tiktoken(tmp_path):
    """Whose merges are all that make a token, by the number of what they make: the file lists them so."""
    tokens = make.trained_bpe()[0]
    number = {token: n for n, token in enumerate(tokens)}
    ways = [(n, token[:at], token[at:]) for n, token in enumerate(tokens) for at in range(1, len(token))]
    merges = [f"{left} {right}" for _, left, right in sorted(ways) if left in number and right in number]
    bytes_ = {letter: byte for byte, letter in LETTER.items()}
    ranks = {bytes(bytes_[letter] for letter in token): n for token, n in number.items()}
    theirs = tiktoken.Encoding("here", pat_str=CUTS["llama-bpe"][0], mergeable_ranks=ranks, special_tokens={})
    ours = make.file(tmp_path, "gpt2", tokens, merges=merges, pre="llama-bpe")
    for text in SAMPLES:
        assert ours.encode(text) == theirs.encode_ordinary(text), text[:80]


# llama.cpp


@pytest.mark.parametrize("name", ["spm", "llama-bpe", "gpt-2", "qwen2", "smollm", "falcon", "default"])
def test_inference_tokenizer_equals_llama_cpp(name, tmp_path):
    stored = json.loads(REFERENCE.read_text("utf-8"))
    keys = dict(stored["spm" if name == "spm" else "bpe"])
    if name == "spm":
        keys["scores"] = np.array(keys["scores"], np.float32)
    tokenizer = make.file(tmp_path, **keys, **({} if name == "spm" else {"pre": name}))
    for text, plain, special in zip(stored["texts"], *stored["ids"][name], strict=True):
        assert tokenizer.encode(text, add_bos=False) == plain
        assert tokenizer.encode(text, special=True) == special
