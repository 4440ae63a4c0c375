"""Whether numbers got lost in a call: NaN or infinity comes back where none went in, or NaN was made an integer.

Nothing is imported to see that: without NumPy in the project there is only the text of what came back.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from .values import numpy

_NO_NUMBER = re.compile(r"\b(?:nan|inf)\b")


@contextmanager
def listening() -> Iterator[list[warnings.WarningMessage]]:
    """What is warned of in the block, to nobody else; NumPy warns of a NaN unless the code itself says not to."""
    np = numpy()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        if np is None:
            yield heard
        else:
            with np.errstate(invalid="warn"):
                yield heard


def undefined(heard: Iterable[warnings.WarningMessage], given: Iterable[str], back: str) -> bool:
    """Judge by what was warned of, and by the texts of what went in and of what came back."""
    if any("invalid value encountered in cast" in str(warning.message) for warning in heard):
        return True
    return bool(_NO_NUMBER.search(back)) and not any(_NO_NUMBER.search(text) for text in given)
