"""The only door files are written through: paths that lead out, and files that come back as they were."""

from __future__ import annotations

import contextlib
import os
import socket
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import make_repo

from engine.cancel import CancelToken
from engine.errors import ConfigError
from engine.events import EditApplied, Event
from engine.flow import agents
from engine.suites.layout import import_roots, witness_files
from engine.toolbox import Toolbox
from engine.workspace import diet
from engine.workspace.area import Area, Refused
from engine.workspace.changes import Hunk, apply_hunks, hunks
from engine.workspace.repository import Repository
from engine.workspace.scope import Scope

TOOL = "str_replace_based_edit_tool"


@pytest.fixture
def area(tmp_path: Path) -> Area:
    root = tmp_path / "tree"
    (root / "pkg").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / ".git").mkdir()
    outside = tmp_path / "outside.py"
    outside.write_text("secret = 1\n")
    (root / "pkg" / "a.py").write_text("x = 1\n")
    (root / "tests" / "test_a.py").write_text("def test_a(): pass\n")
    (root / "link.py").symlink_to(outside)
    (root / "way").symlink_to(tmp_path)
    os.link(outside, root / "hard.py")
    os.mkfifo(root / "pipe.py")
    with contextlib.chdir(root), socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket.py")
    return Area(root)


def box(area: Area, seen: list[Event]) -> Toolbox:
    return Toolbox(
        repository=Repository(area.root),
        area=area,
        scope=Scope(allow=("**/*.py",)),
        run_tests=lambda suite, tests: [],
        claim=lambda: (False, "no"),
        suites=("cpu",),
        report=seen.append,
        cancel=CancelToken(),
    )


WAYS_OUT = [
    "../outside.py",
    "pkg/../../outside.py",
    "/etc/passwd",
    "way/outside.py",
    "link.py",
    "hard.py",
    "pipe.py",
    "pkg",
    ".git/config",
    ".git",
    "pkg/../.git/hooks/x.py",
    "a\0b.py",
    "",
    "tests/test_a.py",
    "tests/new.py",
    "TESTS/new.py",
    "conftest.py",
    "pkg/conftest.py",
    "sitecustomize.py",
    "notes.txt",
    "pkg/a.py/b.py",
    ".bitnet-tui/x.py",
    # One name on some file systems: case, composition, what is ignored or dropped, short names.
    "Conftest.PY",
    "te\u017fts/new.py",
    "\uff54ests/new.py",
    "tests./new.py",
    "tests /new.py",
    "pkg/te\u200dst_new.py",
    ".GIT/x.py",
    ".git./x.py",
    ".g\u200cit/x.py",
    "GIT~1/x.py",
    "pkg/.Git/hooks/x.py",
    "pkg/git~2/x.py",
    "pytest/__init__.py",
    # What is no name, or too long for one.
    "a\nb.py",
    "tests/a\nb.py",
    "pkg/\x7f.py",
    "\ud800.py",
    "n" * 253 + ".py",
    "/".join(["d" * 200] * 21) + "/x.py",
    "d/" * 2040 + "x.py",
    "socket.py",
    "pkg/a.py/b/c.py",
]


@pytest.mark.parametrize("path", WAYS_OUT)
def test_no_tool_writes_where_it_must_not(area: Area, tmp_path: Path, path: str) -> None:
    def everything() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    before, seen = everything(), []
    tools = box(area, seen)
    for given_ in (
        {"command": "create", "path": path, "file_text": "x = 2\n"},
        {"command": "str_replace", "path": path, "old_str": "1", "new_str": "2"},
        {"command": "insert", "path": path, "insert_line": 0, "insert_text": "x = 3\n"},
    ):
        answer = tools.call(TOOL, given_)
        assert answer.is_error
        assert answer.text
    assert everything() == before
    assert not area.touched
    assert not [e for e in seen if isinstance(e, EditApplied)]


def as_link(area: Area) -> None:
    (area.root / "pkg" / "a.py").unlink()
    (area.root / "pkg" / "a.py").symlink_to(area.root / "tests" / "test_a.py")


def as_hard_link(area: Area) -> None:
    (area.root / "pkg" / "a.py").unlink()
    os.link(area.root / "tests" / "test_a.py", area.root / "pkg" / "a.py")


def as_pipe(area: Area) -> None:
    (area.root / "pkg" / "a.py").unlink()
    os.mkfifo(area.root / "pkg" / "a.py")


def as_folder(area: Area) -> None:
    (area.root / "pkg" / "a.py").unlink()
    (area.root / "pkg" / "a.py").mkdir()


def with_its_folder_as_link(area: Area) -> None:
    (area.root / "pkg").rename(area.root / "away")
    (area.root / "pkg").symlink_to("tests")


@pytest.mark.parametrize("path", ["pkg/a.py", "pkg/new/deep.py"])
@pytest.mark.parametrize("swap", [as_link, as_hard_link, as_pipe, as_folder, with_its_folder_as_link])
def test_what_is_swapped_between_look_and_write_is_not_written_through(
    area: Area, tmp_path: Path, swap: Callable[[Area], None], path: str
) -> None:
    class Watched(Area):
        def kind(self, relative: str) -> str:
            found = super().kind(relative)
            swap(self)
            return found

    tests = area.root / "tests" / "test_a.py"
    if path == "pkg/a.py" or swap is with_its_folder_as_link:
        with pytest.raises(Refused):
            Watched(area.root).write(path, b"x = 2\n")
    assert tests.read_text() == "def test_a(): pass\n"
    assert (tmp_path / "outside.py").read_text() == "secret = 1\n"
    assert [p.name for p in (area.root / "tests").iterdir()] == ["test_a.py"]


def test_what_a_person_protects_is_protected_under_all_its_names() -> None:
    composed, apart = (unicodedata.normalize(form, "pr\u00fcfung/") for form in ("NFC", "NFD"))
    for pattern in (composed, apart, composed.upper()):
        scope = Scope(("**/*.py",), deny=(pattern,), submodules=("Sub",), witnesses=frozenset({"checks/first.py"}))
        for name in (composed, apart, composed.upper(), "PR\u00fcfung./"):
            assert scope.refusal(f"{name}a.py"), (pattern, name)
        assert scope.refusal("sub/x.py")
        assert scope.refusal("Checks/First.py")
        assert not scope.refusal("pruefung/a.py")
        assert not scope.refusal("k\u00e4rnel/\u00fcber.py")


def test_no_new_file_hides_a_module_that_runs_the_tests() -> None:
    there = frozenset({"src/types.py", "kernels/random.py"})
    witnesses = frozenset({"checks/first.py"})
    scope = Scope(("**/*.py",), roots=("src", "."), present=there, witnesses=witnesses)
    for path in ("json.py", "JSON.py", "src/shlex.py", "src/pluggy/__init__.py", "pytest/__init__.py", "checks/re.py"):
        assert "would hide" in scope.refusal(path), path
    for path in ("kernels/json.py", "src/types.py", "src/kernels/json/__init__.py", "profile/data.py", "packed.py"):
        assert not scope.refusal(path), path
    assert Scope(("**/*.py",), prefix="sub").refusal("sub/random.py")


@given(
    st.text(max_size=40), st.lists(st.sampled_from(["..", ".", "pkg", "way", "link.py", "", "/", "x.py"]), max_size=6)
)
def test_no_path_at_all_leads_out(tmp_path_factory: pytest.TempPathFactory, odd: str, parts: list[str]) -> None:
    root = tmp_path_factory.getbasetemp() / "some" / "tree"
    root.mkdir(parents=True, exist_ok=True)
    if not (root / "way").is_symlink():
        (root / "way").symlink_to("/")
    here = Area(root)
    for path in (odd, "/".join(parts), "/".join([*parts, odd])):
        try:
            found = here.locate(path)
        except Refused:
            continue
        full = os.path.realpath(os.path.join(os.path.realpath(root), os.path.dirname(found)))
        assert (full + "/").startswith(os.path.realpath(root) + "/")


CONTENTS = {
    "crlf": b"a = 1\r\nb = 2\r\n",
    "no end": b"a = 1\nb = 2",
    "bom": b"\xef\xbb\xbfa = 1\nb = 2\n",
    "bom crlf no end": b"\xef\xbb\xbfa = 1\r\nb = 2",
    "latin": "# -*- coding: latin-1 -*-\na = 1  # é\nb = 2\n".encode("latin-1"),
    "mixed": b"a = 1\r\nb = 2\nc = 3\r\n",
    "form feed": b"a = 1\n\x0c\nb = 2\n",
    "old mac": b"a = 1\rb = 2\r",
    "separators": "a = 1\nb = 2\ns = '\u2028\x85'\n".encode(),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_an_edit_changes_what_it_names_and_no_other_byte(area: Area, name: str) -> None:
    path = area.root / "pkg" / "b.py"
    path.write_bytes(CONTENTS[name])
    path.chmod(0o755)
    answer = box(area, []).call(
        TOOL, {"command": "str_replace", "path": "pkg/b.py", "old_str": "b = 2", "new_str": "b = 22"}
    )
    assert not answer.is_error, answer.text
    assert path.read_bytes() == CONTENTS[name].replace(b"b = 2", b"b = 22")
    assert path.stat().st_mode & 0o777 == 0o755


@given(
    st.lists(st.sampled_from(["a", "b", "", "é", "\t x"]), max_size=6),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
)
def test_any_text_is_written_back_as_it_was_read(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], newline: str, ended: bool, bom: bool
) -> None:
    root = tmp_path_factory.getbasetemp() / "back"
    root.mkdir(exist_ok=True)
    data = (b"\xef\xbb\xbf" if bom else b"") + (newline.join(lines) + (newline if ended else "")).encode()
    (root / "f.py").write_bytes(data)
    text = Area(root).read("f.py")
    assert text.encode(text.content) == data


@pytest.mark.parametrize(
    ("data", "why"), [(b"a\0b", "binary"), (b"\xff\xfe\xfa", "not utf-8"), (b"x" * 2_000_001, "can be edited")]
)
def test_what_is_no_text_is_said_and_not_touched(area: Area, data: bytes, why: str) -> None:
    (area.root / "pkg" / "c.py").write_bytes(data)
    tools = box(area, [])
    assert why in tools.call(TOOL, {"command": "view", "path": "pkg/c.py"}).text
    assert tools.call(TOOL, {"command": "create", "path": "pkg/c.py", "file_text": "x"}).is_error
    assert (area.root / "pkg" / "c.py").read_bytes() == data


def test_a_text_a_file_cannot_hold_is_refused_whole(area: Area) -> None:
    path = area.root / "pkg" / "b.py"
    path.write_bytes(CONTENTS["latin"])
    answer = box(area, []).call(
        TOOL, {"command": "str_replace", "path": "pkg/b.py", "old_str": "b = 2", "new_str": "b = '→'"}
    )
    assert answer.is_error
    assert "'→'" in answer.text
    assert path.read_bytes() == CONTENTS["latin"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"command": "str_replace", "path": "pkg/a.py", "old_str": "y", "new_str": "z"}, "does not occur"),
        ({"command": "str_replace", "path": "pkg/d.py", "old_str": "x", "new_str": "z"}, "lines 1, 2"),
        ({"command": "str_replace", "path": "pkg/a.py", "old_str": "x", "new_str": "x"}, "unchanged"),
        ({"command": "str_replace", "path": "pkg/a.py"}, "old_str"),
        ({"command": "insert", "path": "pkg/a.py", "insert_line": 9, "insert_text": "q"}, "between 0 and 1"),
        ({"command": "insert", "path": "pkg/a.py", "insert_line": True, "insert_text": "q"}, "insert_line"),
        ({"command": "view", "path": "pkg/a.py", "view_range": [5, 9]}, "not within lines"),
        ({"command": "view", "path": "pkg/a.py", "view_range": "all"}, "view_range"),
        ({"command": "view", "path": "nowhere.py"}, "no such file"),
        ({"command": "undo_edit", "path": "pkg/a.py"}, "unknown command"),
        ({"path": "pkg/a.py"}, "command"),
        ([], "command"),
        (None, "command"),
    ],
)
def test_a_wrong_call_is_answered_with_what_is_wrong(area: Area, arguments: object, word: str) -> None:
    (area.root / "pkg" / "d.py").write_text("x = 1\nx = 2\n")
    answer = box(area, []).call(TOOL, arguments)
    assert answer.is_error
    assert word in answer.text


def test_the_other_tools_answer_wrong_calls_too(tmp_path: Path) -> None:
    tools = box(Area(make_repo(tmp_path, {"a.py": "x = 1\n", "b/c.py": "xx = 2\n"})), [])
    assert tools.call("search", {"pattern": "x+ ="}).text.splitlines() == ["a.py:1:x = 1", "b/c.py:1:xx = 2"]
    assert tools.call("search", {"pattern": "x", "path": "b"}).text == "b/c.py:1:xx = 2"
    assert "no match" in tools.call("search", {"pattern": "zzz"}).text
    assert tools.call("search", {"pattern": "("}).is_error
    assert tools.call("search", {"pattern": "-v"}).text.startswith("no match")
    assert tools.call("search", {"pattern": "x", "path": "../.."}).is_error
    assert tools.call("search", {}).is_error
    assert "no suite 'gpuu'" in tools.call("run_tests", {"suite": "gpuu"}).text
    assert tools.call("run_tests", {"tests": [1]}).is_error
    assert "one of done, more-work" in tools.call("finish", {"outcome": "great"}).text
    assert "the tools are" in tools.call("bash", {"command": "ls"}).text


# -- the diet, whatever the oracle says -------------------------------------------------------------------------------


@given(st.integers(1, 7), st.data())
def test_no_single_piece_can_be_taken_from_what_the_diet_keeps(count: int, data: st.DataObject) -> None:
    before = "".join(f"{i}\nkeep\n" for i in range(count))
    parts = hunks("f", before, "".join(f"{i}x\nkeep\n" for i in range(count)))
    whole = frozenset(range(count))
    accepted = data.draw(st.sets(st.frozensets(st.integers(0, count - 1)), max_size=40)) | {whole}
    accepted.discard(frozenset())

    def holds(kept: list[Hunk] | tuple[Hunk, ...]) -> bool:
        return frozenset(parts.index(h) for h in kept) in accepted

    def foresee(several: Sequence[Sequence[Hunk]]) -> list[bool | None]:
        """Right where it says no; it may lie where it says yes, and need not say anything."""
        return [data.draw(st.sampled_from([True, None] if holds(some) else [True, False, None])) for some in several]

    slim = diet.reduce(parts, holds, lambda: False, foresee=foresee if data.draw(st.booleans()) else None)
    assert holds(slim.kept)
    assert slim.minimal
    assert not [h for h in slim.kept if holds([k for k in slim.kept if k is not h])]
    assert set(slim.kept) | set(slim.dropped) == set(parts)


@given(st.lists(st.sampled_from(["a = 1", "# why", "", "if a:\n    b = 2", "def f():\n    return 1", "c = (\n    3)"])))
def test_the_finer_pieces_of_an_added_block_are_the_block(parts: list[str]) -> None:
    before, block = "x = 0\ny = 1\n", "".join(f"{p}\n" for p in parts)
    whole = hunks("f.py", before, "x = 0\n" + block + "y = 1\n")
    fine = [f for h in whole for f in diet.finer(h)]
    assert apply_hunks(before, fine) == apply_hunks(before, whole)
    assert len(fine) >= len(whole)
    for one in fine:
        assert diet.programs({"f.py": apply_hunks(before, [one])}) is not None


def test_an_outer_statement_after_an_inner_one_is_a_piece_of_its_own() -> None:
    new = ("    return 2\n", "\n", "\n", "def f():\n", "    return 1\n")
    first, *rest = diet.finer(Hunk("f.py", 3, 4, new))
    assert (first.start, first.stop, first.new) == (3, 4, ())
    assert [r.new for r in rest] == [new[:1], new[1:]]


def test_comments_and_formatting_are_idle_and_code_is_not() -> None:
    before = {"f.py": "a = 1\nb = [1]\nc = 2\nd = 3\n"}
    after = {"f.py": "a = 2\nb = [\n    1\n]\nc = 2  # two\nd = 3\n\n# the end\n"}
    whole = diet.pieces(before, after)
    kept = diet.idle(whole, lambda k: diet.programs(diet.assemble(before, k, after)))
    assert diet.assemble(before, kept, after) == {"f.py": "a = 2\nb = [1]\nc = 2\nd = 3\n"} or len(kept) < len(whole)
    assert diet.idle(whole, lambda k: None) == whole


def test_a_new_file_of_which_nothing_is_kept_is_no_file() -> None:
    after = {"old.py": "b\n", "new.py": "x\n", "empty.py": ""}
    parts = diet.pieces({"old.py": "a\n"}, after)
    kept = [h for h in parts if h.path == "old.py"]
    assert diet.assemble({"old.py": "a\n"}, kept, after) == {"old.py": "b\n", "new.py": None, "empty.py": ""}


# -- layouts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "prefix", "extra", "roots"),
    [
        (["acme/__init__.py", "tests/test_a.py"], "", (), (".",)),
        (["src/acme/__init__.py"], "", (), ("src", ".")),
        (["src/one.py"], "", (), ("src", ".")),
        (["src/__init__.py", "src/a.py"], "", (), (".",)),
        (["lib/acme/__init__.py", "lib/acme/sub/__init__.py"], "", (), ("lib", ".")),
        (["lib/logging/__init__.py"], "", (), (".",)),
        (["tests/acme/__init__.py"], "", (), (".",)),
        (["p/q/src/acme/__init__.py", "acme/__init__.py"], "p/q", (), ("p/q/src", "p/q")),
        (["acme/__init__.py"], "", ("python/",), ("python", ".")),
    ],
)
def test_import_roots_follow_the_layout(
    files: list[str], prefix: str, extra: tuple[str, ...], roots: tuple[str, ...]
) -> None:
    assert import_roots(files, prefix, extra) == roots


def test_files_of_tests_are_witnesses_and_modules_with_doctests_are_not() -> None:
    ids = ["checks/first.py::test_a[x]", "acme/core.py::acme.core.f", "one.py::one", "t.py"]
    assert witness_files(ids, "") == {"checks/first.py", "t.py"}
    assert witness_files(["test_gcd.py::test_gcd", "gcd_test.py::gcd_test"], "") == {"test_gcd.py", "gcd_test.py"}
    assert witness_files(["a.py::test_b"], "sub") == {"sub/a.py"}


# -- agent files ------------------------------------------------------------------------------------------------------

WILD = """---
name: impl-creator
description: Use this agent when: tests fail. Examples: <example>user: "go"</example>
model: sonnet
color: cyan
---

You are the creator.

---
More.
"""


def test_every_agent_of_ours_loads_by_name_and_alias() -> None:
    for name in agents.known():
        assert agents.load(name).body
    assert agents.load("impl-creator").name == "impl-creator"


def test_an_agent_file_as_they_are_in_the_wild_loads(tmp_path: Path) -> None:
    path = tmp_path / "any-name.md"
    path.write_text(WILD, encoding="utf-8")
    agent = agents.load(str(path))
    assert (agent.name, agent.model, agent.extra) == ("impl-creator", "sonnet", {"color": "cyan"})
    assert agent.description.startswith("Use this agent when: tests fail.")
    assert agent.body == "You are the creator.\n\n---\nMore."
    path.write_bytes(WILD.replace("\n", "\r\n").encode())
    assert agents.load(str(path)).name == "impl-creator"


def test_an_agent_file_of_another_system_loads_and_one_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(b"\xef\xbb\xbf---\r\nname: x\r\n---\r\nbody\r\n")
    assert (agents.load(str(path)).name, agents.load(str(path)).body) == ("x", "body")
    path.write_bytes(b"---\nname: x\n---\n\xff")
    with pytest.raises(ConfigError, match=r"a\.md: not a text in UTF-8 \(byte 16\)"):
        agents.load(str(path))


# Each list holds the one before it ten times: as text, the last one is ten gigabytes.
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_an_agent_file_may_hold_what_is_of_no_use(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(f"---\nname: x\n{BOMB}description: *i\n---\nbody", encoding="utf-8")
    assert agents.load(str(path)).description == ""
    path.write_text("---\nname: x\nsince: 2026-13-45\n---\nbody", encoding="utf-8")
    assert agents.load(str(path)).name == "x"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no front matter", "no front matter"),
        ("---\nname: x\n", "has no end"),
        ("---\ndescription: x\n---\nbody", "name = None"),
        ("---\nname: [1]\n---\nbody", "name = [1]"),
        ("---\n- a\n---\nbody", "not a table"),
        ("---\nname: {a: b}\n---\nbody", "name = {'a': 'b'}; want a word"),
        ("---\nname: x\nmodel: [sonnet]\n---\nbody", "model = ['sonnet']; want a word"),
        (f"---\nname: {'[' * 9000}\n---\nbody", "name = "),
        (f"---\n{BOMB}name: *i\n---\nbody", "name = [["),
        ("---\nname: x\n---\n" + "x" * 10_000_000, "larger than 1 MB"),
        ("", "no front matter"),
    ],
)
def test_a_broken_agent_file_is_told_what_is_wrong(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "a.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        agents.load(str(path))
    assert why in caught.value.message
    assert "a.md" in caught.value.message
