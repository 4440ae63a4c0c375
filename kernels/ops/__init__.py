"""The float arithmetic of a forward pass, every sum in one fixed order: the same bits however it is computed.

NumPy (`plain`), machine code (`kernels.cpu.fast`) and a GPU (`kernels.gpu.ops`) give equal results on every machine,
with any number of threads, and for a token alone or among others. How sums are ordered and what ``exp`` is: see
`order`. NaN passes through and shows in all that depends on it, but which NaN it is, is not promised. What is quantized
must be finite.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol

from kernels.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from kernels.backend import Backend
    from kernels.ops.head import Head
    from kernels.packed import PackedMatrix

    Stored = NDArray[np.float32] | NDArray[np.float16]

    Inputs = tuple[NDArray[np.float32], int, NDArray[np.float32], NDArray[np.float32]]
    """(T, D) embeddings, the position of the first, and the cosines and sines of all, (T, r) each."""

    Work = Callable[["Ops", NDArray[np.float32], int, NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]

Kind = Literal["relu2", "silu"]
"""What is done to a gate: ``max(g, 0)²``, or ``g / (1 + exp(-g))``."""


class Ops(Protocol):
    """Arrays are C-contiguous float32 unless said, and results new; T tokens, D columns, H heads of hd values.

    They lie where the backend computes: `put` and `get` move them, which on the CPU is nothing.

    Raises
    ------
    InputError
        Arrays whose shapes or types do not fit each other, or that lie elsewhere.
    """

    @property
    def name(self) -> str:
        """The name of the backend."""

    def rms_norm(self, x: NDArray[np.float32], weight: NDArray[np.float32], eps: float) -> NDArray[np.float32]:
        """(T, D), (D,) → (T, D): ``x · r · weight`` with ``r = 1 / sqrt(mean(x²) + eps)``, the mean in float64."""

    def rope(self, x: NDArray[np.float32], cos: NDArray[np.float32], sin: NDArray[np.float32]) -> NDArray[np.float32]:
        """(T, H, hd), (T, r) twice → (T, H, hd): the values i and i + r turned by their angle, those behind not."""

    def attention(self, q: NDArray[np.float32], k: Stored, v: Stored, start: int, scale: float) -> NDArray[np.float32]:
        """(T, H, hd), (capacity, KV, hd) twice → (T, H · hd): causal; each of KV heads serves H / KV of q.

        Token t is the position start + t; positions behind it are not read. Keys and values may both be float16.
        """

    def gate(self, gate: NDArray[np.float32], up: NDArray[np.float32], kind: Kind) -> NDArray[np.float32]:
        """(T, F) twice → (T, F): what `Kind` says, times ``up``."""

    def add(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
        """(T, D) twice → (T, D)."""

    def dense(self, x: NDArray[np.float32], head: Head) -> NDArray[np.float32]:
        """(T, D) and (V, D) → (T, V). An int8 head takes x as `kernels.quantize_activations` rounds it."""

    def to_int8(self, head: Head) -> Head:
        """What `Head.to_int8` gives."""

    def linears(self, x: NDArray[np.float32], matrices: Sequence[PackedMatrix]) -> tuple[NDArray[np.float32], ...]:
        """(T, K) and several (M, K) → as many (T, M): what `kernels.matmul` gives, x being quantized once.

        What float32 cannot hold becomes infinity: `kernels.model.weights` refuses matrices whose products could.
        """

    def room(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """An array to be filled, whose content is not defined; MemoryError where there is no room for it."""

    def put(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """An array of the host, where the backend computes."""

    def get(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """An array of the backend, on the host."""

    def keep(self, x: NDArray[np.float32], cache: Stored, start: int) -> None:
        """(T, …) into the positions from ``start`` on of (capacity, …)."""

    def run(self, work: Work, inputs: Inputs, again: object = None) -> NDArray[np.float32]:
        """What ``work`` gives, with operations like these, for inputs of the host; on the host.

        Parameters
        ----------
        again : where the same work of one token will be asked for again with this object, other inputs aside, so that
            it may be recorded and repeated.

        Raises
        ------
        InputError
            What was quantized was not finite.
        """


def select(backend: Backend) -> Ops:
    """The arithmetic that goes with a backend.

    Raises
    ------
    BackendError
        There is none for this backend.

    Examples
    --------
    >>> import numpy as np
    >>> from kernels import select_backend
    >>> ops = select(select_backend("numpy"))
    >>> ops.rms_norm(np.array([[3.0, -3.0]], np.float32), np.ones(2, np.float32), 0.0).tolist()
    [[1.0, -1.0]]
    """
    if backend.name == "fast":
        ops: Ops = import_module("kernels.cpu.fast.ops").FastOps(backend)
        return ops
    if backend.name == "gpu":
        there: Ops = import_module("kernels.gpu.ops").GpuOps()
        return there
    if backend.name in ("numpy", "reference"):
        plain: Ops = import_module("kernels.ops.plain").PlainOps(backend)
        return plain
    raise BackendError(
        f"the backend {backend.name!r} computes products alone, not a forward pass", hint='take "fast" or "numpy"'
    )
