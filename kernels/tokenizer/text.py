"""The tokenizer of a model: text with or without control tokens to numbers, and numbers to text as they come."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from tokenizers import pre_tokenizers

from kernels.errors import InputError
from kernels.gguf.model import ModelFile
from kernels.tokenizer.build import build
from kernels.tokenizer.chat import Guard, checked, render
from kernels.tokenizer.marks import Marks
from kernels.tokenizer.pieces import SPACE
from kernels.tokenizer.vocabulary import BYTE, CONTROL, UNKNOWN, USER_DEFINED, Vocabulary, read

MOST_CHARACTERS = 2**22
"""Of a text; no model has a context for more."""


class Tokenizer:
    """Made from the vocabulary of a file; see `kernels.tokenizer`.

    Text never becomes a control token unless the caller asks for it: what a user wrote cannot end a turn. It comes
    back from its tokens as it was, but for ``▁`` in an ``spm``, which is its space, and for characters that such a
    vocabulary knows neither as pieces nor by their bytes.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.bos, self.eos, self.eot = vocabulary.bos, vocabulary.eos, vocabulary.eot
        self.end_ids = vocabulary.end_ids
        self._inner = build(vocabulary)
        self._named = Marks(vocabulary.of_type(USER_DEFINED))
        self._marks = Marks(vocabulary.of_type(USER_DEFINED, CONTROL, UNKNOWN))

    @classmethod
    def of(cls, file: ModelFile) -> Tokenizer:
        """The tokenizer in a model file."""
        return cls(read(file))

    def __len__(self) -> int:
        return len(self.vocabulary.tokens)

    def encode(self, text: str, *, add_bos: bool | None = None, special: bool = False) -> list[int]:
        """Numbers of the tokens of a text: at most one a byte, one a stretch for the space before it, and two.

        Parameters
        ----------
        add_bos : begin with the token for that; by default as the file says. So does the one at the end.
        special : control tokens in the text are meant.

        Raises
        ------
        InputError
            The text holds half a surrogate pair, which is no character, or is longer than any context.
        """
        begin = self.vocabulary.add_bos if add_bos is None else add_bos and self.bos is not None
        ids = [self.bos] if begin and self.bos is not None else []
        ids += self._cut(_characters(text), self._marks if special else self._named)
        return ids + ([self.eos] if self.vocabulary.add_eos and add_bos is None and self.eos is not None else [])

    def encode_chat(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Numbers of a conversation, up to where the model answers; what the messages say stays text.

        Parameters
        ----------
        messages : each with a ``role`` and its ``content``.
        """
        checked(messages)
        guard = Guard(self._marks.firsts, [self.vocabulary.template or "", *(each["content"] for each in messages)])
        rendered = self.chat([{**each, "content": guard.around(each["content"])} for each in messages])
        ids: list[int] = []
        for piece, number in self._marks.split(_characters(rendered)):
            ids += self._cut(guard.freed(piece), self._named) if number is None else [number]
        begun = not self.vocabulary.add_bos or self.bos is None or ids[:1] == [self.bos]
        return ids if begun or self.bos is None else [self.bos, *ids]

    def chat(self, messages: Sequence[Mapping[str, str]]) -> str:
        """A conversation as text, by the file's template; control tokens in it look like those in the messages."""
        ends = (self.eot, self.eos)
        texts = {
            "bos_token": self._text(self.bos),
            "eos_token": self._text(self.eos),
            "unk_token": self._text(self.vocabulary.unknown),
            "end_of_turn": next((self._text(number) for number in ends if number is not None), "\n"),
        }
        return render(self.vocabulary.template, messages, texts)

    def decode(self, ids: Iterable[int], *, special: bool = False) -> str:
        """Text of tokens; bytes that are no UTF-8 show as U+FFFD.

        Parameters
        ----------
        special : show control tokens too.
        """
        stream = self.stream(special=special)
        return "".join(stream.add(number) for number in ids) + stream.end()

    def stream(self, *, after: Sequence[int] = (), special: bool = False) -> Stream:
        """What turns tokens into text one by one.

        Parameters
        ----------
        after : the tokens before; a space at the beginning belongs to the text where it goes on from text.
        """
        return Stream(self, special, begins=not after or self._is_mark(after[-1]))

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

    def _is_mark(self, number: int) -> bool:
        return 0 <= number < len(self) and int(self.vocabulary.types[number]) in (CONTROL, USER_DEFINED)

    def _cut(self, text: str, marks: Marks) -> list[int]:
        ids: list[int] = []
        for piece, number in marks.split(text):
            # A space begins a text, and begins it again behind a token of its own.
            ids += self._inner(" " * self.vocabulary.space + piece) if number is None else [number]
        return ids


class Stream:
    """Text of tokens one by one; the bytes of an unfinished character wait for the next token."""

    def __init__(self, tokenizer: Tokenizer, special: bool, begins: bool) -> None:
        self._tokenizer, self._special, self._begins = tokenizer, special, begins
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def known(self) -> int:
        """Tokens there are."""
        return len(self._tokenizer)

    def add(self, number: int) -> str:
        """The text that is sure now."""
        tokenizer = self._tokenizer
        text = self._decoder.decode(tokenizer.raw(number, special=self._special))
        if tokenizer._is_mark(number):
            self._begins = True
            return text
        if tokenizer.vocabulary.kind == "spm":
            text = text.replace(SPACE, " ")  # which vocabularies without this piece spell in bytes
        if text and self._begins:
            self._begins = False
            text = text[tokenizer.vocabulary.space and text[0] == " " :]
        return text

    def end(self) -> str:
        """What is left of an unfinished character."""
        return self._decoder.decode(b"", final=True)


def _characters(text: str) -> str:
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"the text has {len(text)} characters; want at most {MOST_CHARACTERS}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"character {error.start} of the text is half a surrogate pair") from None
    return text
