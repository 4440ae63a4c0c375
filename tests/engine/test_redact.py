"""What is a key and what is not: every kind is found wherever it stands, ordinary text is left alone."""

from __future__ import annotations

import base64
import json
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import events as ev
from engine.advisories import advise
from engine.model import Purpose, TestOutcome, TestReport, TestResult
from engine.records.redact import Redactor
from engine.suites.names import Names

ALNUM = "".join(sorted(string.ascii_letters + string.digits))
# Made up here, so that no scanner of sources takes this file for a leak.
BODY = "aB3" + "xYz7Kq9LmN2pR5tV8wQ4" * 6
PEM = "\n".join(
    ["-----BEGIN RSA " + "PRIVATE KEY-----", BODY[:64], BODY[3:67], BODY[:20] + "=", "-----END RSA PRIVATE KEY-----"]
)
KEYS = {
    "anthropic": "sk-ant-" + "api03-" + BODY[:40] + "-_AA",
    "openai": "sk-" + BODY[:48],
    "project": "sk-" + "proj-" + BODY[:30] + "_-" + BODY[:30],
    "stripe": "sk_" + "live_" + BODY[:24],
    "github": "ghp_" + BODY[:36],
    "oauth": "gho_" + BODY[:36],
    "app": "ghs_" + BODY[:36],
    "fine": "github_" + "pat_" + BODY[:22] + "_" + BODY[:59],
    "gitlab": "glpat-" + BODY[:20],
    "aws": "AKIA" + "IOSFODNN7EXAMPL3",
    "slack": "xoxb-" + "123456789012-" + BODY[:24],
    "google": "AIza" + BODY[:35],
    "hugging": "hf_" + BODY[:34],
    "npm": "npm_" + BODY[:36],
    "pypi": "pypi-" + "AgEIcHlwaS5vcmc" + BODY[:60],
    "jwt": "eyJ" + BODY[:20] + ".eyJ" + BODY[:30] + "." + BODY[:43],
}
CARRIED = {  # text around, and the secret in it
    "url": ("https://{}@example.org/x", "me:sesame-open-7"),
    "token in url": ("fatal: https://{}@github.com/a/b.git", "x-access-token:abc123def456"),
    "redis": ("redis://{}@localhost:6379/0", ":tea4two"),
    "bearer": ("Authorization: Bearer {}", BODY[:40]),
    "json header": ('{{"authorization": "Bearer {}"}}', BODY[:40]),
    "bare bearer": ("sent bearer {} and got 401", BODY[:40]),
    "basic": ("AUTHORIZATION: Basic {}", "bWU6c2VzYW1lLW9wZW4="),
    "own header": ("x-api-key: {}", "0123456789abcdef"),
}
AROUND = [
    "{}",
    "key={}",
    "'{}'",
    '"{}",',
    "({})",
    "a\\n{}\\nb",
    "E   assert '{}' == ''",
    "x\n{}\n",
    "\x1b[31m{}\x1b[0m",
    "k:{}.",
]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_found_wherever_it_stands(name: str, around: str) -> None:
    text = around.format(KEYS[name])
    said = Redactor().text(text)
    assert KEYS[name] not in said
    assert BODY[:10] not in said
    assert "‹redacted: " in said
    assert Redactor().text(said) is said
    assert Redactor().kinds(text)


@pytest.mark.parametrize("name", CARRIED)
def test_what_a_header_or_an_address_carries_is_found(name: str) -> None:
    text, secret = CARRIED[name]
    said = Redactor().text(text.format(secret))
    assert secret not in said
    before, after = text.replace("{{", "{").replace("}}", "}").split("{}")
    assert said.startswith(before)
    assert said.endswith(after)
    assert Redactor().text(said) is said


@pytest.mark.parametrize("quote", [str, repr, json.dumps, lambda s: s.replace("\n", "\nE   "), lambda s: s[:-30]])
def test_a_private_key_goes_as_a_block(quote: object) -> None:
    assert callable(quote)
    said = Redactor().text(f"before {quote(PEM)}\nafter all")
    assert BODY[:16] not in said
    assert said.startswith("before ")
    assert "after all" in said


def test_a_private_key_goes_line_by_line() -> None:
    lines = Redactor().lines()
    said = [lines(line) for line in f"before\n{PEM}\nafter\n{PEM[:200]}\nand so on".splitlines()]
    assert BODY[:16] not in "\n".join(said)
    assert said[0] == "before"
    assert said[6] == "after"
    assert said[-1] == "and so on"


ORDINARY = """
commit 9fceb02d0ae598e95dc970b74767f19372d61af8 · 6e1f0c8a-0c8a-4f64-9a32-3f2f5a1c9d7e
tests/test_disk.py::test_cpu_task-runner[risk-asks-skip-sk-x] sk-learn sk-estimators-with-a-long-dashed-name-42
hf_hub_download hf_transfer npm_config_registry npm_lifecycle_event ghp_ AKIA AIza eyJ pypi-publish xoxo glpat-
the bearer of this long letter; bearer authentication-scheme; Authorization: Bearer {token}; Authorization: Basic <key>
http://localhost:8080/a@b https://example.org/@scope/name git@github.com:owner/name.git ssh://git@github.com/owner/name
def test_ghp_short(): assert AKIAI == "PRIVATE KEY" - cat /etc/ssl/certs pypi-simple-index-proxy-with-a-long-name-of-it
sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 github_patch_of_something_longer_than_that
"""


@pytest.mark.parametrize("line", [line for line in ORDINARY.splitlines() if line])
def test_ordinary_text_stays(line: str) -> None:
    assert Redactor().text(line) is line


texts = st.one_of(
    st.binary(min_size=20, max_size=20).map(bytes.hex),
    st.uuids().map(str),
    st.binary(max_size=3000).map(lambda b: base64.b64encode(b).decode()),
    st.binary(max_size=3000).map(lambda b: base64.encodebytes(b).decode()),
    st.from_regex(
        r"tests/test_[a-z_]{1,20}\.py::(Test[A-Za-z]{1,9}::)?test_[a-z0-9_]{1,30}(\[[a-z0-9.-]{1,30}\])?",
        fullmatch=True,
    ),
    st.lists(st.sampled_from(sorted({w for w in ORDINARY.split() if ":" not in w and "earer" not in w}))).map(" ".join),
)


@given(texts)
@settings(max_examples=400, deadline=None)
def test_shas_ids_base64_and_words_are_no_keys(text: str) -> None:
    assert Redactor().text(text) is text


@given(
    st.text(max_size=40).filter(lambda t: t[-1:] not in set(ALNUM + "_-")),
    st.sampled_from(sorted(KEYS)),
    st.text(max_size=40).filter(lambda t: t[:1] not in set(ALNUM + "_-=.")),
)
@settings(max_examples=400, deadline=None)
def test_nothing_but_the_key_is_taken(before: str, name: str, after: str) -> None:
    said = Redactor().text(before + KEYS[name] + after)
    assert KEYS[name] not in said
    assert said.startswith(before)
    assert said.endswith(after)
    assert Redactor().text(said) == said


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("DB_PASSWORD", "tea and biscuits", True),
        ("MY_API_KEY", "0a1b2c3d4e", True),
        ("AWS_SECRET_ACCESS_KEY", "/aB3xYz7Kq9LmN2pR5tV8/wQ4aB3xYz7Kq9LmN2pR", True),
        ("app_token", "correcthorsebatterystaple", True),
        ("GOOGLE_CREDENTIALS", '{"id": 7, "private": "tea\\nand"}', True),
        ("SIGNING_KEYS", f"{BODY[:40]}\n{BODY[5:50]}", True),
        ("APIKEY", "swordfish1", True),
        ("DATABASE_URL", "postgres://me:swordfish@db/x", True),
        ("SHORT_KEY", "seven77", False),
        ("SSH_AUTH_SOCK", "/run/user/1000/keyring/ssh", False),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/home/me/keys/service-account-1.json", False),
        ("ADMIN_PASSWORD", "production", False),
        ("MAX_TOKENS", "100000000", False),
        ("KEYBOARD_LAYOUT", "something-else", False),
        ("GIT_AUTHOR_NAME", "Some Body Else", False),
        ("PWD", "/home/me/project", False),
        ("PATH", "/usr/bin:/bin", False),
    ],
)
def test_the_environment_says_which_values_are_secret(name: str, value: str, secret: bool) -> None:
    redactor = Redactor.of({name: value, "HOME": "/home/me"})
    for form in (value, f"<{value}>", repr(value), json.dumps(value)):
        assert (value not in redactor.text(form)) or not secret
        assert secret or redactor.text(form) is form
    for line in value.splitlines():
        assert not secret or len(line) < 16 or line not in redactor.text(line)
    assert value not in repr(redactor)


def test_a_value_that_is_part_of_our_own_words_does_no_harm() -> None:
    redactor = Redactor.of(
        {"A_TOKEN": "redacted", "B_TOKEN": "Anthropic key", "C_SECRET": "D_PASSWORD", "D_PASSWORD": "12 monkeys"}
    )
    said = redactor.text(f"12 monkeys and {KEYS['anthropic']}")
    assert said == "‹redacted: D_PASSWORD› and ‹redacted: Anthropic key›"
    assert redactor.text(said) is said


# -- records ----------------------------------------------------------------------------------------------------------


@given(st.one_of(*(st.from_type(kind) for kind in ev.TYPES.values())))
@settings(max_examples=300, deadline=None)
def test_an_event_without_a_key_is_the_same_event(event: ev.Event) -> None:
    assert Redactor.of({"DB_PASSWORD": "tea and biscuits"}).noun(event) is event


def test_an_event_keeps_what_the_run_finds_things_by() -> None:
    redactor = Redactor.of({"A_PASSWORD": "tests/secret"})
    result = TestResult(
        "cpu", "tests/secret.py::test_a", TestOutcome.FAILED, message="tests/secret", path="tests/secret.py"
    )
    event = redactor.noun(ev.TestFinished(Purpose.AUDIT, 1, result))
    assert event.result.nodeid == result.nodeid
    assert event.result.path == result.path
    assert event.result.message == "‹redacted: A_PASSWORD›"
    attempt = ev.AttemptFinished(1, "p", "done", "tests/secret", "tests/secret", ("tests/secret.py",), 1, 0, True)
    assert redactor.noun(attempt).files == attempt.files
    assert redactor.noun(attempt).summary == "‹redacted: A_PASSWORD›"


def test_plain_data_is_redacted_all_the_way_down() -> None:
    key = KEYS["github"]
    data = {"a": [key, {"b": (key, 1, None)}], key: True}
    assert key not in json.dumps(Redactor().data(data), ensure_ascii=False)
    assert data["a"][0] == key  # type: ignore[index]


# -- ids of tests -----------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(sorted(KEYS)), min_size=1, max_size=4), st.text(max_size=8))
@settings(max_examples=200, deadline=None)
def test_an_id_leads_back_and_two_stay_two(names: list[str], rest: str) -> None:
    known = Names()
    ids = [f"tests/test_a.py::test_f[{KEYS[n]} {rest}]" for n in names]
    shown = [known.shown(i) for i in ids]
    assert not any(KEYS[n] in s for n, s in zip(names, shown, strict=True))
    assert len(set(shown)) == len(set(ids))
    assert [known.real(s) for s in shown] == ids
    assert [known.shown(s) for s in shown] == shown
    assert [Redactor().text(s) for s in shown] == shown
    assert [Names().shown(i) for i in ids] == shown  # in another process, too
    assert Names().unknown(shown)
    assert not known.unknown(shown)
    assert {Names().real(s) for s in shown} == {"tests/test_a.py::test_f"}


def test_a_report_is_written_by_the_same_names() -> None:
    nodeid = f"test_a.py::test_f[{KEYS['aws']}]"
    report = TestReport("cpu", (TestResult("cpu", nodeid, TestOutcome.PASSED),), 0)
    known = Names()
    assert known.report(report).results[0].nodeid == known.shown(nodeid) != nodeid


def test_a_change_that_adds_a_key_is_named_without_it() -> None:
    old = f"OLD = '{KEYS['aws']}'\n"
    found = list(advise("a.py", old, old + f"x = 1\nKEY = '{KEYS['github']}'\n"))
    assert [(a.code, a.path, a.line) for a in found] == [("SECRET", "a.py", 3)]
    assert "GitHub token" in found[0].text
    assert KEYS["github"] not in found[0].text
