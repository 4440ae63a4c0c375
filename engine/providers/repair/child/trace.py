"""Record which lines of the editable files a test runs. It must not slow other code down, nor keep values alive."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

Lines = dict[str, list[int]]


class Tracer:
    """Line coverage of a few files; `take` returns what ran since the last call.

    Parameters
    ----------
    files : absolute path of each file of interest, and the short name to report it by.
    """

    def __init__(self, files: dict[str, str]) -> None:
        self._short = {os.path.realpath(path): name for path, name in files.items()}
        self._sets: dict[str, set[int] | None] = {}
        self._hits: dict[str, set[int]] = {}
        self._tool = -1

    def hits_of(self, filename: str) -> set[int] | None:
        """The set that collects this file's lines, or None where the file is of no interest."""
        try:
            return self._sets[filename]
        except KeyError:
            name = self._short.get(os.path.realpath(filename))
            found = None if name is None else self._hits.setdefault(name, set())
            self._sets[filename] = found
            return found

    def start(self) -> None:
        """Begin to record, with ``sys.monitoring`` where there is one."""
        monitoring = getattr(sys, "monitoring", None)
        if monitoring is not None:
            for tool in (4, 3, 2, 5, 1):
                if monitoring.get_tool(tool) is None:
                    monitoring.use_tool_id(tool, "bitnet-tui repair")
                    monitoring.register_callback(tool, monitoring.events.LINE, self._on_line)
                    monitoring.set_events(tool, monitoring.events.LINE)
                    self._tool = tool
                    return
        threading.settrace(self._on_call)
        sys.settrace(self._on_call)

    def stop(self) -> None:
        """End recording and give the tool back."""
        if self._tool >= 0:
            monitoring = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
            monitoring.set_events(self._tool, 0)
            monitoring.register_callback(self._tool, monitoring.events.LINE, None)
            monitoring.free_tool_id(self._tool)
            self._tool = -1
            return
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type,unused-ignore]

    def take(self) -> Lines:
        """Lines seen since the last call, by short name."""
        seen = {name: sorted(lines) for name, lines in self._hits.items() if lines}
        for lines in self._hits.values():
            lines.clear()
        if self._tool >= 0:
            sys.monitoring.restart_events()  # type: ignore[attr-defined,unused-ignore]
        else:
            # A trace function that has raised, as all do at the end of the stack, is taken away by the interpreter.
            sys.settrace(self._on_call)
        return seen

    def _on_line(self, code: CodeType, line: int) -> Any:
        hits = self.hits_of(code.co_filename)
        if hits is not None:
            hits.add(line)
        return sys.monitoring.DISABLE  # type: ignore[attr-defined,unused-ignore]

    def _on_call(self, frame: FrameType, event: str, arg: object) -> Callable[..., Any] | None:
        hits = self.hits_of(frame.f_code.co_filename)
        if hits is None:
            return None
        add = hits.add
        add(frame.f_lineno)

        def on_line(frame: FrameType, event: str, arg: object) -> Callable[..., Any]:
            if event == "line":
                add(frame.f_lineno)
            return on_line

        return on_line
