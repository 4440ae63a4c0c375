"""The tokenizer of a model: text with or without control tokens to numbers, and numbers to text as they come."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from tokenizers import pre_tokenizers

from kernels.errors import InputError
from kernels.gguf.model import ModelFile
from kernels.tokenizer.build import SPACE, build
from kernels.tokenizer.chat import Guard, render
from kernels.tokenizer.vocabulary import BYTE, CONTROL, UNKNOWN, USER_DEFINED, Vocabulary, read


class Tokenizer:
    """Made from the vocabulary of a file; see `kernels.tokenizer`.

    Text never becomes a control token unless the caller asks for it: what a user wrote cannot end a turn.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.bos, self.eos, self.end_ids = vocabulary.bos, vocabulary.eos, vocabulary.end_ids
        self._inner = build(vocabulary)
        self._control = vocabulary.of_type(CONTROL)
        self._named = vocabulary.of_type(USER_DEFINED)

    @classmethod
    def of(cls, file: ModelFile) -> Tokenizer:
        """The tokenizer in a model file."""
        return cls(read(file))

    def __len__(self) -> int:
        return len(self.vocabulary.tokens)

    def encode(self, text: str, *, add_bos: bool | None = None, special: bool = False) -> list[int]:
        """Numbers of the tokens of a text.

        Parameters
        ----------
        add_bos : begin with the token for that; by default as the file says. So does the one at the end.
        special : control tokens in the text are meant.

        Raises
        ------
        InputError
            The text holds half a surrogate pair, which is no character.
        """
        begin = self.vocabulary.add_bos if add_bos is None else add_bos and self.bos is not None
        ids = [self.bos] if begin and self.bos is not None else []
        ids += self._cut(text, self._control if special else {})
        return ids + ([self.eos] if self.vocabulary.add_eos and add_bos is None and self.eos is not None else [])

    def encode_chat(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Numbers of a conversation, up to where the model answers; what the messages say stays text.

        Parameters
        ----------
        messages : each with a ``role`` and its ``content``.
        """
        guard = Guard(self._control)
        rendered = self.chat([guard.around(message) for message in messages])
        ids = self._cut(rendered, self._control, guard)
        return ids if not ids or self.bos is None or ids[0] == self.bos else [self.bos, *ids]

    def chat(self, messages: Sequence[Mapping[str, str]]) -> str:
        """A conversation as text, by the file's template; control tokens in it look like those in the messages."""
        texts = {"bos_token": self._text(self.bos), "eos_token": self._text(self.eos)}
        return render(self.vocabulary.template, messages, texts)

    def decode(self, ids: Iterable[int], *, special: bool = False) -> str:
        """Text of tokens; bytes that are no UTF-8 show as U+FFFD.

        Parameters
        ----------
        special : show control tokens too.
        """
        stream = Stream(self, special)
        return "".join(stream.add(number) for number in ids) + stream.end()

    def stream(self, *, special: bool = False) -> Stream:
        """What turns tokens into text one by one."""
        return Stream(self, special)

    def raw(self, number: int, *, special: bool = False) -> bytes:
        """The bytes a token stands for."""
        if not 0 <= number < len(self):
            raise InputError(f"token {number}; the vocabulary is 0 to {len(self) - 1}")
        kind, text = int(self.vocabulary.types[number]), self.vocabulary.tokens[number]
        if kind in (CONTROL, UNKNOWN):
            return text.encode() if special else b"" if kind == CONTROL else "\ufffd".encode()
        if kind == USER_DEFINED:
            return text.encode()
        if self.vocabulary.kind == "spm":
            byte = kind == BYTE and re.fullmatch("<0x([0-9A-F]{2})>", text)
            return bytes.fromhex(byte[1]) if byte else text.replace(SPACE, " ").encode()
        return b"".join(self._byte.get(letter) or letter.encode() for letter in text)

    @cached_property
    def _byte(self) -> dict[str, bytes]:
        """By the letter a byte-level tokenizer writes for it, a byte."""
        table = pre_tokenizers.ByteLevel.alphabet()
        plain = {letter for letter in table if letter.isprintable() and ord(letter) < 256}
        shifted = iter(sorted(set(table) - plain))
        return {chr(n) if chr(n) in plain else next(shifted): bytes([n]) for n in range(256)}

    def _text(self, number: int | None) -> str:
        return "" if number is None else self.vocabulary.tokens[number]

    def _cut(self, text: str, control: Mapping[str, int], guard: Guard | None = None) -> list[int]:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(f"character {error.start} of the text is half a surrogate pair") from None
        ids: list[int] = []
        for piece, number in _split(text, {**self._named, **control}):
            if number is not None:
                ids.append(number)
                continue
            piece = guard.freed(piece) if guard else piece
            if piece:
                # A space begins a text, and begins it again behind a token of its own.
                ids += self._inner.encode((" " if self.vocabulary.space else "") + piece).ids
        return ids


class Stream:
    """Text of tokens one by one; the bytes of an unfinished character wait for the next token."""

    def __init__(self, tokenizer: Tokenizer, special: bool = False) -> None:
        self._tokenizer = tokenizer
        self._special = special
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._strip = tokenizer.vocabulary.space

    def add(self, number: int) -> str:
        """The text that is sure now."""
        raw = self._tokenizer.raw(number, special=self._special)
        if self._strip and raw:
            raw, self._strip = raw.removeprefix(b" "), False
        return self._decoder.decode(raw)

    def end(self) -> str:
        """What is left of an unfinished character."""
        return self._decoder.decode(b"", final=True)


def _split(text: str, tokens: Mapping[str, int]) -> Iterator[tuple[str, int | None]]:
    """The text around tokens, and these: the longest that fits, from the left."""
    start = 0
    if tokens:
        pattern = "|".join(re.escape(token) for token in sorted(tokens, key=len, reverse=True))
        for found in re.finditer(pattern, text):
            if found.start() > start:
                yield text[start : found.start()], None
            yield found[0], tokens[found[0]]
            start = found.end()
    if start < len(text):
        yield text[start:], None
