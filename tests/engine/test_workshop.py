"""What a worktree is filled with beside what git knows."""

import pytest

from engine.workspace.home import Home
from engine.workspace.repository import Repository
from engine.workspace.scope import Scope
from engine.workspace.workshop import Workshop
from tests.support import make_repo

FILES = {
    ".gitignore": "_version.py\n*.so\nlocal.py\nbuild/\n",
    "src/pkg/__init__.py": "from pkg._version import version\n",
    "docs/notes.txt": "",
}


@pytest.fixture
def workshop(tmp_path):
    (tmp_path / "repo").mkdir()
    root = make_repo(tmp_path / "repo", FILES)
    for name in ("src/pkg/_version.py", "src/pkg/fast.so", "src/pkg/local.py", "docs/odd.so", "build/pkg/_version.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("version = '1.0'\n")
    home, repository = Home(root), Repository(root)
    home.make()
    made = Workshop(
        repository,
        home,
        tmp_path.name,
        "",
        repository.snapshot(home.scratch(tmp_path.name)),
        tuple(FILES),
        Scope(("**/*.py",)),
    )
    yield made
    made.close()


def filled(workshop, name="work"):
    place = workshop.place(name, workshop.snapshot.commit, fresh=True)
    return {p.relative_to(place.worktree).as_posix() for p in place.worktree.rglob("*") if p.is_file()} - {".git"}


def test_what_a_build_has_left_beside_the_code_is_there_and_nothing_else_that_is_ignored(workshop):
    assert filled(workshop) == {*FILES, "src/pkg/_version.py", "src/pkg/fast.so"}


def test_what_the_settings_ask_for_comes_along_too(workshop):
    workshop.carry = ("local.py", "build/")
    assert filled(workshop) == {
        *FILES,
        "src/pkg/_version.py",
        "src/pkg/fast.so",
        "src/pkg/local.py",
        "build/pkg/_version.py",
    }


def test_a_repository_may_ignore_our_folder_itself(tmp_path):
    root = make_repo(tmp_path, {"a.py": "x = 1\n", ".gitignore": ".bitnet-tui/\n"})
    (root / "new.txt").write_text("")
    home, repository = Home(root), Repository(root)
    home.make()
    snapshot = repository.snapshot(home.scratch("run"))
    assert {entry.path for entry in repository.entries(snapshot.tree)} == {"a.py", ".gitignore", "new.txt"}
