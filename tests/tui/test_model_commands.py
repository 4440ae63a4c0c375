"""`bitnet-tui model …` and `bench` are children with this terminal, their own help and their own exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import Command


@pytest.fixture
def command(tmp_path: Path) -> Command:
    home = tmp_path / "home"
    home.mkdir()
    return Command(Path(sys.executable), home)


MODEL = str(Path(__file__).parents[1] / "data" / "tiny-i2_s.gguf")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["model", "verify", MODEL], 0, "good: 0 errors"),
        (["model", "verify", "/no/such.gguf"], 2, "no such file"),
        (["model", "generate", MODEL, "--tokens", "1,2", "--max-tokens", "2", "--json"], 0, '"ended": "length"'),
        (["model", "crossval", MODEL, "--against", "/no/such.npz"], 1, "crossval: fail"),
        (["model", "download", "nothing"], 2, "no model"),
        (["model", "download", "--help"], 0, "python -m kernels download-model"),
        (["bench", "--help"], 0, "python -m kernels bench"),
        (["bench", "--shape", "7x7"], 2, "want ROWSxCOLS"),
        (["model", "--help"], 0, "Compare a model with C++ programs"),
        (["--help"], 0, "bench"),
    ],
)
def test_model_commands_pass_through(
    arguments: list[str], code: int, said: str, command: Command, tmp_path: Path
) -> None:
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "__init__.py").write_text("raise SystemExit('not this one')")
    answer = command(*arguments, cwd=tmp_path)
    assert answer.code == code, answer.err
    assert said.lower() in (answer.out + answer.err).lower()


def test_model_commands_leave_keys_to_the_child(command: Command, tmp_path: Path) -> None:
    argv = command.argv("model", "generate", MODEL, "--prompt", "-")  # waits for its prompt
    child = subprocess.Popen(
        argv, cwd=tmp_path, env=command.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(4)
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130, err
    assert b"Traceback" not in err
    assert not out
