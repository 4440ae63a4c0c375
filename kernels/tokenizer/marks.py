"""Tokens that are found in a text as they stand: control tokens where they are meant, user-defined ones everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping


class Marks:
    """Finds tokens in a text: from the left, the longest that fits.

    Parameters
    ----------
    tokens : their texts, none empty, and numbers.

    Examples
    --------
    >>> list(Marks({"<a>": 1, "<a><b>": 2}).split("x<a><a><b><b>"))
    [('x', None), ('<a>', 1), ('<a><b>', 2), ('<b>', None)]
    """

    def __init__(self, tokens: Mapping[str, int]) -> None:
        self._tokens = dict(tokens)
        lengths: dict[str, set[int]] = {}
        for token in tokens:
            lengths.setdefault(token[0], set()).add(len(token))
        self._lengths = {first: sorted(sizes, reverse=True) for first, sizes in lengths.items()}
        self.firsts = re.compile(f"[{re.escape(''.join(lengths))}]" if lengths else "(?!)")

    def split(self, text: str) -> Iterator[tuple[str, int | None]]:
        """The pieces of the text; the tokens among them with their numbers."""
        start = at = 0
        while found := self.firsts.search(text, at):
            at = found.start()
            sizes = self._lengths[text[at]]
            token = next((text[at : at + size] for size in sizes if text[at : at + size] in self._tokens), None)
            if token is None:
                at += 1
                continue
            if at > start:
                yield text[start:at], None
            yield token, self._tokens[token]
            start = at = at + len(token)
        if start < len(text):
            yield text[start:], None
