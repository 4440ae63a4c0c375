"""A CuPy without a device: what kernels.gpu uses of it, with fibers of a C++ compiler's making for threads.

Every array lies between pages that nobody may touch, its end at the last one, and every launch runs in a child: a
kernel that reaches outside its arrays dies there, and the launch says so. The child of a source that a test has
changed has a copy of all else, too, for whatever that may do to it; to others a copy at each launch would cost more
than the launch. An array of the host is never taken for
one of the device, nor the other way round: a copy between them is a call one can count.
"""

import ctypes
import faulthandler
import fcntl
import hashlib
import mmap
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kernels import backend
from kernels.backend import why_not
from kernels.gpu import device

SHIM = Path(__file__).with_name("cuda_on_cpu.h")
COMPILER = shutil.which("g++") or shutil.which("clang++")
FLAGS = ["-std=c++17", "-O1", "-shared", "-fPIC", "-w", "-ffp-contract=off", "-U_FORTIFY_SOURCE"]
SCHEDULES = ("forward", "reverse", "random")
NOISE = 0xA5

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class KernelDied(AssertionError):
    """A launch that did not come to its end, or wrote beside its arrays."""


class Memory:
    """Bytes shared with the children, at the end of their pages as far as a boundary of 16 allows."""

    def __init__(self, size: int) -> None:
        page = mmap.PAGESIZE
        self.span = -(-max(size, 1) // page) * page
        flags = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS
        self.base = _libc.mmap(None, self.span + 2 * page, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
        for edge in (self.base, self.base + page + self.span):
            assert _libc.mprotect(edge, page, 0) == 0
        self.whole = np.frombuffer((ctypes.c_char * self.span).from_address(self.base + page), np.uint8)
        self.whole[:] = NOISE
        self.start = (self.span - size) // 16 * 16
        self.size = size

    def beside(self) -> np.ndarray:
        """The red zone: what of the pages is not the array."""
        return np.concatenate([self.whole[: self.start], self.whole[self.start + self.size :]])

    def __del__(self) -> None:
        _libc.munmap(self.base, self.span + 2 * mmap.PAGESIZE)


class DeviceArray:
    """An array that NumPy cannot read by accident."""

    def __init__(self, host: np.ndarray, memory: Memory) -> None:
        self.host, self.memory = host, memory
        self.shape, self.dtype, self.ndim, self.size = host.shape, host.dtype, host.ndim, host.size
        self.flags = SimpleNamespace(c_contiguous=host.flags.c_contiguous)
        self.data = SimpleNamespace(ptr=host.ctypes.data)
        self.device = SimpleNamespace(id=0)
        self.__cuda_array_interface__ = host.__array_interface__

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def __len__(self) -> int:
        return len(self.host)

    def __getitem__(self, key: object) -> "DeviceArray":
        return DeviceArray(self.host[key], self.memory)

    def astype(self, dtype: type, copy: bool = True) -> "DeviceArray":
        return self if self.dtype == dtype and not copy else _new(_cast(self.host, dtype))

    def copy(self) -> "DeviceArray":
        return _new(self.host)

    def sum(self, axis: int, dtype: type) -> "DeviceArray":
        return _new(self.host.sum(axis=axis, dtype=dtype))

    def set(self, values: np.ndarray) -> None:
        self.host[...] = values

    def view(self, dtype: type) -> "DeviceArray":
        return DeviceArray(self.host.view(dtype), self.memory)

    def reshape(self, *shape: int) -> "DeviceArray":
        return DeviceArray(self.host.reshape(*shape), self.memory)


def _cast(values: np.ndarray, dtype: type) -> np.ndarray:
    with np.errstate(over="ignore"):  # a device does not warn
        return values.astype(dtype)


def _new(values: np.ndarray) -> DeviceArray:
    memory = Memory(values.nbytes)
    inside = memory.whole[memory.start : memory.start + memory.size].view(values.dtype).reshape(values.shape)
    inside[...] = values
    return DeviceArray(inside, memory)


class Stream:
    """Runs what it is given at once, or records it; the current one is the last that was entered."""

    def __init__(self, current: list["Stream"], calls: list[str]) -> None:
        self._current, self._calls = current, calls
        self._recorded: list[Callable[[], None]] | None = None

    def __enter__(self) -> "Stream":
        self._current.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._current.pop() is self

    def is_capturing(self) -> bool:
        return self._recorded is not None

    def begin_capture(self) -> None:
        self._recorded = []

    def end_capture(self) -> SimpleNamespace:
        recorded, self._recorded = self._recorded, None
        return SimpleNamespace(launch=lambda stream: [run() for run in recorded])

    def synchronize(self) -> None:
        assert not self.is_capturing()
        self._calls.append("wait")

    def run(self, work: Callable[[], None]) -> None:
        if self._recorded is None:
            work()
        else:
            self._recorded.append(work)


class Event:
    """A moment."""

    def record(self, stream: Stream) -> None:
        self.at = time.perf_counter()

    def synchronize(self) -> None:
        """It has been recorded."""


class CupyOnCpu:
    """Stands in for the module; `calls` counts what would allocate, copy or wait, `launched` names the kernels."""

    def __init__(self, folder: Path, schedule: str, compute_capability: str = "90") -> None:
        self.folder, self.schedule = folder, SCHEDULES.index(schedule)
        self.launched: list[str] = []
        self.calls: list[str] = []
        self.edit = lambda code: code  # a test may change the sources
        here = SimpleNamespace(id=0, compute_capability=compute_capability)
        self._streams: list[Stream] = []
        self._streams.append(Stream(self._streams, self.calls))
        self.cuda = SimpleNamespace(
            Device=lambda: here,
            Stream=lambda non_blocking: Stream(self._streams, self.calls),
            get_current_stream=lambda: self._streams[-1],
            Event=Event,
            get_elapsed_time=lambda start, stop: (stop.at - start.at) * 1e3,
        )

    def empty(self, shape: int | tuple[int, ...], dtype: type) -> DeviceArray:
        self.calls.append("empty")
        array = _new(np.empty(shape, dtype))
        array.host.view(np.uint8)[...] = NOISE  # whatever is not written shows
        return array

    def asarray(self, values: object) -> DeviceArray:
        if isinstance(values, DeviceArray):
            return values
        self.calls += ["empty", "upload"]
        return _new(np.ascontiguousarray(values))

    def zeros(self, shape: int, dtype: type) -> DeviceArray:
        return self.asarray(np.zeros(shape, dtype))

    def ascontiguousarray(self, array: DeviceArray) -> DeviceArray:
        return array if array.flags.c_contiguous else array.copy()

    def concatenate(self, arrays: tuple[DeviceArray, ...]) -> DeviceArray:
        return self.asarray(np.concatenate([array.host for array in arrays]))

    def asnumpy(self, array: DeviceArray) -> np.ndarray:
        assert isinstance(array, DeviceArray)
        self.calls.append("download")
        return array.host.copy()

    def RawModule(self, code: str, options: tuple[str, ...]) -> SimpleNamespace:
        changed = self.edit(code)
        library = _compiled(changed, self.folder)
        return SimpleNamespace(get_function=lambda name: Kernel(self, library, name, changed != code))

    def launch(self, kernel: "Kernel", grid, block, arguments, shared_mem: int) -> None:
        library, name = kernel.library, kernel.name
        self.launched.append(name)
        arrays = [one for one in arguments if isinstance(one, DeviceArray)]
        values = [np.uint64(one.data.ptr) if isinstance(one, DeviceArray) else one for one in arguments]
        assert all(isinstance(value, np.generic) for value in values)  # CuPy passes those as they are
        assert 0 < np.prod(grid) < 2**31
        assert np.prod(block) <= 1024
        assert shared_mem <= 48 * 1024
        cells = [np.array([value]) for value in values]
        pointers = (ctypes.c_void_p * len(cells))(*(cell.ctypes.data for cell in cells))
        sizes = [(ctypes.c_uint * 2)(*(*size, 1)[:2]) for size in (grid, block)]
        entry = ctypes.cast(getattr(library, f"call_{name}"), ctypes.c_void_p)

        def run(how: Callable[..., int], _kept: object = cells) -> int:
            return how(entry, pointers, self.schedule, *sizes, ctypes.c_size_t(shared_mem))

        def work() -> None:
            _ended(name, _in_a_copy(lambda: run(library.launch)) if kernel.changed else run(library.launch_apart))
            for array in arrays:
                if (array.memory.beside() != NOISE).any():
                    raise KernelDied(f"{name} wrote beside an array of shape {array.shape}")

        self._streams[-1].run(work)


@dataclass(frozen=True)
class Kernel:
    """Called as CuPy's kernels are."""

    cupy: CupyOnCpu
    library: ctypes.CDLL
    name: str
    changed: bool
    num_regs: int = 1

    def __call__(self, grid, block, arguments, *, shared_mem: int = 0) -> None:
        self.cupy.launch(self, grid, block, arguments, shared_mem)


def _in_a_copy(run: Callable[[], int]) -> int:
    """The wait status of a child with all memory but the arrays its own."""
    child = os.fork()
    if child == 0:
        faulthandler.disable()  # how it ends is told by its status
        os._exit(3 if run() else 0)
    return os.waitpid(child, 0)[1]


def _ended(name: str, status: int) -> None:
    code = os.waitstatus_to_exitcode(status)
    if code:
        number = -code if code < 0 else code - 128
        how = "a deadlock" if code == 3 else signal.Signals(number).name if number > 0 else f"exit {code}"
        raise KernelDied(f"{name} ended by {how}")


def _compiled(code: str, folder: Path) -> ctypes.CDLL:
    """The library of a source, made once for all workers."""
    shim = folder / SHIM.name
    if not shim.exists():
        # Most of the time goes into what every source includes: g++ takes that as it was compiled the first time.
        precompiled = shim.with_suffix(".h.gch")
        with _alone(precompiled) as first:
            if first:
                given = ["-x", "c++-header", SHIM, "-o", precompiled]
                subprocess.run([COMPILER, *FLAGS, *given], capture_output=True, timeout=300)
                shutil.copy(SHIM, shim.with_suffix(".new"))
                shim.with_suffix(".new").rename(shim)
    built = folder / f"{hashlib.sha256(code.encode()).hexdigest()[:16]}.so"
    with _alone(built) as first:
        if first:
            names = re.findall(r"__global__ void (?:__launch_bounds__\([^)]*\) )?(\w+)\(", code)
            source = built.with_suffix(".cpp")
            source.write_text(f'#include "{shim}"\n{code}\n' + "".join(f"CALLABLE({name})\n" for name in names))
            done = subprocess.run([COMPILER, *FLAGS, source, "-o", built], capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(built))


@contextmanager
def _alone(made: Path) -> Iterator[bool]:
    """Whether a file is not there yet; meanwhile no other worker makes it."""
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not made.exists()


@pytest.fixture(scope="session")
def gpu_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compiled sources lie: one place for all workers of a session."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cuda"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def stand_in(gpu_folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a CuPy without a device the one that kernels.gpu finds."""

    def install(schedule: str, compute_capability: str = "90") -> CupyOnCpu:
        if COMPILER is None or not sys.platform.startswith("linux"):
            pytest.skip("missing-tool: g++ or clang++ on Linux, to run the CUDA sources without a device")
        cupy = CupyOnCpu(gpu_folder, schedule, compute_capability)
        here = device.Device(cupy)
        monkeypatch.setattr(device, "current", lambda: here)
        monkeypatch.setattr(backend, "_why_not_gpu", lambda: None)
        _forget_choices()
        return cupy

    yield install
    monkeypatch.undo()
    _forget_choices()


def _forget_choices() -> None:
    for choice in (backend.why_not, backend._chosen):
        choice.cache_clear()


@pytest.fixture(params=SCHEDULES)
def schedule(request: pytest.FixtureRequest) -> str:
    """Each order in which threads may run."""
    return request.param


@pytest.fixture(params=[*SCHEDULES, pytest.param("device", marks=pytest.mark.gpu)])
def gpu(request: pytest.FixtureRequest, stand_in) -> Iterator[object]:
    """CuPy: the one without a device under each schedule, and the real one where there is a device."""
    if request.param != "device":
        yield stand_in(request.param)
    else:
        assert why_not("gpu") is None
        yield device.current().cupy
