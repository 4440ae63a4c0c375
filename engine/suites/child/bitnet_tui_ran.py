"""Which functions of the project each test begins. Lent beside the plug-in; Python 3.8 syntax, nothing but the library.

A function is named by its file and its first line. With ``sys.monitoring`` only its first call in a test costs
anything; before Python 3.12 each call costs a little, in C. Other threads (there) and other processes are not seen.
"""

import os
import sys

TOOL = 4  # of sys.monitoring; debuggers, coverage and profilers have numbers of their own


class Recorder:
    """Begins at ``start``; ``take`` says what ran since then, by file."""

    def __init__(self, worktree, files):
        self.short = {os.path.join(worktree, name): name for name in files}
        self.known = {}  # file of a code object → its short name, or None
        self.seen = {}  # short name → first lines
        self.monitoring = getattr(sys, "monitoring", None)
        self.profiler = None

    def start(self):
        self.seen = {}
        if self.monitoring is None:
            self._profile()
        elif self.monitoring.get_tool(TOOL) is None:
            events = self.monitoring.events
            self.monitoring.use_tool_id(TOOL, "bitnet-tui")
            self.monitoring.register_callback(TOOL, events.PY_START, self._begun)
            self.monitoring.set_events(TOOL, events.PY_START)
        else:
            self.monitoring.restart_events()

    def take(self):
        if self.profiler is not None:
            self.profiler.disable()
            for entry in self.profiler.getstats():
                if not isinstance(entry.code, str):
                    self._note(entry.code)
            self.profiler = None
        seen, self.seen = self.seen, {}
        return {name: sorted(lines) for name, lines in seen.items()}

    def stop(self):
        if self.monitoring is not None and self.monitoring.get_tool(TOOL) == "bitnet-tui":
            self.monitoring.set_events(TOOL, 0)
            self.monitoring.free_tool_id(TOOL)

    def _profile(self):
        if sys.getprofile() is not None:  # somebody else's
            return
        try:
            import _lsprof
        except ImportError:  # another Python than CPython
            return
        self.profiler = _lsprof.Profiler(subcalls=False, builtins=False)
        self.profiler.enable()

    def _begun(self, code, _offset):
        self._note(code)
        return self.monitoring.DISABLE

    def _note(self, code):
        path = code.co_filename
        try:
            name = self.known[path]
        except KeyError:
            name = self.known[path] = self.short.get(os.path.realpath(path))
        if name is not None:
            self.seen.setdefault(name, set()).add(code.co_firstlineno)
