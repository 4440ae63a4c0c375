"""Text to sentence-piece tokens: of all neighbours that make a piece, those that make the best one are put together.

The best has the highest score, of equal ones the leftmost goes first, and so on until none is left. The library
`tokenizers` cannot say this, for it ranks pairs and no two alike: where ``xy`` and ``yx`` have one score, ``xyx``
becomes ``xy x`` and ``yxy`` becomes ``yx y``; and for one piece ``aaa``, ``a aa a`` becomes ``aaa a`` by the pair
``a aa``, ``aa a aa`` becomes ``aaa aa`` by ``aa a``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from heapq import heapify, heappop, heappush

SPACE = "▁"
"""What stands for a space."""

SHORT, KEPT = 32, 2**15
"""Characters of words whose tokens are remembered, and how many of them."""


class Pieces:
    """Gives the numbers of the tokens of a text.

    Parameters
    ----------
    pieces : their costs, which are minus their scores, and their numbers.
    bytes_ : the tokens of the 256 bytes, which stand for what is no piece; None where some are missing.
    unknown : stands for it then.

    Examples
    --------
    >>> Pieces({"a": (0.0, 1), "aa": (2.0, 2), "ab": (1.0, 3)}, None, 0)("aaab b")
    [2, 3, 0, 0]
    """

    def __init__(self, pieces: Mapping[str, tuple[float, int]], bytes_: Sequence[int] | None, unknown: int | None):
        self._numbers = {piece: number for piece, (_, number) in pieces.items()}
        self._costs = {piece: cost for piece, (cost, _) in pieces.items() if len(piece) > 1}
        self._bytes, self._unknown = bytes_, unknown
        self._near = {piece[at : at + 2] for piece in self._costs for at in range(len(piece) - 1)}
        self._remembered = lru_cache(maxsize=KEPT)(self._ids)

    def __call__(self, text: str) -> list[int]:
        ids: list[int] = []
        for word in self._words(text.replace(" ", SPACE)):
            ids += self._remembered(word) if len(word) <= SHORT else self._ids(word)
        return ids

    def _words(self, text: str) -> Iterator[str]:
        """The text, cut where two characters meet that do so in no piece: no merge reaches across."""
        start = 0
        for end in range(1, len(text)):
            if text[end - 1 : end + 1] not in self._near:
                yield text[start:end]
                start = end
        if text:
            yield text[start:]

    def _ids(self, word: str) -> list[int]:
        ids: list[int] = []
        for part in self._merged(word):
            number = self._numbers.get(part)
            if number is not None:
                ids.append(number)
            elif self._bytes is not None:
                ids += [self._bytes[byte] for byte in part.encode()]
            elif self._unknown is not None:
                ids.append(self._unknown)
        return ids

    def _merged(self, word: str) -> list[str]:
        parts, costs, end = list(word), self._costs, len(word)
        before, after = list(range(-1, end - 1)), list(range(1, end + 1))
        # (cost, place of the left part, length of both): what has changed since has another length.
        waiting = [(costs[word[at : at + 2]], at, 2) for at in range(end - 1) if word[at : at + 2] in costs]
        heapify(waiting)
        while waiting:
            _, left, length = heappop(waiting)
            right = after[left]
            if not parts[left] or right == end or len(parts[left]) + len(parts[right]) != length:
                continue
            parts[left] += parts[right]
            parts[right] = ""
            after[left] = beyond = after[right]
            if beyond < end:
                before[beyond] = left
                cost = costs.get(parts[left] + parts[beyond])
                if cost is not None:
                    heappush(waiting, (cost, left, length + len(parts[beyond])))
            first = before[left]
            if first >= 0:
                cost = costs.get(parts[first] + parts[left])
                if cost is not None:
                    heappush(waiting, (cost, first, len(parts[first]) + length))
        return [part for part in parts if part]
