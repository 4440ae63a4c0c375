"""A hunk of the diff is marked, taken away by a key and brought back: told by a canned run, and by a real one."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from pathlib import Path
from typing import Any

from often import everything
from support import CALC, DONE, FIX_ADD, FIX_MUL, edit, finish, git, make_repo
from textual.pilot import Pilot

from engine import events as ev
from engine.cancel import CancelToken
from engine.feed import Feed
from engine.launch import Options, prepare
from engine.model import Exit, Verdict
from engine.records import journal
from engine.run import Run
from engine.session import Steering
from engine.workspace import diet
from tests.tui.stage import deciding, ended, main, make, screen, settled, until
from tests.tui.story import LEFT, PATCH, Fat, Story
from tests.tui.test_removed import parked, said
from tui.format import diff
from tui.glyphs import UNICODE


def hunks(patch: str) -> list[diff.Hunk]:
    return diff.drawn(patch, UNICODE, 80).hunks


def test_a_hunk_is_found_where_it_is_drawn_with_the_pieces_in_it() -> None:
    drawn = diff.drawn(PATCH, UNICODE, 100, here=0)
    (hunk,) = drawn.hunks
    assert hunk[:4] == ("kernels/i2s.py", 29, 34, 29)
    assert drawn.rows[hunk.row].plain.startswith("▶ line 29")
    assert any("reverse" in str(s.style) for s in drawn.rows[hunk.row].spans)
    assert diff.within(hunk, LEFT) == (0, 2)
    elsewhere = (ev.Piece(5, "kernels/i2s.py", 34, 1, 1), ev.Piece(6, "kernels/i2s.py", 28, 1, 2))
    assert diff.within(hunk, (*elsewhere, ev.Piece(7, "other.py", 31, 1, 1))) == ()


POOL = ["\n", "}\n", "    return x\n", "def f():\n", *(f"line {n}\n" for n in range(9))]


def edited(chance: random.Random, old: list[str]) -> list[str]:
    new: list[str] = []
    for line in old:
        match chance.randrange(25):
            case 0:
                new += []
            case 1:
                new += [chance.choice(POOL)]
            case 2:
                new += [line, *chance.choices(POOL, k=chance.randint(1, 6))]
            case _:
                new += [line]
    return new


def test_without_its_pieces_a_file_is_as_if_git_had_taken_the_hunk_back(tmp_path: Path) -> None:
    """Git and the engine see equal lines in other places; what a person marks is what goes."""
    chance, many = random.Random(7), 0
    for folder in "ab":
        (tmp_path / folder).mkdir()
    for _ in range(25):
        old = chance.choices(POOL, k=60)
        new = edited(chance, old)
        before, after = {"k.py": "".join(old)}, {"k.py": "".join(new)}
        for folder, texts in (("a", before), ("b", after)):
            (tmp_path / folder / "k.py").write_text(texts["k.py"])
        argv = ["git", "diff", "--no-index", "--no-prefix", "-U3", "a/k.py", "b/k.py"]
        patch = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True).stdout
        parts = [f for h in diet.pieces(before, after) for f in diet.finer(h)]
        pieces = [ev.Piece(n, p.path, p.start + 1, len(p.new), p.stop - p.start) for n, p in enumerate(parts)]
        lengths = [int(n or 1) for n in re.findall(r"^@@ -\S+ \+\d+(?:,(\d+))? @@", patch, re.M)]
        for hunk, length in zip(hunks(patch), lengths, strict=True):
            many += 1
            taken = diff.within(hunk, pieces)
            left = diet.assemble(before, [p for n, p in enumerate(parts) if n not in taken], after)
            back = [*new[: hunk.line - 1], *old[hunk.start - 1 : hunk.stop - 1], *new[hunk.line - 1 + length :]]
            assert left["k.py"] == "".join(back), patch
    assert many > 50


def test_hunks_of_new_and_deleted_files_and_of_odd_names_know_their_file() -> None:
    new = "diff --git a/a b.py b/a b.py\nnew file mode 100644\n--- /dev/null\n+++ b/a b.py\t\n@@ -0,0 +1,2 @@\n+x\n+y\n"
    gone = "diff --git a/é.py b/é.py\ndeleted file mode 100644\n--- a/é.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    assert [h[:3] for h in hunks(new + gone)] == [("a b.py", 1, 1), ("é.py", 1, 2)]
    assert diff.within(hunks(new)[0], [ev.Piece(0, "a b.py", 1, 1, 0), ev.Piece(1, "a b.py", 1, 1, 0)]) == (0, 1)


async def test_a_marked_hunk_goes_by_a_key_and_comes_back_by_the_same(tmp_path: Path) -> None:
    run = Fat(folder=tmp_path)
    app = make(run)
    async with app.run_test(size=(80, 24)) as pilot:
        await deciding(pilot)
        await pilot.press("minus")
        assert "mark a hunk of the diff first: ] goes to the next one" in said(app)
        await pilot.press("d")
        await settled(pilot)
        assert "] goes to a hunk, - takes it away   1 file  +2 −1" in screen(app)
        await pilot.press("right_square_bracket", "right_square_bracket", "left_square_bracket")
        await settled(pilot)
        assert "hunk 1 of 1, - takes it away   1 file  +2 −1" in screen(app)
        assert run.reverted == []
        await pilot.press("minus")
        await until(pilot, lambda: run.reverted)
        assert run.reverted == [(0, 2)]
        assert "took 2 pieces away at kernels/i2s.py:29: verified again; u brings back" in said(app)
        await parked(pilot, "after-1-1")
        await pilot.press("minus")
        assert "- is off: this change cannot be taken apart" in said(app)
        await pilot.press("escape", "escape", "2", "g", "enter")
        await settled(pilot)
        assert "by hand       kernels/i2s.py:31  +1 −1" in screen(app)
        await pilot.press("u")
        await settled(pilot)
        assert "What was taken away" in screen(app)
        assert "The diet took 3 pieces away, you took 2 pieces away" in screen(app)
        await pilot.press("minus")
        await until(pilot, lambda: run.restored)
        assert run.restored == [(0, 2)]
        await parked(pilot, "after-1-2")
        await pilot.press("u")
        await settled(pilot)
        assert "What the diet took away" in screen(app)
        await pilot.press("minus")
        assert "you took nothing away" in said(app)
        proposal = app.bridge.state.proposal
        assert proposal is not None
        await pilot.press("escape", "f")
        await ended(pilot)
        app.revert(proposal.id, (0,), "x")
        await pilot.pause()
        assert "too late" in said(app)


async def test_without_a_question_or_a_patch_the_keys_say_why_they_do_nothing(tmp_path: Path) -> None:
    app = make(Story(until="audit", folder=tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("right_square_bracket")
        assert "there is no patch yet" in said(app)
        assert main(app).detail.face == "diff"
        await pilot.press("minus")
        assert "- is off: nothing to decide yet" in said(app)


def script(tmp_path: Path) -> Options:
    """A change of which a person may do without a file, on a run that takes nothing away by itself."""
    folder = make_repo(tmp_path / "repo", CALC | {"other.py": "def g():\n    return 1\n"})
    fat = {"command": "str_replace", "path": "other.py", "old_str": "return 1", "new_str": "return 2"}
    told = tmp_path / "script.json"
    told.write_text(json.dumps([[edit(fat), edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]]))
    config = tmp_path / "config.toml"
    config.write_text("[diet]\nenabled = false\n")
    return Options(folder, config, providers=("scripted",), suites=("cpu",), script=told)


async def by_hand(pilot: Pilot[Any], *keys: str, until_: str) -> None:
    await pilot.press(*keys)
    await parked(pilot, until_)


@everything
async def test_a_real_run_judges_the_change_anew_without_the_hunk_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    options = script(tmp_path)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC", "PYTEST", "CURRENT_FLOW"))}
    run = Run(prepare(options, environ))
    app = make(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await parked(pilot, "after-1")
        first = app.bridge.state.pieces
        assert [(p.path, p.line, p.added, p.removed) for p in first] == [
            ("calc/__init__.py", 2, 1, 1),
            ("calc/__init__.py", 6, 1, 1),
            ("other.py", 2, 1, 1),
        ]
        await by_hand(pilot, "d", "left_square_bracket", "minus", until_="after-1-1")
        assert "other.py" not in (run.folder / "patch.diff").read_text()
        assert "+    return 2" in (run.folder / "removed.diff").read_text()
        attempt = app.bridge.state.attempt
        assert attempt is not None
        assert (attempt.verdict, attempt.change) == (
            Verdict.VERIFIED,
            "+3 −3 → +2 −2, 1 piece taken away by hand",
        )
        assert attempt.change in app.bridge.state.gates["impl"].evidence
        # What the targets need goes, too: that is said, and nobody claimed that it is green.
        await by_hand(pilot, "right_square_bracket", "minus", until_="after-1-2")
        attempt = app.bridge.state.attempt
        assert attempt is not None
        assert attempt.verdict is Verdict.REJECTED
        assert attempt.failing_after == 3
        assert not (run.folder / "patch.diff").exists()
        assert app.bridge.state.gates["impl"].word == "fail"
        await by_hand(pilot, "u", "minus", until_="after-1-3")
        assert app.bridge.state.pieces == first
        assert app.bridge.state.gates["impl"].word == "pass"
        await by_hand(pilot, "d", "left_square_bracket", "minus", until_="after-1-4")
        await pilot.press("f")
        await until(pilot, lambda: app.bridge.gone is not None, "the end", seconds=120)
    assert app.bridge.gone is Exit.OK
    goes_on_from_there(run, prepare(options, environ))


def goes_on_from_there(run: Run, plan: Any) -> None:
    """As a kill left it that came right after the last piece was taken away."""
    path = run.folder / "journal.jsonl"
    patch = (run.folder / "patch.diff").read_bytes()
    records, lines = journal.read(path), path.read_bytes().splitlines(keepends=True)
    last = max(n for n, r in enumerate(records) if isinstance(r.event, ev.PiecesReverted))
    path.write_bytes(b"".join(lines[: last + 1]))
    for name in ("patch.diff", "ledger.md"):
        (run.folder / name).unlink()
    snapshot = next(r.event for r in records if isinstance(r.event, ev.SnapshotTaken))
    git(plan.repository.root, "update-ref", f"refs/bitnet-tui/{run.id}/base", snapshot.commit)
    git(plan.repository.root, "branch", "-q", "-D", f"bitnet-tui/{run.id}")
    again = Run(plan, resume=run.id)
    assert again(Feed(lambda: None), Steering(CancelToken(), ask=False)) is Exit.OK
    assert (run.folder / "patch.diff").read_bytes() == patch
    new = [r.event for r in journal.read(path)[last + 1 :]]
    assert sum(isinstance(e, ev.VerificationFinished) for e in new) == 1
    assert not any(isinstance(e, ev.AttemptStarted) for e in new)
    assert again.state.attempt is not None
    assert again.state.attempt.change == "+3 −3 → +2 −2, 1 piece taken away by hand"
