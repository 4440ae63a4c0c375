"""Arguments near those of a call: of the same types and ranges, and their edge cases. Pure; the same for one seed.

What holds for a value by the look of it goes on to hold: a sorted list stays sorted, distinct values stay distinct,
rows of one length keep it, nothing turns negative. Nothing but the standard library.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

_TIES = (127.0, 0.5, -1.5, 2.5, -0.5, -127.0)  # with a scale of one; so it is where 127 is to be the largest
_MANY = 50  # of twice as many, what was quick may take long
_ORDER = 3  # a shorter list may be in order by chance


def variants(arguments: Any, chance: Random, count: int) -> Iterator[Any]:
    """Other arguments: first each edge case of each argument by itself, then up to ``count`` with small changes.

    Parameters
    ----------
    arguments : a tuple; left as it is.
    """
    arrays = sum(is_array(value) for value in arguments)
    for at, value in enumerate(arguments):
        for edge in edges(value):
            if not (arrays > is_array(value) and _is_scale(value) and _has_zero(edge)):
                yield (*arguments[:at], edge, *arguments[at + 1 :])
    able = [at for at, value in enumerate(arguments) if can_change(value)]
    for nth in range(count if able else 0):
        # One argument at a time keeps what holds between them; all at once now and then.
        some = able if nth % 3 == 2 else [chance.choice(able)]
        yield tuple(near(v, chance) if at in some else v for at, v in enumerate(arguments))


def can_change(value: Any) -> bool:
    """Whether there is another value of its kind that this module can make."""
    if value is None or isinstance(value, (complex, bytes)) or _names_a_place(value):
        return False
    if isinstance(value, (list, tuple, dict)) and type(value) in (list, tuple, dict):
        inside = value.values() if isinstance(value, dict) else value
        return type(value) is not tuple or any(can_change(part) for part in inside)
    return isinstance(value, (bool, int, float, str, set, frozenset)) or is_array(value)


def _names_a_place(value: Any) -> bool:
    """A path, an address, a command: another one could mean anything."""
    return isinstance(value, str) and any(sign in value for sign in "/\\~$|>")


def is_array(value: Any) -> bool:
    """An array of numbers, as NumPy has them; nothing is imported to see that."""
    return type(value).__name__ == "ndarray" and getattr(getattr(value, "dtype", None), "kind", "") in "biuf"


def edges(value: Any) -> list[Any]:
    """The smallest values of the same type: empty, zero, one element; of an array, the largest ones too."""
    found: list[Any] = []
    if isinstance(value, bool):
        found = [not value]
    elif type(value) is int:
        # What was made large enough for the tests is too small for more than twice as much.
        found = [0, 1, 2 * value + (1 if value > 0 else -1)] if abs(value) < _MANY else [0, 1]
    elif type(value) is float:
        found = [0.0, 1.0]
    elif type(value) is str and not _names_a_place(value):
        found = ["", value[:1], value[:2]]
    elif type(value) is list:
        found = [[], value[:1], value[-1:], value[:2]]
    elif type(value) in (set, frozenset):
        found = [type(value)()]
    elif type(value) is dict:
        found = [{}, dict(list(value.items())[:1])]
    elif is_array(value) and value.ndim:
        found = _array_edges(value)
    return [edge for edge in found if _differs(edge, value)]


def _is_scale(value: Any) -> bool:
    """What is above zero everywhere, and beside an array, is what that one is divided by or multiplied with."""
    if type(value) is float:
        return value > 0
    return is_array(value) and value.dtype.kind == "f" and bool(value.size) and bool((value > 0).all())


def _has_zero(value: Any) -> bool:
    return bool((value == 0).any()) if is_array(value) else value == 0


def _array_edges(value: Any) -> list[Any]:
    """All zero, a row of zeros or a second row, none and one of it, a column less; signs exchanged, extremes, ties."""
    kind = value.dtype.kind
    found = [value[:1], value[:0], value[..., :-1]]
    if not value.size:
        return found
    found.insert(0, _with(value, [0]))
    if kind == "b":
        return found
    if value.ndim > 1:
        found.append(_with(value, [0], only_last=True) if len(value) > 1 else value.repeat(2, axis=0))
    low, high = value.min(), value.max()
    if kind in "if" and low < 0:
        found.append(-value)
    # All of one value: sums grow as far as they can, and nothing lies between the least and the greatest.
    found += [_with(value, [high]), _with(value, [low])]
    if kind == "f":
        found.append(_with(value, _TIES if low < 0 else [abs(v) for v in _TIES]))
        found.append(value.astype("float32" if value.dtype.itemsize > 4 else "float64"))  # copied by some casts only
    else:
        least, most = _bounds(value)
        if high > most // 2 or low < least // 2:
            found.append(_with(value, [least, most]))
    return found


def _with(value: Any, pattern: Sequence[Any], *, only_last: bool = False) -> Any:
    """A copy with a pattern of values in it, over and over; or only in its last row."""
    made = value.copy()
    row = made[-1] if only_last else made
    row.flat = [pattern[n % len(pattern)] for n in range(row.size)]
    return made


def _bounds(value: Any) -> tuple[int, int]:
    bits = 8 * value.dtype.itemsize
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if value.dtype.kind == "i" else (0, (1 << bits) - 1)


def _differs(one: Any, other: Any) -> bool:
    if is_array(one):
        return bool(one.shape != other.shape or one.dtype != other.dtype or (one != other).any())
    return bool(one != other)


def near(value: Any, chance: Random) -> Any:
    """A value of the same type not far from this one."""
    if isinstance(value, bool):
        return not value
    if type(value) is int:
        return _near_int(value, chance)
    if type(value) is float:
        moved = chance.choice([value + 1.0, value - 1.0, value * 1.5, value / 2, float(round(value))])
        return moved if value < 0 else abs(moved)
    if type(value) is str:
        return "".join(_rearranged(list(value), chance))
    if type(value) is list:
        return _near_list(value, chance)
    if type(value) is tuple:
        at = chance.choice([n for n, part in enumerate(value) if can_change(part)] or [-1])
        return tuple(near(part, chance) if n == at else part for n, part in enumerate(value))
    if type(value) in (set, frozenset):
        return type(value)(_near_list(sorted(value, key=repr), chance))
    if type(value) is dict:
        changed = {k: near(v, chance) if can_change(v) and chance.random() < 0.5 else v for k, v in value.items()}
        if changed and chance.random() < 0.3:
            del changed[chance.choice(list(changed))]
        return changed
    return _near_array(value, chance) if is_array(value) else value


def _near_int(value: int, chance: Random) -> int:
    moved = chance.choice([value + 1, value - 1, value * 2, value // 2, value + chance.randint(2, 9)])
    moved = chance.randint(0, abs(value) + 2) if chance.random() < 0.3 else moved
    return -abs(moved) if value < 0 else abs(moved)


def _near_list(value: list[Any], chance: Random) -> list[Any]:
    if not value:
        return []
    if all(type(row) in (list, tuple) for row in value) and len({len(row) for row in value}) == 1:
        # A table keeps its shape: what reads it counts on that.
        return [
            near(row, chance) if chance.random() < 0.4 and type(row) is tuple else _cells(row, chance) for row in value
        ]
    rows = [near(v, chance) if chance.random() < 0.3 and can_change(v) else v for v in _rearranged(value, chance)]
    return _in_order(value, rows)


def _cells(row: Any, chance: Random) -> Any:
    return type(row)(
        near(v, chance) if chance.random() < 0.3 and can_change(v) and type(v) is not list else v for v in row
    )


def _rearranged(rows: list[Any], chance: Random) -> list[Any]:
    """With something left out, doubled, swapped or moved."""
    rows = list(rows)
    for _ in range(chance.randint(1, 3) if rows else 0):
        how = chance.randrange(4)
        if how == 0 and rows:
            del rows[chance.randrange(len(rows))]
        elif how == 1 and rows:
            rows.insert(chance.randrange(len(rows) + 1), copy.deepcopy(chance.choice(rows)))
        elif rows:
            one, other = chance.randrange(len(rows)), chance.randrange(len(rows))
            rows[one], rows[other] = rows[other], rows[one]
    return rows


def _in_order(before: list[Any], rows: list[Any]) -> list[Any]:
    """The rows distinct, or sorted, where the list was."""
    if not all(type(v) in (int, float, str) for v in before) or len({type(v) for v in before}) > 1:
        return rows
    if len(set(before)) == len(before) and len(before) >= 2:
        rows = list(dict.fromkeys(rows))
    if len(before) >= _ORDER and before == sorted(before):
        rows.sort()
    elif len(before) >= _ORDER and before == sorted(before, reverse=True):
        rows.sort(reverse=True)
    return rows


def _near_array(value: Any, chance: Random) -> Any:
    """The same shape and type: values moved about, and a few of them made smaller."""
    flat = value.flatten()
    if not flat.size:
        return value
    places = list(range(flat.size))
    if chance.random() < 0.5:
        chance.shuffle(places)
    flat = flat[places]
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(flat.size)
        half = flat[at] / 2 if value.dtype.kind == "f" else flat[at] // 2  # what is above zero stays above it
        flat[at] = flat[chance.randrange(flat.size)] if chance.random() < 0.5 else half
    return flat.reshape(value.shape)
