"""Which repository on GitHub a checkout belongs to, and where the API of its server is.

A remote is text of whoever made the checkout, and a token goes where it points. So a host is GitHub's only if GitHub
runs it (github.com, ghe.com) or the user's environment names it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from engine.errors import EnvironmentFailure
from engine.github.unwritten import Unwritten
from engine.workspace.repository import Repository

_SCP = re.compile(r"(?:[^@/\\\s:]+@)?([A-Za-z0-9.-]{2,}):(?!/?/)(.+)")  # git@github.com:owner/name; not C:\
_PART = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]{1,100}")
_PUBLIC = "github.com"
_SCHEMES = ("https", "http", "ssh", "git", "git+ssh", "ssh+git")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository by its server, owner and name."""

    host: str
    owner: str
    name: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"


def parse(address: str) -> Remote | None:
    """The repository that the address of a remote names; None if it is none of a server's.

    Examples
    --------
    >>> parse("git@github.com:octo/calc.git")
    Remote(host='github.com', owner='octo', name='calc')
    >>> parse("../calc.git") is None
    True
    """
    parts = urlsplit(address) if "://" in address else None
    if parts is not None:
        if parts.scheme not in _SCHEMES:
            return None
        host, path = parts.hostname or "", parts.path
    elif match := _SCP.fullmatch(address):
        host, path = match[1], match[2]
    else:
        return None
    found = path.strip("/").removesuffix(".git").split("/")
    if len(found) != 2 or not all(map(_PART.fullmatch, found)):
        return None
    host = host.lower().rstrip(".")
    # Port 443 of another name is for networks that let nothing else out.
    host = _PUBLIC if host in ("www.github.com", "ssh.github.com") else host
    return Remote(host, *found) if host else None


def is_github(host: str, environ: Mapping[str, str]) -> bool:
    """Whether a token may go to the API of this host."""
    return host == _PUBLIC or host.endswith(".ghe.com") or host in (own_host(environ), environ.get("GH_HOST", ""))


def own_host(environ: Mapping[str, str]) -> str:
    """The server this environment belongs to: that of the workflow, else the public one."""
    return (urlsplit(environ.get("GITHUB_SERVER_URL", "")).hostname or _PUBLIC).lower()


def api(host: str, environ: Mapping[str, str]) -> str:
    """Where the API of a host is.

    Raises
    ------
    Unwritten
        The environment names an address a token must not be sent to.
    """
    named = environ.get("GITHUB_API_URL", "").strip()
    if named and host == own_host(environ):
        parts = urlsplit(named)
        if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            return named
        raise Unwritten("insecure-api", "GITHUB_API_URL is not https: no token is sent there")
    if host == _PUBLIC:
        return "https://api.github.com"
    return f"https://api.{host}" if host.endswith(".ghe.com") else f"https://{host}/api/v3"


def choose(remotes: Mapping[str, Remote | None], upstream: str, environ: Mapping[str, str]) -> Remote:
    """Which of the remotes: the workflow's own repository, the branch's upstream, origin, or the only one.

    Parameters
    ----------
    remotes
        What each remote's address names.
    upstream
        The remote the branch follows; empty if it follows none.

    Raises
    ------
    Unwritten
        There is none, none is on GitHub, or a workflow runs on a checkout that is not its repository.
    """
    if not remotes:
        raise Unwritten("no-remote", "the repository has no remote, so there is nowhere to write to")
    known = {name: r for name, r in remotes.items() if r is not None and is_github(r.host, environ)}
    if not known:
        raise Unwritten("not-github", "no remote of the repository is on a GitHub server that is known here")
    if workflow := environ.get("GITHUB_REPOSITORY", "") if in_actions(environ) else "":
        # A test of a workflow may run on a repository of its own making: the workflow's token is not for that.
        same = [r for r in known.values() if str(r).lower() == workflow.lower() and r.host == own_host(environ)]
        if not same:
            raise Unwritten("other-repository", f"no remote of the repository is {workflow}, whose workflow this is")
        return same[0]
    for name in (upstream, "origin"):
        if name in known:
            return known[name]
    if len(known) == 1:
        return next(iter(known.values()))
    raise Unwritten("which-remote", "several remotes are on GitHub, and the branch follows none of them")


def in_actions(environ: Mapping[str, str]) -> bool:
    """Whether a workflow of GitHub Actions runs us."""
    return environ.get("GITHUB_ACTIONS") == "true"


def find(repository: Repository, branch: str, environ: Mapping[str, str]) -> Remote:
    """The repository on GitHub that a checkout belongs to.

    Raises
    ------
    Unwritten
        As :func:`choose`.
    """
    names = repository.run("remote").split("\n")
    remotes = {name: parse(_printed(repository, "remote", "get-url", name)) for name in names if name}
    upstream = _printed(repository, "config", "--get", f"branch.{branch}.remote") if branch else ""
    return choose(remotes, upstream, environ)


def followed(repository: Repository, branch: str) -> str:
    """What a local branch is called on its remote."""
    merge = _printed(repository, "config", "--get", f"branch.{branch}.merge")
    return merge.removeprefix("refs/heads/") or branch


def _printed(repository: Repository, *args: str) -> str:
    try:
        return repository.run(*args).split("\n", 1)[0].strip()
    except EnvironmentFailure:  # no such entry
        return ""
