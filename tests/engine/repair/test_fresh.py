"""Where forking is not safe, candidates are tried in processes of their own, and the notes say so."""

import pytest

SOURCE = "def f(n):\n    return n - 1\n\n\ndef g(n):\n    return n * 2\n"
TESTS = (
    "from core import f, g\n"
    "def test_f(): assert f(1) == 2\n"
    "def test_again(): assert f(5) == 6\n"
    "def test_g(): assert g(2) == 4\n"
)
RED = ["tests/test_core.py::test_f", "tests/test_core.py::test_again"]
NO_FORK = "import os\ndel os.fork\n"
THREAD = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"


@pytest.mark.parametrize(
    ("conftest", "why"),
    [
        (NO_FORK, "the target's platform has no fork"),
        pytest.param(THREAD, "2 threads after collection", marks=pytest.mark.slow),
    ],
)
def test_a_defect_is_mended_without_a_fork(project, conftest, why):
    project.file("core.py", SOURCE).file("tests/test_core.py", TESTS).file("tests/conftest.py", conftest)
    result = project.repair(RED, ["tests/test_core.py::test_g"], budget_s=90.0, max_candidates=3)
    assert f"Forking is not safe here: {why}; each candidate costs a process." in result.note
    assert result.fixed == set(RED)
    assert "return n + 1" in result.files["core.py"]
    assert result.note.count("Forking") == 1
