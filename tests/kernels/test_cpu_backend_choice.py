"""What computes is chosen in the open: asked for, taken, why; and in strict mode nothing is passed over."""

import ctypes
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import kernels.backend
from kernels import BackendError, NoDevice, PackedMatrix, backend_report, matmul, select_backend
from kernels.cpu.fast import build, host, start
from kernels.cpu.fast.tiers import OVERRIDE, TIERS, candidates, named
from kernels.gpu import device


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """Nothing chosen yet, nothing on disk; and so again afterwards."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    forget = kernels.backend._chosen.cache_clear, kernels.backend.why_not.cache_clear, start.start.cache_clear
    for clear in forget:
        clear()
    yield monkeypatch
    for clear in forget:
        clear()


@pytest.fixture
def no_llvmlite(fresh):
    find = kernels.backend.find_spec
    fresh.setattr(kernels.backend, "find_spec", lambda name: None if name in ("llvmlite", "cupy") else find(name))
    return fresh


def test_cpu_backend_report_says_what_was_asked_taken_and_passed_over():
    report = backend_report("auto")
    assert report.requested == "auto"
    assert report.used == select_backend().name
    assert ("'gpu' cannot run here" in report.why) == (report.used != "gpu")
    fast = backend_report("fast", threads=2)
    assert (fast.requested, fast.used, fast.threads) == ("fast", "fast", 2)
    assert (select_backend("fast", threads=2).threads, select_backend("fast").threads) == (2, 1)
    assert fast.tier in [tier.name for tier in TIERS]


def test_cpu_backend_report_shows_what_the_first_call_costs(fresh):
    first = backend_report("fast")
    assert not first.cached
    assert first.compile_ms > 1
    kernels.backend._chosen.cache_clear()
    start.start.cache_clear()
    assert backend_report("fast").cached


def test_cpu_backend_without_llvmlite_is_numpy(no_llvmlite):
    with pytest.raises(BackendError, match="'fast' cannot run here: llvmlite is not installed"):
        select_backend("fast")
    report = backend_report("auto")
    assert report.used == "numpy"
    assert "llvmlite is not installed" in report.why
    assert matmul(PackedMatrix.from_float(np.ones((2, 128))), np.ones((1, 128))).tolist() == [[128.0, 128.0]]


def test_cpu_backend_strict_passes_nothing_over(no_llvmlite):
    with pytest.raises(BackendError, match=r"strict: .*llvmlite is not installed"):
        select_backend(strict=True)
    no_llvmlite.setenv("BITNET_KERNELS_STRICT", "1")
    with pytest.raises(BackendError, match="strict"):
        matmul(PackedMatrix.from_float(np.ones((2, 128))), np.ones((1, 128)))
    assert select_backend(strict=False).name == "numpy"
    assert select_backend("numpy").name == "numpy"


def test_cpu_backend_report_is_of_auto_where_nothing_is_said(no_llvmlite):
    report = backend_report()
    assert (report.requested, report.used) == ("auto", "numpy")
    assert (
        report.why == "'gpu' cannot run here: CuPy is not installed; 'fast' cannot run here: llvmlite is not installed"
    )
    with pytest.raises(BackendError, match=f"^strict: {report.why}; name the backend you want, or do without strict$"):
        backend_report(strict=True)
    no_llvmlite.setenv("BITNET_KERNELS_STRICT", "1")
    with pytest.raises(BackendError, match=r"^strict: "):
        backend_report()
    assert backend_report(strict=False) == report
    no_llvmlite.setenv("BITNET_KERNELS_STRICT", "0")
    assert backend_report() == report


def broken():
    raise ImportError("libcuda")


@pytest.mark.parametrize(
    ("cupy", "reason"),
    [
        (lambda: SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: True)), None),
        (lambda: SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: False)), "CuPy sees no CUDA device"),
        (broken, "CuPy does not load: libcuda"),
    ],
)
def test_cpu_backend_says_what_the_gpu_lacks(fresh, cupy, reason):
    find, load = kernels.backend.find_spec, kernels.backend.import_module
    fresh.setattr(kernels.backend, "find_spec", lambda name: name == "cupy" or find(name))
    fresh.setattr(kernels.backend, "import_module", lambda name: cupy() if name == "cupy" else load(name))
    assert kernels.backend.why_not("gpu") == reason
    if reason is None:
        fresh.setattr(device, "current", lambda: "a device")
        assert type(select_backend("gpu")).__name__ == "CupyBackend"
        assert select_backend().name == "gpu"
    else:
        with pytest.raises(NoDevice, match=reason):
            select_backend("gpu")


@pytest.mark.parametrize("end", ["kill -ABRT $$", "echo no more memory >&2; exit 3", "exit 0"])
def test_cpu_backend_survives_a_compiler_that_does_not(fresh, tmp_path, end):
    """LLVM ends its process where it cannot go on: that is a child's, and has a reason."""
    interpreter = tmp_path / "python"
    interpreter.write_text(f"#!/bin/sh\n{end}\n")
    interpreter.chmod(0o755)
    fresh.setattr(sys, "executable", str(interpreter))
    with pytest.raises(BackendError, match=r"tier portable: the child that made it ended with (-6|3|0) and said"):
        select_backend("fast")
    report = backend_report("auto")
    assert report.used in ("numpy", "gpu")
    if report.used == "numpy":
        assert "tier portable" in report.why


def test_cpu_backend_strict_wants_the_best_tier(fresh):
    started = start.start()
    best, why = started.tier, "; ".join((*started.passed_over, f"tier {started.tier.name}: no"))
    if best.name == "portable":
        pytest.skip("missing-cpu: one tier only")
    build = start._build

    def fails(tier):
        if tier == best:
            raise BackendError(f"tier {tier.name}: no")
        return build(tier)

    fresh.setattr(start, "_build", fails)
    fresh.setenv("XDG_CACHE_HOME", "/dev/null/no")
    start.start.cache_clear()
    assert backend_report("fast").why == why
    gpu = kernels.backend.why_not("gpu")
    if gpu is not None:
        assert backend_report("auto").why == f"'gpu' cannot run here: {gpu}; {why}"
    with pytest.raises(BackendError, match=f"strict: {why}"):
        select_backend("fast", strict=True)


def test_cpu_backend_says_that_the_system_denies_the_matrix_unit(fresh):
    """Its state is kept for those who ask, where the system lets them; the next tier does all else as well."""
    features = {feature: True for tier in (named("amx"), named("avx2")) for feature in tier.needs}
    fresh.delenv(OVERRIDE, raising=False)
    fresh.setattr(start.llvm, "get_host_cpu_features", lambda: features)
    fresh.setattr(start, "arch", lambda: "x86_64")
    fresh.setattr(start, "_build", lambda tier: tier.name.encode())
    fresh.setattr(start, "load", lambda code: code)
    fresh.setattr(start, "disk", SimpleNamespace(key=lambda *_: "", read=lambda _: None, write=lambda *_: None))
    fresh.setattr(host, "_matrices", lambda: False)
    started = start.start.__wrapped__()
    assert (started.tier, started.code) == (host.fitted(named("avx512-vnni")), b"avx512-vnni")
    assert started.passed_over == ("tier amx: this system keeps no state of a matrix unit for this process",)
    fresh.setattr(host, "_matrices", lambda: True)
    assert start.start.__wrapped__().code == b"amx"


def test_cpu_backend_child_makes_the_tier_as_it_suits_the_machine_or_says_why_not(monkeypatch):
    made = []
    monkeypatch.setattr(sys, "argv", ["build", "amx"])
    monkeypatch.setattr(build, "assemble", lambda tier: made.append(tier) or sys.exit())
    monkeypatch.setattr(host, "_matrices", lambda: True)
    with pytest.raises(SystemExit):
        build.main()
    assert made == [host.fitted(named("amx"))]
    monkeypatch.setattr(host, "_matrices", lambda: False)
    with pytest.raises(SystemExit, match="amx: this system keeps no state of a matrix unit"):
        build.main()


@pytest.mark.parametrize(
    ("arch", "cpu", "ahead"),
    [("x86_64", "sapphirerapids", 2048), ("x86_64", "znver5", 8192), ("aarch64", "neoverse-v2", 8192)],
)
def test_cpu_backend_asks_for_memory_as_near_as_the_cpu_likes_it(monkeypatch, arch, cpu, ahead):
    monkeypatch.setattr(host, "arch", lambda: arch)
    monkeypatch.setattr(host.llvm, "get_host_cpu_name", lambda: cpu)
    assert host.fitted(named("portable")).ahead == ahead


@pytest.mark.skipif(
    host.arch() != "x86_64" or not sys.platform.startswith("linux"), reason="missing-cpu: x86-64, with Linux"
)
def test_cpu_backend_asks_the_system_for_the_matrix_unit():
    said = host._matrices.__wrapped__()
    assert said == (ctypes.CDLL(None).syscall(158, 0x1023, 18) == 0)  # arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA


def test_cpu_backend_takes_the_tier_the_environment_names(fresh):
    fresh.setenv(OVERRIDE, "portable")
    assert backend_report("fast").tier == "portable"


@pytest.mark.parametrize(
    ("wanted", "says"), [("avx3", "is no tier; known: amx, avx512-vnni"), ("sdot", "x86_64 CPU lacks neon, dotprod")]
)
def test_cpu_backend_refuses_a_tier_that_cannot_be(fresh, wanted, says):
    fresh.setenv(OVERRIDE, wanted)
    with pytest.raises(BackendError, match=says):
        candidates("x86_64", {"avx2": True})


def test_cpu_backend_tiers_go_by_the_features_of_the_cpu(fresh):
    fresh.delenv(OVERRIDE, raising=False)
    everything = {feature: True for tier in TIERS for feature in tier.needs}
    names = [tier.name for tier in candidates("x86_64", everything)]
    assert names == ["amx", "avx512-vnni", "avx-vnni", "avx2", "portable"]
    assert [tier.name for tier in candidates("aarch64", everything)] == ["sdot", "portable"]
    assert candidates("riscv64", {}) == (named("portable"),)


@pytest.mark.parametrize("threads", [0, -1, 257, True, 1.5, "two"])
def test_cpu_backend_refuses_a_number_of_threads_that_is_none(threads):
    with pytest.raises(BackendError, match=r"threads is .*; want a whole number from 1 to 256"):
        select_backend("fast", threads=threads)


def test_cpu_backend_takes_the_number_of_threads_of_the_environment(monkeypatch):
    monkeypatch.setenv("BITNET_KERNELS_THREADS", "2")
    assert backend_report("fast").threads == 2
    assert backend_report("fast", threads=1).threads == 1
    monkeypatch.setenv("BITNET_KERNELS_THREADS", "many")
    with pytest.raises(BackendError, match="BITNET_KERNELS_THREADS is 'many'"):
        backend_report("fast")


def test_cpu_backend_numpy_stays_free_of_compiled_extras():
    program = """
import sys
import numpy as np
from kernels import PackedMatrix, matmul
matmul(PackedMatrix.from_float(np.ones((2, 128))), np.ones((1, 128)), backend="numpy")
assert not {"llvmlite", "cupy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
