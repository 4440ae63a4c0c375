"""How much of the Messages API a server is asked for, and how that shrinks when it says no. Pure.

The first turn is the probe: it asks for everything a Claude takes. A server may refuse it, which says so; or ignore
the half of it, which shows in the answer (another model's name, a tool nobody offered, a call written as prose).
Either way the conversation goes on with less, and what was learnt outlives the attempt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Profile:
    """What a request may hold beyond messages and ordinary tools."""

    name: str
    rich: bool  # the built-in editor, strict tools, cache marks
    thinking: bool


CLAUDE = Profile("claude", rich=True, thinking=True)
PLAIN = Profile("plain", rich=False, thinking=False)

_WRITTEN = re.compile(
    r"<(tool_call|function_call|tool_use|function[=_ ]|invoke)|\[TOOL_CALLS?\]"
    r"|\{\s*\"(name|tool|function)\"\s*:\s*\"(str_replace_based_edit_tool|search|run_tests|finish)\"",
    re.IGNORECASE,
)
_ABOUT_THINKING = re.compile(r"thinking|effort|output_config|adaptive", re.IGNORECASE)


def first(setting: str, *, own_host: bool, model: str) -> Profile:
    """The profile a conversation starts in.

    A server that is not Anthropic's and does not serve a Claude may ignore the built-in editor without
    a word, and its model would then have no editor at all: it gets the plain tools from the start.
    """
    if setting == "plain":
        return PLAIN
    if setting == "claude" or own_host or "claude" in model.lower():
        return CLAUDE
    return PLAIN


def doubt(profile: Profile, setting: str, *, own_host: bool) -> bool:
    """Whether an odd answer may come from a server that ignored what it does not know."""
    return setting == "auto" and profile.rich and not own_host


def written_call(text: str) -> bool:
    """Whether a model wrote a call of a tool as prose, as it does where the server tells it of none.

    Examples
    --------
    >>> written_call('<tool_call>{"name": "search", "arguments": {}}</tool_call>'), written_call("I call search next.")
    (True, False)
    """
    return _WRITTEN.search(text) is not None


def smaller(profile: Profile, setting: str, message: str, *, own_host: bool) -> Profile | None:
    """The next profile to try after the server called a request invalid; None when there is none."""
    if setting != "auto" or profile == PLAIN:
        return None
    if own_host and profile.thinking and _ABOUT_THINKING.search(message):
        return replace(profile, thinking=False)
    return PLAIN
