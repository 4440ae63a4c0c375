"""Text to tokens and back, as the tokenizer in a model file says.

Examples
--------
>>> from pathlib import Path
>>> from kernels.gguf import ModelFile
>>> from kernels.tokenizer import Tokenizer
>>> tokenizer = Tokenizer.of(ModelFile(Path("tests/data/tiny-i2_s.gguf")))
>>> tokenizer.encode("Hi")
[229, 153, 132, 75, 108]
>>> tokenizer.decode([75, 108])
'Hi'
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernels.tokenizer.text import Stream, Tokenizer

__all__ = ["Stream", "Tokenizer"]


def __getattr__(name: str) -> object:
    """Load the library `tokenizers` when it is wanted: chat templates are rendered in children without it."""
    if name in __all__:
        return getattr(import_module("kernels.tokenizer.text"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
