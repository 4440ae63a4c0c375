"""The ledger's comment over HTTP: one of them, whoever writes at the same time, and nobody's words are lost."""

from __future__ import annotations

import pytest

from engine.github import pull, thread
from engine.github.comment import merged
from engine.github.issues import create_issue
from engine.github.thread import Author
from engine.github.unwritten import Unreachable, Unwritten
from engine.records.ledger import Ledger
from tests.engine.github.conftest import Kit
from tests.engine.github.server import NO_APP, Fault, Server, refuse
from tests.engine.github.test_comment import hops, said

BOT = Author()
MAKE, LIST, ONE = ".*/issues/7/comments", ".*/issues/7/comments", ".*/issues/comments/.*"


def write(kit: Kit, ours: Ledger, run: str = "run-1", who: Author = BOT) -> str:
    with kit.wire() as wire:
        return thread.write(wire, 7, ours, run, who)


def bodies(github: Server) -> list[str]:
    return [c["body"] for c in github.comments]


def test_one_comment_is_made_then_edited_in_place(github: Server, kit: Kit) -> None:
    github.comment("please fix", "alice")
    first = write(kit, said("one"))
    assert write(kit, said("one")) == first
    assert github.count("PATCH", ONE) == 0
    assert write(kit, said("two"), "run-2") == first
    assert len(github.comments) == 2
    assert hops(github.comments[1]["body"]) == ["one", "two"]


def test_the_comment_is_found_behind_more_than_300_others(github: Server, kit: Kit) -> None:
    for n in range(120):
        github.comment(f"remark {n}", "alice")
    mine = github.comment(merged("", said("one"), "run-1"))
    for n in range(230):
        github.comment(f"remark {n}", "bob")
    write(kit, said("two"), "run-2")
    assert len(github.comments) == 351
    assert hops(mine["body"]) == ["one", "two"]
    for n in range(120):
        github.comments.insert(0, github.comment(f"earlier {n}", "carol"))
    github.comments.remove(mine)
    github.comments.append(mine)  # on the last of five pages
    github.seen.clear()
    write(kit, said("three"), "run-3")
    assert hops(mine["body"]) == ["one", "two", "three"]
    assert github.count("GET", LIST) == 6


@pytest.mark.parametrize(
    "trouble",
    [
        Fault("POST", MAKE, lost=True),
        refuse("POST", MAKE, 500),
        refuse("POST", MAKE, 403, "You have exceeded a secondary rate limit", headers={"retry-after": "0"}),
        refuse("GET", LIST, 502),
    ],
)
def test_trouble_while_it_is_made_leaves_one_comment(github: Server, kit: Kit, trouble: Fault) -> None:
    github.faults = [trouble]
    write(kit, said("one"))
    (body,) = bodies(github)
    assert hops(body) == ["one"]


@pytest.mark.parametrize(
    "trouble",
    [
        Fault("PATCH", ONE, lost=True),
        refuse("PATCH", ONE, 500),
        refuse("PATCH", ONE, 409),
        refuse("PATCH", ONE, 412),
        refuse("PATCH", ONE, 422),
        refuse("GET", ONE, 503),
    ],
)
def test_trouble_while_it_is_edited_adds_each_hop_once(github: Server, kit: Kit, trouble: Fault) -> None:
    mine = github.comment(merged("", said("one"), "run-1"))
    github.faults = [trouble]
    write(kit, said("two"), "run-2")
    assert hops(mine["body"]) == ["one", "two"]


def test_what_a_person_wrote_into_it_meanwhile_stays(github: Server, kit: Kit) -> None:
    mine = github.comment(merged("", said("one"), "run-1"))
    edits = [lambda b: "Alice: looks odd.\n\n" + b, lambda b: b + "\nBob: agreed.", lambda b: b + "\r\nCarol: hm."]
    github.faults = [
        Fault("GET", LIST, before=lambda: github.edit(mine, edits[0])),  # before we look
        Fault("GET", ONE, before=lambda: github.edit(mine, edits[1])),  # after the list
        refuse("PATCH", ONE, 409, before=lambda: github.edit(mine, edits[2])),  # while we write
    ]
    write(kit, said("two"), "run-2")
    body = mine["body"]
    assert hops(body) == ["one", "two"]
    assert body.startswith("Alice: looks odd.\n\n<!-- gates:start -->")
    assert body.endswith("-->\n\nBob: agreed.\r\nCarol: hm.")


def test_a_run_that_wrote_over_us_is_written_again(github: Server, kit: Kit) -> None:
    mine = github.comment(merged("", said("one"), "run-1"))
    theirs = merged(mine["body"], said("three"), "run-3")  # what they make of it without having seen ours
    github.faults = [Fault("GET", ONE, after=1, before=lambda: github.edit(mine, lambda _: theirs))]
    write(kit, said("two"), "run-2")
    assert hops(mine["body"]) == ["one", "three", "two"]


def test_others_who_keep_writing_are_given_way_to_in_the_end(github: Server, kit: Kit) -> None:
    mine = github.comment(merged("", said("one"), "run-1"))
    stale = mine["body"]
    github.faults = [refuse("PATCH", ONE, 409, times=99)]
    with pytest.raises(Unwritten, match=r"conflict: .*gave up after 4 tries"):
        write(kit, said("two"), "run-2")
    assert mine["body"] == stale


def test_of_two_made_at_once_the_older_stays_with_the_hops_of_both(github: Server, kit: Kit) -> None:
    github.faults = [Fault("POST", MAKE, before=lambda: github.comment(merged("", said("theirs"), "run-0")))]
    write(kit, said("ours"))
    (body,) = bodies(github)
    assert hops(body) == ["theirs", "ours"]


def test_a_younger_twin_with_a_persons_words_in_it_is_not_deleted(github: Server, kit: Kit) -> None:
    github.comment(merged("", said("one"), "run-1"))
    github.comment(merged("", said("two"), "run-2") + "\nAlice: keep this")
    write(kit, said("three"), "run-3")
    write(kit, said("three"), "run-3")
    assert len(github.comments) == 2
    assert hops(bodies(github)[0]) == ["one", "two", "three"]
    assert bodies(github)[1].endswith("Alice: keep this")


def test_a_twin_that_is_gone_before_it_could_be_deleted_is_fine(github: Server, kit: Kit) -> None:
    github.comment(merged("", said("one"), "run-1"))
    twin = github.comment(merged("", said("two"), "run-2"))
    github.faults = [Fault("DELETE", ONE, before=lambda: github.comments.remove(twin))]
    write(kit, said("three"), "run-3")
    assert hops(bodies(github)[0]) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("who", "login", "bot"), [(BOT, "mallory", False), (Author("me"), "mallory", False), (Author("me"), "x[bot]", True)]
)
def test_somebodys_quotation_of_our_ledger_is_not_ours(
    github: Server, kit: Kit, who: Author, login: str, bot: bool
) -> None:
    quoted = github.comment(merged("", said("fake"), "run-0"), login, bot=bot)
    before = quoted["body"]
    github.user, github.bot = ("me", False) if who.login else (github.user, True)
    write(kit, said("one"), who=who)
    assert quoted["body"] == before
    assert len(github.comments) == 2


def test_a_user_is_told_by_name_and_an_app_by_being_one(github: Server, kit: Kit) -> None:
    with kit.wire() as wire:
        assert thread.author(wire) == Author()
        github.user, github.bot = "octocat", False
        assert thread.author(wire) == Author("octocat")
    with kit.wire(token="wrong") as wire, pytest.raises(Unreachable):
        thread.author(wire)


def test_a_ledger_that_a_person_broke_is_not_written_over(github: Server, kit: Kit) -> None:
    mine = github.comment(merged("", said("one"), "run-1").replace("### Hop log\n", ""))
    before = mine["body"]
    with pytest.raises(Unwritten, match="ledger-broken"):
        write(kit, said("two"), "run-2")
    assert mine["body"] == before
    assert len(github.comments) == 1


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [(403, NO_APP, "no-app-permission"), (404, "Not Found", "not-found"), (410, "gone", "refused")],
)
def test_a_pull_request_that_may_not_be_commented_on_is_named(
    github: Server, kit: Kit, status: int, message: str, reason: str
) -> None:
    github.faults = [refuse("POST", MAKE, status, message, times=9)]
    with pytest.raises(Unwritten) as caught:
        write(kit, said("one"))
    assert caught.value.reason == reason
    assert github.count("POST", MAKE) == 1


# -- pull requests and issues -----------------------------------------------------------------------------------------


def test_the_newest_open_pull_request_of_a_branch_is_taken(github: Server, kit: Kit) -> None:
    github.pull(7, "fix/add")
    github.pull(9, "fix/add")
    github.pull(11, "other")
    with kit.wire() as wire:
        assert pull.of_branch(wire, "fix/add") == 9
        for branch in ("main", ""):
            with pytest.raises(Unwritten, match="no-pull-request"):
                pull.of_branch(wire, branch)


def test_an_issue_is_opened_once_and_has_no_label(github: Server, kit: Kit) -> None:
    key = "missing-numpy.1"
    github.issue("quoted", f"<!-- bitnet-tui:issue {key} -->", "mallory")
    github.faults = [Fault("POST", ".*/issues", lost=True)]
    with kit.wire() as wire:
        first = create_issue(wire, "numpy is\nmissing", "ask @alice, see #3", key)
        assert create_issue(wire, "again", "again", key) == first
        assert create_issue(wire, "another", "x", "other") != first
        with pytest.raises(ValueError, match="no key"):
            create_issue(wire, "t", "b", "--> evil")
        create_issue(wire, "code", "ask @bob, not\n\n```python\n@pytest.fixture\n```\n`#1` and #2\n", "code")
    assert "\n@pytest.fixture\n```\n`#1` and " in github.issues[3]["body"]
    assert "@bob" not in github.issues[3]["body"]
    made = github.issues[1]
    assert made["title"] == "numpy is missing"
    assert made["labels"] == []
    assert "@alice" not in made["body"]
    assert len(github.issues) == 4


def test_a_users_issue_is_found_by_its_author(github: Server, kit: Kit) -> None:
    github.user, github.bot = "octocat", False
    with kit.wire() as wire:
        assert create_issue(wire, "t", "b", "k") == create_issue(wire, "t", "b", "k")
    github.issues[0]["state"] = "closed"
    with kit.wire() as wire:
        create_issue(wire, "t", "b", "k")
    assert len(github.issues) == 2
