"""The sweep below the table of a benchmark: dots where the terminal has them, else bars.

The plot's package loads NumPy; it is loaded when a sweep is first wanted, and off the screen's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.color import Color, ColorParseError
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui.bench.sheet import REFERENCE, Result
from tui.format import bench
from tui.glyphs import UNICODE, Glyphs

LEAST = (40, 8)  # cells; in less a plot shows nothing


class Sweep(Container):
    """Shows how fast a product is by its number of tokens, on every backend, and what the machine could do."""

    def __init__(self) -> None:
        super().__init__(id="sweep")
        self._rows: Sequence[Result] = ()
        self._glyphs = UNICODE
        self._plots: Any = None  # the package, once it is loaded; False where there is none
        self._plot: Any = None
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield Static(id="sweep-bars", markup=False)

    @property
    def ready(self) -> bool:
        """Whether it will be drawn as it should be from now on."""
        return self._plots is False or self._plot is not None

    async def on_mount(self) -> None:
        self.run_worker(self._load(), exclusive=True)

    async def _load(self) -> None:
        # The plot's canvas writes cells without a style, which what takes the colours away under NO_COLOR cannot read.
        if self.app.no_color:
            self._plots = False
            return
        try:
            self._plots = await asyncio.to_thread(import_module, "textual_plot")
        except ImportError:
            self._plots = False  # bars say the same
        else:
            plot: Widget = self._plots.PlotWidget(id="sweep-plot", allow_pan_and_zoom=False)
            plot.can_focus, plot.display = False, False
            await self.mount(plot)
            plot.margin_top, plot.margin_bottom, plot.margin_left = 0, 1, 8  # type: ignore[attr-defined]
            self._plot = plot
        self._drawn = ()
        self._draw()

    def show(self, rows: Sequence[Result], glyphs: Glyphs) -> None:
        """Draw what changed."""
        self._rows, self._glyphs = rows, glyphs
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        self._drawn = ()
        self._draw()

    def _draw(self) -> None:
        drawn = (tuple(self._rows), self._glyphs, self.app.theme, self.size, self._plot is None)
        if drawn == self._drawn or not self.is_mounted:
            return
        self._drawn = drawn
        self.border_title = bench.sweep_title(self._rows, self._glyphs)
        room = self.size.width >= LEAST[0] and self.size.height >= LEAST[1]
        dots = self._plot is not None and bool(self._rows) and room and not self._glyphs.plain
        bars = self.query_one("#sweep-bars", Static)
        bars.display = not dots
        if self._plot is not None:
            self._plot.display = dots
        if dots:
            self._dots(bench.series(self._rows))
        else:
            lines = bench.sweep_table(self._rows, self._glyphs, max(20, self.size.width))
            bars.update(Content("\n").join(lines[: max(1, self.size.height)]))

    def _dots(self, found: dict[str, dict[int, float]]) -> None:
        """A line a backend, and its letter at every point, so that it reads without colour."""
        tokens = sorted({t for points in found.values() for t in points})
        place = {t: n for n, t in enumerate(tokens, 1)}
        plot, mode = self._plot, self._plots.HiResMode.BRAILLE
        plot.clear()
        plot.set_x_formatter(self._formatter([str(t) for t in tokens]))
        plot.set_xticks([float(n) for n in place.values()])
        plot.set_xlimits(0.5, len(tokens) + 0.5)
        plot.set_ylimits(0.0, 1.1 * max(v for points in found.values() for v in points.values()))
        for name, points in found.items():
            style = self._style(name)
            for one, next_ in pairwise(tokens):
                if one in points and next_ in points:  # a gap where there is no right result
                    ends = [float(place[one]), float(place[next_])]
                    plot.plot(ends, [points[one], points[next_]], line_style=style, hires_mode=mode)
        for name, points in found.items():
            x = [float(place[t]) for t in points]
            plot.scatter(x, list(points.values()), marker=name[:1], marker_style=self._style(name))

    def _formatter(self, names: list[str]) -> Any:
        return import_module("textual_plot.axis_formatter").CategoricalAxisFormatter(names)

    def _style(self, name: str) -> str:
        """A colour of the theme by meaning: what is alive, what it is measured by, what could be."""
        token = {"roof": "muted", REFERENCE: "foreground"}.get(name, "text-primary")
        try:
            color = Color.parse(self.app.theme_variables.get(token, "white"))
        except ColorParseError:
            return "white"
        return str(Style(color=color.rich_color))
