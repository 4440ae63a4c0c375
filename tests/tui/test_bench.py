"""A benchmark's lines, files and texts: a wrong result has no speed, and nothing from outside is believed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.tui import measured
from tests.tui.story import START
from tui.bench import kept
from tui.bench.child import BASE, Child, verdict
from tui.bench.sheet import Begins, Result, Sheet, Wrong, fold, said
from tui.format import bench
from tui.format.bench import Beside
from tui.glyphs import ASCII, UNICODE

SHEET = measured.sheet()
ALONE = Beside.of(SHEET, None)


def drawn(width: int = 116, before: Sheet | None = None, sheet: Sheet = SHEET) -> list[str]:
    return [bench.row(r, Beside.of(sheet, before), UNICODE, width).plain for r in sheet.rows]


def by_key(sheet: Sheet, backend: str, batch: int) -> Result:
    found = next(r for r in sheet.rows if r.backend == backend and r.batch == batch)
    assert isinstance(found, Result)
    return found


def test_a_wrong_result_is_said_and_never_has_a_speed() -> None:
    wrong = next(line for line in drawn() if "wrong" in line)
    assert wrong.endswith("✗ wrong: max |Δ| 3, 12 of 81920 sums (not timed)")
    assert not any(unit in wrong for unit in (" ms", "µs", "GB/s", "%"))
    row = next(r for r in SHEET.rows if isinstance(r, Wrong))
    assert bench.copied(row, ALONE).endswith("wrong: max |Δ| 3, 12 of 81920 sums (not timed)")
    assert 32 not in bench.series(bench.sweep(SHEET, row))["fast"]


def test_a_row_has_median_spread_rates_share_and_ratio() -> None:
    line = next(text for text in drawn() if "fast" in text)
    assert line.split()[:9] == ["matmul", "i2_s", "2560²", "1", "fast", "212", "µs", "3.1%", "7.73"]
    assert "55 %" in line
    assert "43.1x" in line
    assert [r.cell_length for r in (bench.head(116, UNICODE), bench.head(76, UNICODE))] == [116, 76]
    assert {len(text) for text in drawn() if "wrong" not in text} == {116}
    assert {len(text) for text in drawn(76) if "wrong" not in text} == {76}


def test_the_roof_is_reading_for_cold_weights_and_multiplying_for_hot_ones() -> None:
    cold, hot = by_key(SHEET, "fast", 1), by_key(SHEET, "fast", 128)
    assert cold.roof == pytest.approx(cold.packed_gb_s / measured.READ)
    assert hot.roof == pytest.approx(hot.giga_macs_s / measured.MULTIPLY)


def test_a_change_counts_only_beyond_what_both_measurements_waver() -> None:
    for faster, notable in ((1.02, False), (1.5, True)):
        now = measured.sheet(faster=faster)
        row = by_key(now, "fast", 8)
        assert bench.against(row, Beside.of(now, SHEET)) == pytest.approx(faster)
        assert bench.notable(row, Beside.of(now, SHEET)) is notable
    assert drawn(before=SHEET, sheet=measured.sheet(faster=1.5))[1].endswith("1.50x")
    assert drawn()[1].endswith("–")  # nothing to be compared with


def test_sorting_keeps_every_row_and_puts_wrong_ones_first() -> None:
    for by in bench.SORTS:
        assert sorted(r.key for r in bench.ordered(SHEET, ALONE, by)) == sorted(r.key for r in SHEET.rows)
    assert isinstance(bench.ordered(SHEET, ALONE, bench.SORTS[1])[0], Wrong)
    times = [r.median_us for r in bench.ordered(SHEET, ALONE, bench.SORTS[1]) if isinstance(r, Result)]
    assert times == sorted(times, reverse=True)


def test_numbers_fit_their_columns() -> None:
    for us in (0.04, 9.96, 99.96, 999.4, 999.6, 99_960, 999_600, 1e7, 9e8):
        assert len(bench.microseconds(us, UNICODE)) <= 8
        assert len(bench.ratio(us)) <= 6
        assert len(bench.rate(us)) <= 5
    assert bench.share(0.644) == "64 %"
    assert bench.share(None) == "–"


@given(st.floats(-1, 2), st.integers(1, 60))
def test_a_bar_has_its_width_and_shows_something(share: float, cells: int) -> None:
    for glyphs in (UNICODE, ASCII):
        text = bench.bar(share, cells, glyphs)
        assert len(text) == cells
        assert text.strip()


def test_bars_say_what_dots_would() -> None:
    lines = [line.plain for line in bench.sweep_table(bench.sweep(SHEET, None), ASCII, 60)]
    assert len([line for line in lines if line.startswith("fast")]) == 3
    assert all(line.isascii() and len(line) <= 60 for line in lines)
    assert "No sweep yet" in bench.sweep_table([], ASCII, 60)[0].plain


@given(st.binary(max_size=200))
def test_lines_without_sense_are_left_out(raw: bytes) -> None:
    what = said(raw)
    assert what is None or fold(Sheet(), what)


@pytest.mark.parametrize(
    "change",
    [
        {"median_us": 0},
        {"median_us": -1.0},
        {"p10_us": 9e9},
        {"packed_gb_s": -1},
        {"median_us": "1e3"},
        {"rows": 1.5},
        {"machine": {"read": "x"}},
    ],
)
def test_a_result_without_sense_is_no_result(change: dict[str, object]) -> None:
    line = measured.result(10.0, "matmul", "fast", 1) | change
    what = said(json.dumps(line).encode())
    assert what is None or not fold(Sheet(), what).rows


def test_what_is_timed_now_is_said_with_its_number() -> None:
    sheet = measured.sheet(until=5)
    assert isinstance(sheet.now, Begins)
    text = bench.under_way("running", sheet, "", UNICODE, 100).plain
    assert text.startswith(" ◐ timing 2 of 9  matmul i2_s 2560² 1 token on fast   x stops it")


def test_text_of_the_child_stays_text() -> None:
    hostile = "[red]x[/red]\x1b[31m\u202e"
    line = {"type": "wrong", **measured.kind(hostile, hostile, 1, name=hostile), "why": hostile}
    what = said(json.dumps(line).encode())
    assert what is not None
    sheet = fold(Sheet(), what)
    text = bench.row(sheet.rows[0], Beside.of(sheet, None), UNICODE, 116).plain
    assert "[red]" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_benchmarks_are_kept_and_the_newest_calm_one_before_is_compared_with(tmp_path: Path) -> None:
    folder = kept.folder_of(tmp_path / "runs" / "4f1c")
    assert folder == tmp_path / "bench"
    assert kept.newest(folder) is None
    old, disturbed, cut, now = (measured.sheet(at=START + n) for n in range(4))
    for sheet in (old, replace(disturbed, disturbed=True), measured.sheet(at=cut.at, until=6), now):
        kept.keep(sheet, folder)
    assert kept.newest(folder) == replace(now, now=None)
    assert kept.compared(folder, now) == replace(old, now=None)
    assert not list(folder.glob("*.part"))


def test_files_that_are_no_benchmark_are_passed_over(tmp_path: Path) -> None:
    kept.keep(measured.sheet(), tmp_path)
    (tmp_path / "99990101T000000-000Z.json").write_text('{"at": "x"}')
    (tmp_path / "99990101T000001-000Z.json").write_bytes(b"\xff\xfe{")
    (tmp_path / "99990101T000002-000Z.json").symlink_to("/dev/zero")
    (tmp_path / "99990101T000003-000Z.json").mkdir()
    found = kept.newest(tmp_path)
    assert found is not None
    assert found.at == START
    assert kept.folder_of(None) is None
    assert kept.folder_of(tmp_path) is None


@pytest.mark.parametrize(
    ("code", "tail", "said_"),
    [
        (0, "", ""),
        (1, "a warning\n", ""),  # something was wrong, which is a result
        (1, "Traceback (most recent call last):\nValueError: x", "fell over (exit 1: ValueError: x)"),
        (1, "python: No module named kernels", "cannot start: python: No module named kernels. Install"),
        (1, "Traceback\nModuleNotFoundError: No module named 'numpy'", "Install the package beside"),
        (2, "unknown backend 'x'\n", "cannot run: unknown backend 'x'"),
        (-11, "", "ended by SIGSEGV"),
        (-9, "", "ended by SIGKILL"),
    ],
)
def test_every_end_of_the_child_is_a_sentence(code: int, tail: str, said_: str) -> None:
    assert said_ in verdict(code, tail)
    assert bool(verdict(code, tail)) is bool(said_)


async def test_a_program_that_is_not_there_is_a_sentence() -> None:
    assert "cannot start" in await Child(("/no/such/python",), lambda _: None).run()


async def test_a_line_without_end_is_passed_over() -> None:
    heard: list[bytes] = []
    code = "import sys; sys.stdout.write('x' * 300_000 + '\\n' + 'end\\n')"
    assert await Child((sys.executable, "-c", code), heard.append).run() == ""
    assert heard[-1] == b"end\n"


async def test_the_real_child_tells_what_it_does_op_by_op() -> None:
    heard: list[bytes] = []
    small = ("--shape", "256x256", "--batch", "16", "--rounds", "1", "--backend", "numpy", "--format", "tq2_0")
    assert await Child((*BASE, *small, "--threads", "1"), heard.append).run() == ""
    sheet = Sheet()
    for line in heard:
        what = said(line)
        assert what is not None, line
        sheet = fold(sheet, what)
    assert sheet.complete
    assert [r.key for r in sheet.rows] == [
        "matmul i2_s 256x256 16 1 hot numpy",
        "pack tq2_0 256x256 0 1 hot numpy",
        "unpack tq2_0 256x256 0 1 hot numpy",
    ]
    assert sheet.kinds == len(sheet.rows) == len(drawn(sheet=sheet))
    assert sheet.machine["python"] == ".".join(map(str, sys.version_info[:3]))
