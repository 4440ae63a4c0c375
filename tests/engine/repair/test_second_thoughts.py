"""A search that took an edit which mends only a part goes back once, and returns where it cannot do better."""

from types import SimpleNamespace

from engine.providers.repair.choose import Outlook
from engine.providers.repair.history import SOON, SecondThoughts, Standing

PART, WHOLE = SimpleNamespace(full=False), SimpleNamespace(full=True)


def standing(name, fixed=0):
    return Standing({}, (name,), {}, (), (), {}, {}, fixed, Outlook())


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


def test_what_mends_less_on_the_way_back_is_not_kept_in_its_place():
    thoughts = SecondThoughts()
    much = standing("21 of 22", fixed=21)
    thoughts.accepted([PART], standing("start"))
    assert thoughts.instead(much) is not None
    thoughts.accepted([WHOLE], standing("start"))
    assert thoughts.instead(standing("1 of 22", fixed=1)) is much
    assert thoughts.instead(much) is None


def test_out_of_time_on_its_way_back_the_search_keeps_what_mends_more():
    for found, kept in ((0, True), (1, True), (21, True), (22, False)):
        thoughts = SecondThoughts()
        much = standing("21 of 22", fixed=21)
        thoughts.accepted([PART], standing("start"))
        thoughts.instead(much)
        assert (thoughts.given_up(found) is much) == kept
