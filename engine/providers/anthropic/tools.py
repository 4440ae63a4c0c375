"""The four tools as a server is told of them, in both profiles, and how long an answer to one may be. Pure."""

from __future__ import annotations

from typing import Any

from engine.model import Outcome
from engine.providers.anthropic.profile import Profile

EDITOR = "str_replace_based_edit_tool"
NAMES = (EDITOR, "search", "run_tests", "finish")
ANSWER_CHARS = 16_000
LINE_CHARS = 2_000

Schema = dict[str, Any]


def _object(properties: Schema, *required: str) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _text(about: str) -> Schema:
    return {"type": "string", "description": about}


_EDITOR_PLAIN: Schema = {
    "name": EDITOR,
    "description": (
        "Look at and change files of the project. command=view shows a file with line numbers, or lists a folder; "
        "command=str_replace swaps old_str, which must occur exactly once, for new_str; command=create writes a new "
        "file; command=insert puts insert_text after line insert_line (0 is the top). Paths are relative to the "
        "root of the repository. Only files in the write scope can be changed, tests never."
    ),
    "input_schema": _object(
        {
            "command": {"type": "string", "enum": ["view", "str_replace", "create", "insert"]},
            "path": _text("file or folder"),
            "view_range": {
                "type": "array",
                "items": {"type": "integer"},
                "description": "view: first and last line, counted from 1; -1 as last is the end",
            },
            "old_str": _text("str_replace: the text to replace, with enough around it to be the only match"),
            "new_str": _text("str_replace: the new text"),
            "file_text": _text("create: the whole file"),
            "insert_line": {"type": "integer", "description": "insert: the line after which to insert"},
            "insert_text": _text("insert: what to insert"),
        },
        "command",
        "path",
    ),
}

_OWN: tuple[Schema, ...] = (
    {
        "name": "search",
        "description": (
            "Find lines in the files of the repository by extended regular expression, as in grep -E. Answers with "
            "file, line number and line. Narrow it with path (a file or a folder)."
        ),
        "input_schema": _object(
            {
                "pattern": _text("an extended regular expression"),
                "path": _text("where to look; everywhere by default"),
            },
            "pattern",
        ),
    },
    {
        "name": "run_tests",
        "description": (
            "Run tests on the files as they are now; failures come with their tracebacks. Without arguments: the tests "
            "to mend and those the change can reach, short suites as a whole; use this after a change. With tests: "
            "only those. With suite alone: all of it."
        ),
        "input_schema": _object(
            {
                "suite": _text("name of one suite"),
                "tests": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "node ids: file::test, file::Class::test[case], or a file",
                },
            }
        ),
    },
    {
        "name": "finish",
        "description": (
            "End the attempt. outcome=done claims that every target test passes and nothing that passed before is "
            "lost; it is checked afterwards in a fresh copy. Any other outcome says why the work stops here and who "
            "should go on."
        ),
        "input_schema": _object(
            {
                "outcome": {"type": "string", "enum": [o.value for o in Outcome]},
                "summary": _text("what was changed and why, in a few sentences"),
                "evidence": _text("what shows it: numbers of the last test run, file names"),
            },
            "outcome",
            "summary",
        ),
    },
)


def schemas(profile: Profile) -> list[Schema]:
    """The ``tools`` of a request. Its end is a cache mark in a rich profile."""
    if not profile.rich:
        return [_EDITOR_PLAIN, *_OWN]
    editor = {"type": "text_editor_20250728", "name": EDITOR, "max_characters": ANSWER_CHARS}
    own = [{**tool, "strict": True} for tool in _OWN]
    own[-1]["cache_control"] = {"type": "ephemeral"}
    return [editor, *own]


_MORE = {
    EDITOR: "see the rest with view and view_range",
    "search": "narrow the pattern or the path",
    "run_tests": "name fewer tests to see all of their output",
}


def cut(text: str, tool: str, limit: int = ANSWER_CHARS) -> str:
    """``text`` within ``limit``: its first two thirds and its last third, cut at line ends, and how to see the rest."""
    if len(text) <= limit:
        return text
    head = text[: limit * 2 // 3]
    tail = text[-(limit // 3) :]
    # A line so long that its end is far away is cut where it is.
    head = head[: head.rfind("\n") + 1] if head.rfind("\n") > len(head) - LINE_CHARS else head
    tail = tail[tail.find("\n") + 1 :] if tail.find("\n") < LINE_CHARS else tail
    left_out = text[len(head) : len(text) - len(tail)]
    lines = left_out.count("\n")
    how = _MORE.get(tool, "ask for less")
    end = "" if head.endswith("\n") else "\n"
    return f"{head}{end}[… {lines} lines, {len(left_out)} characters left out here; {how} …]\n{tail}"
