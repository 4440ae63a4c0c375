"""``python -m kernels verify``: what it finds, what it shows, and how it ends."""

import json
import os
import re
import subprocess
import sys

import gguf_bytes as raw
import numpy as np
import pytest

from kernels import PackedMatrix, formats
from kernels.__main__ import main
from kernels.gguf import ModelFile, NewTensor, Value, ValueType, convert, write
from kernels.gguf.command import Progress, style_of
from kernels.gguf.picture import Style, lines
from kernels.gguf.statistics import Codes, statistics
from kernels.gguf.verify import verify

NAMES = ["tiny-i2_s", "tiny-tl2", "tiny-TQ2_0-bitnet"]


@pytest.fixture
def changed(model_path, tmp_path):
    """tiny-i2_s again with other keys and tensors; None leaves one out."""

    def make(keys=(), tensors=()):
        model = ModelFile(model_path("tiny-i2_s"))
        metadata = dict(model.metadata) | dict(keys)
        kept = {n: NewTensor(n, t.raw, t.shape, t.type.id) for n, t in model.tensors.items()}
        kept |= {name: data if data is None else NewTensor(name, data) for name, data in dict(tensors).items()}
        return write(
            tmp_path / "changed.gguf",
            {key: value for key, value in metadata.items() if value is not None},
            [tensor for tensor in kept.values() if tensor is not None],
        )

    return make


def said(report, severity="error"):
    return [f"{error.code}: {error}" for one, error in report.findings if one == severity]


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_cpu_verify_finds_nothing_wrong_with_files_of_the_cpp_programs(name, deep, model_path):
    report = verify(model_path(name), deep=deep)
    assert report.good(strict=True), report.findings
    assert len(report.statistics) == (24 if deep else 0)


@pytest.mark.parametrize("format", ["i2_s", "i2_s:arm-64", "tl1", "tl2", "tq1_0", "tq2_0"])
def test_cpu_verify_counts_the_weights_of_every_format(format, model_path, tmp_path):
    model = ModelFile(convert(model_path("tiny-i2_s"), tmp_path / "a.gguf", format))
    tensor = model.tensors["blk.0.ffn_down.weight"]
    weights = tensor.matrix(format).unpack()
    ticks = []
    found = statistics(tensor, format, ticks.append)
    assert (found.minus, found.zero, found.plus) == tuple(np.count_nonzero(weights == one) for one in (-1, 0, 1))
    assert (found.strange, found.score, sum(ticks)) == (0, 1.0, tensor.nbytes if format == "tl2" else sum(ticks))
    assert found.scales == (float(tensor.matrix(format).scale),) * 2


@pytest.mark.parametrize("type_name", ["i2_s", "tl1", "tq1_0", "tq2_0"])
def test_cpu_verify_noise_is_no_weights(type_name, tmp_path):
    size = formats.get(type_name).nbytes(256, 512)
    noise = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    number = {"i2_s": 36, "tl1": 38, "tq1_0": 34, "tq2_0": 35}[type_name]
    path = write(tmp_path / "a.gguf", {"general.architecture": "x"}, [NewTensor("w", noise, (256, 512), number)])
    report = verify(path, deep=True)
    assert any(re.match(r"weights: tensor w: \d+ codes stand for no weight \(score 0\.\d", one) for one in said(report))


WRONG = {
    "a shape": ({}, {"blk.0.attn_k.weight": np.zeros((256, 256), np.float32)},
                "tensor: tensor blk.0.attn_k.weight: 256 x 256; want 128 x 256"),
    "a tensor is missing": ({}, {"blk.1.ffn_norm.weight": None}, "missing: blk.1.ffn_norm.weight"),
    "layers without end": ({"bitnet-b1.58.block_count": 65536}, {}, "65536 layers, with 24 tensors"),
    "a tensor too many": ({}, {"blk.7.attn_q.weight": np.ones((2, 2))}, "blk.7.attn_q.weight: not a tensor of this"),
    "heads of their own size": ({"bitnet-b1.58.attention.key_length": 32}, {}, "key_length: 32; want 64"),
    "scaled positions": ({"bitnet-b1.58.rope.scaling.factor": 4.0}, {}, "FLOAT32 4.0; want positions"),
    "a key is missing": ({"bitnet-b1.58.embedding_length": None}, {}, "embedding_length: the key is missing"),
    "a key is a word": ({"bitnet-b1.58.block_count": "two"}, {}, "want UINT8 or INT8"),
    "a key is 0": ({"bitnet-b1.58.attention.head_count": 0}, {}, "head_count: 0; want 1 to"),
    "a key is NaN": ({"bitnet-b1.58.rope.freq_base": float("nan")}, {}, "want a positive number"),
    "heads that do not divide": ({"bitnet-b1.58.attention.head_count": 3}, {}, "3 heads share 256 dimensions"),
    "more kv heads": ({"bitnet-b1.58.attention.head_count_kv": 3}, {}, "3 for 4 heads"),
    "odd rope": ({"bitnet-b1.58.rope.dimension_count": 63}, {}, "63 of 64 in a head"),
    "no architecture": ({"general.architecture": None}, {}, "key general.architecture: missing"),
    "few tokens' scores": ({"tokenizer.ggml.scores": np.zeros(3, np.float32)}, {}, "3 items; want 512, as there"),
    "NaN scores": ({"tokenizer.ggml.scores": np.full(512, np.nan, np.float32)}, {}, "scores that are not finite"),
    "many tokens": ({"tokenizer.ggml.tokens": ["x"] * 513}, {}, "513 tokens; want 512, as the embedding"),
    "tokens that are numbers": ({"tokenizer.ggml.tokens": [1, 2]}, {}, "want an array of STRING"),
    "a bos out of range": ({"tokenizer.ggml.bos_token_id": 512}, {}, "UINT32 512; want a token from 0 to 511"),
    "BPE without merges": ({"tokenizer.ggml.model": "gpt2"}, {}, "merges: the key is missing"),
    "NaN in a norm": ({}, {"output_norm.weight": np.full(256, np.nan, np.float32)}, "256 numbers are NaN or infinite"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_cpu_verify_says_that(wrong, changed):
    keys, tensors, expected = WRONG[wrong]
    report = verify(changed(keys, tensors), deep=True)
    assert not report.good()
    assert any(expected in one for one in said(report)), said(report)


MIXED = PackedMatrix.from_float(np.ones((256, 256)), "tq1_0")
LEANING = PackedMatrix.from_float(np.ones((256, 256)))
GIANT = PackedMatrix(formats.get("i2_s").pack(np.eye(256, dtype=np.int8), 1e9), (256, 256))

ODD = {
    "a file type of others": ({"general.file_type": 39}, {}, "UINT32 39; want 40, as the tensors are i2_s"),
    "few tokens": ({"tokenizer.ggml.tokens": ["x", "y"], "tokenizer.ggml.scores": None}, {}, "2 tokens; want 512"),
    "zeros": ({}, {"output_norm.weight": np.zeros(256, np.float32)}, "every number is 0"),
    "two formats": ({}, {"blk.0.attn_q.weight": MIXED}, "i2_s and tq1_0"),
    "weights all one": ({}, {"blk.0.attn_q.weight": LEANING}, "100% +1; want about"),
    "a giant scale": ({}, {"blk.0.attn_q.weight": GIANT}, "a hundred times the usual"),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_cpu_verify_warns_of(odd, changed):
    keys, tensors, expected = ODD[odd]
    path = changed(keys, tensors)
    report = verify(path, deep=True)
    assert any(expected in one for one in said(report, "warning")), said(report, "warning")
    assert not report.good(strict=True)
    assert main(["verify", str(path), "--deep", "--strict"]) == 1


@pytest.mark.parametrize("scale", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", NAMES)
def test_cpu_verify_a_scale_that_is_not_finite_is_an_error(name, scale, model_path, tmp_path):
    model = ModelFile(model_path(name))
    tensor = model.tensors["blk.1.attn_v.weight"]
    content = bytearray(model_path(name).read_bytes())
    at = tensor.offset + tensor.nbytes - (2 if tensor.type.name == "tq2_0" else 32)
    stored = np.array([scale], "<f2" if tensor.type.name == "tq2_0" else "<f4").tobytes()
    content[at : at + len(stored)] = stored
    path = tmp_path / "a.gguf"
    path.write_bytes(content)
    assert verify(path).good(), "the weights are not read without --deep"
    report = verify(path, deep=True)
    assert any("blk.1.attn_v.weight" in one and "scale" in one for one in said(report)), said(report)
    assert list(lines(report, Style()))
    assert main(["verify", str(path), "--deep", "--json"]) == 1


def test_cpu_verify_bytes_of_nobody_are_told(tmp_path):
    keys = [raw.word(b"general.architecture", b"x")]
    tensors = [raw.tensor(b"a", (8,)), raw.tensor(b"b", (8,), 0, 96)]
    (tmp_path / "a.gguf").write_bytes(raw.file(keys, tensors, bytes(256)))
    warned = said(verify(tmp_path / "a.gguf"), "warning")
    assert "tensor: tensor b: 64 bytes before it belong to no tensor" in warned
    assert "tensor: the end of the file: 128 bytes belong to no tensor" in warned


def test_cpu_verify_reads_no_weights_unasked(model_path, tmp_path):
    """A file of a terabyte, nearly all of it a hole, in no time."""
    head = raw.file([raw.word(b"general.architecture", b"x")], [raw.tensor(b"w", (2**19, 2**19))])
    path = tmp_path / "a.gguf"
    path.write_bytes(head)
    try:
        os.truncate(path, len(head) + 2**40)
    except OSError:
        pytest.skip("missing-tool: a file system that holds a sparse file of 1 TiB")
    assert verify(path).good()


# the tokenizer beside


def test_cpu_verify_compares_with_a_tokenizer_beside(model_path, tmp_path, capsys):
    path = model_path("tiny-i2_s")
    tokens = list(ModelFile(path).metadata["tokenizer.ggml.tokens"].data)
    beside = tmp_path / "tokenizer.json"

    def run(model, extra=()):
        beside.write_text(json.dumps({"model": model, "added_tokens": list(extra)}))
        code = main(["verify", str(path), "--tokenizer", str(beside)])
        return code, re.sub(r"\s+", " ", capsys.readouterr().out)

    bpe = {token: number for number, token in enumerate(tokens)}
    assert run({"vocab": bpe})[0] == 0
    assert run({"vocab": [[token, 0.0] for token in tokens]})[0] == 0
    code, out = run({"vocab": bpe}, [{"id": 3, "content": "\x1b[31m"}])
    assert code == 1
    assert r"1 tokens differ (3: '<0x00>' / '\x1b[31m'" in out
    assert "\x1b" not in out
    code, out = run({"vocab": bpe | {"more": 512}})
    assert code == 1
    assert "1 tokens are not in the model (512:" in out
    assert main(["verify", str(path), "--tokenizer", str(model_path("tiny-tl2"))]) == 0


@pytest.mark.parametrize("content", [
    "", "[" * 10**6, "{}", '{"model": {"vocab": 5}}', '{"model": {"vocab": {"a": -1}}}', '{"model": {"vocab": [[]]}}',
    '{"model": {"vocab": {"a": "b"}}}', "9" * 9999,
    '{"model": {"vocab": {}}, "added_tokens": [{"id": [], "content": 1}]}',
])  # fmt: skip
def test_cpu_verify_refuses_a_tokenizer_that_is_none(content, model_path, tmp_path):
    beside = tmp_path / "tokenizer.json"
    beside.write_text(content)
    assert main(["verify", str(model_path("tiny-i2_s")), "--tokenizer", str(beside)]) == 1


# the command


def test_cpu_verify_json_is_one_object(model_path, capsys):
    assert main(["verify", str(model_path("tiny-i2_s")), "--json", "--deep"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    whole = json.loads(out)
    assert (whole["ok"], whole["errors"], whole["architecture"], whole["version"]) == (True, 0, "bitnet-b1.58", 3)
    assert (whole["sizes"]["hidden"], whole["bytes"]) == (256, 582560)
    tensor = next(one for one in whole["tensors"] if one["name"] == "blk.0.attn_q.weight")
    assert (tensor["shape"], tensor["type"], tensor["bytes"]) == ([256, 256], "i2_s", 16416)
    assert sum(tensor["codes"][one] for one in ("minus", "zero", "plus")) == 256 * 256


def test_cpu_verify_json_of_a_bad_file_says_what_and_where(tmp_path, capsys):
    (tmp_path / "a.gguf").write_bytes(raw.file(version=4))
    assert main(["verify", str(tmp_path / "a.gguf"), "--json"]) == 1
    finding = json.loads(capsys.readouterr().out)["findings"][0]
    assert finding["code"] == "version"
    assert (finding["where"], finding["message"], finding["expected"]) == ("byte 4", "version 4", "2 or 3")


def test_cpu_verify_of_no_file_is_a_usage_error(tmp_path, capsys):
    assert main(["verify", str(tmp_path / "none")]) == 2
    assert "No such file" in capsys.readouterr().err
    assert main(["verify", str(tmp_path), "--json"]) == 2
    whole = json.loads(capsys.readouterr().out)
    assert (whole["ok"], whole["findings"][0]["code"]) == (False, "unreadable")


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("width", [1, 40, 60, 80, 89, 90, 120, 200])
@pytest.mark.parametrize("unicode", [True, False])
def test_cpu_verify_picture_keeps_to_its_width(width, deep, unicode, model_path):
    report = verify(model_path("tiny-i2_s"), deep=deep)
    shown = list(lines(report, Style(width, unicode=unicode), every=width > 100))
    assert max(len(line) for line in shown) <= max(40, width)
    assert unicode or all(line.isascii() for line in shown)
    assert any("ffn_down" in line for line in shown)


def test_cpu_verify_colours_only_a_screen_that_wants_them(monkeypatch, model_path):
    class Screen:
        encoding = "utf-8"

        def isatty(self):
            return True

    assert style_of(Screen(), {"TERM": "xterm"}, 80).colour
    assert not style_of(Screen(), {"TERM": "xterm", "NO_COLOR": "1"}, 80).colour
    assert not style_of(Screen(), {"TERM": "dumb"}, 80).colour
    report = verify(model_path("tiny-i2_s"), deep=True)
    coloured = "\n".join(lines(report, Style(100, colour=True)))
    assert "\x1b[36m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == "\n".join(lines(report, Style(100)))


def test_cpu_verify_long_work_says_how_far_it_is():
    class Screen:
        text = ""

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    screen, clock = Screen(), iter([1.0, 1.0, 1.01, 2.0, 2.0])
    progress = Progress(screen, 30, lambda: next(clock))
    for done in (10, 20, 30):
        progress("blk.0.\x1b[2J", done, 100)
    progress.clear()
    assert screen.text.split("\r")[1:3] == [r" 10 % blk.0.\x1b[2J".ljust(29), r" 30 % blk.0.\x1b[2J".ljust(29)]
    assert screen.text.endswith("\r" + " " * 29 + "\r")


def test_cpu_verify_in_a_child_writes_what_the_encoding_has(model_path):
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "COLUMNS": "70"}
    done = subprocess.run(
        [sys.executable, "-m", "kernels", "verify", str(model_path("tiny-i2_s")), "--deep"],
        capture_output=True, env=environment, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


def test_cpu_verify_reads_the_layout_it_is_told(model_path, capsys):
    path = str(model_path("tiny-tl2"))
    assert main(["verify", path, "--deep", "--layout", "tl2:128,96"]) == 0
    assert "read as tl2:128,96;" in capsys.readouterr().out
    assert main(["verify", path, "--deep", "--layout", "256x512=tl2:128,96"]) == 0
    assert "read as tl2, tl2:128,96;" in capsys.readouterr().out
    assert main(["verify", path, "--layout", "nonsense"]) == 2
    assert main(["verify", path, "--layout", "x=i2_s"]) == 2


def test_cpu_verify_help_says_the_exit_codes(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["verify", "--help"])
    assert ended.value.code == 0
    assert "130  interrupted" in capsys.readouterr().out


def test_cpu_verify_hidden_escapes_in_a_whole_file(tmp_path, capsys):
    evil = "\x1b]52;c;AAAA\x07\u202e\n"
    keys = {"general.architecture": evil, evil: evil, "x.list": [evil], "tokenizer.ggml.model": evil}
    path = write(tmp_path / "a.gguf", keys, [NewTensor(f"blk.0.{evil}", np.ones(8, np.float32))])
    for extra in ([], ["--json"], ["--tensors", "--deep"]):
        main(["verify", str(path), *extra])
        out = capsys.readouterr().out
        assert all(line.isprintable() for line in out.splitlines())


def test_cpu_codes_of_nothing_score_full():
    assert Codes(0, 0, 0, 0, (0.0, 0.0)).score == 1.0


def test_cpu_verify_knows_a_bad_value_type(changed):
    path = changed({"general.architecture": Value(ValueType.UINT32, 3)})
    assert any("key general.architecture: UINT32 3; want a STRING" in one for one in said(verify(path)))
