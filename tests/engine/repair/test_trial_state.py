"""What a trial leaves in the globals of a project is noticed, and what merely ran is not."""

import copyreg
import gc
import importlib
import json
import sys
import types
from pathlib import Path

import pytest

from engine.providers.repair.child.install import Images
from engine.providers.repair.child.state import State, begin_alike
from engine.providers.repair.child.steps import Steps
from engine.providers.repair.observe import raised_errors, spelled_words, wanted_names

TEXT = """
import os, warnings
class Node:
    kinds = []
    def __init__(self): self.next = None
made, table, count, names, node = [[]], {1: []}, 0, {"a"}, Node()
def grow(): made.append(1)
def deepen(): made[0].append(1)
def fill(): table[1].append(2)
def change(): table[1] = []
def raise_count():
    global count
    count += 1
def forget(): names.clear()
def link(): node.next = node
def mark(): Node.kinds.append(1)
def name(): Node.later = 1
def warn(): warnings.warn("nothing stays but the note that it was said")
def nothing(): return sorted([*made, *table]) if os.sep == "" else [count, len(names), node.next]
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    path = tmp_path / "globals_under_trial.py"
    path.write_text(TEXT)
    module = types.ModuleType("globals_under_trial")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "globals_under_trial", module)
    exec(compile(TEXT, str(path), "exec"), vars(module))
    return module


@pytest.mark.parametrize(
    "leaves", ["grow", "deepen", "fill", "change", "raise_count", "forget", "link", "mark", "name"]
)
def test_what_stays_behind_is_noticed(module, leaves):
    state = State([str(Path(module.__file__).resolve())])
    state.mark()
    module.nothing()
    assert not state.changed()
    getattr(module, leaves)()
    assert state.changed()
    state.mark()
    assert not state.changed()


@pytest.mark.filterwarnings("default")
def test_a_warning_is_no_change(module):
    state = State([str(Path(module.__file__).resolve())])
    state.mark()
    with pytest.warns(UserWarning, match="nothing stays"):
        module.warn()
    assert vars(module)["__warningregistry__"]
    assert not state.changed()


def test_what_unittest_and_copyreg_write_down_is_no_change(module):
    state = State([str(Path(module.__file__).resolve())])
    state.mark()
    module.Node.tearDown_exceptions = []
    copyreg._slotnames(module.Node)
    assert "__slotnames__" in vars(module.Node)
    assert not state.changed()
    module.Node.later = 1
    assert state.changed()


def test_each_trial_begins_with_the_same_chance():
    import random

    kept = random.getstate()
    begin_alike()
    one = random.random()
    begin_alike()
    assert random.random() == one
    random.setstate(kept)


def test_words_and_errors_of_red_tests():
    assert raised_errors(["KeyError", "AssertionError", "", "KeyError", "OSError"]) == ("KeyError", "OSError")
    assert spelled_words(["x = 'Jupiter and'\ny = 'Io'", "def f(:"]) == ("Jupiter and", "Jupiter")


def test_a_name_that_python_itself_asks_for_is_not_one_that_is_missing():
    texts = ["'Slots' object has no attribute '__dict__'", "cannot import name 'pack' from 'core'"]
    assert wanted_names(texts) == ("pack",)


def test_a_module_that_only_tests_import_joins_those_that_are_edited_in_memory(tmp_path, monkeypatch):
    (tmp_path / "known_beforehand.py").write_text("def f(): return 1\n")
    (tmp_path / "imported_late.py").write_text("def g(): return 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("known_beforehand")
    (tmp_path / "setup.json").write_text(json.dumps({"root": str(tmp_path)}))
    monkeypatch.setenv("BITNET_TUI_REPAIR", str(tmp_path / "setup.json"))
    from engine.providers.repair.child.trials import Trials  # it asks for its set-up as it is imported

    real = {str(path.resolve()): path.name for path in tmp_path.glob("*.py")}
    trials = Trials(None, {"tests": [], "root": str(tmp_path), "whole": []}, None, Steps(), real)
    trials.images = Images(real)
    gc.freeze()  # as a process that serves has done
    try:
        trials.know({"limits": {}, "usual": {}, "preload": ["imported_late"], "memory": 0, "depth": 0})
    finally:
        gc.unfreeze()
    assert sorted(function.__name__ for function in trials.images.functions()) == ["f", "g"]
    for name in ("known_beforehand", "imported_late"):
        del sys.modules[name]
