"""What texts for people name together: docstrings, comments, and the pages of a project. Pure.

A value that stands beside its key in a page written before the change is a specification, no answer learnt by heart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

PAGES = (".md", ".rst", ".txt", ".adoc")
MOST_PAGES = 200
MOST_TEXT = 1_000_000
"""Characters of a page that are read."""

PARAGRAPH = 60
"""Words of a passage that is read as one: in a longer one much stands together by chance."""

_EXAMPLE = re.compile(r"(?ms)^[ \t]*>>>.*?(^[ \t]*$|\Z)")
_FENCED = re.compile(r"(?ms)^[ \t]*(```|~~~).*?(^[ \t]*\1[^\n]*$|\Z)")
_WORD = re.compile(r"[\w.+-]*\w")
_THOUSANDS = re.compile(r"\b\d{1,3}(?:[,_ ]\d{3})+\b")


def words(text: str) -> frozenset[str]:
    """The words of a text; numbers also as Python writes them.

    Examples
    --------
    >>> sorted(words("rate 0.30, 1,500"))
    ['0.3', '0.30', '1', '1.0', '1500', '500', '500.0', 'rate']
    """
    found = set(_WORD.findall(text))
    plain = {re.sub(r"\D", "", number) for number in _THOUSANDS.findall(text)}
    return frozenset(found | plain | {known for word in found for known in _number(word)})


def _number(word: str) -> Iterator[str]:
    if len(word) <= 30 and re.fullmatch(r"[+-]?\d+(\.\d+)?", word):
        value = float(word)
        yield str(value)
        if value.is_integer():
            yield str(int(value))


def without_examples(text: str) -> str:
    """Without interactive examples: these are tests."""
    return _EXAMPLE.sub("", text)


def is_page(path: str) -> bool:
    """Whether a file is documentation; what lies among the tests is data of theirs.

    Examples
    --------
    >>> [is_page(p) for p in ("README.md", "docs/rates.rst", "tests/rates.txt", "src/rates.py", "README")]
    [True, True, False, False, True]
    """
    *folders, name = path.casefold().split("/")
    if any(f in ("test", "tests", "testing", "fixtures", "golden", "goldens") for f in folders):
        return False
    return name.partition(".")[0] == "readme" or (name.endswith(PAGES) and (".txt" not in name or "docs" in folders))


def passages(text: str) -> Iterable[frozenset[str]]:
    """Words of each line and each short paragraph of a page, code and examples left out."""
    prose = without_examples(_FENCED.sub("\n", text[:MOST_TEXT]))
    for block in re.split(r"\n[ \t]*\n", prose):
        lines = block.splitlines()
        yield from map(words, lines)
        if len(lines) > 1 and len(block.split()) <= PARAGRAPH and "|" not in block:
            yield words(block)
