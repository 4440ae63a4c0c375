"""Products and conversions on a CUDA device, where the arrays are: CuPy arrays in, CuPy arrays out.

`ops` holds the arithmetic of a forward pass, which ``Model.load(path, "gpu")`` takes.

CuPy is loaded by the first call, not by the import. Without a device every function raises `NoDevice`.

>>> import cupy                                                     # doctest: +SKIP
>>> from kernels import PackedMatrix, gpu                           # doctest: +SKIP
>>> matrix = PackedMatrix.from_float(weights)                       # doctest: +SKIP
>>> y = gpu.matmul(matrix, cupy.ones((1, 2560), cupy.float32))      # doctest: +SKIP

Decoding repeats one product, so it is made ready once and recorded::

    plan = gpu.Plan(matrix, batch=1)
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        plan(x)                         # reads x and writes plan.out each time the graph runs
        graph = stream.end_capture()
    graph.launch(stream)
"""

from kernels.gpu.convert import pack, quantize_activations, unpack
from kernels.gpu.plan import Plan, matmul

__all__ = ["Plan", "matmul", "pack", "quantize_activations", "unpack"]
