"""Which hooks a project has: those of its settings, and the PostToolUse ones of ``.claude/settings.json``. Pure.

A hook is code of the repository. What is here only names it; ``hooks`` runs it, confined.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.config import Advisories
from engine.plain import one_line

CLAUDE = ".claude/settings.json"
MOST = 1_000_000
"""Characters of a settings file that is looked at."""
MANY = 20
"""Hooks that are run; a project with more has said something else than it meant."""
LONG = 60
# A pattern of a stranger is matched with names of five letters; without braces, and with so few stars, that is quick.
_MATCHER = re.compile(r"[\w|()^$.*+?\-\[\]:/ ]{0,200}")
_STARS = 8


@dataclass(frozen=True, slots=True)
class Hook:
    """A command that looks at an edit.

    Attributes
    ----------
    matcher : names of tools, as a pattern for the whole name; empty and ``*``: every tool.
    timeout_s : what it asks for; 0: nothing.
    folder : of the settings that name it, relative to the repository; ``None`` for those of bitnet-tui.
    """

    command: str
    argv: tuple[str, ...]
    source: str
    matcher: str = ""
    timeout_s: float = 0.0
    folder: str | None = None

    def wants(self, tool: str) -> bool:
        return self.matcher in ("", "*") or re.fullmatch(self.matcher, tool) is not None

    @property
    def name(self) -> str:
        return one_line(self.command, LONG)


@dataclass(frozen=True, slots=True)
class Found:
    """Hooks in the order they run, and what was left out, a sentence each."""

    hooks: tuple[Hook, ...] = ()
    left_out: tuple[str, ...] = ()


def find(settings: Advisories, files: Mapping[str, str]) -> Found:
    """The hooks of a project.

    Parameters
    ----------
    files
        Texts of the Claude settings there are, by their path in the repository; the first one counts.
    """
    found = [Hook(line, tuple(shlex.split(line)), "[advisories] hooks") for line in settings.hooks]
    left_out: list[str] = []
    if settings.claude_settings and files:
        path, text = next(iter(files.items()))
        for it in _claude(path, text):
            if isinstance(it, str):
                left_out.append(it)
            elif all(h.command != it.command or h.folder is None for h in found):  # the same command runs once
                found.append(it)
    if len(found) > MANY:
        left_out.append(f"{len(found) - MANY} hooks more than {MANY} are left out")
    return Found(tuple(found[:MANY]), tuple(left_out))


def _claude(path: str, text: str) -> Iterator[Hook | str]:
    """Hooks of a settings file of Claude Code; a sentence for each part that is of no use here."""
    folder = path.removesuffix(CLAUDE).rstrip("/")
    try:
        data = json.loads(text) if len(text) <= MOST else None
    except (ValueError, RecursionError) as error:
        yield f"{path}: not JSON: {one_line(str(error), 80)}; its hooks are left out"
        return
    if not isinstance(data, dict):
        yield f"{path}: no object, or larger than 1 MB; its hooks are left out"
        return
    events = data.get("hooks") or {}
    groups = events.get("PostToolUse") or [] if isinstance(events, dict) else None
    if not isinstance(groups, list):
        yield f"{path}: hooks.PostToolUse is no list; its hooks are left out"
        return
    for group in [] if data.get("disableAllHooks") is True else groups:
        inner = group.get("hooks") if isinstance(group, dict) else None
        matcher = group.get("matcher") or "" if isinstance(group, dict) else ""
        if not isinstance(inner, list):
            yield f"{path}: a group of hooks.PostToolUse has no list of hooks; it is left out"
        elif not _usable(matcher):
            told = one_line(repr(matcher), LONG)
            yield f"{path}: the matcher {told} is no pattern for names of tools; its hooks are left out"
        else:
            for given in inner:
                yield _hook(given, matcher, path, folder)


def _hook(given: Any, matcher: str, path: str, folder: str) -> Hook | str:
    if not isinstance(given, dict) or given.get("type", "command") != "command":
        return f"{path}: a hook that is no command is left out"
    command = given.get("command")
    if not isinstance(command, str) or not command.strip() or "\0" in command:
        return f"{path}: a hook without a command is left out"
    said = one_line(command, LONG)
    if given.get("async") is True:
        return f"{path}: `{said}` runs beside the work (async), so nothing it says would be heard; it is left out"
    if given.get("if"):
        return f"{path}: `{said}` has a condition (if); it is left out"
    asked = given.get("timeout")
    timeout = float(asked) if isinstance(asked, int | float) and not isinstance(asked, bool) and 0 < asked < 1e6 else 0
    return Hook(command, ("sh", "-c", command), path, matcher, timeout, folder)


def _usable(matcher: object) -> bool:
    if not isinstance(matcher, str):
        return False
    if matcher == "*":
        return True
    if not _MATCHER.fullmatch(matcher) or sum(map(matcher.count, "*+?")) > _STARS:
        return False
    try:
        re.compile(matcher)
    except re.error:
        return False
    return True
