"""Conversations as text by the template of a model file, which is a program of strangers: a child renders it, bounded.

Without a template, that of Microsoft's BitNet b1.58 2B-4T is taken: ``Role: content<|eot_id|>``, then ``Assistant: ``.
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
    "{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] | trim }}<|eot_id|>"
    "{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}"
)

PATIENCE_S = 20.0
"""Seconds a child may take, its start on a busy machine among them."""

MOST_MESSAGES, MOST_CHARACTERS = 10_000, 2**24


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
            env={**os.environ, "PYTHONPATH": path},
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
            raise InputError(f"message {number} is {message!r}; want a role and its content, both text")
    if sum(len(message["content"]) for message in messages) > MOST_CHARACTERS:
        raise InputError(f"the messages are longer than {MOST_CHARACTERS} characters")


class Guard:
    """Keeps what messages say from being read as control tokens, through any template.

    A mark that occurs nowhere else is put around every content and into every control token in it. Templates may cut
    and trim; where a mark is, no control token is found. Then the marks are taken out.
    """

    MARK = "\U0010fffd"

    def __init__(self, control: Iterable[str]) -> None:
        longest_first = sorted(control, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def around(self, message: Mapping[str, str]) -> dict[str, str]:
        """A message that is safe in a template."""
        checked([message])
        text = message["content"].replace(self.MARK, "\ufffd")
        if self._pattern:
            text = self._pattern.sub(lambda found: self.MARK.join(found[0]), text)
        inner = text.strip()
        before, _, after = text.partition(inner) if inner else (text, "", "")
        return {"role": message["role"], "content": f"{before}{self.MARK}{inner}{self.MARK}{after}"}

    def freed(self, text: str) -> str:
        """Text without marks."""
        return text.replace(self.MARK, "")
