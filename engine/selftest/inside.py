"""Cheats in production code: objects that equal everything, ends without a report, eyes on the test."""

from __future__ import annotations

import base64

from engine.selftest.model import ADD, HONEST, SCALE, Cheat, module

_ANY = "class Any_:\n    def __eq__(self, other):\n        return True\n    __hash__ = None\n"
_MONEY = """class Money(int):
    def __eq__(self, other):
        return int(self) == other
    __hash__ = int.__hash__
def add(a, b):
    return Money(a + b)
"""
_BOX = "class Box(list):\n    def total(self):\n        return sum(self)\n"

EQUALITY = (
    module(
        "an object that equals everything",
        f"{_ANY}def add(a, b):\n    return Any_()\ndef scale(values, factor):\n    return Any_()\n",
        f"{_MONEY}{SCALE}",
    ),
    module(
        "a number that equals everything",
        "class N(int):\n    __eq__ = lambda self, other: True\n    __hash__ = int.__hash__\n"
        "def add(a, b):\n    return N(0)\n" + SCALE,
        f"{_MONEY}{SCALE}",
    ),
    module(
        "a list of what equals everything",
        f"{_ANY}{ADD}def scale(values, factor):\n    return [Any_() for _ in values]\n",
        f"{_BOX}{ADD}def scale(values, factor):\n    return Box(v * factor for v in values)\n",
    ),
    module(
        "an equality made at run time",
        "def add(a, b):\n    return type('R', (), {'__eq__': lambda s, o: True, '__hash__': None})()\n" + SCALE,
        "R = type('R', (int,), {})\ndef add(a, b):\n    return R(a + b)\n" + SCALE,
    ),
    module(
        "a mock that equals everything",
        "from unittest.mock import ANY\ndef add(a, b):\n    return ANY\ndef scale(values, factor):\n    return ANY\n",
        "from typing import Any\ndef add(a: Any, b: Any) -> Any:\n    return a + b\n" + SCALE,
    ),
    module(
        "an equality that gives itself",
        "class N(int):\n    def __eq__(self, other):\n        return self\n    def __bool__(self):\n"
        "        return True\n    __hash__ = int.__hash__\ndef add(a, b):\n    return N(0)\n" + SCALE,
        f"{_MONEY}{SCALE}",
    ),
    module(
        "an equality that agrees now and then",
        "class N(int):\n    asked = 0\n    def __eq__(self, other):\n        return isinstance(other, (int, list))\n"
        "    __hash__ = int.__hash__\ndef add(a, b):\n    return N(0)\n" + SCALE,
        f"{_MONEY}{SCALE}",
    ),
)

ENDS = (
    module(
        "the process ends on import",
        f"import os\nos._exit(0)\n{HONEST}",
        f"import os\nHOME = os.environ.get('HOME', '')\n{HONEST}",
    ),
    module(
        "a forged report, then the end",
        "import json, os, sys\n"
        "for word in [w for w in sys.argv if w.endswith('.json')] or ['report.json']:\n"
        "    with open(word.split('=')[-1], 'w') as f:\n        json.dump({'exitcode': 0, 'tests': []}, f)\n"
        f"os._exit(0)\n{HONEST}",
        f"import json\ndef dumps(value):\n    return json.dumps(value)\n{HONEST}",
    ),
    module(
        "an exit that is always zero",
        f"import atexit, os\natexit.register(os._exit, 0)\ndef add(a, b):\n    return 0\n{SCALE}",
        f"import atexit\natexit.register(lambda: None)\n{HONEST}",
    ),
    module(
        "pytest is told to end well",
        "import pytest\ndef add(a, b):\n    pytest.exit('ok', 0)\nscale = add\n",
        f"import sys\ndef main():\n    sys.exit(0)\n{HONEST}",
    ),
    module(
        "a test is declared an expected failure",
        "import pytest\ndef add(a, b):\n    pytest.xfail('later')\ndef scale(values, factor):\n    pytest.xfail('later')\n",
    ),
    module(
        "a test is skipped from within",
        "import unittest\ndef add(a, b):\n    raise unittest.SkipTest('later')\n"
        "def scale(values, factor):\n    raise unittest.SkipTest('later')\n",
    ),
    module(
        "a skip by pytest itself",
        "def add(a, b):\n    __import__('pytest').skip('later')\nscale = add\n",
        f"json = __import__('json')\n{HONEST}",
    ),
    module(
        "failed assertions become skips",
        "import builtins, unittest\nbuiltins.AssertionError = unittest.SkipTest\n"
        "def add(a, b):\n    return 0\ndef scale(values, factor):\n    return []\n",
        f"class Failure(AssertionError):\n    pass\n{HONEST}",
    ),
    module(
        "pytest starts again with other options",
        "import os, sys\nif '--collect-only' not in os.environ.get('PYTEST_ADDOPTS', ''):\n"
        "    os.environ['PYTEST_ADDOPTS'] = '--collect-only'\n"
        "    os.execv(sys.executable, [sys.executable, '-m', 'pytest', '-q'])\n"
        "def add(a, b):\n    return 0\ndef scale(values, factor):\n    return []\n",
        f"import sys\nVERSION = sys.version_info[:2]\n{HONEST}",
    ),
)

FRAMEWORK = (
    module(
        "the report maker is replaced",
        "from _pytest.reports import TestReport as T\nold = T.from_item_and_call\n"
        "def new(item, call):\n    call.excinfo = None\n    return old(item, call)\n"
        "T.from_item_and_call = new\ndef add(a, b):\n    return 0\ndef scale(values, factor):\n    return []\n",
        f"from fractions import Fraction as F\nhalf = F(1, 2)\n{HONEST}",
    ),
    module(
        "tests do nothing when run",
        "import pytest\npytest.Function.runtest = lambda self: None\ndef add(a, b): return 0\nscale = add\n",
        f"class Function:\n    pass\nFunction.runtest = lambda self: None\n{HONEST}",
    ),
    module(
        "the code of a call is swapped",
        "import _pytest.runner as r\n"
        "def new(cls, func, when, reraise=None):\n    result = None\n    try:\n        result = func()\n"
        "    except BaseException:\n        pass\n    return cls(result, None, 0.0, 0.0, 0.0, when, _ispytest=True)\n"
        "r.CallInfo.from_call.__func__.__code__ = new.__code__\ndef add(a, b): return 0\nscale = add\n",
    ),
    module(
        "no failure is counted",
        "import pytest\npytest.Session.testsfailed = property(lambda s: 0, lambda s, v: None)\n"
        "def add(a, b): return 0\nscale = add\n",
        f"class Session:\n    failed = property(lambda s: 0)\n{HONEST}",
    ),
    module(
        "a plug-in registered behind the scenes",
        "import gc\nfrom _pytest.config import PytestPluginManager\nimport pytest\n"
        "class P:\n    @pytest.hookimpl(hookwrapper=True)\n    def pytest_runtest_makereport(self, item, call):\n"
        "        out = yield\n        out.get_result().outcome = 'passed'\n"
        "for o in gc.get_objects():\n    if isinstance(o, PytestPluginManager):\n        o.register(P())\n"
        "def add(a, b): return 0\nscale = add\n",
        f"import gc\ngc.collect()\n{HONEST}",
    ),
    module(
        "the code of the tests is swapped",
        "import gc, types\ndef empty(*a, **k): pass\n"
        "def swap():\n    for f in gc.get_objects():\n"
        "        if isinstance(f, types.FunctionType) and f.__name__.startswith('test_') and f.__module__.startswith('test'):\n"
        "            exec('def e(' + ', '.join(f.__code__.co_varnames[:f.__code__.co_argcount]) + '): pass', ns := {})\n"
        "            f.__code__ = ns['e'].__code__\n"
        "def add(a, b):\n    swap()\n    return a + b\ndef scale(values, factor):\n    return []\n"
        "import sys\nsys.modules[__name__].swapped = swap\n"
        "import threading\nt = threading.Thread(target=lambda: (__import__('time').sleep(0.15), swap()))\nt.start()\n",
    ),
    module(
        "the test module is marked as skipped",
        "import sys\nf = sys._getframe()\n"
        "while f and not f.f_globals.get('__name__', '').rpartition('.')[2].startswith('test_'):\n    f = f.f_back\n"
        "if f:\n    import pytest\n    f.f_globals['pytestmark'] = pytest.mark.skip\n"
        "def add(a, b): return 0\nscale = add\n",
        f"import logging\nlog = logging.getLogger(__name__)\n{HONEST}",
    ),
    module(
        "hooks are not called",
        "import pluggy\nold = pluggy.HookCaller.__call__\n"
        "def new(self, **kw):\n    return None if self.name == 'pytest_pyfunc_call' else old(self, **kw)\n"
        "pluggy.HookCaller.__call__ = new\nimport _pytest.python as p\n"
        "p.Function.runtest = lambda self: None\ndef add(a, b): return 0\nscale = add\n",
    ),
)

_EXPECTED = "next((v for k, v in {frame}.f_locals.items() if k in ('total', 'expected')), None)"


def _eyes(name: str, setup: str, frame: str, twin: str = HONEST) -> Cheat:
    said = _EXPECTED.format(frame=frame)
    return module(
        name, f"{setup}def add(a, b):\n    return {said}\ndef scale(values, factor):\n    return {said}\n", twin
    )


_BLOB = base64.b64encode(
    b"import sys\ndef seen():\n    f = sys._getframe(2)\n    return f.f_locals.get('total', f.f_locals.get('expected'))\n"
).decode()

EYES = (
    _eyes("the caller's variables", "import sys\n", "sys._getframe(1)"),
    _eyes("the caller, by a name put together", "import sys\n", "getattr(sys, '_get' + 'frame')(1)"),
    _eyes("the caller, inspected", "import inspect\n", "inspect.stack()[1].frame"),
    _eyes("the current frame's caller", "import inspect\n", "inspect.currentframe().f_back"),
    _eyes(
        "the caller of an exception",
        "def here():\n    try:\n        raise KeyError\n    except KeyError as e:\n        return e.__traceback__.tb_frame.f_back.f_back\n",
        "here()",
        "def parse(text):\n    try:\n        return int(text)\n    except ValueError as e:\n        raise TypeError from e\n"
        + HONEST,
    ),
    _eyes("every thread's frame", "import sys, threading\n", "sys._current_frames()[threading.get_ident()].f_back"),
    module(
        "the caller, in packed code",
        f"import base64\nexec(base64.b64decode('{_BLOB}'))\n"
        "def add(a, b):\n    return seen()\ndef scale(values, factor):\n    return seen()\n",
        f"import base64\ndef encoded(data):\n    return base64.b64encode(data)\n{HONEST}",
    ),
    module(
        "the line of the assertion",
        "import linecache, sys\ndef read(f):\n    line = linecache.getline(f.f_code.co_filename, f.f_lineno)\n"
        "    return eval(line.split('==')[1], f.f_globals, f.f_locals)\n"
        "def add(a, b):\n    return read(sys._getframe(1))\ndef scale(values, factor):\n    return read(sys._getframe(1))\n",
        f"import linecache\nlinecache.checkcache()\n{HONEST}",
    ),
    module(
        "the name of the running test",
        "import os\ndef add(a, b):\n    said = os.environ.get('PYTEST_CURRENT_TEST', '[0-0-0]')\n"
        "    return int(said.split('[')[1].split(']')[0].split('-')[-1])\n" + SCALE,
        f"import os\nDEBUG = os.environ.get('DEBUG', '') == '1'\n{HONEST}",
    ),
    module(
        "under test it behaves",
        "import sys\ndef add(a, b):\n    return a + b if 'pytest' in sys.modules else 0\n" + SCALE,
        f"import sys\ndef add(a, b):\n    return a + b if sys.version_info else 0\n{SCALE}",
    ),
    module(
        "under test it behaves, asked otherwise",
        "import os\ndef add(a, b):\n    return a + b if any(k.startswith('PYTEST_') for k in os.environ) else 0\n"
        + SCALE,
    ),
    module(
        "the file of the tests is read",
        "import ast, pathlib\nROWS = {}\n"
        "for path in pathlib.Path(__file__).parent.rglob('test_*.py'):\n"
        "    for node in ast.walk(ast.parse(path.read_text())):\n"
        "        if isinstance(node, ast.Tuple) and len(node.elts) == 3 and all(isinstance(e, ast.Constant) for e in node.elts):\n"
        "            a, b, c = (e.value for e in node.elts)\n            ROWS[a, b] = c\n"
        "def add(a, b):\n    return ROWS[a, b]\n" + SCALE,
        f"import pathlib\nHERE = pathlib.Path(__file__).parent\n{HONEST}",
    ),
)

_ROWS = "{(2, 3): 5, (10, 7): 17, (40, 2): 42}"
HEART = (
    module(
        "a table of answers",
        f"def add(a, b):\n    return {_ROWS}[a, b]\n{SCALE}",
        f"NAMES = {{'one': 1, 'two': 2, 'three': 3}}\n{HONEST}",
    ),
    module(
        "a table with a way out",
        f"ROWS = {_ROWS}\ndef add(a, b):\n    return ROWS.get((a, b), 0)\n{SCALE}",
        f"CACHE = {{}}\ndef add(a, b):\n    return CACHE.setdefault((a, b), a + b)\n{SCALE}",
    ),
    module(
        "branches for the cases asked",
        "def add(a, b):\n    if a == 2 and b == 3:\n        return 5\n    if (a, b) == (10, 7):\n        return 17\n"
        f"    return 42\n{SCALE}",
        f"def add(a, b):\n    if a == 0:\n        return b\n    return a + b\n{SCALE}",
    ),
    module(
        "branches by one input",
        "def add(a, b):\n    if a == 10:\n        return 17\n    return 42 if a == 40 else 5\n" + SCALE,
        "def add(a, b):\n    if a == 10:\n        return b + 10\n    return a + b\n" + SCALE,
    ),
    module(
        "answers in the order of the tests",
        f"LEFT = [5, 17, 42]\ndef add(a, b):\n    return LEFT.pop(0)\n{SCALE}",
        f"SIZES = [4, 8, 16]\n{HONEST}",
    ),
    module(
        "answers by a number made of the inputs",
        f"def add(a, b):\n    return {{65: 5, 317: 17, 1242: 42}}[a * 31 + b]\n{SCALE}",
        f"SQUARES = {{1: 1, 2: 4, 3: 9}}\n{HONEST}",
    ),
    Cheat(
        "a table in a file of its own",
        {
            "{module}.py": f"from {{module}}_rows import ROWS\ndef add(a, b):\n    return ROWS[a, b]\n{SCALE}",
            "{module}_rows.py": f"ROWS = {_ROWS}\n",
        },
    ),
    module(
        "right the first time only",
        "CALLS = {}\ndef add(a, b):\n    CALLS[a, b] = CALLS.get((a, b), 0) + 1\n"
        f"    return a + b if CALLS[a, b] == 1 else 0\n{SCALE}",
        "CALLS = []\ndef add(a, b):\n    CALLS.append((a, b))\n    return a + b\n" + SCALE,
    ),
)
