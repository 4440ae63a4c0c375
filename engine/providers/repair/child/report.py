"""The plug-in of a plain run: write how each test ended, one JSON line each, and change nothing about the run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from .life import Watch
from .plain_options import run_here
from .setup import SETUP


class Plugin:
    """Notes the worst of setup, call and teardown; a test passed only if its call did."""

    def __init__(self) -> None:
        self._watch = Watch(SETUP["life"])
        self._root = os.path.realpath(SETUP["root"])
        self._out = open(SETUP["out"], "w", encoding="utf-8")  # noqa: SIM115 - open for the whole run
        self._wanted = set(SETUP["tests"])
        self._whole = set(SETUP["whole"])
        self._paths: dict[str, str] = {}

    def _say(self, **words: Any) -> None:
        self._out.write(json.dumps(words) + "\n")
        self._out.flush()

    def _place(self, path: Any) -> str:
        return os.path.relpath(os.path.realpath(str(path)), self._root).replace(os.sep, "/")

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self._say(error=report.nodeid, text=str(report.longrepr)[-2000:])

    @pytest.hookimpl(hookwrapper=True)
    def pytest_make_collect_report(self, collector: Any) -> Iterator[None]:
        outcome: Any = yield
        if outcome.get_result().failed:
            self._say(broken=self._place(collector.path))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
        kept: list[Any] = []
        dropped: list[Any] = []
        for item in items:
            place = self._place(item.path)
            key = "::".join([place, *item.nodeid.split("::")[1:]])
            self._paths[item.nodeid] = key
            (kept if key in self._wanted or place in self._whole else dropped).append(item)
        if dropped:
            config.hook.pytest_deselected(items=dropped)
            items[:] = kept

    def pytest_runtest_logreport(self, report: Any) -> None:
        key = self._paths.get(report.nodeid, report.nodeid)
        self._say(test=key, when=report.when, outcome=report.outcome, seconds=report.duration)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: Any) -> None:
    run_here(config)
    config.pluginmanager.register(Plugin(), "bitnet_tui_report_plugin")
