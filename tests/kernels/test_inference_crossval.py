"""The ladder ends at the first rung that differs and names it; what is worthless never passes."""

import io
import json
import stat
import sys
import time
import tracemalloc
import zipfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from kernels import InputError
from kernels.__main__ import main
from kernels.crossval import climb, ladder, programs
from kernels.crossval.reference import of, stored
from kernels.gguf import ModelFile
from kernels.model import Model, Rounding
from kernels.tokenizer import Tokenizer

DATA = Path(__file__).parents[1] / "data"
I2S, TQ2 = DATA / "tiny-i2_s.gguf", DATA / "tiny-TQ2_0-bitnet.gguf"
STEPS, LOGITS = DATA / "intermediates_tiny_i2s_batch8.npz", DATA / "logits_tiny.npz"


def report(model=I2S, rounding="none", backend="numpy", exact=False, **arrays):
    given = dict(np.load(STEPS)) if "tokens" not in arrays else {}
    reference = of(
        "here", **{"tokens": given.pop("tokens", None), **arrays, "tensors": given | arrays.get("tensors", {})}
    )
    return climb(Model.load(model, backend, rounding=Rounding.named(rounding)), reference, exact=exact)


@pytest.mark.parametrize("backend", ["numpy", "fast"])
def test_inference_crossval_of_every_operation_is_exact(backend):
    done = report(backend=backend, exact=True)
    assert (done.status, done.reason, len(done.rungs)) == ("pass", "", 29)
    assert all(rung.largest == 0 for rung in done.rungs)


@pytest.mark.parametrize(("model", "key", "rounding"), [
    (I2S, "bitnetcpp_i2s_batch_kF32vF16", "bitnet.cpp-batch-k32"),
    (I2S, "bitnetcpp_i2s_batch_kvf16", "bitnet.cpp-batch"),
    (I2S, "hf_relu2_auto", "none"), (TQ2, "hf_silu_auto", "none"), (TQ2, "upstreamSILU_TQ2_0_batch_kvf32", "llama.cpp"),
    (TQ2, "upstreamSILU_TQ1_0_seq_kvf32", "llama.cpp"),
])  # fmt: skip
def test_inference_crossval_with_the_rounding_of_a_program_passes(model, key, rounding):
    done = climb(Model.load(model, "numpy", rounding=Rounding.named(rounding)), stored(LOGITS, key))
    assert (done.status, done.reason) == ("pass", "")
    assert [rung.name for rung in done.rungs] == ["result_output", "likeliest tokens"]


@pytest.mark.parametrize("key", ["hf_relu2_float", "upstreamSILU_f32_batch_kvf32", "bitnetcpp_i2s_seq_kvf16"])
def test_inference_crossval_with_another_arithmetic_fails(key):
    done = climb(Model.load(I2S, "numpy"), stored(LOGITS, key))
    assert done.status == "fail"
    assert done.reason.startswith("result_output: ")


@pytest.mark.parametrize(
    ("rows", "by", "edges", "status"),
    [("after", 1e-3, True, "pass"), ("after", 1e-3, False, "fail"), ("after", 0.1, True, "fail"),
     ("before", 1e-3, True, "fail"), ("all", 1e-3, True, "fail"), ("after", np.nan, True, "fail")],
)  # fmt: skip
@pytest.mark.parametrize("rounding", ["none", "llama.cpp"])
def test_inference_crossval_of_what_rounds_lets_tokens_be_near_an_edge(rows, by, edges, status, rounding):
    model = Model.load(TQ2, "numpy", rounding=Rounding.named(rounding))
    tokens, seen = np.arange(1, 25), {}
    logits = model.forward(tokens, model.new_cache(24), observe=lambda name, x: seen.setdefault(name, []).append(x))
    near = ladder._near_edges(model.rounding, seen)
    assert 0 < near.sum() < 24
    for row in {"after": np.flatnonzero(near)[-3:], "before": np.flatnonzero(~near)[:1], "all": range(24)}[rows]:
        logits[row] *= np.float32(1 + by)
    done = climb(model, replace(of("there", tokens, {"result_output": logits}), edges=edges, faults=()))
    assert done.status == status
    assert ("3 of 24 tokens differ" in done.rungs[0].said) == (status == "pass")


@pytest.mark.parametrize("halves", [False, True])
def test_inference_crossval_knows_which_activations_lie_near_an_edge(halves):
    x = np.full((4, 512), 127, np.float32)
    x[1, 300] = 2.5 + 1e-5  # where 127 is the largest
    x[3, :256] = 1  # by blocks of 256, 127 as well
    x[3, 7] = (2.5 + 1e-5) / 127
    head = np.ones((4, 256), np.float32)
    head[0, 9] = 1 + 2**-11
    seen = {"ffn_sub_norm-1": [x[:1], x[1:]], "attn_out-0": [x / 2], "result_norm": [head], "result_output": [head]}
    rounding = Rounding(head=halves, blocks=halves)
    assert ladder._near_edges(rounding, seen).tolist() == [halves, True, True, True]
    seen["ffn_sub_norm-1"] = [np.delete(x, 1, 0), np.zeros((1, 512), np.float32)]
    assert ladder._near_edges(rounding, seen).tolist() == [halves, False, halves, halves]


@pytest.mark.parametrize(
    ("name", "exact"), [("Qcur-1", True), ("Qcur-1", False), ("ffn_out-0", True), ("l_out-1", False)]
)
def test_inference_crossval_names_the_first_that_differs(name, exact):
    changed = np.load(STEPS)[name].copy()
    changed[3] *= np.float32(1.01)
    done = report(exact=exact, rounding="none" if exact else "bitnet.cpp-batch-k32", tensors={name: changed})
    assert done.status == "fail"
    assert done.rungs[-1].name == name
    assert [rung.equal for rung in done.rungs] == [True] * (len(done.rungs) - 1) + [False]
    assert done.reason.startswith(f"{name}: ")


def test_inference_crossval_of_greedy_tokens():
    model, tokens = Model.load(I2S, "numpy"), np.array([1, 33, 403])
    cache = model.new_cache(8)
    said = [int(model.forward(tokens, cache)[-1].argmax())]
    said.append(int(model.forward(said, cache)[-1].argmax()))
    assert climb(model, of("here", tokens, {}, greedy=tuple(said))).status == "pass"
    done = climb(model, of("here", tokens, {}, greedy=(said[0], said[1] + 1)))
    assert done.reason == f"greedy tokens: number 1 is {said[1]}; the reference has {said[1] + 1}"


@pytest.mark.parametrize(("words", "tensors"), [
    ("nothing to compare", {}), ("no rows", {"logits": np.zeros((0, 512), np.float32)}),
    ("all zero", {"logits": np.zeros((3, 512), np.float32)}),
    ("finite", {"logits": np.full((3, 512), np.nan, np.float32)}),
    ("not floats", {"logits": np.ones((3, 512), int)}), ("shape", {"attn_norm-0": np.ones((2, 256), np.float32)}),
    ("no rung", {"nothing-0": np.ones((2, 256), np.float32)}),
])  # fmt: skip
@pytest.mark.parametrize("exact", [False, True])
def test_inference_crossval_never_passes_what_is_worthless(words, tensors, exact):
    if exact and "attn_norm-0" in tensors:
        tensors = tensors | {"inp_embd": np.ones((3, 256), np.float32)}
    if exact and "nothing-0" not in tensors and "attn_norm-0" not in tensors and tensors:
        words += "|no rung"
    done = climb(Model.load(I2S, "numpy"), of("here", np.array([1, 2, 3]), tensors), exact=exact)
    assert done.status == "fail"
    assert any(word in done.reason for word in words.split("|")), done.reason


def test_inference_crossval_reads_only_arrays(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 nothing")
    np.savez(tmp_path / "b.npz", logits=np.ones(3))
    np.savez(tmp_path / "c.npz", tokens=np.array([{}], object), logits=np.ones(3))
    np.save(tmp_path / "e.npz", np.ones(3)), (tmp_path / "e.npz.npy").rename(tmp_path / "e.npz")
    np.savez(tmp_path / "f.npz", tokens=np.ones(3, int))
    np.savez(tmp_path / "g.npz", tokens=np.ones(3, int), logits=np.ones(3))
    (tmp_path / "g.npz").write_bytes(damaged((tmp_path / "g.npz").read_bytes(), "(3,)", f"({10**15},)"))
    np.savez_compressed(tmp_path / "h.npz", tokens=np.arange(999))
    packed = bytearray((tmp_path / "h.npz").read_bytes())
    packed[100:300] = bytes(200)
    (tmp_path / "h.npz").write_bytes(packed)
    with zipfile.ZipFile(tmp_path / "f.npz", "a") as file:
        file.writestr("notes.txt", "no array")
    for name in "abcdefgh":
        with pytest.raises(InputError, match=f"{name}.npz: ") as caught:
            stored(tmp_path / f"{name}.npz")
        assert "pickle" not in str(caught.value) or name == "c"


def damaged(content, old, new):
    """An archive whose arrays say another shape; what checks their bytes is made to agree."""
    given = zipfile.ZipFile(io.BytesIO(content))
    with zipfile.ZipFile(out := io.BytesIO(), "w") as file:
        for name in given.namelist():
            said = given.read(name)
            file.writestr(
                name, said.replace(old.encode() + b", }" + b" " * (len(new) - len(old)), new.encode() + b", }")
            )
    return out.getvalue()


@pytest.mark.parametrize("array", [np.float32(1), np.ones((3, 500), np.float32), np.ones(5, np.float32)])
def test_inference_crossval_of_logits_of_another_shape_fails(array):
    done = report(tokens=np.array([1, 2, 3]), tensors={"result_output": np.asarray(array)})
    assert done.status == "fail"
    assert done.reason.startswith("result_output: ")


def test_inference_crossval_of_attention_to_more_positions_than_it_could_takes_no_memory():
    done = report(tokens=np.array([1, 2, 3]), tensors={"kq-0": np.ones((1, 1, 10**6), np.float32)})
    assert done.reason == "kq-0: shape (4, 3, 3); the reference has (1, 1, 1000000)"


def test_inference_crossval_command(capsys):
    good = ["crossval", str(I2S), "--against", str(STEPS), "--exact"]
    assert main(good) == 0
    assert capsys.readouterr().out.endswith("crossval: pass\n")
    assert main([*good, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["status"] == "pass"
    assert main(["crossval", str(I2S), "--against", str(LOGITS), "--key", "hf_relu2_float"]) == 1
    assert "fail (result_output" in capsys.readouterr().out
    assert main(["crossval", str(I2S), "--against", "/no/such.npz"]) == 1
    assert main(["crossval", str(I2S), "--rounding", "bitnet"]) == 2
    for option in ("--tolerance=nan", "--tolerance=inf", "--tolerance=-1", "--max-tokens=0", "--max-tokens=9999"):
        assert main(["crossval", str(I2S), option]) == 2
        assert option.partition("=")[0] in capsys.readouterr().err


def test_inference_crossval_command_skips_where_nothing_is_at_hand(capsys, monkeypatch):
    monkeypatch.setattr("kernels.crossval.programs.find_spec", lambda name: None)
    assert main(["crossval", str(I2S)]) == 77
    assert capsys.readouterr().out == "crossval: skipped (no-cpp-reference)\n"


def program(folder, name, text, code=0):
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport sys\nsys.stdout.write({text!r})\nsys.exit({code})\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_inference_crossval_command_compares_the_text_of_a_program(tmp_path, capsys, monkeypatch):
    tokenizer = Tokenizer.of(ModelFile(I2S))
    assert main(["generate", str(I2S), "--prompt", "t1 t2", "--max-tokens", "6"]) == 0
    text = capsys.readouterr().out.removesuffix("\n")
    shown = tokenizer.decode(tokenizer.encode("t1 t2"))
    ask = ["crossval", str(I2S), "--prompt", "t1 t2", "--max-tokens", "6", "--program"]
    assert main([*ask, program(tmp_path, "llama-simple", shown + text + "\n")]) == 0
    assert main([*ask, program(tmp_path, "llama-cli", text + " [end of text]\n\n")]) == 0
    monkeypatch.chdir(tmp_path)
    assert main([*ask, "llama-cli"]) == 0
    assert main([*ask, program(tmp_path, "wrong", text[:3] + "?" + text[4:])]) == 1
    said = capsys.readouterr().out
    assert "after 3 characters" in said
    assert "; --rounding computes as some programs do)" in said
    assert main([*ask, program(tmp_path, "dies", "", 3)]) == 1
    assert "ended with 3" in capsys.readouterr().out


def endless(folder, name, body):
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize("body", [
    "while True: sys.stdout.write('said ' * 1000)",
    "sys.stderr.write('.' * 10**6)\nwhile True: sys.stdout.write('said ' * 1000)",
])  # fmt: skip
def test_inference_crossval_reads_no_more_of_a_program_than_it_can_use(tmp_path, monkeypatch, body):
    monkeypatch.setattr(programs, "MOST_SAID", 2**20)
    path = endless(tmp_path, "talks", body)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=f"talks said more than {2**20} bytes"):
            programs.text_of(path, I2S, "t1", 3)
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("body", [
    "time.sleep(60)", "sys.stdout.close(); sys.stderr.close(); import os; os.close(1); os.close(2); time.sleep(60)",
    "while True: sys.stderr.write('complains ' * 1000)",
])  # fmt: skip
def test_inference_crossval_waits_for_a_program_no_longer_than_it_says(tmp_path, monkeypatch, body):
    monkeypatch.setattr(programs, "PATIENCE_S", 0.5)
    started = time.monotonic()
    with pytest.raises(InputError, match=r"waits took longer than 0\.5 seconds"):
        programs.text_of(endless(tmp_path, "waits", body), I2S, "t1", 3)
    assert time.monotonic() - started < 20


def test_inference_crossval_tells_the_last_words_of_a_talkative_program(tmp_path):
    path = endless(tmp_path, "dies", "sys.stderr.write('noise\\n' * 10**6 + 'no such model\\n'); sys.exit(3)")
    with pytest.raises(InputError, match=r"dies ended with 3: no such model$"):
        programs.text_of(path, I2S, "t1", 3)


def test_inference_crossval_says_where_a_program_first_fails(tmp_path):
    words = "loading\nerror: unknown architecture 'x'\nfailed to load\nmain: unable\n"
    path = endless(tmp_path, "dies", f"sys.stderr.write({words!r}); sys.exit(1)")
    with pytest.raises(InputError, match=r"dies ended with 1: error: unknown architecture 'x'$"):
        programs.text_of(path, I2S, "t1", 3)


def test_inference_crossval_does_without_an_option_that_older_programs_lack(tmp_path):
    """bitnet.cpp's own llama-cli is one, and begins no conversation anyway."""
    body = "if '-no-cnv' in sys.argv: sys.exit('error: invalid argument: -no-cnv')\nsys.stdout.write('said')"
    assert programs.text_of(endless(tmp_path, "llama-cli", body), I2S, "t1", 3) == "said"
    body = "sys.exit('error: unable to load model')"
    with pytest.raises(InputError, match="unable to load model"):
        programs.text_of(endless(tmp_path, "llama-cli", body), I2S, "t1", 3)


@pytest.mark.skipif(
    find_spec("transformers") is None or find_spec("torch") is None,
    reason="transformers and torch are not installed: pip install transformers torch",
)
def test_inference_crossval_equals_transformers(capsys):
    for path in (I2S, TQ2, DATA.parents[1] / "examples" / "jargon" / "jargon.gguf"):
        assert main(["crossval", str(path)]) == 0
        assert "transformers" in capsys.readouterr().out
