"""What every command meets at the edge of the process: who reads, what room there is, which letters."""

import os
import subprocess
import sys

import pytest

from kernels.__main__ import COMMANDS, UNTOLD, main

CROSSVAL = ("crossval", "MODEL", "--backend", "numpy", "--against", "/no/such.npz")
GENERATE = ("generate", "MODEL", "--tokens", "1,33", "--max-tokens", "2", "--backend", "numpy")


def child(arguments, model_path, **options):
    model = str(model_path("tiny-i2_s"))
    command = [sys.executable, "-m", "kernels", *(model if each == "MODEL" else each for each in arguments)]
    return subprocess.run(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60, **options)


@pytest.mark.parametrize(("arguments", "code"), [(CROSSVAL, UNTOLD), (GENERATE, UNTOLD), (("verify", "MODEL"), 0)])
def test_cpu_command_whose_reader_left_ends_quietly(arguments, code, model_path):
    reader, writer = os.pipe()
    os.close(reader)
    done = child(arguments, model_path, stdout=writer)
    os.close(writer)
    assert done.returncode == code
    assert not [line for line in done.stderr.decode().splitlines() if "loaded in" not in line]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="missing-tool: /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_cpu_command_on_a_full_disk_says_so_once(unbuffered, model_path):
    with open("/dev/full", "w") as full:
        done = child(GENERATE, model_path, stdout=full, env=os.environ | {"PYTHONUNBUFFERED": unbuffered})
    assert (done.returncode, done.stderr) == (2, b"standard output: [Errno 28] No space left on device\n")


@pytest.mark.parametrize(("prompt", "code"), [(("--tokens", "1,33"), 0), (("--prompt", "-"), 2)])
def test_cpu_command_ends_in_order_where_streams_are_closed(prompt, code, model_path):
    command = [sys.executable, "-m", "kernels", "generate", str(model_path("tiny-i2_s")), "--max-tokens", "2", *prompt]
    done = subprocess.run(command, preexec_fn=lambda: [os.close(number) for number in (0, 1, 2)], timeout=60)
    assert done.returncode == code


def test_cpu_command_helps_in_an_encoding_without_its_letters(model_path):
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = child(("generate", "--help"), model_path, stdout=subprocess.PIPE, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"--tokens N,N,\\u2026" in done.stdout


def test_cpu_command_says_which_there_are(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if name not in shown] == []
    assert main([]) == main(["fly"]) == 2
    assert not capsys.readouterr().out


def test_cpu_command_tells_what_the_system_says(model_path, capsys):
    assert main(["convert", str(model_path("tiny-i2_s")), "x" * 300, "--to", "tl2"]) == 2
    assert "File name too long" in capsys.readouterr().err
