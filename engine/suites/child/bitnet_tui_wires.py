"""Whether code under test meddles: with what turns a call into an outcome, with the tests, with other code's frames.

Python 3.8 syntax, standard library only.
"""

import logging
import os
import sys

_getframe = sys._getframe  # ours, whatever code under test makes of it


class Wires:
    """Notices when code under test replaces a part of pytest that turns a call into its outcome.

    Plug-ins do so rightfully; they live in the interpreter's own folders. Code that puts everything back
    between two looks is not seen.
    """

    WATCHED = (
        ("_pytest.reports", "TestReport", "from_item_and_call __init__ failed passed skipped"),
        ("_pytest.runner", "CallInfo", "from_call"),
        ("_pytest.runner", "", "call_and_report call_runtest_hook runtestprotocol pytest_runtest_makereport"),
        ("_pytest.python", "Function", "runtest"),
        ("pluggy", "HookCaller", "__call__"),
        ("_pytest.main", "Session", "_collectfile"),
    )

    LATER = (
        ("unittest.case", "TestCase", "assert fail run __call__ subTest"),
        ("unittest.case", "_AssertRaisesContext", "__exit__"),
        ("_pytest.raises", "RaisesExc", "__exit__ matches"),
        ("_pytest.python_api", "RaisesContext", "__exit__"),
        ("_pytest.python_api", "ApproxScalar", "__eq__"),  # before pytest 9.1
        ("_pytest.approx", "ApproxScalar", "__eq__"),
        ("_pytest.approx", "ApproxBase", "__eq__"),
        (
            "builtins",
            "",
            "abs all any bool dict float int isinstance len list max min repr round set sorted str sum type",
        ),
        ("math", "", "isclose isnan fabs"),
        ("operator", "", "eq ne"),
        ("numpy.testing", "", "assert"),
    )
    """What tests decide by, loaded or not: where its code lies is looked at. ``assert``: all that begins so."""

    def __init__(self):
        self.places = {}  # whether a file is the interpreter's own
        self.before = []
        for module, owner, names in self.WATCHED:
            home = sys.modules.get(module)
            home = getattr(home, owner, None) if owner else home
            there = [n for n in names.split() if home is not None and hasattr(home, n)]
            self.before += [(home, name, getattr(home, name)) for name in there]
        self.own = tuple(os.path.realpath(p) + os.sep for p in {sys.prefix, sys.base_prefix})

    def replaced(self):
        """Names of what code from outside the interpreter's folders has replaced."""
        found = []
        for home, name, old in self.before:
            new = getattr(home, name)
            if new == old:
                continue
            code = getattr(getattr(new, "__func__", getattr(new, "fget", new)), "__code__", None)
            if code is None or not self._own(code):
                found.append(getattr(home, "__name__", "") + "." + name)
        return found + list(self._later())

    def _later(self):
        for module, owner, names in self.LATER:
            home = sys.modules.get(module)
            home = getattr(home, owner, None) if owner else home
            if home is None:
                continue
            there = vars(home)
            for name in names.split():
                wanted = [n for n in there if n.startswith("assert")] if name == "assert" else [name]
                for each in wanted:
                    code = getattr(there.get(each), "__code__", None)
                    if code is not None and not self._own(code):
                        yield (owner or module) + "." + each

    def _own(self, code):
        name = code.co_filename
        if name not in self.places:
            self.places[name] = os.path.realpath(name).startswith(self.own)
        return self.places[name]


class Peeks:
    """Notices when code under test reads the tests, or looks at frames, all objects, or the code of functions.

    What Python audits cannot be hidden by how it is spelt. Only what code of the worktree asks for itself counts:
    logging looks at frames for everybody. That it shows lines of an exception is told apart: it is a peek of code that
    a change has touched, and the habit of all other code.
    """

    WATCHED = frozenset(
        ("open", "sys._getframe", "sys._current_frames", "gc.get_objects", "gc.get_referrers", "object.__setattr__")
    )

    def __init__(self, worktree):
        self.root = worktree + os.sep
        self.found = set()
        self.looking = False
        self.logged = logging.Formatter.formatException.__code__

    def hook(self, event, args):
        if event not in self.WATCHED or self.looking:
            return
        self.looking = True  # to find out who asks, frames are looked at
        try:
            self._note(event, args)
        finally:
            self.looking = False

    def _note(self, event, args):
        if event == "open":
            path = args[0]
            if not isinstance(path, str) or not path.endswith(".py") or not self._judges(os.path.realpath(path)):
                return
            who = self._asker(50)
            what = ("logged a line of " if self._is_logged() else "read ") + os.path.basename(path)
        elif event == "object.__setattr__":
            if len(args) < 2 or args[1] != "__code__":
                return
            who, what = self._asker(1), "replaced the code of a function"
        else:
            who, what = self._asker(1), "called " + event
        if who:
            self.found.add(who + " " + what)

    def _judges(self, path):
        """Whether a file is of the tests, by its name."""
        if not path.startswith(self.root):
            return False
        name = os.path.basename(path)  # other files beside the tests are their data
        return name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"

    def _is_logged(self):
        """Whether logging writes down an exception, of which Python shows the lines."""
        frame = _getframe(3)
        while frame is not None:
            if frame.f_code is self.logged:
                return True
            if frame.f_code.co_filename.startswith(self.root):
                return False
            frame = frame.f_back
        return False

    def _asker(self, depth):
        """The production file that asks: the nearest frame of the worktree, within so many; empty if it judges."""
        frame = _getframe(3)
        while frame is not None and depth:
            name = frame.f_code.co_filename
            if name.startswith("<"):
                if depth == 1 and not name.startswith("<frozen"):
                    return "code out of a string"
                frame = frame.f_back
                continue
            path = os.path.realpath(name)
            if path.startswith(self.root):
                return "" if self._judges(path) else path[len(self.root) :]
            frame, depth = frame.f_back, depth - 1
        return ""
