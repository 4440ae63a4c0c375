"""Where every weight lies: the sizes of all formats and their weights one at a time. Plain Python, no NumPy.

The pictures are in `i2_s`, `tl` and `tq`, which move whole matrices; this is what they are tested against, and what a
place without NumPy has.
"""

from __future__ import annotations

from operator import index
from typing import ClassVar, Protocol, SupportsInt

from kernels.errors import FormatError

I2S_TAIL = 32
"""Bytes behind the codes of I2_S, TL1 and TL2: the scale as a little-endian float32, and padding."""

I2S_BLOCK = 128
"""Elements in a block of I2_S."""

I2S_SHIFTS = (6, 4, 2, 0)
"""Where the four elements of a byte of I2_S sit, first one first."""

TQ_BLOCK = 256
"""Elements in a block of TQ1_0 and TQ2_0."""

TQ1_PARTS = ((0, 32, 5, 0), (32, 16, 5, 160), (48, 4, 4, 240))
"""The three parts of a block of TQ1_0: first byte, bytes, digits in each, first element."""

TL2_ROW_ORDER = (0, 2, 1, 3)
"""The order of four groups of eight rows; its own inverse."""

_HEIGHTS = (256, 160, 128, 64, 32)
_WIDTHS = (256, 128, 64, 32, 16, 8)


class Bytes(Protocol):
    """An array of uint8, or `bytes`."""

    def __getitem__(self, at: int, /) -> SupportsInt: ...


class I2SPlaces:
    """A layout of I2_S; see `kernels.formats.i2_s`.

    Parameters
    ----------
    stride : distance of the four elements of a byte; 0: a whole row.

    Examples
    --------
    >>> places = I2SPlaces()
    >>> places.nbytes(1, 128), places.weight(b"\\x86" + b"\\x55" * 31, (1, 128), 0, 32)
    (64, -1)
    """

    def __init__(self, name: str = "i2_s", stride: int = I2S_BLOCK // 4) -> None:
        self.name = name
        self._stride = stride

    def nbytes(self, rows: int, cols: int) -> int:
        """Bytes of a (rows, cols) matrix: ``rows * cols / 4 + 32``."""
        if self._stride:
            whole_blocks(self.name, rows, cols, 4 * self._stride)
        elif rows < 0 or cols < 0 or rows % 4:
            raise FormatError(f"{self.name} cannot hold {rows} x {cols}; want rows in multiples of 4")
        return rows * cols // 4 + I2S_TAIL

    def weight(self, packed: Bytes, shape: tuple[int, int], row: int, column: int) -> int:
        """One weight, the slow and obvious way."""
        stride = self._stride or shape[1]
        block, within = divmod(row * shape[1] + column, 4 * stride)
        field, byte = divmod(within, stride)
        return ((int(packed[block * stride + byte]) >> I2S_SHIFTS[field]) & 3) - 1


class TL1Places:
    """Pairs in nibbles; see `kernels.formats.tl`.

    Parameters
    ----------
    tile : (BM, BK, bm), as the reading program was generated with.
    """

    def __init__(self, tile: tuple[int, ...] | None = None) -> None:
        tile = _whole("tl1", tile)
        if tile is not None and not (
            len(tile) == 3
            and min(tile) > 0
            and tile[2] in (32, 64)
            and tile[0] % tile[2] == 0
            and tile[1] % (256 // tile[2]) == 0
        ):
            raise FormatError(f"tl1 has no tile {tile}; want (BM, BK, bm): bm 32 or 64, BM in bm, BK in 256 / bm")
        self._tile = tile
        self.name = "tl1" if tile is None else "tl1:" + ",".join(map(str, tile))

    def nbytes(self, rows: int, cols: int) -> int:
        """Bytes of a (rows, cols) matrix: ``rows * cols / 4 + 32``."""
        self._tile_of(rows, cols)
        return rows * cols // 4 + I2S_TAIL

    def weight(self, packed: Bytes, shape: tuple[int, int], row: int, column: int) -> int:
        """One weight, the slow and obvious way."""
        high, wide, bm = self._tile_of(*shape)
        by = 256 // bm
        tile_row, in_tile = divmod(row, high)
        tile_column, in_width = divmod(column, wide)
        byte = tile_row * (shape[1] // wide) + tile_column
        byte = byte * (high // bm) + in_tile // bm
        byte = byte * (wide // by) + in_width // by
        byte = byte * (bm // 16) + row % bm // 16
        byte = byte * (by // 4) + column % by // 4
        byte = byte * 16 + row % 16
        return _of_pair(int(packed[byte]), column)

    def _tile_of(self, rows: int, cols: int) -> tuple[int, int, int]:
        high, wide, bm = self._tile or (_first(_HEIGHTS, rows, 32), _first(_WIDTHS, cols, 8), 32)
        if rows < 0 or cols < 0 or rows % high or cols % wide:
            raise FormatError(f"{self.name} cannot hold {rows} x {cols}; want multiples of {high} x {wide}")
        return high, wide, bm


class TL2Places:
    """Triples in nibbles and sign bits; see `kernels.formats.tl`.

    Parameters
    ----------
    tile : (BM, BK), as the reading program was generated with.
    """

    def __init__(self, tile: tuple[int, ...] | None = None) -> None:
        tile = _whole("tl2", tile)
        if tile is not None and not (len(tile) == 2 and min(tile) > 0 and tile[0] % 32 == 0 and tile[1] % 24 == 0):
            raise FormatError(f"tl2 has no tile {tile}; want (BM, BK): multiples of 32 and 24")
        self._tile = tile
        self.name = "tl2" if tile is None else "tl2:" + ",".join(map(str, tile))

    def nbytes(self, rows: int, cols: int) -> int:
        """Bytes of a (rows, cols) matrix, padding and scale included."""
        _, _, k3 = self._tile_of(rows, cols)
        room = (cols - 256) * rows // 3 * 5 // 8 + 256 * rows // 2 * 4 // 8
        need = rows * k3 // 6 + rows * k3 // 24 + rows * (cols - k3) // 4
        if room < need:
            raise FormatError(
                f"{self.name} cannot hold {rows} x {cols}: its size formula leaves {room} bytes for {need}",
                hint="take a tile that leaves fewer columns over",
            )
        return -(-room // 32) * 32 + I2S_TAIL

    def weight(self, packed: Bytes, shape: tuple[int, int], row: int, column: int) -> int:
        """One weight, the slow and obvious way."""
        high, wide, k3 = self._tile_of(*shape)
        tile_row, in_tile = divmod(row, high)
        place = TL2_ROW_ORDER[row % 32 // 8] * 8 + row % 8
        if column >= k3:
            tile_column, in_width = divmod(column - k3, 32)
            byte = (tile_row * ((shape[1] - k3) // 32) + tile_column) * (high // 32) + in_tile // 32
            byte = (byte * 8 + in_width // 4) * 32 + place
            return _of_pair(int(packed[shape[0] * k3 * 5 // 24 + byte]), column)
        tile_column, in_width = divmod(column, wide)
        block = (tile_row * (k3 // wide) + tile_column) * (high // 32) + in_tile // 32
        byte = (block * (wide // 6) + in_width // 6) * 32 + place
        value = int(packed[byte]) >> (0 if in_width % 6 >= 3 else 4) & 15
        triple, half, word = in_width // 3 % 8, row % 32 // 16, row % 16
        at = shape[0] * k3 // 6 + ((block * (wide // 24) + in_width // 24) * 16 + word) * 2
        if (int(packed[at]) | int(packed[at + 1]) << 8) >> (15 - 2 * triple - half) & 1:
            value = -value
        return ((value + 13) // (9, 3, 1)[column % 3]) % 3 - 1

    def _tile_of(self, rows: int, cols: int) -> tuple[int, int, int]:
        """BM, BK, and how many columns are stored as triples."""
        high, wide = self._tile or (_first(_HEIGHTS, rows, 32), 96)
        k3 = cols // wide * wide
        if rows < 0 or cols < 0 or rows % high or (cols - k3) % 32:
            raise FormatError(
                f"{self.name} cannot hold {rows} x {cols}; want rows in multiples of {high}, "
                f"and columns that leave a multiple of 32 behind multiples of {wide}"
            )
        return high, wide, k3


class TQ2Places:
    """Two bits a weight; see `kernels.formats.tq`."""

    name: ClassVar[str] = "tq2_0"
    code_bytes: ClassVar[int] = 64

    def nbytes(self, rows: int, cols: int) -> int:
        """Bytes of a (rows, cols) matrix; cols a multiple of 256."""
        return _block_bytes(self.name, rows, cols, self.code_bytes)

    def weight(self, packed: Bytes, shape: tuple[int, int], row: int, column: int) -> int:
        """One weight, the slow and obvious way."""
        block, element = divmod(row * shape[1] + column, TQ_BLOCK)
        half, within = divmod(element, 128)
        field, byte = divmod(within, 32)
        return ((int(packed[block * 66 + half * 32 + byte]) >> (2 * field)) & 3) - 1


class TQ1Places:
    """Five weights a byte; see `kernels.formats.tq`."""

    name: ClassVar[str] = "tq1_0"
    code_bytes: ClassVar[int] = 52

    def nbytes(self, rows: int, cols: int) -> int:
        """Bytes of a (rows, cols) matrix; cols a multiple of 256."""
        return _block_bytes(self.name, rows, cols, self.code_bytes)

    def weight(self, packed: Bytes, shape: tuple[int, int], row: int, column: int) -> int:
        """One weight, the slow and obvious way."""
        block, element = divmod(row * shape[1] + column, TQ_BLOCK)
        start, width, _, first = next(part for part in reversed(TQ1_PARTS) if element >= part[3])
        digit, byte = divmod(element - first, width)
        shifted = int(packed[block * 54 + start + byte]) * (1, 3, 9, 27, 81)[digit] % 256
        return (shifted * 3 >> 8) - 1


def _whole(name: str, tile: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """A tile in Python's own integers."""
    try:
        return None if tile is None else tuple(index(size) for size in tile)
    except TypeError:
        raise FormatError(f"{name} has no tile {tile!r}; want whole numbers") from None


def whole_blocks(name: str, rows: int, cols: int, block: int) -> None:
    """Refuse a shape whose rows are not whole blocks."""
    if rows < 0 or cols < 0 or cols % block:
        more = f"pad the columns to {-(-cols // block) * block} with zeros" if rows >= 0 and cols > 0 else ""
        raise FormatError(f"{name} cannot hold {rows} x {cols}; want columns in multiples of {block}", hint=more)


def _block_bytes(name: str, rows: int, cols: int, code_bytes: int) -> int:
    whole_blocks(name, rows, cols, TQ_BLOCK)
    return rows * (cols // TQ_BLOCK) * (code_bytes + 2)


def _of_pair(byte: int, column: int) -> int:
    """The weight of a column in a byte of two pairs."""
    code = byte >> (0 if column % 4 >= 2 else 4) & 15
    return (code % 3 if column % 2 else code // 3) - 1


def _first(sizes: tuple[int, ...], length: int, least: int) -> int:
    return next((size for size in sizes if length % size == 0), least)
