"""What a red test showed, within a budget: what was asserted stays, what was printed gives way. Pure."""

from __future__ import annotations

import re

LINE = 400
_PRINTED = re.compile(r"^--- [^\n]* ---$", re.MULTILINE)  # captured output comes after the traceback
_SAID = re.compile(r"^E(?: |$)")
# Frames of whoever imports a test file, a dozen of them for each that cannot be collected, and of our own plug-in.
_NOT_THEIRS = re.compile(
    r"^(?:<frozen importlib\._bootstrap(?:_external)?>:\d+: in \w+|[^\n]*/importlib/__init__\.py:\d+: in import_module"
    r"|[^\n]*/_pytest/(?:python|pathlib|assertion/rewrite)\.py:\d+: in (?:importtestmodule|import_path|exec_module)"
    r"|[^\n]*/bitnet_tui_plugin\.py:\d+: in \w+)\n"
    r"(?:[ \t][^\n]*\n)*",
    re.MULTILINE,
)


def shortened(detail: str, limit: int) -> str:
    """The detail of a result within ``limit`` characters: the end of its stack, then the error, then some output.

    Examples
    --------
    >>> print(shortened("t.py:1: in t\\nE   assert 0\\n--- Captured stdout ---\\n" + "x\\n" * 99, 80))
    t.py:1: in t
    E   assert 0
    --- Captured stdout ---
    [… 98 lines left out …]
    x
    """
    text = "\n".join(map(clipped, _NOT_THEIRS.sub("", detail).strip("\n").split("\n")))
    if len(text) <= limit:
        return text
    at = found.start() if (found := _PRINTED.search(text)) else len(text)
    trace, printed = text[:at].rstrip("\n"), text[at:].strip("\n")
    room = limit - min(len(printed), limit // 4)
    trace = trace if len(trace) <= room else _trace(trace, room)
    if not printed:
        return trace
    header, _, body = printed.partition("\n")
    return "\n".join(part for part in (trace, header, _end(body, limit - len(trace) - len(header))) if part)


def _trace(text: str, limit: int) -> str:
    """The last error of a traceback with its first and last lines, and before it as much as there is room for."""
    lines = text.split("\n")
    last = next((n for n in range(len(lines) - 1, -1, -1) if _SAID.match(lines[n])), -1)
    if last < 0:
        return _end(text, limit)
    first = last
    while first and _SAID.match(lines[first - 1]):
        first -= 1
    error = _ends(lines[first : last + 1], limit * 2 // 3)
    # The frame that raised is above the error; the frames that led to it are further up.
    return "\n".join([_end("\n".join(lines[:first]), limit - len(error)), error, *lines[last + 1 : last + 2]])


def _ends(lines: list[str], limit: int) -> str:
    """The first two thirds and the last third of some lines."""
    if sum(map(len, lines)) + len(lines) <= limit:
        return "\n".join(lines)
    head, tail = list[str](), list[str]()
    for kept, room, source in ((head, limit * 2 // 3, lines), (tail, limit // 3, lines[::-1])):
        for line in source:
            room -= len(line) + 1
            if kept and room < 0:
                break
            kept.append(line)
    left_out = len(lines) - len(head) - len(tail)
    return "\n".join([*head, f"E   [… {left_out} lines left out …]", *tail[::-1]]) if left_out > 0 else "\n".join(lines)


def _end(text: str, limit: int) -> str:
    """The last lines of a text."""
    if len(text) <= limit:
        return text
    lines = text.split("\n")
    kept: list[str] = []
    room = limit - 30
    while lines and (room := room - len(lines[-1]) - 1) >= 0:
        kept.append(lines.pop())
    return "\n".join([f"[… {len(lines)} lines left out …]", *kept[::-1]])


def clipped(line: str, most: int = LINE) -> str:
    """A line that is not longer than people read."""
    return line if len(line) <= most else f"{line[:most]} [… {len(line) - most} more characters]"
