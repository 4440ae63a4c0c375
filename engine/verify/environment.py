"""Red tests that no production change can mend: a module, fixture, network, program or right is missing. Pure.

Only what message and frames show clearly counts; wherever production code takes part, a test stays what it was.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.model import TestResult

_FRAME = re.compile(r"^(\S.*?):(\d+): in ", re.MULTILINE)  # of a short traceback
_SHOWN = re.compile(r"^E +(.*)$", re.MULTILINE)
_CUT = re.compile(r"^… \d+ characters left out …$", re.MULTILINE)
_CAPTURED = re.compile(r"^--- .+ ---$", re.MULTILINE)
_TYPE = re.compile(r"^([A-Za-z_][\w.]*)(?:: |$)")
_MODULE = re.compile(r"^(?:ModuleNotFoundError|ImportError): No module named '?([\w.]+)'?")
_FIXTURE = re.compile(r"^fixture '(\w+)' not found$")
_ASYNC = "async def functions are not natively supported"
_UNREACHABLE = re.compile(
    "Temporary failure in name resolution|Name or service not known|nodename nor servname provided"
    "|No address associated with hostname|getaddrinfo failed|Network is unreachable|No route to host"
)
_NO_FILE = re.compile(r"^FileNotFoundError: \[Errno 2\] No such file or directory: '([^']+)'$")
_FORBIDDEN = re.compile(
    r"^(?:PermissionError|OSError): \[Errno (?:1|13|30)\] "
    r"(Permission denied|Operation not permitted|Read-only file system)(?:: '([^']+)')?$"
)
# Of fixtures people meet often; for any other the name has to do.
_PLUGINS = {
    "mocker": "pytest-mock",
    "benchmark": "pytest-benchmark",
    "httpx_mock": "pytest-httpx",
    "requests_mock": "requests-mock",
    "snapshot": "syrupy",
    "qtbot": "pytest-qt",
    "db": "pytest-django",
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of the place where a test was red.

    Attributes
    ----------
    worktree, cwd : whole paths; frames inside the first are the project's, and are told relative to the second.
    own : other folders of the run: what is missing or forbidden there is no matter of the machine.
    judges : whether a file of the worktree is a test or says how tests run; every other is production code.
    holds : whether the project has, or is to have, a module of this name at its top.
    brings_fixtures : production code may be where pytest finds fixtures.
    confined : tests see no network and a read-only machine.
    """

    worktree: str
    cwd: str
    own: tuple[str, ...]
    judges: Callable[[str], bool]
    holds: Callable[[str], bool]
    brings_fixtures: bool
    python: str
    confined: bool


def missing(result: TestResult, around: Surroundings) -> tuple[str, str] | None:
    """What a red test lacks, going on after its name, and what a person can do; None where a change may mend it."""
    text = _CAPTURED.split(result.detail, 1)[0]
    said = _SHOWN.findall(text)
    if result.phase == "setup" and (names := [m[1] for line in said if (m := _FIXTURE.match(line))]):
        return None if around.brings_fixtures else _fixture(names[0])
    if _ASYNC in result.message and result.message.startswith(("Failed: ", _ASYNC)):
        advice = "install the plug-in it is written for (pytest-asyncio, or anyio)"
        return "is async, and no plug-in is installed that runs such tests", advice
    frames = _frames(text, around.cwd)
    if frames is None or any(_production(path, around) for path in frames):
        return None
    if found := _MODULE.match(result.message):
        return None if around.holds(found[1].split(".", 1)[0]) else _module(found[1], around)
    raised = frames[-1]
    if found := _NO_FILE.match(result.message):
        return _program(found[1], raised, around)
    if found := _FORBIDDEN.match(result.message):
        return _right(found[1], found[2] or "", around)
    return _network(result.message, said, _in(raised, around.worktree), around)


def _fixture(name: str) -> tuple[str, str]:
    what = f"install {_PLUGINS[name]}" if name in _PLUGINS else "install the plug-in it comes from"
    why = f"needs the fixture {name}, which no installed plug-in and no conftest.py provides"
    return why, f"{what}, or write it in a conftest.py"


def _module(name: str, around: Surroundings) -> tuple[str, str]:
    top = name.split(".", 1)[0]
    if top in sys.stdlib_module_names:
        return f"needs the module {name}, which this Python lacks", "name another: [python] interpreter"
    why = f"needs the module {name}, which is neither installed nor a file of the project"
    return why, f'install {top} for {around.python}, or give such tests a suite with requires = ["{top}"]'


def _program(name: str, raised: str, around: Surroundings) -> tuple[str, str] | None:
    """Only what was to be started, and lies neither in the project nor where tests write."""
    if os.path.basename(raised) != "subprocess.py" or _in(raised, around.worktree):
        return None
    if "/" in name and (not name.startswith("/") or _is_own(name, around)):
        return None
    return f"needs the program {name}, which is not there", "install it, or leave such tests out with a suite's marker"


def _right(word: str, path: str, around: Surroundings) -> tuple[str, str] | None:
    if path and (not path.startswith("/") or _is_own(path, around)):
        return None
    advice = "give it the right, or leave such tests out with a suite's marker"
    if around.confined:
        advice = 'tests may write their worktree and temp only: [sandbox] mode = "off" lets them do what you may'
    return f"may not use {path}: {word}" if path else f"may not do what it does: {word}", advice


def _network(message: str, said: list[str], by_test: bool, around: Surroundings) -> tuple[str, str] | None:
    kind = _TYPE.match(message)
    if kind is None or kind[1] in ("AssertionError", "Failed") or (by_test and "[Errno " not in message):
        return None
    found = next((m for line in (message, *said) if (m := _UNREACHABLE.search(line))), None)
    if found is None:
        return None
    advice = "run it where the network can be reached"
    if around.confined:
        advice = 'the sandbox cuts the network: [sandbox] mode = "off" lets tests use it'
    return f"needs the network: {found[0]}", f"{advice}, or leave such tests out with a suite's marker"


def _frames(text: str, cwd: str) -> list[str] | None:
    """Files of the frames that are shown, whole paths, the raising one last; None where some may be hidden."""
    head, *rest = _CUT.split(text)
    last = rest[-1] if rest else head
    frames = list(_paths(last, cwd))
    if rest:
        # The last traceback begins in the test, and it must be here from its beginning.
        starts = list(_paths(head, cwd))
        return [*starts, *frames] if starts and starts[0] in frames else None
    return frames or None


def _paths(text: str, cwd: str) -> Iterator[str]:
    for path, _ in _FRAME.findall(text):
        if not path.startswith("<frozen "):
            yield os.path.normpath(os.path.join(cwd, path))


def _production(path: str, around: Surroundings) -> bool:
    if os.path.basename(path).startswith("<") or path.endswith("/unittest/mock.py"):
        return True  # code out of a string, or what somebody made up: who knows
    for root in (around.worktree, os.path.realpath(around.worktree)):
        if _in(path, root):
            return not around.judges(os.path.relpath(path, root))
    return False


def _is_own(path: str, around: Surroundings) -> bool:
    return any(_in(path, folder) for folder in (around.worktree, os.path.realpath(around.worktree), *around.own))


def _in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)
