"""Model files: reading, checking, writing and converting GGUF. ``python -m kernels verify MODEL`` is its command.

On the public package `gguf` for types, sizes and the dequantizers of ggml; not for reading, as it knows neither I2_S
nor TL2 and trusts every number in a file. Here each is checked against the file before anything is done with it.

Examples
--------
>>> import tempfile, numpy as np
>>> from pathlib import Path
>>> from kernels import PackedMatrix
>>> matrix = PackedMatrix.from_float(np.tile([1.0, -1.0, 0.0, 0.5], (32, 64)))
>>> with tempfile.TemporaryDirectory() as folder:
...     path = write(Path(folder, "a.gguf"), {"general.architecture": "bitnet-b1.58"}, [NewTensor("w", matrix)])
...     again = ModelFile(convert(path, Path(folder, "b.gguf"), "tl2"))
>>> again.tensors["w"].type.name, bool((again.tensors["w"].matrix().unpack() == matrix.unpack()).all())
('tl2', True)
"""

from kernels.gguf.errors import (
    Ambiguous,
    BadMetadata,
    BadTensor,
    BadTokenizer,
    BadWeights,
    LimitExceeded,
    ModelFileError,
    NotAModelFile,
    NotReadable,
    Overlap,
    Truncated,
    UnsupportedVersion,
)
from kernels.gguf.model import ModelFile, Tensor
from kernels.gguf.values import Value, ValueType
from kernels.gguf.write import NewTensor, convert, write

__all__ = [
    "Ambiguous",
    "BadMetadata",
    "BadTensor",
    "BadTokenizer",
    "BadWeights",
    "LimitExceeded",
    "ModelFile",
    "ModelFileError",
    "NewTensor",
    "NotAModelFile",
    "NotReadable",
    "Overlap",
    "Tensor",
    "Truncated",
    "UnsupportedVersion",
    "Value",
    "ValueType",
    "convert",
    "write",
]
