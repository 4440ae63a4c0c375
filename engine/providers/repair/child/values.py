"""What kind of value something is, and a key by which equal values are told from others. Pure."""

from __future__ import annotations

import sys
from typing import Any

LARGEST = 1 << 70  # beyond it, an integer is an accident
LONGEST = 20_000  # the same of the items of a list, the letters of a text

_SIMPLE = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    bytes: "bytes",
    list: "list",
    tuple: "tuple",
    dict: "dict",
    set: "set",
    frozenset: "set",
    range: "range",
    type(None): "none",
}


def numpy() -> Any:
    """NumPy, if the project has imported it."""
    return sys.modules.get("numpy")


def kind_of(value: Any) -> str:
    """One word for the type of a value."""
    found = _SIMPLE.get(type(value))
    if found is not None:
        return found
    np = numpy()
    if np is not None:
        if isinstance(value, np.ndarray):
            return "array"
        if isinstance(value, np.bool_):
            return "bool"
        if isinstance(value, np.integer):
            return "int"
        if isinstance(value, np.floating):
            return "float"
    return "function" if callable(value) else "object"


def sane(value: Any) -> bool:
    """Whether a value is of a size one goes on to compute with, and equal to itself."""
    kind = type(value)
    if kind is int:
        return bool(-LARGEST < value < LARGEST)
    if kind is float:
        return bool(value == value and abs(value) < 1e300)
    if kind in (str, bytes, list, tuple, dict, set):
        return len(value) <= LONGEST
    np = numpy()
    if np is not None and isinstance(value, np.ndarray):
        return bool(value.size <= LONGEST and value.dtype != object)
    return True


def key_of(value: Any, depth: int = 0) -> Any:
    """Something hashable that is equal for values nobody could tell apart."""
    kind = type(value)
    if kind in (int, bool, float, str, bytes, type(None)):
        return (kind.__name__, value)
    np = numpy()
    if np is not None and isinstance(value, (np.ndarray, np.generic)):
        return (value.dtype.str, value.shape, value.tobytes())
    if kind in (list, tuple):
        return (kind.__name__, tuple([key_of(part, depth + 1) for part in value]))
    if kind is dict:
        return ("dict", tuple([(key_of(k, depth + 1), key_of(v, depth + 1)) for k, v in value.items()]))
    if kind in (set, frozenset):
        return ("set", frozenset([key_of(part, depth + 1) for part in value]))
    held = getattr(value, "__dict__", None)
    if isinstance(held, dict) and len(held) <= 50 and depth < 4:
        return (kind.__name__, tuple((name, key_of(part, depth + 1)) for name, part in sorted(held.items())))
    try:
        return (kind.__name__, repr(value)[:2000])
    except Exception:  # noqa: BLE001 - an object of the project may not even print
        return (kind.__name__, id(value))


def close(value: Any, other: Any, relative: float, absolute: float) -> bool:
    """Whether two arrays, lists or numbers are about the same; true where that cannot be said."""
    np = numpy()
    if np is None:
        return True
    try:
        one, two = np.asarray(value, float), np.asarray(other, float)
    except (TypeError, ValueError):
        return True
    if one.size != two.size and one.size != 1 and two.size != 1:
        return False
    if one.size == 1 or two.size == 1 or one.shape == two.shape:
        apart = np.abs(one - two)
        return not bool((apart > (absolute + 1e-3) + (relative + 1e-3) * np.abs(two)).any())
    return True
