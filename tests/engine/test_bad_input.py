"""Each bad input gets a sentence and its exit code, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from often import everything
from support import CALC, DONE, FIX_ADD, FIX_MUL, Command, edit, finish, git, leftovers, make_repo

from engine.errors import ConfigError
from engine.launch import Options, prepare

NOTHING = finish({"outcome": "more-work", "summary": "the audit is all that is looked at"})


def check(command: Command, folder: Path, code: int, *words: str, args: tuple[str, ...] = (), **env: str) -> None:
    answer = command("--json", *args, cwd=folder, **env)
    assert answer.code == code, answer.out + answer.err
    said = answer.result["why"] + "\n" + answer.result["hint"]
    assert answer.result["exit"] == code
    for word in words:
        assert word in said, said
    assert "Traceback" not in answer.err


def test_a_folder_that_is_no_repository(command: Command, tmp_path: Path) -> None:
    check(command, tmp_path, 5, "not inside a git repository", "git init")
    check(command, tmp_path, 5, "no such file", args=("nowhere",))
    assert not (tmp_path / ".bitnet-tui").exists()


def test_a_bare_or_empty_repository(command: Command, tmp_path: Path) -> None:
    bare, empty = tmp_path / "bare", tmp_path / "empty"
    bare.mkdir()
    empty.mkdir()
    git(bare, "init", "-q", "--bare")
    git(empty, "init", "-q")
    check(command, bare, 5, "bare repository")
    check(command, empty, 5, "no commit yet", "commit once")
    assert not (empty / ".bitnet-tui").exists()


def test_no_tests_and_no_failing_tests(command: Command, tmp_path: Path) -> None:
    none = make_repo(tmp_path / "none", {"m.py": "x = 1\n"}) if not (tmp_path / "none").mkdir() else None
    assert none is not None
    check(command, none, 5, "no tests were found")
    assert git(none, "for-each-ref", "refs/bitnet-tui") == ""
    assert command("resume", "--no-tui", cwd=none).code == 2
    green = tmp_path / "green"
    green.mkdir()
    make_repo(green, {"test_m.py": "def test_cpu_a(): assert True\n"})
    answer = command("--json", cwd=green)
    assert answer.code == 0
    assert answer.result["gate"] == {
        "name": "impl",
        "status": "skipped",
        "reason": "n/a-surface",
        "evidence": "nothing to do: no test is always red",
        "verified": False,
    }
    assert not leftovers(green, answer.result["run"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[retries]\nlimit = 'two'\n", ("[retries] limit", "'two'", "an integer")),
        ("[retries]\nlimit = 3\n", ("[retries] limit", "3", "from 0 to 2")),
        ("[retires]\nlimit = 1\n", ("unknown key [retires]", "'retries'")),
        ("[suites.cpu]\ntimeout_s = 0\n", ("[suites.cpu] timeout_s", "above 0")),
        ("[budget]\nminutes = inf\n", ("[budget] minutes", "inf", "a number")),
        ("[scope]\nalow = []\n", ("[scope] alow", "'allow'")),
        ("[suites.cpu]\nmarker = 1\n", ("[suites.cpu] marker", "a string")),
        ("[flow\n", ("not TOML",)),
        ("[anthropic]\nbase_url = 'http://example.org'\n", ("base_url", "would get your key")),
        ("[anthropic]\nbase_url = 'http://[::1'\n", ("base_url", "want an http or https address")),
    ],
)
def test_a_wrong_setting_names_file_key_and_what_is_wanted(
    repo: Callable[..., Path], command: Command, text: str, words: tuple[str, ...]
) -> None:
    folder = repo(CALC | {"bitnet-tui.toml": text})
    check(command, folder, 2, "bitnet-tui.toml", *words)
    assert not (folder / ".bitnet-tui").exists()


def test_a_repository_does_not_switch_the_limit_on_money_off(repo: Callable[..., Path], lean_python: Path) -> None:
    folder = repo(CALC | {"bitnet-tui.toml": "[prices.sonnet]\ninput = 0\noutput = 0\n"})
    paying = {**os.environ, "ANTHROPIC_API_KEY": "sk-ant-nobody", "VIRTUAL_ENV": str(lean_python)}
    with pytest.raises(ConfigError, match=r'bitnet-tui.toml: \[prices."sonnet"\] input = 0') as caught:
        prepare(Options(folder), paying)
    assert "--config" in caught.value.hint
    assert not prepare(Options(folder, config=folder / "bitnet-tui.toml"), paying).floor
    assert prepare(Options(folder), paying | {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}).floor


def test_unknown_provider_agent_and_suite(repo: Callable[..., Path], command: Command) -> None:
    folder = repo()
    check(command, folder, 2, "'repiar'", "did you mean 'repair'", args=("--provider", "repiar"))
    check(command, folder, 2, "'impl-creater'", "did you mean 'impl-creator'", args=("--agent", "impl-creater"))
    check(command, folder, 2, "'cpuu'", "did you mean 'cpu'", args=("--suite", "cpuu"))
    check(command, folder, 2, "--max-retries 3", args=("--max-retries", "3"))
    check(command, folder, 2, "--max-usd -1", args=("--max-usd", "-1"))
    check(command, folder, 2, "--max-minutes nan", args=("--max-minutes", "nan"))
    check(command, folder, 2, "no.json", args=("--provider", "scripted", "--script", "no.json"))
    check(command, folder, 6, "no key", "ANTHROPIC_API_KEY", args=("--provider", "anthropic"))
    assert not (folder / ".bitnet-tui").exists()


def test_another_flow_touches_nothing(repo: Callable[..., Path], command: Command) -> None:
    folder = repo()
    answer = command("--json", cwd=folder, CURRENT_FLOW="review")
    assert answer.code == 0
    assert answer.result["gate"]["name"] == "guard"
    assert answer.result["gate"]["reason"] == "out-of-scope"
    assert not (folder / ".bitnet-tui").exists()


def test_an_interpreter_without_pytest(repo: Callable[..., Path], command: Command, tmp_path: Path) -> None:
    folder = repo()
    bare = tmp_path / "bare"
    subprocess.run([str(command.python / "bin" / "python"), "-m", "venv", "--without-pip", str(bare)], check=True)
    check(command, folder, 5, "has no pytest", "pip install pytest", VIRTUAL_ENV=str(bare))
    site = next((bare / "lib").glob("python*/site-packages"))
    (site / "pytest.py").write_text("import what_it_needs\n")
    check(command, folder, 5, "has no pytest", VIRTUAL_ENV=str(bare))
    (site / "pytest-9.0.dist-info").mkdir()
    (site / "pytest-9.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: pytest\nVersion: 9.0\n")
    check(command, folder, 5, "cannot import its pytest", "what_it_needs", "reinstall", VIRTUAL_ENV=str(bare))
    (folder / "bitnet-tui.toml").write_text("[python]\ninterpreter = '/no/python'\n")
    check(command, folder, 5, "no interpreter at /no/python")


def test_a_suite_that_cannot_be_collected(repo: Callable[..., Path], command: Command) -> None:
    folder = repo(CALC | {"tests/test_x.py": "import no_such_package\n"})
    check(command, folder, 5, "tests/test_x.py", "no_such_package", "environment")
    (folder / "tests" / "test_x.py").unlink()
    (folder / "conftest.py").write_text("import no_such_package\n")
    check(command, folder, 5, "no_such_package")
    assert not leftovers(folder)


def test_a_missing_name_in_production_is_a_target_not_an_environment(
    repo: Callable[..., Path], command: Command
) -> None:
    folder = repo(
        {
            "calc.py": "def ad(a, b):\n    return a + b\n",
            "test_c.py": "from calc import add\ndef test_cpu_a(): assert add(1, 2) == 3\n",
        }
    )
    answer = command("--json", *command.script([NOTHING]), cwd=folder)
    assert answer.code == 1, answer.result
    assert answer.result["tests"]["red_before"] == 1


def test_a_test_that_never_ends_is_red_and_named(repo: Callable[..., Path], command: Command) -> None:
    tests = "from m import f\ndef test_cpu_hang(): f()\ndef test_cpu_ok(): assert True\n"
    settings = "[suites.cpu]\ntest_timeout_s = 1\n"
    folder = repo(
        {"m.py": "def f():\n    while True:\n        pass\n", "test_m.py": tests, "bitnet-tui.toml": settings}
    )
    answer = command("--json", *command.script([NOTHING]), cwd=folder)
    assert answer.code == 1, answer.result
    assert answer.result["tests"]["red_before"] == 1
    first = answer.of("TestFinished")[0]["result"]
    assert first["outcome"] == "timeout"
    assert "timed out after 1 s" in first["message"]


def test_a_test_that_prints_100_mb_ends_with_little_kept(repo: Callable[..., Path], command: Command) -> None:
    tests = "from m import f\ndef test_cpu_loud():\n"
    tests += "    for _ in range(100):\n        print('x' * 1_000_000)\n    assert f() == 1\n"
    folder = repo({"m.py": "def f():\n    return 2\n", "test_m.py": tests})
    answer = command("--json", *command.script([NOTHING]), cwd=folder)
    assert answer.code == 1, answer.result
    kept = sum(p.stat().st_size for p in (folder / ".bitnet-tui").rglob("*") if p.is_file())
    assert kept < 10_000_000


@everything  # test_disk.py has one that is full to the last byte
def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_space(small_disk: Path, command: Command) -> None:
    folder = small_disk / "repo"
    folder.mkdir()
    make_repo(folder, CALC)
    filler = small_disk / "filler"
    space = os.statvfs(small_disk)
    filler.write_bytes(b"x" * max(0, space.f_bavail * space.f_frsize - 24_000))
    script = command.script([edit(FIX_ADD), edit(FIX_MUL), finish(DONE)])
    answer = command("--json", *script, cwd=folder)
    assert answer.code == 5, answer.out
    assert "Traceback" not in answer.out + answer.err
    filler.unlink()
    again = command("--json", *script, cwd=folder)
    assert again.code == 0, again.result


def test_a_write_protected_target(small_disk: Path, command: Command) -> None:
    folder = small_disk / "repo"
    folder.mkdir()
    make_repo(folder, CALC)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    check(command, folder, 5, "cannot be written")


def test_a_sandbox_that_is_required_and_missing_stops_the_run(
    repo: Callable[..., Path], command: Command, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(str(shutil.which("git")))
    folder = repo({"bitnet-tui.toml": "[verify]\nrequire_sandbox = true\n"})
    answer = command("--no-tui", *command.script([finish(DONE)]), cwd=folder, PATH=str(tmp_path / "bin"))
    assert answer.code == 5
    assert "[verify] require_sandbox = true, but bubblewrap (bwrap) is not installed" in answer.err
    assert not (folder / ".bitnet-tui").exists()


def test_settings_that_ask_for_a_sandbox_and_forbid_it(repo: Callable[..., Path], command: Command) -> None:
    text = '[verify]\nrequire_sandbox = true\n[sandbox]\nmode = "off"\n'
    answer = command("doctor", cwd=repo({"bitnet-tui.toml": text}))
    assert answer.code == 2
    assert "contradict each other" in answer.err + answer.out


def test_a_test_that_writes_a_huge_file_is_stopped(repo: Callable[..., Path], command: Command) -> None:
    test = "def test_cpu_huge(tmp_path): (tmp_path / 'huge').write_bytes(bytes(3_000_000))\n"
    folder = repo({"tests/test_calc.py": test, "bitnet-tui.toml": "[sandbox]\nfile_mb = 2\n"})
    answer = command("--json", *command.script([finish(DONE)]), cwd=folder)
    assert "File too large" in answer.of("TestFinished")[0]["result"]["message"]
    assert "bounded files, no core dumps" in answer.of("EnvironmentProbed")[0]["protections"]
