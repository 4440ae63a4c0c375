"""The bench checks before it times, says what it measured beside what, and which peers are absent."""

import json
import sys
from collections import defaultdict
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from kernels import BackendError, backend, select_backend
from kernels.__main__ import main
from kernels.bench import measure, probes
from kernels.bench.ggml import libraries
from kernels.cpu.fast.tiers import named
from kernels.cpu.numpy_backend import NumpyBackend

SMALL = ["bench", "--shape", "64x128", "--batch", "1,9", "--threads", "1", "--rounds", "1"]


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(measure, "LEAST_S", 0.0005)
    monkeypatch.setattr(measure, "COLD_BYTES", 10_000)
    monkeypatch.setattr(probes, "TURNS", 100)
    monkeypatch.setattr("kernels.bench.command.COLD_BYTES", 2**16)


@pytest.mark.parametrize("backend", ["fast", "numpy"])
def test_cpu_bench_writes_one_json_object(backend, capsys):
    assert main([*SMALL, "--json", "--backend", backend]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["backend"]["used"] == backend
    assert whole["absent_peers"] == ["bitnet.cpp", "llama.cpp", "ik_llama.cpp"]
    kinds = [(one["rows"], one["cols"], one["batch"], one["cold"]) for one in whole["results"]]
    assert kinds == [(64, 128, 1, True), (64, 128, 1, False), (64, 128, 9, False)]
    for one in whole["results"]:
        assert 0 < one["p10_us"] <= one["median_us"] <= one["p90_us"]
        assert one["packed_gb_s"] == pytest.approx(64 * 128 / 4 / one["median_us"] / 1e3)
        assert one["shares"]["read"] == pytest.approx(one["packed_gb_s"] / one["machine"]["read"])
        assert one["shares"]["multiply"] == pytest.approx(one["giga_macs_s"] / one["machine"]["multiply"])


def test_cpu_bench_prints_a_table(capsys):
    assert main(SMALL) == 0
    out = capsys.readouterr().out
    assert "peer llama.cpp is absent" in out
    assert sum("64 x 128" in line for line in out.splitlines()) == 3


def test_cpu_bench_times_peers_in_the_same_run(tmp_path, capsys):
    peer = tmp_path / "peer"
    peer.write_text(f"#!{sys.executable}\nimport sys\nprint(*sys.argv[1:5], sep='\\n')\n")
    peer.chmod(0o755)
    assert main([*SMALL, "--json", "--peer", f"llama.cpp={peer}"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["absent_peers"] == ["bitnet.cpp", "ik_llama.cpp"]
    assert whole["results"][2]["peers_us"] == {"llama.cpp": (64 + 9) / 2}  # the middle of 64, 128, 9 and 1


@pytest.mark.parametrize("peer", ["llama.cpp", "=x", "llama.cpp=/no/such/program", f"llama.cpp={sys.executable}"])
def test_cpu_bench_says_what_is_wrong_with_a_peer(peer, capsys):
    assert main([*SMALL, "--peer", peer]) == 2
    assert peer.rpartition("=")[2] in capsys.readouterr().err


@pytest.mark.parametrize(("words", "arguments"), [
    ("want a whole number from 1", ["--rounds", "0"]), ("want a whole number from 1", ["--rounds", "-3"]),
])  # fmt: skip
def test_cpu_bench_refuses_rounds_that_are_none(words, arguments, capsys):
    with pytest.raises(SystemExit):
        main([*SMALL, *arguments])
    assert words in capsys.readouterr().err


def test_cpu_bench_of_more_than_memory_holds_says_so(capsys):
    assert main(["bench", "--shape", f"{10**12}x128", "--batch", "1", "--threads", "1"]) == 2
    assert "there is not so much memory" in capsys.readouterr().err


def test_cpu_bench_looks_for_libraries_around_a_program_but_not_in_the_whole_system(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib").mkdir()
    library = tmp_path / "lib" / "libggml.so"
    library.touch()
    assert libraries(tmp_path / "bin" / "llama-cli") == [library]
    assert libraries(Path("/bin/cat")) == sorted(each.resolve() for each in Path("/bin").glob("libggml*.so"))


@pytest.mark.parametrize("arguments", [[], ["brench"]])
def test_cpu_bench_is_one_of_the_commands(arguments, capsys):
    assert main(arguments) == 2
    assert "{bench," in capsys.readouterr().err


def test_cpu_bench_times_nothing_that_is_wrong():
    class Wrong:
        name = "wrong"

        def accumulate(self, matrix, q):
            return select_backend("numpy").accumulate(matrix, q) + (q.max() == 127)

    with pytest.raises(BackendError, match=r"wrong computes wrong sums .* nothing is timed"):
        measure.check(Wrong(), 16, 128, [1])


@pytest.mark.parametrize("tier", ["amx", "avx512-vnni", "avx-vnni", "avx2", "sdot", "portable"])
def test_cpu_bench_probes_compile_to_the_instruction_of_the_tier(tier):
    from kernels.cpu.fast.build import compiled

    wanted = named(tier)
    text = compiled(probes._source(wanted), wanted, f"{wanted.arch or 'x86_64'}-linux-gnu", text=True).decode()
    assert text.count(wanted.instruction) >= 16
    assert text.count("prefetch") >= 4 or text.count("prfm") >= 4
    assert (text.count("tdpbsud"), text.count("tilerelease")) == ((probes.UNIT_SUMS, 1) if wanted.unit else (0, 0))


@pytest.mark.parametrize(("tier", "best"), [("amx", 16 * 16 * 64), ("avx2", 12 * 8 * 4), ("avx512-vnni", None)])
def test_cpu_bench_counts_products_as_the_tier_does_them(tier, best, monkeypatch):
    monkeypatch.setattr(probes, "compiled", lambda *_: b"")
    monkeypatch.setattr(probes, "functions", lambda *_: defaultdict(lambda: lambda *_: None))
    monkeypatch.setattr(probes, "perf_counter", count().__next__)  # all takes a second
    with probes.probes(named(tier), 2, 2**16) as found:
        rate = found.multiply_best and found.multiply_best()
    assert rate == (best and 2 * best * probes.TURNS)


def test_cpu_bench_weights_are_ternary():
    assert set(np.unique(measure.ternary(8, 128))) == {-1, 0, 1}


STREAM = [*SMALL, "--stream", "--backend", "numpy,fast,gpu", "--format", "i2_s,tq2_0"]


def told(arguments, capsys):
    code = main(arguments)
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_cpu_bench_tells_a_line_as_it_goes(capsys, monkeypatch):
    monkeypatch.setattr("kernels.backend._why_not_gpu", lambda: "no such device")
    backend.why_not.cache_clear()
    backend._chosen.cache_clear()
    code, lines = told([*STREAM, "--shape", "64x256"], capsys)
    backend.why_not.cache_clear()
    backend._chosen.cache_clear()
    assert code == 0
    assert [lines[0]["type"], lines[1]["type"], lines[-1]["type"]] == ["about", "absent", "end"]
    assert lines[1]["backend"] == "gpu"
    begun, results = lines[2:-1:2], lines[3:-1:2]
    assert {one["type"] for one in begun} == {"begins"}
    assert {one["type"] for one in results} == {"result"}
    kinds = [(one["op"], one["format"], one["backend"], one["batch"]) for one in results]
    assert kinds == [
        *(("matmul", "i2_s", name, batch) for batch in (1, 9) for name in ("numpy", "fast")),
        *((op, name, "numpy", 0) for op in ("pack", "unpack") for name in ("i2_s", "tq2_0")),
    ]
    assert lines[0]["kinds"] == lines[-1]["kinds"] == len(results)
    assert all(0 < one["p10_us"] <= one["median_us"] <= one["p90_us"] for one in results)


def test_cpu_bench_goes_on_past_what_is_wrong_and_gives_it_no_time(capsys, monkeypatch):
    right = NumpyBackend.accumulate
    monkeypatch.setattr(NumpyBackend, "accumulate", lambda self, matrix, q: right(self, matrix, q) + (q.max() == 127))
    code, lines = told([*SMALL, "--stream", "--backend", "numpy", "--format", "tq2_0"], capsys)
    assert code == 1
    wrong = [one for one in lines if one["type"] == "wrong"]
    assert [one["op"] for one in wrong] == ["matmul", "matmul", "pack", "unpack"]  # 128 columns are no block of tq2_0
    assert wrong[0]["why"].startswith("max |Δ| 1, ")
    assert "256" in wrong[2]["why"]
    assert not any("median_us" in one for one in wrong)
    assert lines[-1] == {"type": "end", "kinds": 4, "wrong": 4}


def test_cpu_bench_refuses_a_format_there_is_not(capsys):
    with pytest.raises(SystemExit):
        main([*SMALL, "--stream", "--format", "tq9"])
    assert "unknown format 'tq9'" in capsys.readouterr().err
