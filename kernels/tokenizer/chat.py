"""Conversations as text by the template of a model file, which is a program of strangers: a child renders it, bounded.

Without a template, the way of Microsoft's BitNet b1.58 2B-4T is taken: what begins a text, ``Role: content`` and what
ends a turn (``<|eot_id|>`` there) for each message, then ``Assistant: ``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from kernels.errors import InputError
from kernels.gguf.errors import BadTokenizer, plain

DEFAULT = (
    "{{ bos_token }}{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] | trim }}"
    "{{ end_of_turn }}{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}"
)

ROLE = re.compile(r"[A-Za-z][\w-]{0,63}", re.ASCII)
"""What a role looks like: nothing that a template could take for more."""

PATIENCE_S = 20.0
"""Seconds a child may take, its start on a busy machine among them."""

KEPT = ("TZ", "LD_LIBRARY_PATH")
"""What the child is told of the environment, beside where packages are: no secrets."""

MOST_MESSAGES, MOST_CHARACTERS = 10_000, 2**22


def render(template: str | None, messages: Sequence[Mapping[str, str]], tokens: Mapping[str, str]) -> str:
    """The conversation, and what comes before the model's answer.

    Raises
    ------
    InputError
        Messages are not ``{"role": …, "content": …}``, or the template refuses them.
    BadTokenizer
        The template is no template, or takes more time, memory or text than it may.
    """
    checked(messages)
    given = {
        "template": template or DEFAULT,
        "messages": [dict(message) for message in messages],
        "tokens": dict(tokens),
    }
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    where = "key tokenizer.chat_template"
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "kernels.tokenizer.render"],
            input=json.dumps(given).encode(),
            env={"PYTHONPATH": path, **{name: os.environ[name] for name in KEPT if name in os.environ}},
            capture_output=True,
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        raise BadTokenizer(f"the template takes more than {PATIENCE_S:.0f} s", where=where) from None
    try:
        said = json.loads(done.stdout)
    except ValueError:
        raise BadTokenizer(f"the template ended its child with {done.returncode}", where=where) from None
    if "refused" in said:
        raise InputError(f"the model's chat template refuses the messages: {plain(said['refused'])}")
    if "error" in said:
        raise BadTokenizer(plain(said["error"]), where=where)
    text: str = said["text"]
    return text


def checked(messages: Sequence[Mapping[str, str]]) -> None:
    """Refuse what is no conversation."""
    if not messages or len(messages) > MOST_MESSAGES:
        raise InputError(f"{len(messages)} messages; want 1 to {MOST_MESSAGES}")
    for number, message in enumerate(messages):
        parts = [message.get("role"), message.get("content")] if isinstance(message, Mapping) else [None]
        if not all(isinstance(part, str) for part in parts) or len(message) != 2:
            raise InputError(f"message {number} is {plain(repr(message))}; want a role and its content, both text")
        if not ROLE.fullmatch(message["role"]):
            raise InputError(f"message {number} has the role {plain(repr(message['role']))}; want a word")
    if sum(len(message["content"]) for message in messages) > MOST_CHARACTERS:
        raise InputError(f"the messages are longer than {MOST_CHARACTERS} characters")


class Guard:
    """Keeps what messages say from being read as control tokens, through any template.

    A character that occurs nowhere is the mark. It stands before every content and behind each character in one that
    a control token may begin with: whatever a template cuts away or writes around it, none is found there.

    Parameters
    ----------
    firsts : matches the characters that control tokens begin with.
    texts : all that the mark must not occur in.

    Examples
    --------
    >>> guard = Guard(re.compile("<"), ["a <|end|>"])
    >>> guard.around(" a <|end|>").replace(guard.mark, "#"), guard.freed(guard.around(" a <|end|>"))
    (' #a <#|end|>', ' a <|end|>')
    """

    def __init__(self, firsts: re.Pattern[str], texts: Iterable[str]) -> None:
        used = set().union(*texts)
        free = next((one for one in map(chr, range(0x100000, 0x10FFFE)) if one not in used), None)
        if free is None:
            raise InputError("the messages use every private character")
        self.mark = free
        self._firsts = re.compile(firsts.pattern, re.IGNORECASE)

    def around(self, content: str) -> str:
        """Text that is safe in a template, which may still trim it."""
        marked = self._firsts.sub(lambda found: found[0] + self.mark, content)
        inner = marked.lstrip()
        return marked[: len(marked) - len(inner)] + self.mark + inner if inner else marked

    def freed(self, text: str) -> str:
        """Text without marks."""
        return text.replace(self.mark, "")
