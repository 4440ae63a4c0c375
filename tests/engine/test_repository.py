"""Objects of a repository are read once; what may change is read again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support import git

from engine.workspace.repository import Repository


def test_an_object_named_by_its_whole_hash_is_read_once(repo: Callable[..., Path]) -> None:
    folder = repo({"a.py": "one\n", "b.py": "two\n"})
    here = Repository.open(folder)
    tree = git(folder, "rev-parse", "HEAD^{tree}")
    before = here.entries(tree), here.blob(tree, "a.py")
    (folder / ".git" / "objects").rename(folder / "gone")
    assert (here.entries(tree), here.blob(tree, "a.py")) == before


def test_what_a_name_means_now_is_asked_each_time(repo: Callable[..., Path]) -> None:
    folder = repo({"a.py": "one\n"})
    here = Repository.open(folder)
    assert here.blob("HEAD", "a.py") == b"one\n"
    (folder / "a.py").write_text("two\n")
    git(folder, "commit", "-aqm", "two")
    assert here.blob("HEAD", "a.py") == b"two\n"


def test_what_is_kept_has_a_bound_and_the_latest_stays(repo: Callable[..., Path]) -> None:
    folder = repo({f"{n}.bin": f"{n}" * 1_900_000 for n in range(10)})
    here = Repository.open(folder)
    tree = git(folder, "rev-parse", "HEAD^{tree}")
    for n in range(10):
        assert here.blob(tree, f"{n}.bin") == b"%d" % n * 1_900_000
    assert 8_000_000 < sum(map(len, here._kept.values())) <= 16_000_000
    (folder / ".git" / "objects").rename(folder / "gone")
    assert here.blob(tree, "9.bin")[:1] == b"9"
