"""A BitNet b1.58 transformer from a model file: tokens in, logits out.

Examples
--------
>>> from pathlib import Path
>>> model = Model.load(Path("tests/data/tiny-i2_s.gguf"), backend="numpy")
>>> cache = model.new_cache(8)
>>> logits = model.forward([1, 33, 403], cache)
>>> logits.shape, cache.length
((3, 512), 3)
"""

from kernels.model.cache import Cache
from kernels.model.forward import Model
from kernels.model.rounding import Rounding

__all__ = ["Cache", "Model", "Rounding"]
