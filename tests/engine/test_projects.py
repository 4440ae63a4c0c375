"""Projects with habits of their own: workers, warnings that are errors, submodules, a model that will not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from support import CALC, DONE, FIX_ADD, FIX_MUL, Command, edit, finish, git, make_repo

GOOD = [edit(FIX_ADD), edit(FIX_MUL), finish(DONE)]


def test_workers_strict_markers_and_warnings_as_errors(
    repo: Callable[..., Path], command: Command, python_with_workers: Path
) -> None:
    habits = "[pytest]\naddopts = -n 1 --strict-markers -p no:cacheprovider\nfilterwarnings = error\n"
    folder = repo(CALC | {"pytest.ini": habits})
    answer = command("--json", *command.script(GOOD), cwd=folder, VIRTUAL_ENV=str(python_with_workers))
    assert answer.code == 0, answer.result


def test_a_submodule_is_lent_to_the_tests_and_never_changed(command: Command, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    inner = make_repo(tmp_path / "two", {"two.py": "TWO = 2\n"})
    (tmp_path / "outer").mkdir()
    test = "from two import TWO\nfrom four import four\n\n\ndef test_cpu_four(): assert four() == 2 * TWO\n"
    path = {
        "pytest.ini": "[pytest]\npythonpath = . lib\n",
        "four.py": "def four():\n    return 5\n",
        "test_four.py": test,
    }
    folder = make_repo(tmp_path / "outer", path)
    git(folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "lib")
    git(folder, "commit", "-q", "-m", "lib")
    calls = [
        edit({"command": "str_replace", "path": "lib/two.py", "old_str": "2", "new_str": "2.5"}),
        edit({"command": "str_replace", "path": "four.py", "old_str": "5", "new_str": "4"}),
        finish(DONE),
    ]
    answer = command("--json", *command.script(calls), cwd=folder)
    assert answer.code == 0, answer.result
    assert answer.result["diff"]["files"] == 1
    assert (folder / "lib" / "two.py").read_text() == "TWO = 2\n"
    notes = [e.get("text", "") for e in answer.of("ActivityReported")]
    assert any(n.startswith("submodule lib: its files are lent") for n in notes)
    assert "belongs to the submodule lib" in json.dumps(answer.events)
