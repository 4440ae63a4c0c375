"""The command ``convert``: the file, the sentence, and what it refuses without writing anything."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kernels import PackedMatrix, formats
from kernels.__main__ import main
from kernels.gguf import ModelFile, NewTensor, write

DATA = Path(__file__).parents[1] / "data"
SOURCE = DATA / "tiny-i2_s.gguf"


def test_cpu_convert_there_and_back_gives_the_same_bytes(tmp_path, capsys):
    there, back = tmp_path / "there.gguf", tmp_path / "back.gguf"
    assert main(["convert", str(SOURCE), str(there), "--to", "tl2:128,96"]) == 0
    said = capsys.readouterr().out
    assert said == f"{there}: 14 matrices in tl2:128,96, {SOURCE.stat().st_size:,} to {there.stat().st_size:,} bytes\n"
    assert main(["convert", str(there), str(back), "--to", "i2_s", "--layout", "tl2:128,96"]) == 0
    for name, tensor in ModelFile(SOURCE).tensors.items():
        assert bytes(ModelFile(back).tensors[name].raw) == bytes(tensor.raw)


def test_cpu_convert_replaces_nothing_unasked(tmp_path, capsys):
    target = tmp_path / "a.gguf"
    target.write_text("work")
    assert main(["convert", str(SOURCE), str(target), "--to", "tq2_0", "--nearest-scale"]) == 2
    assert "is there already; --force replaces it" in capsys.readouterr().err
    assert target.read_text() == "work"
    assert main(["convert", str(SOURCE), str(target), "--to", "tq2_0", "--nearest-scale", "--force"]) == 0
    assert ModelFile(target).tensors["blk.0.attn_q.weight"].type.name == "tq2_0"


def test_cpu_convert_in_place_says_what_the_file_was_and_is(tmp_path, capsys):
    model = tmp_path / "a.gguf"
    shutil.copy(SOURCE, model)
    assert main(["convert", str(model), str(model), "--to", "tq1_0", "--nearest-scale", "--force"]) == 0
    before, after = SOURCE.stat().st_size, model.stat().st_size
    assert before != after
    assert capsys.readouterr().out == f"{model}: 14 matrices in tq1_0, {before:,} to {after:,} bytes\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing.gguf", "a.gguf", "--to", "tq2_0"], "nothing.gguf"),
        ([SOURCE, "a.gguf", "--to", "tq3_0"], "tq3_0"),
        ([SOURCE, "no/such/folder/a.gguf", "--to", "tq2_0", "--nearest-scale"], "cannot be written"),
        (
            [SOURCE, SOURCE / "a.gguf", "--to", "tq2_0", "--nearest-scale"],
            "a.gguf: cannot be written: Not a directory\n",
        ),
        ([DATA / "README.md", "a.gguf", "--to", "tq2_0"], "want the magic GGUF"),
        ([SOURCE, "a.gguf", "--to", "i2_s", "--layout", "i3"], "i3"),
    ],
)
def test_cpu_convert_refuses_and_writes_nothing(arguments, says, tmp_path):
    command = [sys.executable, "-m", "kernels", "convert", *map(str, arguments)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_cpu_convert_rounds_no_scale_unasked(tmp_path, capsys):
    source, target = tmp_path / "odd.gguf", tmp_path / "a.gguf"
    weights = PackedMatrix(formats.get("i2_s").pack(np.ones((2, 256), np.int8), np.float32(0.1)), (2, 256))
    write(source, {"general.architecture": "bitnet"}, [NewTensor("w", weights)])
    assert main(["convert", str(source), str(target), "--to", "tq1_0"]) == 2
    assert "--nearest-scale" in capsys.readouterr().err
    assert not target.exists()
    assert main(["convert", str(source), str(target), "--to", "tq1_0", "--nearest-scale"]) == 0
    assert ModelFile(target).tensors["w"].matrix().scale == np.float32(np.float16(0.1))
