"""Keys planted everywhere, the real command, and a search of every byte it writes."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from often import some
from support import DONE, Command, edit, finish, git, start, stop_at

from tests.engine.anthropic.double import Body, Double, Refuse, Say, text, thinking, use

BODY = "q7Zx3Kc9Vb5Nm1Lj8Hg4Fd6Sa2Pw0Oe"
# Each place has a key of its own, so that a leak says where it came from.
ENVIRONMENT = {
    "DEPLOY_PASSWORD": "entirely plain words 7",
    "GITHUB_TOKEN": "ghp_" + "E1" + BODY + "xyz12345",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYPLANTEDKEY",
    "SIGNING_KEY": "-----BEGIN PRIVATE"
    + " KEY-----\nMIIE"
    + BODY * 2
    + "\n"
    + BODY[::-1] * 2
    + "\n-----END PRIVATE"
    + " KEY-----",
    "STORE_URL": "https://me:swordfish-in-url@store.example.org",
}
PRINTED = "sk-ant-" + "api03-P1" + BODY
ASSERTED = "ghp_" + "A2" + BODY + "abcd1234"
RAISED = "glpat-" + "R3" + BODY
NAMED = "hf_" + "N4" + BODY + "q1"
WARNED = "xoxb-" + "5512345678-" + BODY
LOGGED = "AIza" + "L6" + BODY + "12"
SOURCE = "npm_" + "S7" + BODY + "qwer1234"
BLOCK = "\n".join(
    [
        "-----BEGIN RSA PRIVATE" + " KEY-----",
        *(f"{n}{BODY}{BODY[::-1]}" for n in "123"),
        "-----END RSA PRIVATE" + " KEY-----",
    ]
)
REMOTE = "remote-user:" + "remote8pass"
TOLD = "sk-" + "proj-T9" + BODY + "_x"
FOUND = "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + BODY + "." + BODY + "ab"
CALLED = "github_" + "pat_" + BODY + "_" + BODY
ADDED = "AKIA" + "ADDEDKEYPLANTED1"
SET = "Bearer " + "C0" + BODY

TEST = f"""
import logging, os, sys, warnings
import pytest
from m import one, two

@pytest.mark.parametrize("key", ["{NAMED}", "{NAMED[:-1]}2"])
def test_cpu_named(key):
    assert one() == 1, key

def test_cpu_asserted():
    print("{PRINTED}")
    print("https://{REMOTE}@example.org", file=sys.stderr)
    assert two() == "{ASSERTED}"[:-1] + "4"

def test_cpu_raised():
    warnings.warn("{WARNED}")
    logging.getLogger().error("{LOGGED}")
    if one() != 1:
        raise ValueError("{RAISED}")

def test_cpu_block():
    print(BLOCK)
    assert one() == 1, BLOCK

BLOCK = \"\"\"{BLOCK}\"\"\"
"""
DUMP = """
import os, pathlib, subprocess, sys

def test_cpu_environment():
    text = "\\0".join(f"{k}={v}" for k, v in os.environ.items())
    ask = [sys.executable, "-c", "import os; print(os.environ)"]
    text += subprocess.run(ask, capture_output=True, text=True).stdout
    assert "PASSWORD" not in text and "TOKEN" not in text and "SECRET" not in text and "SIGNING" not in text, text
    assert "swordfish" not in text, text
"""
NOISE = f"import sys\nprint('{PRINTED}')\nprint('''{BLOCK}''', file=sys.stderr)\n"
FILES = {
    "m.py": f"KEY = '{SOURCE}'\n\n\ndef one():\n    return 2\n\n\ndef two():\n    return 3\n",
    "test_m.py": TEST,
    "test_env.py": DUMP,
    "conftest.py": NOISE,
    "bitnet-tui.toml": f"[suites.cpu]\nargs = ['-o', 'log_format={SET} %(message)s', '-rA', '--capture=no']\n",
}
FIX = [
    {"tool": "search", "input": {"pattern": "KEY"}, "text": f"I looked and found {TOLD}"},
    edit({"command": "str_replace", "path": "m.py", "old_str": CALLED, "new_str": "x"}),
    edit({"command": "view", "path": f"no/{CALLED}.py"}),
    edit({"command": "str_replace", "path": "m.py", "old_str": "return 2", "new_str": "return 1"}),
    edit(
        {
            "command": "str_replace",
            "path": "m.py",
            "old_str": "return 3",
            "new_str": f'return "{ASSERTED}"[:-1] + "4"  # {ADDED}',
        }
    ),
    edit({"command": "create", "path": "unused.py", "file_text": f'BLOCK = """{BLOCK}"""\n'}),
    {"tool": "run_tests", "input": {"tests": ["test_m.py"]}},
    finish(DONE | {"summary": f"mended with {FOUND} and entirely plain words 7", "evidence": FOUND}),
]
# Everything that must not be found, by where it was planted.
PLANTED = {
    **{f"environment {n}": v for n, v in ENVIRONMENT.items() if "\n" not in v and n != "STORE_URL"},
    "environment, a line": BODY[::-1] * 2,
    "environment, a URL": "swordfish-in-url",
    "printed": PRINTED,
    "asserted": ASSERTED[:-1],
    "raised": RAISED,
    "test id": NAMED[:-1],
    "warned": WARNED,
    "logged": LOGGED,
    "source": SOURCE,
    "block": f"2{BODY}{BODY[::-1]}",
    "remote": REMOTE.split(":")[1],
    "told": TOLD,
    "found": FOUND,
    "called": CALLED,
    "added": ADDED,
    "settings": SET,
}


def leaks(written: dict[str, bytes]) -> list[str]:
    """Which keys are where."""
    return [
        f"{what} in {where}" for what, key in PLANTED.items() for where, data in written.items() if key.encode() in data
    ]


def everything(folder: Path) -> dict[str, bytes]:
    """All that the runs left, but the patches: they fit the files to the byte."""
    home = folder / ".bitnet-tui"
    return {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file() and p.suffix != ".diff"}


@pytest.fixture
def planted(repo: Callable[..., Path]) -> Path:
    folder = repo(FILES)
    git(folder, "remote", "add", "origin", f"https://{REMOTE}@127.0.0.1:1/x.git")
    return folder


def test_no_key_is_in_anything_that_is_written_or_printed(planted: Path, command: Command) -> None:
    script = command.script(FIX)
    answer = command("--json", *script, cwd=planted, **ENVIRONMENT)
    assert answer.code == 0, answer.out + answer.err
    written = everything(planted)
    names = {Path(n).name for n in written}
    assert {"journal.jsonl", "run.log", "ledger.md", "impl.json"} <= names
    said = {"stdout": answer.out.encode(), "stderr": answer.err.encode()}
    for args in (["show"], ["runs"], ["--no-tui", *script]):
        more = command(*args, cwd=planted, **ENVIRONMENT)
        assert more.code == 0, more.out + more.err
        said |= {f"{args[0]} out": more.out.encode(), f"{args[0]} err": more.err.encode()}
    assert leaks(everything(planted) | said) == []
    assert leaks({"message": git(planted, "log", "-1", "--format=%B", answer.result["branch"]).encode()}) == []
    # The words stand where the keys were, the two tests are two, and a person is told of what the change adds.
    assert b"\xe2\x80\xb9redacted: " in written[f"runs/{answer.result['run']}/run.log"]
    assert "‹redacted: DEPLOY_PASSWORD›" in json.dumps(answer.events, ensure_ascii=False)
    assert len([t for t in answer.of("AuditFinished")[0]["targets"] if "test_cpu_named[‹redacted" in t]) == 2
    advisories = [e["advisory"] for e in answer.of("AdvisoryRaised")]
    assert [(a["path"], a["line"]) for a in advisories if a["code"] == "SECRET"] == [("m.py", 9), ("unused.py", 1)]
    (slim,) = answer.of("DietFinished")
    (piece,) = slim["removed_pieces"]
    assert piece["lines"][1:4] == ["+‹redacted: private key›"] * 3
    # What must be exact is.
    assert BLOCK in command("diff", "--removed", cwd=planted).out.replace("\n+", "\n")
    patch = Path(answer.result["patch"])
    assert ADDED in patch.read_text(encoding="utf-8")
    assert ADDED in git(planted, "show", f"{answer.result['branch']}:m.py")
    assert command("apply", answer.result["run"], cwd=planted).code == 0
    assert ADDED in (planted / "m.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", some(["AuditFinished", "AttemptFinished"], (1,)))
def test_tests_with_a_key_in_their_id_are_found_again_by_a_resumed_run(
    planted: Path, command: Command, kind: str
) -> None:
    run = stop_at(start(command, planted, *command.script(FIX), **ENVIRONMENT), kind, signal.SIGINT)
    answer = command("resume", run, "--json", cwd=planted, **ENVIRONMENT)
    assert answer.code == 0, answer.result
    assert answer.result["tests"]["red_before"] == 5
    assert answer.result["tests"]["red_after"] == 0
    assert leaks(everything(planted) | {"stdout": answer.out.encode()}) == []


def test_one_test_may_be_asked_for_by_the_key_or_by_its_word(planted: Path, command: Command) -> None:
    asked = f"test_m.py::test_cpu_named[{NAMED}]"
    answer = command("--json", "--provider", "repair", "--test", asked, cwd=planted, **ENVIRONMENT)
    targets = answer.of("AuditFinished")[0]["targets"]
    assert len(targets) == 1
    assert "‹redacted: Hugging Face token" in targets[0]
    assert answer.result["tests"] == {"red_before": 1, "red_after": 0, "broken": 0, "flaky": 0}, answer.result
    nothing = command.script([finish({"outcome": "more-work", "summary": ""})])  # what the audit finds is enough
    again = command("--json", *nothing, "--test", targets[0].split(" ", 1)[1], cwd=planted, **ENVIRONMENT)
    assert again.of("AuditFinished")[0]["targets"] == targets
    assert leaks(everything(planted) | {"stdout": answer.out.encode() + again.out.encode()}) == []


@pytest.mark.parametrize("args", [["--provider", "anthropic"], ["--script", "no.json"], ["--no-such-option"]])
def test_what_ends_before_a_run_names_no_key(planted: Path, command: Command, args: list[str]) -> None:
    url = {"ANTHROPIC_BASE_URL": f"http://{REMOTE}@127.0.0.1:1"}
    settings = planted / "bitnet-tui.toml"
    settings.write_text(f"[anthropic]\nbase_url = 'https://{REMOTE}@example.org/{PRINTED}'\n")
    answer = command("--json", "--max-retries", "0", *args, cwd=planted, **ENVIRONMENT, **url)
    assert answer.code != 0
    doctor = command("doctor", cwd=planted, **ENVIRONMENT, **url)
    assert "would get your key" in doctor.out
    said = answer.out + answer.err + doctor.out + doctor.err
    assert leaks({"said": said.encode()}) == []


def test_what_a_model_says_and_a_server_complains_of_is_kept_without_keys(planted: Path, command: Command) -> None:
    def complain(body: Body) -> Refuse:
        return Refuse(401, f"{PRINTED} and {RAISED} of http://{REMOTE}@here are not valid", "authentication_error")

    with Double() as double:
        look = use("search", pattern=CALLED, **{SOURCE: ADDED})
        double.script = [
            Say([thinking(f"I have seen {TOLD}", BODY * 4), text(f"so {FOUND}\n{BLOCK}\n"), look]),
            Say([use("run_tests", tests=["test_m.py"])]),
            complain,
        ]
        key = {"ANTHROPIC_API_KEY": PRINTED, "ANTHROPIC_BASE_URL": double.url.replace("//", f"//{REMOTE}@")}
        answer = command("--json", "--provider", "anthropic", "--max-retries", "0", cwd=planted, **ENVIRONMENT, **key)
    assert answer.code == 6, answer.result
    written = everything(planted)
    assert leaks(written | {"stdout": answer.out.encode(), "stderr": answer.err.encode()}) == []
    kept = written[f"runs/{answer.result['run']}/transcript.jsonl"]
    assert b"I have seen" in kept
    assert (BODY * 4).encode() in kept
    assert b"are not valid" in kept or "are not valid" in answer.result["why"]


def test_a_server_that_cannot_be_reached_is_named_without_its_password(planted: Path, command: Command) -> None:
    key = {"ANTHROPIC_API_KEY": PRINTED, "ANTHROPIC_BASE_URL": f"http://{REMOTE}@127.0.0.1:9"}
    answer = command("--json", "--provider", "anthropic", "--max-retries", "0", cwd=planted, **ENVIRONMENT, **key)
    assert answer.code == 6, answer.result
    assert leaks(everything(planted) | {"stdout": answer.out.encode(), "stderr": answer.err.encode()}) == []
