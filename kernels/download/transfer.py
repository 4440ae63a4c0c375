"""One file over HTTP: asked for again where it was cut, bounded by what it should be, trusted by its hash alone."""

from __future__ import annotations

import errno
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx2 as httpx

from kernels.download.errors import DownloadError, Retryable
from kernels.download.place import Place, Progress, Source, is_strong, sha256_of
from kernels.gguf.errors import plain

RETRIES = 6
"""Times in a row without a new byte after which nothing more is tried."""

LONGEST_WAIT_S = 60.0
MOST_REDIRECTS = 5
TIMEOUT = httpx.Timeout(30.0)
"""Seconds for a connection, and for each next bytes."""

_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_HEX = re.compile("[0-9a-f]{64}")
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to fetch.

    Parameters
    ----------
    url : https, or http on this machine.
    sha256 : in hex; what has another is not kept.
    size : bytes, if known.
    token : sent to the host of the url, and to no other.
    """

    url: str
    sha256: str
    size: int | None = None
    token: str = ""

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.sha256):
            raise DownloadError(f"sha256 {self.sha256!r}", "want 64 digits of hex, in small letters")
        if not (self.token.isascii() and self.token.isprintable()):  # it is not shown, whatever it is
            raise DownloadError("the token has characters that no token has", "look at HF_TOKEN, or --token-file")
        _address(self.url)


def fetch(
    wanted: Wanted,
    goal: Path,
    *,
    offline: bool = False,
    progress: Progress = lambda what, done, size: None,
    pause: Callable[[float], object] = time.sleep,
) -> Path:
    """The file, from the disk where its hash is right, else from its server.

    Parameters
    ----------
    offline : only look on the disk.
    pause : waits for seconds between tries.

    Raises
    ------
    DownloadError
        It is not to be had. A part that can be gone on with stays.
    """
    try:
        return _fetched(wanted, Place(goal), offline, progress, pause)
    except OSError as error:
        if isinstance(error, DownloadError):
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            said = f"no room for more of {goal}: {error.strerror}"
            raise DownloadError(said, "make room and give the same command: it goes on from there") from None
        said = f"{error.filename or goal}: {error.strerror or error}"
        raise DownloadError(said, "move it away, or name another folder with --to") from None


def _fetched(wanted: Wanted, place: Place, offline: bool, progress: Progress, pause: Callable[[float], object]) -> Path:
    goal = place.goal
    if place.holds(wanted.sha256, progress):
        return goal
    if offline:
        said = "has another hash than it should" if goal.exists() else "is not there"
        raise DownloadError(f"{goal} {said}, and nothing may be fetched", "do without --offline once")
    with place.held():
        if place.holds(wanted.sha256, progress):  # another process was quicker
            return goal
        _complete(wanted, place, progress, pause)
        got = sha256_of(place.part, progress)
        if got != wanted.sha256:
            place.drop()
            said = f"{wanted.url} gave a file with sha256 {got}; it should be {wanted.sha256}"
            raise DownloadError(said, "nothing was kept; ask its publisher which is right")
        place.finish()
    return goal


def _complete(wanted: Wanted, place: Place, progress: Progress, pause: Callable[[float], object]) -> None:
    """Ask until the part is whole."""
    tries, before = 0, -1
    with httpx.Client(timeout=TIMEOUT, trust_env=True) as client:
        while True:
            try:
                _ask(client, wanted, place, progress)
                return
            except (Retryable, httpx.TransportError) as error:
                have = place.part.stat().st_size if place.part.exists() else 0
                tries = 1 if have > before >= 0 else tries + 1
                before = max(before, have)
                if tries >= RETRIES:
                    said = f"{wanted.url}: {error or type(error).__name__}, {tries} times in a row"
                    raise DownloadError(said, "give the same command again: it goes on where it was cut") from None
                asked = error.after if isinstance(error, Retryable) else None
                wait = asked if asked is not None else random.uniform(0.5, 1) * 2**tries
                progress(f"waiting: {error or type(error).__name__}", have, wanted.size)
                pause(min(wait, LONGEST_WAIT_S))


def _ask(client: httpx.Client, wanted: Wanted, place: Place, progress: Progress) -> None:
    known = place.known()
    have = place.part.stat().st_size if known and known.url == wanted.url else 0
    headers = {"Accept-Encoding": "identity"}
    if known and have:
        headers |= {"Range": f"bytes={have}-", "If-Range": known.tag}
    response = _opened(client, wanted, headers)
    try:
        if response.status_code == 416:
            if not (known and known.size == have):
                place.drop()
                raise Retryable("the server has no such part; from the start")
            return
        _refuse(response, wanted)
        tag = response.headers.get("etag", "")
        tag = tag if is_strong(tag) else ""
        if response.status_code == 206:
            size = _resumed(response, have, known, place)
        else:
            size, have = _length(response), 0
            if wanted.size is not None and size is not None and size != wanted.size:
                raise DownloadError(
                    f"{wanted.url} has {size} bytes; it should have {wanted.size}", "nothing was fetched"
                )
            place.check_room(size or wanted.size or 0)
            place.begin(Source(wanted.url, tag, size))
        _write(response, place, have, size if size is not None else wanted.size, progress)
    finally:
        response.close()


def _opened(client: httpx.Client, wanted: Wanted, headers: dict[str, str]) -> httpx.Response:
    """An answer that is no redirection; the token goes to the first host alone."""
    url = home = _address(wanted.url)
    for _ in range(MOST_REDIRECTS + 1):
        secret = {"Authorization": f"Bearer {wanted.token}"} if wanted.token and _same(url, home) else {}
        try:
            response = client.send(client.build_request("GET", url, headers=headers | secret), stream=True)
        except UnicodeError:  # of the name of a host
            raise DownloadError(f"{url} names no host", "is the address right?") from None
        if response.status_code not in (301, 302, 303, 307, 308) or "location" not in response.headers:
            return response
        response.close()
        url = _address(response.headers["location"], url)
    raise DownloadError(f"{wanted.url} redirects more than {MOST_REDIRECTS} times", "is the address right?")


def _refuse(response: httpx.Response, wanted: Wanted) -> None:
    """Raise for every answer that holds no bytes of the file."""
    code = response.status_code
    if code in _AGAIN:
        raise Retryable(f"the server says {code}", _retry_after(response))
    if code in (401, 403):
        hint = "is the token good for it?" if wanted.token else "set HF_TOKEN, or name a file with --token-file"
        raise DownloadError(f"{wanted.url}: the server says {code}, not allowed", hint)
    if code not in (200, 206):
        raise DownloadError(f"{wanted.url}: the server says {code}", "is the address right?")
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise DownloadError(f"{wanted.url} comes as {encoding}, which was not asked for", "try another mirror")


def _resumed(response: httpx.Response, have: int, known: Source | None, place: Place) -> int | None:
    """The size of the whole, of an answer that goes on where the part ends."""
    found = _RANGE.fullmatch(response.headers.get("content-range", ""))
    tag = response.headers.get("etag", known.tag if known else "")
    if not have or known is None or not found or int(found[1]) != have or tag != known.tag:
        place.drop()
        raise Retryable("the server sent another part than was asked for; from the start")
    size = int(found[3]) if found[3] != "*" else known.size
    if size != known.size:
        place.drop()
        raise Retryable("the file has another size than before; from the start")
    return size


def _write(response: httpx.Response, place: Place, have: int, size: int | None, progress: Progress) -> None:
    with open(place.part, "ab") as file:
        for chunk in response.iter_raw():  # as it comes: a cut must not cost what was there
            have += len(chunk)
            if size is not None and have > size:
                place.drop()
                raise DownloadError(f"{response.url} sends more than the {size} bytes it said", "nothing was kept")
            if size is None:  # it may never end
                place.check_room(len(chunk))
            file.write(chunk)
            progress("fetching", have, size)
    if size is not None and have < size:
        raise Retryable(f"cut after {have} of {size} bytes")


def _length(response: httpx.Response) -> int | None:
    text = response.headers.get("content-length", "")
    return int(text) if text.isdecimal() else None


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _address(text: str, base: httpx.URL | None = None) -> httpx.URL:
    """The address a text stands for, seen from another one; refuses those on which others could read along."""
    try:
        url = base.join(text) if base is not None else httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise DownloadError(f"{plain(text)} is no address: {plain(str(error))}", "is it written right?") from None
    local = url.host in ("localhost", "127.0.0.1", "::1")
    if not url.host or not (url.scheme == "https" or (url.scheme == "http" and local)):
        raise DownloadError(f"{url}", "want https://, or http:// on this machine alone")
    return url


def _same(url: httpx.URL, home: httpx.URL) -> bool:
    return (url.scheme, url.host, url.port) == (home.scheme, home.host, home.port)
