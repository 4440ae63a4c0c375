"""Machine code on disk: made once, whole or not there, and never taken from where others can write."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kernels import product, ternary
from kernels.cpu.fast import disk, start, unit
from kernels.formats import i2_s
from kernels.ops import head, order

CODE = b"machine code" * 1000


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "bitnet-kernels"


def test_cpu_fast_disk_gives_back_what_it_was_given(home):
    assert disk.read("a") is None
    assert disk.write("a", CODE)
    assert disk.read("a") == CODE
    assert disk.read("b") is None
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert [path.name for path in home.iterdir()] == ["a"]  # nothing temporary stays


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 40, CODE])
def test_cpu_fast_disk_does_not_take_what_is_not_whole(home, damage):
    disk.write("a", CODE)
    (home / "a").write_bytes(damage)
    assert disk.read("a") is None
    assert disk.write("a", CODE)
    assert disk.read("a") == CODE


def test_cpu_fast_disk_takes_nothing_others_could_have_written(home, tmp_path):
    disk.write("a", CODE)
    (home / "a").chmod(0o622)
    assert disk.read("a") is None
    (home / "a").chmod(0o600)
    assert disk.read("a") == CODE
    home.chmod(0o777)
    assert disk.read("a") is None
    assert not disk.write("b", CODE)
    home.chmod(0o700)
    (tmp_path / "elsewhere").write_bytes((home / "a").read_bytes())
    (home / "link").symlink_to(tmp_path / "elsewhere")
    assert disk.read("link") is None


@pytest.mark.parametrize("there", ["file", "link", "nothing"])
def test_cpu_fast_disk_is_done_without_where_it_cannot_be(tmp_path, monkeypatch, there):
    if there == "file":
        (tmp_path / "bitnet-kernels").write_text("not a folder")
    elif there == "link":
        (tmp_path / "bitnet-kernels").symlink_to(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/no" if there == "nothing" else str(tmp_path))
    assert not disk.write("a", CODE)
    assert disk.read("a") is None
    assert start.start.__wrapped__().cached is False


def test_cpu_fast_disk_survives_writers_at_the_same_time(home):
    program = f"from kernels.cpu.fast import disk\nfor n in range(200):\n    disk.write('a', bytes([n]) * {len(CODE)})"
    writers = [subprocess.Popen([sys.executable, "-c", program], env=os.environ.copy()) for _ in range(3)]
    while any(writer.poll() is None for writer in writers):
        found = disk.read("a")
        assert found is None or found == found[:1] * len(CODE)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert disk.read("a") == bytes([199]) * len(CODE)
    assert [path.name for path in home.iterdir()] == ["a"]


def test_cpu_fast_code_is_made_once(home):
    first, second = start.start.__wrapped__(), start.start.__wrapped__()
    assert (first.cached, second.cached) == (False, True)
    assert second.compile_ms < first.compile_ms


def test_cpu_fast_name_of_code_depends_on_everything_it_comes_from():
    assert disk.key("avx2", "a") != disk.key("avx2", "b")
    assert disk.key("ab", "c") != disk.key("a", "bc")
    assert disk.key("avx2") == disk.key("avx2")


@pytest.mark.parametrize("source", [unit, product, ternary, i2_s, head, order])
def test_cpu_fast_name_of_code_depends_on_the_sources_of_its_numbers(source, monkeypatch):
    before, read = disk.key("amx"), Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"#" * (path == Path(source.__file__)))
    assert disk.key("amx") != before
