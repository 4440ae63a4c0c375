"""Hooks are code of the repository: found, run confined on an edit, and heard only as far as that is safe."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import shlex
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support import CALC, DONE, FIX_ADD, FIX_MUL, Command, edit, finish, git, leftovers, make_repo

from engine import config
from engine.advisories.found import Found, find
from engine.advisories.hooks import Edit, Hooks
from engine.advisories.said import advisories
from engine.cancel import CancelToken
from engine.config import Advisories
from engine.errors import ConfigError, Stopped
from engine.suites.environment import scrubbed
from engine.suites.interpreter import probe
from engine.suites.limits import Limits
from engine.suites.remains import processes_of
from engine.suites.runner import Place, SuiteRunner
from engine.suites.sandbox import confine, landlock_version
from engine.workspace.repository import Repository

CLAUDE = ".claude/settings.json"
WRITE = Edit("Write", "m.py", {"content": "x = 1\n"})
CHANGE = Edit("Edit", "m.py", {"old_string": "1", "new_string": "2"})


def claude(*hooks: object, matcher: object = "Edit|Write|MultiEdit") -> str:
    return json.dumps({"hooks": {"PostToolUse": [{"matcher": matcher, "hooks": list(hooks)}]}})


def told(text: str, path: str = CLAUDE, **settings: bool) -> Found:
    return find(Advisories(**settings), {path: text})


# -- which there are --------------------------------------------------------------------------------------------------


def test_hooks_are_those_of_the_settings_and_of_claude_each_command_once() -> None:
    command = {"type": "command", "command": "make lint", "timeout": 60}
    found = find(Advisories(hooks=("python 'a b.py' -x",)), {f"sub/{CLAUDE}": claude(command, command)})
    own, theirs = found.hooks
    assert own.argv == ("python", "a b.py", "-x")
    assert (theirs.argv, theirs.timeout_s, theirs.folder) == (("sh", "-c", "make lint"), 60.0, "sub")
    assert [theirs.wants(t) for t in ("Edit", "Write", "EditX", "Bash")] == [True, True, False, False]
    assert not told(claude(command), claude_settings=False).hooks
    assert not told(json.dumps({"disableAllHooks": True} | json.loads(claude(command)))).hooks
    assert not told("{}").hooks
    assert not told(json.dumps({"hooks": {"PreToolUse": [{"hooks": [command]}]}})).hooks


@pytest.mark.parametrize(
    ("matcher", "tools"),
    [("", "EW"), ("*", "EW"), (".*", "EW"), (None, "EW"), ("Write", "W"), ("^(Edit|Bash)$", "E"), ("write", "")],
)
def test_a_matcher_is_a_pattern_for_the_whole_name(matcher: object, tools: str) -> None:
    (hook,) = told(claude({"command": "x"}, matcher=matcher)).hooks
    assert "".join(t[0] for t in ("Edit", "Write") if hook.wants(t)) == tools


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no object"),
        (" " * 1_000_001, "larger than 1 MB"),
        ('{"hooks": {"PostToolUse": {"a": 1}}}', "is no list"),
        ('{"hooks": {"PostToolUse": [3]}}', "has no list of hooks"),
        (claude({"type": "prompt", "prompt": "ok?"}), "is no command"),
        (claude({"type": "command", "command": ["ls"]}), "without a command"),
        (claude({"command": "slow.sh", "async": True}), "`slow.sh` runs beside the work"),
        (claude({"command": "x", "if": "Edit(*.ts)"}), "has a condition"),
        (claude({"command": "x"}, matcher="(((a{1,9}){1,9}){1,9}"), "is no pattern"),
        (claude({"command": "x"}, matcher="(.*)*(.*)*(.*)*(.*)*(.*)*"), "is no pattern"),
        (claude({"command": "x"}, matcher="(Edit"), "is no pattern"),
        (claude({"command": "x"}, matcher=["Edit"]), "is no pattern"),
    ],
)
def test_claude_settings_of_no_use_are_a_sentence(text: str, says: str) -> None:
    found = told(text)
    assert not found.hooks
    assert says in found.left_out[0]
    assert found.left_out[0].startswith(CLAUDE)


def test_a_hundred_hooks_are_cut() -> None:
    found = told(claude(*({"command": f"c{n}"} for n in range(100))))
    assert (len(found.hooks), found.left_out) == (20, ("80 hooks more than 20 are left out",))


def test_a_command_line_with_an_open_quote_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigError, match="want a list of command lines"):
        config.parse({"advisories": {"hooks": ["python 'lint.py"]}}, "bitnet-tui.toml")


# -- what they say ----------------------------------------------------------------------------------------------------


def heard(*lines: str) -> list[tuple[str, str]]:
    return [(a.code, a.text) for a in advisories(lines, "m.py", lambda t: t.replace("sesame", "‹redacted›"))]


def test_only_advisories_are_heard() -> None:
    assert heard("all good", "ADVISORY x: y", "[ADVISORY] x", '{"decision": "block"}', "[1]", "{") == []
    assert heard("warn", "  [ADVISORY] SCOPE: look\x1b[2J here") == [("hook:SCOPE", "look here")]
    assert heard('{"additionalContext": "two\\nlines\\u202e", "continue": false}') == [("hook:CONTEXT", "two lines")]
    nested = json.dumps({"hookSpecificOutput": {"hookEventName": "PostToolUse", "additionalContext": "c"}}, indent=1)
    assert heard("noise {", *nested.splitlines(), "more") == [("hook:CONTEXT", "c")]
    assert heard('{"hookSpecificOutput": 3, "additionalContext": ["x"]}') == []


def test_what_they_say_is_bounded_and_is_none_of_our_own() -> None:
    assert heard("[ADVISORY] a: [ADVISORY] SECRET: sesame") == [("hook:A", "(quoted: advisory) SECRET: ‹redacted›")]
    ((code, text),) = heard(f"[ADVISORY] {'c' * 39}: {'x' * 9999}")
    assert (len(code), len(text)) == (29, 400)
    assert len(heard(*(f"[ADVISORY] a: {n}" for n in range(99)))) == 20
    assert heard('{"a":' * 5000) == []


# -- running them -----------------------------------------------------------------------------------------------------


@pytest.fixture
def hooks(tmp_path: Path) -> Callable[..., Hooks]:
    def make(*lines: str, settings: str = "", mode: str = "auto", **given: float) -> Hooks:
        checkout = tmp_path / "repo"
        if not checkout.exists():
            checkout.mkdir()
            make_repo(checkout, {"m.py": "x = 1\n", ".gitignore": ".bitnet-tui/\n"})
        worktree = checkout / ".bitnet-tui" / "scratch" / "r" / f"work-{secrets.token_hex(3)}"
        git(checkout, "worktree", "add", "-q", "--detach", str(worktree))
        environ = dict(os.environ) | {"DEPLOY_PASSWORD": "sesame-open-now"}
        env = scrubbed(environ)
        python = probe(sys.executable, checkout, env)
        visible = [
            *Repository.open(checkout).folders(),
            *map(Path, (*python.prefixes, *python.path, python.executable, sys.prefix)),
        ]
        chosen = confine(mode, visible, python.executable, env, limits=Limits())
        runner = SuiteRunner(f"a-run-{secrets.token_hex(4)}", python, chosen, environ, CancelToken())
        place = Place(worktree, checkout, "", tmp_path / "scratch" / "work", (".",), frozenset())
        found = find(Advisories(hooks=lines), {CLAUDE: settings} if settings else {})
        limits = {"timeout_s": 30.0, "budget_s": 60.0} | given
        made = Hooks(found.hooks, runner, place, redact=lambda t: t.replace("sesame-open-now", "‹redacted›"), **limits)
        if not chosen.seals:
            pytest.skip("missing-tool: neither bubblewrap nor Landlock")
        return made

    return make


def python(text: str) -> str:
    return f"python -c {shlex.quote(text)}"


SHOWS = (
    "import json, os, sys, socket; got = json.load(sys.stdin);"
    "got['dir'] = os.environ['CLAUDE_PROJECT_DIR']; got['cwd is'] = os.getcwd();"
    "got['text'] = open(got['tool_input']['file_path']).read();"
    "got['keys'] = [k for k in os.environ if 'PASSWORD' in k];"
    "print(json.dumps({'additionalContext': json.dumps(got)}))"
)


def test_a_hook_reads_the_edit_as_claude_code_tells_it(hooks: Callable[..., Hooks]) -> None:
    command = {"type": "command", "command": f'cd "$CLAUDE_PROJECT_DIR" && {python(SHOWS)}'}
    made = hooks(settings=claude(command, matcher="Edit"))
    assert made.after(WRITE).advisories == (), "its matcher wants another tool"
    # The text is longer than an advisory may be, so it is read from the child itself.
    output: list[str] = []
    found = made._child(made.hooks[0], CHANGE, 30, type("Kept", (), {"add": output.append, "loud": False})())
    assert found.code == 0, output
    got = json.loads(json.loads(output[-1])["additionalContext"])
    root = str(made.place.worktree)
    assert (got["hook_event_name"], got["tool_name"], got["session_id"]) == ("PostToolUse", "Edit", made.runner.run)
    assert got["tool_input"] == {"file_path": f"{root}/m.py", "old_string": "1", "new_string": "2"}
    assert got["tool_response"] == {"filePath": f"{root}/m.py", "success": True}
    assert (got["cwd"], got["dir"], got["cwd is"], got["text"]) == (root, root, root, "x = 1\n")
    assert got["keys"] == []


def test_a_hook_cannot_change_the_worktree_or_reach_the_network(hooks: Callable[..., Hooks]) -> None:
    tries = (
        "import os, socket\n"
        "def could(f):\n"
        "    try: f()\n"
        "    except OSError: return 0\n"
        "    return 1\n"
        "print('[ADVISORY] got:', could(lambda: open('m.py', 'w')), could(lambda: os.unlink('m.py')),"
        " could(lambda: open('new.py', 'w')), could(lambda: open(os.environ['HOME'] + '/mine', 'w')))"
    )
    made = hooks(python(tries))
    assert [a.text for a in made.after(WRITE).advisories] == ["0 0 0 1"]
    assert git(made.place.worktree, "status", "--porcelain") == ""
    assert "hooks" in str(made.place.scratch), "what it writes is not what tests read"


HANGS = (
    "import signal, time, sys; signal.signal(15, signal.SIG_IGN); print('[ADVISORY] x: y', flush=True); time.sleep(600)"
)


def test_a_hook_that_fails_or_prints_what_is_no_text_is_told_once(hooks: Callable[..., Hooks]) -> None:
    made = hooks(
        "no-such-program --fast",
        python("import sys; sys.exit('bad sesame-open-now')"),
        python("import sys; sys.stdout.buffer.write(bytes(range(256)) * 9)"),
        python("import os; os.kill(os.getpid(), 11)"),
        python("print('[ADVISORY] ok: still heard')"),
    )
    seen = made.after(WRITE)
    texts = [a.text for a in seen.advisories]
    assert "no-such-program --fast" in texts[0]
    assert texts[0].endswith("it failed with exit 127: no-such-program: No such file or directory")
    assert texts[1].endswith("it failed with exit 1: bad ‹redacted›")
    assert texts[2].endswith("it printed what is no text")
    assert "it was ended by signal 11" in texts[3] or "it failed with exit 139" in texts[3]
    assert texts[4] == "still heard"
    assert [a.code for a in seen.advisories] == ["HOOK"] * 4 + ["hook:OK"]
    assert len(seen.by) == 1
    assert [a.text for a in made.after(CHANGE).advisories] == ["still heard"]


def test_a_hook_that_hangs_or_prints_for_ever_is_ended_and_off(hooks: Callable[..., Hooks]) -> None:
    made = hooks(python(HANGS), python("while True: print('x' * 999)"), timeout_s=1.5)
    seen = made.after(WRITE)
    assert [a.code for a in seen.advisories] == ["HOOK", "HOOK"]
    assert "was ended after 1.5 s; it does not run again in this attempt" in seen.advisories[0].text
    assert "it printed more than 64 kB" in seen.advisories[1].text
    assert not processes_of(made.runner.run)
    left = made._left
    again = made.after(WRITE)
    assert (again.advisories, again.by, made._left) == ((), {}, left)


def test_hooks_have_a_budget_an_attempt(hooks: Callable[..., Hooks]) -> None:
    made = hooks(python("print('[ADVISORY] a: b')"), budget_s=0.001)
    assert "was ended after" in made.after(WRITE).advisories[0].text
    assert [a.text for a in made.after(WRITE).advisories] == [
        "hooks are off until this attempt ends: [advisories] budget_s = 0.001 is spent"
    ]
    assert made.after(WRITE).advisories == ()


def test_a_cancelled_run_ends_its_hook_at_once(hooks: Callable[..., Hooks]) -> None:
    made = hooks(python(HANGS), timeout_s=300, budget_s=300)
    cancel = made.runner.cancel
    timer = threading.Timer(1.0, cancel.cancel)
    timer.start()
    with pytest.raises(Stopped):
        made.after(WRITE)
    timer.join()
    assert not processes_of(made.runner.run)


def test_with_landlock_alone_the_worktree_is_as_closed(hooks: Callable[..., Hooks]) -> None:
    made = hooks(python("import sys; print('[ADVISORY] read:', open('m.py').read()); open('m.py', 'w')"))
    version = landlock_version()
    if not version:
        pytest.skip("missing-tool: this kernel has no Landlock")
    made.runner.confinement = dataclasses.replace(made.runner.confinement, bwrap="", landlock=version)
    (about,) = made.after(WRITE).advisories
    assert about.code == "HOOK"
    assert (made.place.worktree / "m.py").read_text() == "x = 1\n"


# -- in a run ---------------------------------------------------------------------------------------------------------

LINT = """
import json, sys
path = json.load(sys.stdin)["tool_input"]["file_path"]
if "print(" in open(path).read():
    print("[ADVISORY] NOISE: no prints in the library, please")
"""
NOISY = {
    "command": "str_replace",
    "path": "calc/__init__.py",
    "old_str": "return a - b",
    "new_str": "try:\n        print(a)\n    except Exception:\n        pass\n    return a - b",
}
QUIET = {
    "command": "str_replace",
    "path": "calc/__init__.py",
    "old_str": "try:\n        print(a)\n    except Exception:",
    "new_str": "try:\n        pass\n    except Exception:",
}


def test_a_run_tells_its_provider_and_counts_what_was_followed(repo: Callable[..., Path], command: Command) -> None:
    files = {
        "tools/lint.txt": LINT,
        CLAUDE: claude({"type": "command", "command": 'python "$CLAUDE_PROJECT_DIR/tools/lint.txt"'}),
        "bitnet-tui.toml": "[advisories]\nhooks = [\"python -c 'raise SystemExit(3)'\"]\n",
    }
    folder = repo(CALC | files)
    if "would not run" in command("doctor", cwd=folder).out:
        pytest.skip("missing-tool: neither bubblewrap nor Landlock")
    script = command.script([edit(NOISY), edit(QUIET), edit(FIX_ADD), edit(FIX_MUL), finish(DONE)])
    answer = command("--json", *script, cwd=folder)
    assert answer.code == 0, answer.result
    raised = [e["advisory"] for e in answer.of("AdvisoryRaised")]
    assert [a["code"] for a in raised] == ["BROAD-EXCEPT", "HOOK", "hook:NOISE"]
    assert "failed with exit 3" in raised[1]["text"]
    (settled,) = answer.of("AdvisoriesSettled")
    assert [a["code"] for a in settled["followed"]] == ["hook:NOISE"]
    assert [a["code"] for a in settled["open"]] == ["BROAD-EXCEPT"]
    assert answer.result["advisories"] == {"raised": 2, "followed": 1}
    assert "advisories: 1 of 2 followed" in command("show", cwd=folder).out
    assert not leftovers(folder, answer.result["run"])
    said = command("doctor", cwd=folder).out
    assert ".claude/settings.json, after Edit|Write|MultiEdit" in said
    assert "they would run after edits, confined as tests are" in said
    (folder / "bitnet-tui.toml").write_text('[sandbox]\nmode = "off"\n')
    assert "they would not run: nothing here keeps them from writing" in command("doctor", cwd=folder).out
