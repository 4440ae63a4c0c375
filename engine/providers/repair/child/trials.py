"""What a fork does: trace the tests once, or try a batch of edits on them. Results leave as JSON lines.

It must put back what it installed before the next trial, and stop the batch as soon as it cannot.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from typing import Any

from .behave import Behaviour, Calls, functions_of, loaded_functions
from .board import Board
from .bounds import refuse_harm
from .install import Images, Overlay, Undo, Unfit, undo
from .items import ENDLESS, MISSING, PASSED, Ending, Runner, real
from .learn import learn
from .life import Memory, peak, size
from .state import State, begin_alike
from .steps import Steps
from .trace import Tracer

MOST_ENDLESS = 2  # in one trial: a third endless test says no more, and each costs as much as a hundred others
_SIGN_OF_LIFE_S = 1.0
_TOO_DEEP = "RecursionError"
_MOST_STEPS = 20_000_000  # in one test, however long it is given: each is a place in a list
_LONGEST_S = 10.0  # by the clock, however much longer a trial is given


class Trials:
    """The tests of one process and how to run them under an edit."""

    def __init__(self, session: Any, setup: dict[str, Any], runner: Runner, steps: Steps, real: dict[str, str]) -> None:
        self.session = session
        self.runner = runner
        self.images: Images | None = None
        self.overlay: Overlay | None = None
        self.keys: list[str] = list(setup["tests"])
        self.items: dict[int, Any] = {}
        self.errors: list[dict[str, Any]] = []
        self.root = os.path.realpath(setup["root"])
        self._whole = set(setup["whole"])
        self.steps = steps
        self._files = {name: path for path, name in real.items()}
        self._limits: dict[int, tuple[float, int]] = {}
        self._usual: dict[int, list[Any]] = {}
        self._state: State | None = None
        self._room = 0  # bytes that a trial may take
        self._depth = 0  # calls in one another
        self._out: Any = None
        self._heard = 0.0

    def key_of(self, item: Any) -> str:
        """A test's id with its file relative to the root of the copy, whatever pytest takes for its own root."""
        path = os.path.relpath(os.path.realpath(str(item.path)), self.root).replace(os.sep, "/")
        return "::".join([path, *item.nodeid.split("::")[1:]])

    def take_items(self, items: list[Any]) -> None:
        """Learn the collected tests; those of a file that is wanted whole are added to the list."""
        known = {key: at for at, key in enumerate(self.keys)}
        for item in items:
            key = self.key_of(item)
            if key not in known and key.split("::")[0] in self._whole:
                known[key] = len(self.keys)
                self.keys.append(key)
            if key in known:
                self.items[known[key]] = item
        self.runner.prepare(list(self.items.values()))

    def load(self, path: str, name: str) -> None:
        """Give the loaded functions of one file their counted form."""
        try:
            with open(path, encoding="utf-8-sig", newline="") as file:
                self.load_source(name, file.read())
        except (OSError, UnicodeDecodeError, SyntaxError, ValueError):
            return  # not readable as text or not Python: there is nothing loaded to count

    def load_source(self, name: str, source: str) -> None:
        """Make ``source`` the new starting point of a file."""
        if self.images is not None:
            try:
                self.images.load(name, source)
            except Unfit:
                return

    def know(self, request: dict[str, Any]) -> None:
        """Learn how each test usually ends, and its limits."""
        self._limits = {int(at): (limit[0], limit[1]) for at, limit in request["limits"].items()}
        self._usual = {int(at): usual for at, usual in request["usual"].items()}
        self._room, self._depth = request["memory"], request["depth"]
        known = set(sys.modules)
        for name in request["preload"]:
            preload(name)
        if self.images is not None and any(self._is_editable(name) for name in set(sys.modules) - known):
            # What only tests import can be exchanged in memory from now on, like all the rest.
            files = {path: name for name, path in self._files.items()}
            gc.unfreeze()  # what is frozen is not found
            self.images = Images(files)
            for path, name in files.items():
                self.load(path, name)
            gc.freeze()
        self._find_state()

    def _find_state(self) -> State:
        self._state = State([*self._files.values(), *(real(str(item.path)) for item in self.items.values())])
        return self._state

    def work(self, request: dict[str, Any], into: int, board: Board | None = None) -> None:
        """Answer one request, in a fork; results of trials go to the board, if there is one."""
        with os.fdopen(into, "w", encoding="utf-8") as out:
            if request["op"] == "trace":
                self._trace(request, out)
                return
            if request["op"] == "learn":
                learn(self, request, out)
                return
            if request["op"] == "behave":
                self._behave(request, out)
                return
            state = self._state or self._find_state()
            state.mark()
            memory = Memory(self._room)
            self._out = out
            for trial in request["trials"]:
                # What is imported under an edit may take more than tests do.
                memory.hold(little=trial["factor"] <= 1.0 and not trial["early"])
                began = time.monotonic()
                answer = self._try(trial)
                answer["seconds"] = time.monotonic() - began
                if not _say(answer, out, board):
                    return  # what is left is asked for again
                # What a trial left in the project's globals would be held against the next one.
                if self.runner.dirty or state.changed():
                    return
            if len(request["trials"]) > 1 and self._leaks(request["sentinels"]):
                _say({"leak": True}, out, board)

    def _trace(self, request: dict[str, Any], out: Any) -> None:
        tracer = Tracer({path: name for name, path in self._files.items()})
        wanted = [at for at in request["tests"] if at in self.items]
        for patch in request["patches"]:
            assert self.images is not None
            self.images.swap(*patch)
        known, before, wild = set(sys.modules), size(), False
        self.runner.telling = True
        tracer.start()
        tracer.take()
        for nth, at in enumerate(wanted):
            after = self.items[wanted[nth + 1]] if nth + 1 < len(wanted) else None
            began = time.process_time()
            ending = self.runner.run(self.items[at], request["seconds"], request["room"], after)
            seconds = time.process_time() - began
            wild = wild or ending.code == ENDLESS  # what it took says nothing, nor does the peak from here on
            line = {
                "test": at,
                "sign": ending.sign(),
                "frames": ending.frames[-40:],
                "text": ending.text,
                "values": ending.values,
                "lines": tracer.take(),
                "seconds": seconds,
                "steps": self.steps.used,
                "memory": 0 if wild else max(0, peak() - before),
                "loaded": self._ahead(set(sys.modules) - known),
            }
            known |= set(sys.modules)
            out.write(json.dumps(line) + "\n")
            out.flush()
            if self.runner.dirty:
                return

    def _behave(self, request: dict[str, Any], out: Any) -> None:
        """Show what one edit makes of the calls the tests make, and of calls like those."""
        try:
            self._install(request["trial"], [])
        except (Unfit, SyntaxError, ValueError, RecursionError, MemoryError):
            return
        live = self.images.functions() if self.images is not None else loaded_functions()
        files = {path: name for name, path in self._files.items()}
        calls = Calls(functions_of(live, files, request["wanted"]))
        shows = Behaviour(
            self.steps,
            seed=request["seed"],
            seconds=request["seconds"],
            room=request["room"],
            most=request["most"],
        )
        self._run_watched(request["tests"], calls)
        refuse_harm()
        for show in shows.shows(calls.found):
            out.write(json.dumps({"show": show}) + "\n")

    def _run_watched(self, tests: list[int], calls: Calls) -> None:
        for nth, at in enumerate(tests):
            after = self.items.get(tests[nth + 1]) if nth + 1 < len(tests) else None
            seconds, room = self._limits.get(at, (2.0, 200_000))
            if at in self.items:
                calls.watch()
                self.runner.run(self.items[at], seconds * 3, room * 3, after)
                calls.stop()
            if self.runner.dirty:
                return

    def _ahead(self, names: set[str]) -> list[str]:
        """Those modules that are no part of the project, or of which edits are tried."""
        folder = self.root + os.sep
        return [name for name in names if self._is_editable(name) or not inside(sys.modules.get(name), folder)]

    def _is_editable(self, name: str) -> bool:
        path = getattr(sys.modules.get(name), "__file__", None)
        return isinstance(path, str) and real(path) in self._files.values()

    def _try(self, trial: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = {"trial": trial["trial"], "how": "ran", "ends": {}, "broke": -1}
        done: Undo = []
        try:
            self._install(trial, done)
            self._run_tests(trial, answer)
        except Unfit:
            answer["how"] = "unfit"
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            answer["how"] = "invalid"
        finally:
            undo(done)
        return answer

    def _install(self, trial: dict[str, Any], done: Undo) -> None:
        """Put an edit in place; ``done`` takes what `undo` needs, as far as it came."""
        if trial["early"]:
            self._import_again(trial)
            return
        assert self.images is not None
        for patch in trial["patches"]:
            done += self.images.swap(*patch)
        self.images.clear_caches()

    def _run_tests(self, trial: dict[str, Any], answer: dict[str, Any]) -> None:
        better, endless = False, 0
        begin_alike()
        for nth, at in enumerate(trial["tests"]):
            ending = self._end_of(at, trial["factor"])
            answer["ends"][at] = ending.sign()
            better = better or ending.code == PASSED or self._gets_further(at, ending)
            # What the clock or the memory had to end takes longest of all: one such test will do.
            costly = ending.kind == "TimeUp" or (ending.code == ENDLESS and ending.kind.endswith("MemoryError"))
            endless += MOST_ENDLESS if costly else ending.code == ENDLESS or ending.kind == _TOO_DEEP
            vain = not better and trial["probe"] and (nth + 1 >= trial["probe"] or endless >= MOST_ENDLESS)
            if self.runner.dirty or vain:
                return
        if not any(sign[0] == PASSED for sign in answer["ends"].values()):
            return
        for nth, at in enumerate(trial["guard"]):
            after = trial["guard"][nth + 1] if nth + 1 < len(trial["guard"]) else None
            ending = self._end_of(at, trial["factor"] * 2, after)
            if ending.code == ENDLESS and at not in self._usual:
                if self.runner.dirty:
                    return
                continue  # nobody knows how long it takes
            if ending.code != PASSED or self.runner.dirty:
                answer["broke"] = at
                return

    def _end_of(self, at: int, factor: float, after: int | None = None) -> Ending:
        self._say_alive()
        item = self.items.get(at)
        if item is None:
            return self._end_of_file(at)
        seconds, room = self._limits.get(at, (2.0, 200_000))
        clock = min(seconds * factor, max(_LONGEST_S, 4 * seconds))
        steps = min(int(room * factor), _MOST_STEPS)
        following = self.items.get(-1 if after is None else after)
        return self.runner.run(item, clock, steps, following, depth=self._depth if factor <= 1.0 else 0)

    def _say_alive(self) -> None:
        """Where one trial runs hundreds of tests, being silent is not being stuck."""
        now = time.monotonic()
        if self._out is not None and now - self._heard >= _SIGN_OF_LIFE_S:
            if self._heard:
                self._out.write('{"alive": true}\n')
                self._out.flush()
            self._heard = now

    def _end_of_file(self, at: int) -> Ending:
        """A test file as a whole passes when it can be collected."""
        key = self.keys[at] if at < len(self.keys) else ""
        if "::" in key or self.overlay is None:
            return Ending(MISSING)
        for error in self.errors:
            if error["path"] == key:
                ending = Ending("f")
                ending.kind = error["kind"]
                ending.line = error["frames"][-1][1] if error["frames"] else 0
                return ending
        return Ending(PASSED)

    def _gets_further(self, at: int, ending: Ending) -> bool:
        usual = self._usual.get(at)
        if usual is None or ending.code == ENDLESS:
            return False
        return bool(ending.line > usual[2] or (ending.line == usual[2] and 0 <= ending.missed < usual[3]))

    def _import_again(self, trial: dict[str, Any]) -> None:
        """Collect the wanted files under the edit; this process has not imported the project yet."""
        assert self.overlay is not None
        self.overlay.show({self._files[name]: source for name, source in trial["sources"].items()})
        wanted = [*trial["tests"], *trial["guard"]]
        files = list(dict.fromkeys(self.keys[at].split("::")[0] for at in wanted))
        self.errors.clear()
        self.session.perform_collect([os.path.join(self.root, name) for name in files])
        self.take_items(self.session.items)

    def _leaks(self, sentinels: list[int]) -> bool:
        return any(self._end_of(at, 2.0).sign() != self._usual.get(at) for at in sentinels)


def _say(words: dict[str, Any], out: Any, board: Board | None) -> bool:
    """Hand one line on, by way of the board if there is one; false when that is full."""
    line = json.dumps(words) + "\n"
    if board is not None:
        return board.write(line.encode(), last="leak" in words)
    out.write(line)
    out.flush()
    return True


def inside(module: Any, folder: str) -> bool:
    """Whether a module was loaded from below a folder, or from nowhere in particular."""
    path = getattr(module, "__file__", None)
    return path is None or os.path.realpath(path).startswith(folder)


def preload(name: str) -> None:
    """Import ahead what would otherwise be imported in every fork."""
    try:
        importlib.import_module(name)
    except Exception:  # noqa: BLE001 - loading ahead is only for speed; the run itself reports what fails
        return
