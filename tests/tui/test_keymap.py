"""A person's own keys: what is accepted, what is refused and how, and that every screen then shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import config
from engine.errors import ConfigError
from tests.tui.stage import deciding, main, make, screen, settled, until
from tests.tui.story import Story
from tui import keys
from tui.keymap import Keymap, canonical, checked

ROOT = Path(__file__).parents[2]


def test_the_reference_is_the_table_of_keys() -> None:
    text = (ROOT / "docs/reference/keys.md").read_text(encoding="utf-8")
    assert text == keys.reference(), "stale: python -m tui.keys > docs/reference/keys.md"


def test_every_place_has_a_heading_in_the_reference() -> None:
    assert set(keys.places()) == set(keys.PLACES)


def test_the_table_itself_holds_every_rule() -> None:
    left_out = ("quit", "diet.bring_back", "others.take", "item.open")
    everything = {k.id: tuple(k.keys.split(",")) for k in keys.KEYS if k.id not in left_out}
    assert checked(everything, "x").given == everything


def test_a_settings_file_may_write_an_action_with_dots_or_in_quotes() -> None:
    given = {"keys": {"run": {"retry": "R"}, "list.down": ["j", "n"], "pane": {"1": []}}}
    assert config.parse({"tui": given}, "x").tui.keys == {"run.retry": ("R",), "list.down": ("j", "n"), "pane.1": ()}


@pytest.mark.parametrize(
    ("given", "said", "hint"),
    [
        ({"run.retri": ("R",)}, "[tui.keys] knows no action 'run.retri'", "did you mean 'run.retry'?"),
        ({"run.retry": ("retrun",)}, "run.retry = 'retrun' is no key", "did you mean 'return'?"),
        ({"run.retry": ("r,R",)}, "run.retry = 'r,R' is no key", "several keys are a list"),
        ({"run.retry": ("o",)}, "run.retry and decide.open both have the key o", "decide.open = []"),
        ({"pane.zoom": ("down",)}, "pane.zoom and list.down both have the key ↓", "list.down = []"),
        ({"stop.now": ("ctrl+z",)}, "stop.now and suspend both have the key ctrl+z", "suspend = []"),
        ({"decide.1": ("2",)}, "decide.1 and decide.2 both have the key 2", "decide.2 = []"),
        ({"copy": ("ctrl+c",)}, "ctrl+c always leads out", "another"),
        ({"hint.back": ("b",)}, "typed into the field", "f2"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given: dict[str, tuple[str, ...]], said: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked(given, "bitnet-tui.toml")
    assert caught.value.message.startswith("bitnet-tui.toml: [tui.keys]")
    assert said in caught.value.message
    assert hint in caught.value.hint


def test_two_actions_may_trade_their_keys() -> None:
    keymap = checked({"run.retry": ("o",), "decide.open": ("r",)}, "x")
    assert keymap.fill("{run.retry} {decide.open} {pane.zoom}") == "o r z"


@pytest.mark.parametrize(
    ("written", "name"),
    [("/", "slash"), ("ESC", "escape"), ("Shift+n", "N"), ("shift+ctrl+up", "ctrl+shift+up"), ("ctrl+i", "tab")],
)
def test_a_key_is_read_as_a_person_writes_it(written: str, name: str) -> None:
    assert canonical(written) == name


@pytest.mark.parametrize("written", ["", "\n", "hyper+x", "ctrl+ctrl+x", "f99", "foo"])
def test_what_no_terminal_sends_is_no_key(written: str) -> None:
    assert canonical(written) is None


def test_the_way_out_stays_whatever_is_chosen() -> None:
    assert checked({"quit": ()}, "x").pressed(keys.by_id("quit")) == ("ctrl+q", "ctrl+c")


async def test_keys_of_ones_own_work_and_are_shown_wherever_a_key_is_named() -> None:
    given = {
        "run.retry": ("R",),
        "decide.open": ("w",),
        "decide.accept": (),
        "decide.take": ("A",),
        "pane.next": ("f6",),
    }
    run = Story()
    app = make(run)
    async with app.run_test(size=(120, 70)) as pilot:
        await deciding(pilot)
        app.dress("bitnet-dark", "unicode", checked(given, "x"))
        await settled(pilot)
        assert "R Retry w Route f Finalize" in screen(app)
        assert "w other" in screen(app)
        await pilot.press("a", "r", "tab")
        assert app.screen is main(app)
        assert not run.answers
        assert main(app).focused_pane is main(app).tests
        await pilot.press("f6")
        assert main(app).focused_pane.NAME == "Attempts"
        await pilot.press("question_mark")
        await settled(pilot)
        assert "  f6       next pane" in screen(app)
        await pilot.press("escape", "w")
        await settled(pilot)
        assert " A  NEXT → self" in screen(app)
        await pilot.press("A")
        await until(pilot, lambda: run.answers)


def test_without_keys_of_ones_own_the_table_is_as_it_was() -> None:
    assert Keymap().textual == {}
    assert all(Keymap().written(k.id) == keys.written(k) for k in keys.KEYS)


async def test_sentences_name_the_keys_a_person_chose() -> None:
    keymap = checked({"back": ("f9",), "item.open": ("f8",)}, "x")
    app = make(Story(), keymap=keymap)
    async with app.run_test(size=(120, 40)) as pilot:
        await deciding(pilot)
        await pilot.press("slash", *"nowhere", "enter")
        await until(pilot, lambda: "shows all" in screen(app))
        assert "f9 shows all" in screen(app).lower()
        await pilot.press("f9", "G", "f8")
        await settled(pilot)
        await pilot.press("G")
        await until(pilot, lambda: "passing, " in screen(app))
        assert "passing, f8 folds" in screen(app).lower()
