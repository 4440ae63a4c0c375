"""Repositories as they are found: each is run and left as it was to the byte, or refused in a sentence with a hint."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from often import some
from support import CALC, DONE, FIX_ADD, FIX_MUL, Answer, Command, edit, finish, git, leftovers, make_repo

GOOD = [edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]
Build = Callable[[Path], Path]  # makes a repository below a folder, answers where to run


def built(folder: Path, files: Mapping[str, str] = CALC) -> Path:
    (folder / "repo").mkdir()
    return make_repo(folder / "repo", files)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "more")


def picture(folder: Path) -> dict[bytes, object]:
    """Every file of a checkout with its mode and bytes, and git's own idea of it."""
    seen: dict[bytes, object] = {}
    for base, folders, names in os.walk(os.fsencode(folder)):
        folders[:] = [f for f in folders if f not in (b".git", b".bitnet-tui")]
        for name in [*names, *folders]:
            path = os.path.join(base, name)
            mode = os.lstat(path).st_mode
            held: object = os.readlink(path) if stat.S_ISLNK(mode) else b""
            if stat.S_ISREG(mode) and os.access(path, os.R_OK):
                with open(path, "rb") as file:
                    held = file.read()
            seen[path] = (mode, held)
    status = subprocess.run(["git", "status", "--porcelain", "-z"], cwd=folder, capture_output=True, check=False)
    index = Path(git(folder, "rev-parse", "--git-path", "index"))
    return seen | {b"status": status.stdout, b"index": (folder / index).read_bytes()}


def run(command: Command, folder: Path, *calls: dict[str, object]) -> Answer:
    """A whole run; afterwards the checkout is as it was, and nothing is left over."""
    before = picture(folder)
    answer = command("--json", *command.script(list(calls) or GOOD), cwd=folder)
    assert "Traceback" not in answer.out + answer.err
    assert picture(folder) == before
    assert not leftovers(folder)
    return answer


def works(command: Command, folder: Path, *calls: dict[str, object]) -> Answer:
    answer = run(command, folder, *calls)
    assert answer.code == 0, answer.result
    assert answer.result["gate"]["verified"]
    assert answer.of("CheckoutCompared")[0]["untouched"]
    assert (
        git(folder, "diff", "--name-only", f"{answer.result['branch']}^", answer.result["branch"]) == "calc/__init__.py"
    )
    return answer


def refuses(command: Command, folder: Path, *words: str) -> None:
    answer = run(command, folder)
    assert answer.code == 5, answer.result
    assert answer.result["hint"], answer.result
    for word in words:
        assert word in answer.result["why"] + answer.result["hint"], answer.result


# -- each works -------------------------------------------------------------------------------------------------------


def with_pointers_of_lfs(folder: Path) -> Path:
    """As a clone is without git-lfs: attributes name the filter, nobody has it, the pointer is the file."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345678\n"
    return built(folder, CALC | {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "m/w.bin": pointer})


def with_a_sparse_checkout(folder: Path) -> Path:
    repo = built(folder, CALC | {"docs/a.md": "a\n", "docs/b.md": "b\n"})
    git(repo, "sparse-checkout", "set", "calc", "tests")
    assert not (repo / "docs").exists()
    return repo


def with_hooks_that_fail(folder: Path) -> Path:
    repo = built(folder)
    for name in ("pre-commit", "post-checkout", "commit-msg", "reference-transaction", "post-index-change"):
        hook = repo / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
        hook.chmod(0o755)
    return repo


def with_line_endings_of_windows(folder: Path) -> Path:
    """LF in the repository, CRLF in the checkout."""
    repo = built(folder)
    git(repo, "config", "core.autocrlf", "true")
    (repo / "calc" / "__init__.py").unlink()
    git(repo, "checkout", "--", "calc/__init__.py")
    assert b"\r\n" in (repo / "calc" / "__init__.py").read_bytes()
    return repo


def with_line_endings_that_are_checked(folder: Path) -> Path:
    repo = with_line_endings_of_windows(folder)
    git(repo, "config", "core.safecrlf", "true")
    (repo / "a.txt").write_text("not\nof\nWindows\n")
    return repo


def with_a_filter_that_fails_but_need_not(folder: Path) -> Path:
    repo = built(folder, CALC | {".gitattributes": "*.dat filter=odd\n", "a.dat": "a\n"})
    git(repo, "config", "filter.odd.clean", "false")
    git(repo, "config", "filter.odd.smudge", "false")
    (repo / "a.dat").write_text("changed\n")
    return repo


def as_a_linked_worktree(folder: Path) -> Path:
    git(built(folder), "worktree", "add", "-q", "-b", "side", str(folder / "linked"))
    assert (folder / "linked" / ".git").is_file()
    return folder / "linked"


def with_a_separate_git_folder(folder: Path) -> Path:
    repo = built(folder)
    git(repo, "init", "-q", "--separate-git-dir", str(folder / "elsewhere.git"))
    assert (repo / ".git").is_file()
    return repo


def with_a_repository_inside(folder: Path) -> Path:
    repo = built(folder)
    (repo / "vendored").mkdir()
    make_repo(repo / "vendored", {"thing.py": "x = 1\n"})
    return repo


def with_an_empty_repository_inside(folder: Path) -> Path:
    repo = built(folder)
    (repo / "fresh").mkdir()
    git(repo / "fresh", "init", "-q")
    (repo / "fresh" / "thing.py").write_text("x = 1\n")
    return repo


def as_a_submodule(folder: Path) -> Path:
    (folder / "lib").mkdir()
    make_repo(folder / "lib", CALC)
    repo = built(folder, {"notes.md": "outer\n"})
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(folder / "lib"), "inner")
    commit(repo)
    return repo / "inner"


def as_a_shallow_clone(folder: Path) -> Path:
    repo = built(folder)
    (repo / "notes.md").write_text("two\n")
    commit(repo)
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{repo}", str(folder / "clone")], check=True)
    assert git(folder / "clone", "rev-parse", "--is-shallow-repository") == "true"
    return folder / "clone"


def as_a_clone_that_borrows_objects(folder: Path) -> Path:
    subprocess.run(["git", "clone", "-q", "--shared", str(built(folder)), str(folder / "clone")], check=True)
    return folder / "clone"


def with_names_that_are_no_text(folder: Path) -> Path:
    repo = built(folder)
    for name in (b"caf\xe9.txt", b"\xff\xfe", b"calc/\xe9\xe8.py", b"tests/data-\x80.bin"):
        Path(os.fsdecode(os.path.join(os.fsencode(repo), name))).write_text("x = 1\n")
    commit(repo)
    Path(os.fsdecode(os.fsencode(repo) + b"/new-\xe9.txt")).write_text("not committed\n")
    return repo


def with_files_nobody_may_write(folder: Path) -> Path:
    repo = built(folder)
    for path in (repo / "calc" / "__init__.py", repo / "tests" / "test_calc.py"):
        path.chmod(0o444)
    (repo / "calc").chmod(0o555)
    return repo


def with_tests_behind_a_link(folder: Path) -> Path:
    repo = built(
        folder, {"calc/__init__.py": CALC["calc/__init__.py"], "checks/test_calc.py": CALC["tests/test_calc.py"]}
    )
    (repo / "tests").symlink_to("checks", target_is_directory=True)
    commit(repo)
    return repo


def with_names_as_long_as_they_can_be(folder: Path) -> Path:
    repo = built(folder)
    (repo / ("n" * 251 + ".txt")).write_text("x\n")
    (repo / ("é" * 127)).write_text("x\n")
    deep = repo / "/".join(["d" * 200] * 4)
    deep.mkdir(parents=True)
    (deep / ("t" * 255)).write_text("x\n")
    commit(repo)
    return repo


def with_names_that_differ_by_case(folder: Path) -> Path:
    return built(folder, CALC | {"README.md": "a\n", "readme.md": "b\n", "Calc/__init__.py": "x = 1\n"})


def with_names_that_differ_by_normalisation(folder: Path) -> Path:
    name = "näme.py"
    forms = {unicodedata.normalize(form, name): f"x = '{form}'\n" for form in ("NFC", "NFD")}
    assert len(forms) == 2
    return built(folder, CALC | forms)


def with_links_to_nowhere(folder: Path) -> Path:
    repo = built(folder)
    (repo / "gone").symlink_to("/no/such/place")
    (repo / "round").symlink_to("round")
    (repo / "beside").symlink_to("calc", target_is_directory=True)
    commit(repo)
    return repo


def with_links_that_lead_up(folder: Path) -> Path:
    """Out of the tree and around in it; pytest alone would walk each forty times."""
    repo = built(folder, CALC | {"a/in.txt": "a\n", "b/in.txt": "b\n"})
    for link, target in {"up": "..", "tests/top": "..", "tests/here": ".", "a/b": "../b", "b/a": "../a"}.items():
        (repo / link).symlink_to(target, target_is_directory=True)
    commit(repo)
    return repo


def with_things_that_are_no_files(folder: Path) -> Path:
    repo = built(folder)
    os.mkfifo(repo / "pipe")
    return repo


def with_folders_between_commits(folder: Path) -> Path:
    """A detached HEAD in the middle of a bisection, a stash, a note, and a replaced commit."""
    repo = built(folder)
    for number in range(3):
        (repo / "notes.md").write_text(f"{number}\n")
        commit(repo)
    (repo / "notes.md").write_text("stashed\n")
    git(repo, "stash", "-q")
    git(repo, "bisect", "start", "HEAD", "HEAD~3")
    return repo


@pytest.mark.parametrize(
    "build",
    some(
        [
            with_pointers_of_lfs,
            with_a_sparse_checkout,
            with_hooks_that_fail,
            with_line_endings_of_windows,
            with_line_endings_that_are_checked,
            with_a_filter_that_fails_but_need_not,
            as_a_linked_worktree,
            with_a_separate_git_folder,
            with_a_repository_inside,
            with_an_empty_repository_inside,
            as_a_submodule,
            as_a_shallow_clone,
            as_a_clone_that_borrows_objects,
            with_names_that_are_no_text,
            with_files_nobody_may_write,
            with_tests_behind_a_link,
            with_names_as_long_as_they_can_be,
            with_names_that_differ_by_case,
            with_names_that_differ_by_normalisation,
            with_links_to_nowhere,
            with_links_that_lead_up,
            with_things_that_are_no_files,
            with_folders_between_commits,
        ],
        (3, 6, 12, 15, 21),
    ),
    ids=lambda b: b.__name__,
)
def test_a_repository(build: Build, command: Command, tmp_path: Path) -> None:
    folder = build(tmp_path)
    answer = works(command, folder)
    if build is not with_tests_behind_a_link:  # there each has two names
        assert {e["total"] for e in answer.of("SuiteFinished") if not e["reason"]} == {4}
    (folder / "calc").chmod(0o755)  # a person may bring the change in once they may write there
    before = (folder / "calc" / "__init__.py").read_bytes()
    applied = command("apply", answer.result["run"], cwd=folder)
    assert applied.code == 0, applied.err
    after = (folder / "calc" / "__init__.py").read_bytes()
    assert b"a * b" in after
    assert after.count(b"\r\n") == before.count(b"\r\n")


# -- each is refused --------------------------------------------------------------------------------------------------


def test_tests_behind_a_link_that_leads_out_of_the_repository(command: Command, tmp_path: Path) -> None:
    folder = built(tmp_path, {"calc/__init__.py": CALC["calc/__init__.py"]})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "test_calc.py").write_text(CALC["tests/test_calc.py"])
    (folder / "tests").symlink_to("../elsewhere", target_is_directory=True)
    commit(folder)
    refuses(command, folder, "no tests were found", "tests is a link that leads out of the repository")


def test_a_filter_that_must_not_fail_and_does(command: Command, tmp_path: Path) -> None:
    folder = built(tmp_path, CALC | {"a.dat": "a\n"})
    (folder / ".gitattributes").write_text("*.dat filter=odd\n")
    for setting in ("clean", "smudge"):
        git(folder, "config", f"filter.odd.{setting}", "false")
    git(folder, "config", "filter.odd.required", "true")
    (folder / "a.dat").write_text("changed\n")
    refuses(command, folder, "filter", "odd")


def test_a_filter_that_fails_only_on_the_way_out(command: Command, tmp_path: Path) -> None:
    folder = built(tmp_path, CALC | {"a.dat": "a\n", ".gitattributes": "*.dat filter=odd\n"})
    git(folder, "config", "filter.odd.clean", "cat")
    git(folder, "config", "filter.odd.smudge", "false")
    git(folder, "config", "filter.odd.required", "true")
    refuses(command, folder, "filter", "odd")


def test_a_filter_that_must_run_and_is_not_installed(command: Command, tmp_path: Path) -> None:
    """As `git lfs install` leaves it, without git-lfs."""
    folder = built(tmp_path, CALC | {".gitattributes": "*.bin filter=odd -text\n"})
    for key, value in {"process": "git-odd-filter run", "required": "true"}.items():
        git(folder, "config", f"filter.odd.{key}", value)
    (folder / "w.bin").write_text("data")
    refuses(command, folder, "git-odd-filter", "a filter of .gitattributes does not work here", ".process")


def test_a_worktree_whose_repository_is_gone(command: Command, tmp_path: Path) -> None:
    folder = as_a_linked_worktree(tmp_path)
    (tmp_path / "repo").rename(tmp_path / "away")
    answer = command("--json", cwd=folder)
    assert answer.code == 5
    assert "belongs to a repository that is gone" in answer.result["why"]
    assert "git worktree repair" in answer.result["hint"]
    assert "Traceback" not in answer.out + answer.err
    assert not (folder / ".bitnet-tui").exists()


def test_objects_that_are_missing(command: Command, tmp_path: Path) -> None:
    folder = as_a_clone_that_borrows_objects(tmp_path)
    (tmp_path / "repo").rename(tmp_path / "away")
    answer = command("--json", cwd=folder)
    assert answer.code == 5
    assert "lacks the commit of its HEAD" in answer.result["why"]
    assert "git fsck" in answer.result["hint"]
    assert "Traceback" not in answer.out + answer.err


def test_a_blob_that_is_missing(command: Command, tmp_path: Path) -> None:
    folder = built(tmp_path, CALC | {"notes.md": "only once\n"})
    sha = git(folder, "rev-parse", "HEAD:notes.md")
    (folder / "notes.md").unlink()
    (folder / ".git" / "objects" / sha[:2] / sha[2:]).unlink()
    git(folder, "update-index", "--skip-worktree", "notes.md")
    refuses(command, folder, sha[:7], "git fsck")


def test_an_index_that_is_damaged(command: Command, tmp_path: Path) -> None:
    folder = built(tmp_path)
    (folder / ".git" / "index").write_bytes(b"not an index")
    answer = command("--json", *command.script(GOOD), cwd=folder)
    assert answer.code == 5, answer.result
    assert "rm .git/index" in answer.result["hint"], answer.result
    assert "Traceback" not in answer.out + answer.err


def test_a_lock_that_a_killed_git_left(command: Command, tmp_path: Path) -> None:
    """The user's own: it is named before anything is run, and left to them."""
    folder = built(tmp_path)
    git(folder, "pack-refs", "--all")
    lock = folder / ".git" / "packed-refs.lock"
    lock.touch()
    refuses(command, folder, f"{lock} is there", "was killed", f"rm {lock}")
    assert lock.exists()
    lock.unlink()
    for other in ("index.lock", "HEAD.lock", "config.lock", "refs/heads/main.lock"):  # these keep nobody from reading
        (folder / ".git" / other).touch()
    works(command, folder)


def test_a_file_nobody_may_read(command: Command, tmp_path: Path) -> None:
    folder = built(tmp_path, CALC | {"secret.txt": "x\n"})
    (folder / "secret.txt").write_text("y\n")
    (folder / "secret.txt").chmod(0)
    if os.access(folder / "secret.txt", os.R_OK):
        pytest.skip("root may read everything; run as somebody else")
    refuses(command, folder, "secret.txt")
    (folder / "secret.txt").chmod(0o644)


def test_a_submodule_that_is_not_there_and_one_that_is_dirty(command: Command, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    inner = make_repo(tmp_path / "lib", {"two.py": "TWO = 2\n"})
    folder = built(tmp_path)
    for name in ("there", "absent"):
        git(folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), name)
    commit(folder)
    git(folder, "submodule", "--quiet", "deinit", "-f", "absent")
    (folder / "there" / "two.py").write_text("TWO = 'changed'\n")
    (folder / "there" / "more.py").write_text("x = 1\n")
    answer = works(command, folder)
    notes = [e["text"] for e in answer.of("ActivityReported")]
    assert any(n.startswith("submodule absent: it is not checked out") for n in notes)
    assert (folder / "there" / "two.py").read_text() == "TWO = 'changed'\n"


@pytest.mark.skipif(sys.platform == "darwin", reason="its file system takes both names for one: run on Linux")
def test_an_edit_of_one_of_two_names_that_differ_by_case_or_form(command: Command, tmp_path: Path) -> None:
    forms = {unicodedata.normalize(form, "ä.py"): f"X = '{form}'\n" for form in ("NFC", "NFD")}
    tests = (
        f"from one import one\n\n\ndef test_cpu_one():\n    assert one() == 1\n    assert len({list(forms)!a}) == 2\n"
    )
    one = "def one():\n    return 2\n"
    folder = built(tmp_path, {"one.py": one, "One.py": one, "test_one.py": tests, **forms})
    fix = edit({"command": "str_replace", "path": "one.py", "old_str": "2", "new_str": "1"})
    answer = run(command, folder, fix, finish(DONE))
    assert answer.code == 0, answer.result
    assert git(folder, "diff", "--name-only", f"{answer.result['branch']}^", answer.result["branch"]) == "one.py"
    assert git(folder, "show", f"{answer.result['branch']}:One.py") == one.rstrip()
