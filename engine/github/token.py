"""The token a run shows to GitHub: from the environment, else from `gh`. It is never printed, recorded or passed on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.github.remote import own_host
from engine.github.unwritten import Unreachable

PATIENCE = 5.0  # a keyring that asks for a password would wait for ever
_OURS = ("GH_TOKEN", "GITHUB_TOKEN")  # in this order, as `gh` itself
_OTHERS = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
_SHAPE = re.compile(r"[!-~]{1,1000}")


@dataclass(frozen=True, slots=True)
class Token:
    value: str = field(repr=False)
    source: str  # the variable, or the program

    def __str__(self) -> str:
        return f"the token of {self.source}"


def find(host: str, environ: Mapping[str, str]) -> Token:
    """The token for a server.

    Raises
    ------
    Unreachable
        There is none, or it cannot be one.
    """
    for name in _OURS if host == own_host(environ) or host.endswith(".ghe.com") else _OTHERS:
        if value := environ.get(name, "").strip():
            return _checked(value, name)
    if value := _from_gh(host, environ):
        return _checked(value, "gh auth token")
    raise Unreachable("no-token", f"no token for {host}: set GITHUB_TOKEN, or `gh auth login`")


def _checked(value: str, source: str) -> Token:
    if not _SHAPE.fullmatch(value):
        raise Unreachable("bad-token", f"what {source} gives is no token: it holds more than one word")
    return Token(value, source)


def _from_gh(host: str, environ: Mapping[str, str]) -> str:
    program = shutil.which("gh", path=environ.get("PATH"))
    if program is None or not os.path.isabs(program):  # one that lies in the folder at hand is not the user's
        return ""
    try:
        done = subprocess.run(
            [program, "auth", "token", "--hostname", host],
            cwd="/",  # nothing in the repository is to have a say in it
            env={**environ, "GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
            start_new_session=True,  # Ctrl-C in the terminal is for us
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""
