"""Takes keys out of what is written and shown: those of the environment by value, others by their shape. Pure.

One place each: the recorder redacts events and lines, the keeper ledger and receipt, the attempt its transcript,
and the edges that print errors or a patch what they print. Three things stay as they are. The patch and the
commit's files must fit the user's files to the byte; an advisory names a key that a change adds. The names of files
are what the run finds them by. A test's id is looked up again, too: only its parameters are redacted, each key by a
word of its own (see ``engine/suites/names.py``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from engine.records.shapes import CLOSES, INSIDE, OPENS, SHAPES, Shape

T = TypeVar("T")

# Names of variables that hold a secret.
_SECRET = re.compile(
    r"(?:^|[_-])(?:\w*API_?)?(?:KEYS?|TOKENS?|SECRETS?|PASS(?:WORD|WD|PHRASE)?S?|PWD|CREDENTIALS?|CREDS?|AUTH|PAT|PRIVATE|COOKIE)"
    r"(?:$|[_-])|(?:TOKEN|SECRET|PASSWORD|PASSWD|APIKEY)S?$",
    re.IGNORECASE,
)
# Values such variables have where they hold none; redacting them would make reports unreadable.
_HARMLESS = """
anonymous changeme changeit credentials database default default-key deadbeef dev-key disabled development dummy-key
enabled example external fake-key integration internal keychain keyring localhost no-token none-set not-needed
notneeded optional password password1 passw0rd postgres private production redacted required secret-key something
staging standard test-key test-token testing undefined username
"""
_WORDS = frozenset(_HARMLESS.split())
_PATH = re.compile(r"(?:~|\.{1,2}|[A-Za-z]:)?[/\\](?:[\w.@+~-]{0,32}[/\\])*[\w.@+~-]{0,32}|file:.*")
_IN_URL = re.compile(r"://[^\s/:@]*:([^\s/@]+)@")
_LONG = 8  # a shorter value is in too many words
_LINES = 16  # a line of a value of several lines that is this long is a secret by itself
# What the run finds things by: file names, shas, ids, keys of tests. They are no place for a key, see above.
_EXACT = """
run root prefix suite suites nodeid path files tree commit head sha sha256 packages_sha256 agent_source script
tests targets flaky fixed broken still gone rewritten replaced peeked foreign outcome kind id traceback
"""
_IDENTITIES = frozenset(_EXACT.split())


@dataclass(frozen=True, slots=True)
class Redactor:
    """Knows some secrets by value, others by shape.

    Parameters
    ----------
    known
        Secret values, with the name of what holds them.

    Examples
    --------
    >>> redactor = Redactor.of({"DB_PASSWORD": "tea and biscuits"})
    >>> redactor.text("login with tea and biscuits: denied")
    'login with ‹redacted: DB_PASSWORD›: denied'
    >>> redactor.text("https://me:sesame@example.org/x")
    'https://‹redacted: password›@example.org/x'
    """

    known: Mapping[str, str] = field(default_factory=dict, repr=False)
    _shapes: tuple[Shape, ...] = field(init=False, repr=False)
    _marks: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shapes = SHAPES
        if self.known:
            values = sorted(self.known, key=len, reverse=True)
            shapes = (Shape("", tuple(values), "|".join(map(re.escape, values))), *shapes)
        object.__setattr__(self, "_shapes", shapes)
        object.__setattr__(self, "_marks", tuple(dict.fromkeys(m for s in shapes for m in s.marks)))

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Redactor:
        """One that knows what the variables hold whose names say that they hold a secret."""
        found: dict[str, str] = {}
        for name, value in environ.items():
            secret = value.strip() if _SECRET.search(name) else ""
            if not secret and (inner := _IN_URL.search(value)):
                secret = inner[1]
            for form in _forms(secret):
                found.setdefault(form, name)
        masks = "".join(_mask(kind) for kind in (*found.values(), *(s.kind for s in SHAPES)))
        return cls({form: name for form, name in found.items() if form not in masks})

    def text(self, text: str) -> str:
        """``text`` with a word in place of every key; the same object if there is none."""
        for mark in self._marks:
            if mark in text:
                return self._redacted(text)
        return text

    def _redacted(self, text: str) -> str:
        for shape in self._shapes:
            if any(mark in text for mark in shape.marks):
                text = shape.pattern.sub(lambda m, kind=shape.kind: self._put(m, kind, ""), text)  # type: ignore[misc]
        return text

    def _put(self, match: re.Match[str], kind: str, more: str) -> str:
        """What was matched, with a word in place of the secret in it."""
        secret, start = match[match.lastindex or 0], match.start()
        first, last = match.span(match.lastindex or 0)
        return match[0][: first - start] + _mask((kind or self.known[secret]) + more) + match[0][last - start :]

    def values(self, text: str) -> str:
        """``text`` without the secrets known by value. What only looks like a key stays: it may be a test's own."""
        for secret in sorted(self.known, key=len, reverse=True):
            if secret in text:
                text = text.replace(secret, _mask(self.known[secret]))
        return text

    def kinds(self, text: str) -> tuple[str, ...]:
        """What kinds of keys are in ``text``."""
        found = [s.kind for s in self._shapes if any(m in text for m in s.marks) and s.pattern.search(text)]
        return tuple(dict.fromkeys(kind or "environment" for kind in found))

    def named(self, text: str) -> tuple[str, dict[str, str]]:
        """``text`` with a word of its own for each key, and what each word stands for.

        The word holds six digits of the key's digest: too few to tell anything of it, enough to keep two apart.
        """
        words: dict[str, str] = {}
        for shape in self._shapes:
            if any(mark in text for mark in shape.marks):

                def word(match: re.Match[str], kind: str = shape.kind) -> str:
                    secret = match[match.lastindex or 0]
                    digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:6]
                    words[_mask(f"{kind or self.known[secret]} {digest}")] = secret
                    return self._put(match, kind, f" {digest}")

                text = shape.pattern.sub(word, text)
        return text, words

    def data(self, value: Any) -> Any:
        """Plain data with every text in it redacted, the keys of mappings, too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.data(k): self.data(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(v) for v in value]
        return value

    def noun(self, value: T) -> T:
        """A record of ours with every text in it redacted but names of files and tests; itself if there is none."""
        return self._part(value)  # type: ignore[no-any-return]

    def _part(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind is tuple:
            parts = tuple(self._part(v) for v in value)
            return parts if any(a is not b for a, b in zip(parts, value, strict=True)) else value
        if isinstance(value, msgspec.Struct):
            changed = {}
            for name in value.__struct_fields__:
                if name not in _IDENTITIES:
                    old = getattr(value, name)
                    new = self._part(old)
                    if new is not old:
                        changed[name] = new
            return replace(value, **changed) if changed else value
        return value

    def hidden(self, text: str) -> dict[str, str]:
        """Lines of a text that hold a key or a part of one, with what may be shown in their place."""
        shown = self.lines()
        return {line: said for line in text.splitlines() if (said := shown(line)) != line}

    def lines(self) -> Lines:
        """For a text that comes line by line."""
        return Lines(self)


@dataclass(slots=True)
class Lines:
    """Redacts one line after the other: all but the first line of a private key look like nothing."""

    redactor: Redactor
    _left: int = 0  # lines the open block may still have

    def __call__(self, line: str) -> str:
        if self._left:
            self._left -= 1
            if closes := CLOSES.search(line):
                self._left = 0
                return _mask("private key") + self.redactor.text(line[closes.end() :])
            if len(line) <= 200 and INSIDE.fullmatch(line):
                return _mask("private key")
            self._left = 0
        if "PRIVATE KEY" in line:
            opened = [m.end() for m in OPENS.finditer(line)]
            if opened and not CLOSES.search(line, opened[-1]):
                self._left = 200
        return self.redactor.text(line)


def _mask(kind: str) -> str:
    return f"‹redacted: {kind}›"


def _forms(value: str) -> Iterator[str]:
    """How a secret value may appear: as it is, as Python or JSON quote it, each of its lines."""
    if len(value) < _LONG or value.lower() in _WORDS or _is_path(value):
        return
    if value.isdecimal() and len(value) < 12:  # a date, a number of bytes
        return
    yield value
    yield from (repr(value)[1:-1], json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
    if "\n" in value:
        # The first and last lines of a key in PEM are no secret, and in every such key.
        yield from (s for s in map(str.strip, value.splitlines()) if len(s) >= _LINES and "-----" not in s)


def _is_path(value: str) -> bool:
    """Whether it is one, and not a secret that happens to begin with a slash."""
    if not _PATH.fullmatch(value):
        return False
    kinds = (str.isupper, str.islower, str.isdigit)
    return not any(
        len(part) >= 12 and all(any(map(is_kind, part)) for is_kind in kinds) for part in re.split(r"[/\\]", value)
    )
