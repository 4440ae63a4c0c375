"""How much of the Messages API a server is asked for, and how that shrinks when it says no. Pure."""

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


def smaller(profile: Profile, setting: str, message: str, *, own_host: bool) -> Profile | None:
    """The next profile to try after the server called a request invalid; None when there is none."""
    if setting != "auto" or profile == PLAIN:
        return None
    if own_host and profile.thinking and _ABOUT_THINKING.search(message):
        return replace(profile, thinking=False)
    return PLAIN
