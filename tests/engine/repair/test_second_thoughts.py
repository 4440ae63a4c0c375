"""A search that took an edit which mends only a part goes back once, and returns where it cannot do better."""

from types import SimpleNamespace

from engine.providers.repair.choose import Outlook
from engine.providers.repair.history import SOON, SecondThoughts, Standing

PART, WHOLE = SimpleNamespace(full=False), SimpleNamespace(full=True)


def standing(name):
    return Standing({}, (name,), {}, (), (), {}, {}, 0, Outlook())


def test_nothing_is_doubted_while_every_edit_mends_all_that_runs_it():
    thoughts = SecondThoughts()
    thoughts.accepted([WHOLE], standing("start"))
    assert thoughts.most is None
    assert thoughts.instead(standing("now")) is None


def test_a_part_is_doubted_soon_and_the_way_leads_back_and_forth_once():
    thoughts = SecondThoughts()
    start, now = standing("start"), standing("now")
    thoughts.accepted([WHOLE, PART], start)
    assert thoughts.most == SOON
    assert thoughts.instead(now) is start
    assert thoughts.whole_only
    assert thoughts.most is None
    assert thoughts.instead(standing("start again")) is now
    assert not thoughts.whole_only
    assert thoughts.most is None
    assert thoughts.instead(now) is None


def test_a_better_edit_settles_the_doubt():
    thoughts = SecondThoughts()
    thoughts.accepted([PART], standing("start"))
    thoughts.instead(standing("now"))
    thoughts.accepted([WHOLE], standing("start"))
    assert not thoughts.whole_only
    assert thoughts.instead(standing("later")) is None


def test_a_search_that_has_to_end_on_its_way_back_keeps_the_part():
    thoughts = SecondThoughts()
    now = standing("now")
    thoughts.accepted([PART], standing("start"))
    assert thoughts.given_up() is None
    thoughts.instead(now)
    assert thoughts.given_up() is now
