"""The command line of ``download-model``: a name or an address to a file whose hash is right."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from kernels.download.errors import DownloadError
from kernels.download.place import cache_folder
from kernels.download.transfer import Wanted, fetch
from kernels.errors import InputError
from kernels.gguf.errors import plain

LOCK = Path(__file__).with_name("models.toml")
HOME = "https://huggingface.co"
EXIT_CODES = """exit codes:
  0    the file is there, and its hash is right
  1    it could not be fetched; what to do is said
  2    a wrong command line, a model nobody knows, or no hash to check it by
  130  interrupted; the same command goes on from there
"""
_EVERY_S = 0.1


def main(arguments: list[str]) -> int:
    """Fetch a model; see `EXIT_CODES`."""
    asked = _parser().parse_args(arguments)
    wanted, name = _wanted(asked)
    goal = (asked.to or cache_folder()) / name
    bar = Bar() if sys.stderr.isatty() else None
    offline = asked.offline or os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0")
    try:
        path = fetch(wanted, goal, offline=offline, progress=bar or (lambda what, done, size: None))
    except DownloadError as error:
        sys.stderr.write(f"{plain(str(error), 1000)}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on from there\n")
        return 130
    finally:
        if bar:
            bar.clear()
    said = {"path": str(path), "sha256": wanted.sha256, "size": path.stat().st_size}
    sys.stdout.write((json.dumps(said) if asked.json else str(path)) + "\n")
    return 0


def _wanted(asked: argparse.Namespace) -> tuple[Wanted, str]:
    """What to fetch, and what to call it."""
    sha256, size, token = asked.sha256, None, _token(asked)
    if "://" in asked.model:
        url = asked.model
        try:
            name = unquote(urlsplit(url).path.rpartition("/")[2])
        except ValueError as error:
            raise InputError(f"{plain(url)} is no address: {error}", "is it written right?") from None
    else:
        entry = _entry(asked.lock, asked.model)
        sha256, size = sha256 or entry.get("sha256", ""), entry.get("size")
        base = (asked.base_url or os.environ.get("HF_ENDPOINT") or HOME).rstrip("/")
        url = f"{base}/{quote(entry['repo'])}/resolve/{quote(entry['revision'])}/{quote(entry['file'])}"
        name = f"{asked.model}-{entry['file'].rpartition('/')[2]}"
    if not name or name.startswith(".") or "\0" in name or "/" in name:
        raise InputError(f"{url} names no file")
    if not sha256:
        page = f"{HOME}/{entry['repo']}/blob/{entry['revision']}/{entry['file']}" if "://" not in asked.model else url
        hint = f"give it with --sha256; its publisher's page shows it: {page}"
        raise InputError(f"no sha256 is known for {asked.model}, so nothing could be told from a forgery", hint)
    return Wanted(url, sha256.lower(), size, token), name


def _entry(path: Path, name: str) -> dict[str, Any]:
    try:
        known = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}", "want a TOML file with a table for every model") from None
    entry = known.get(name)
    if not isinstance(entry, dict):
        raise InputError(f"no model {name!r} in {path}; it has {', '.join(known) or 'none'}", "or give an address")
    for key, kind in {"repo": str, "file": str, "revision": str, "sha256": str, "size": int}.items():
        if not isinstance(entry.get(key, kind()), kind) or (key in ("repo", "file", "revision") and not entry.get(key)):
            raise InputError(f"{path}: [{name}] {key} is {entry.get(key)!r}; want {kind.__name__}")
    return entry


def _token(asked: argparse.Namespace) -> str:
    if asked.token_file is None:
        return os.environ.get("HF_TOKEN", "").strip()
    try:
        return str(asked.token_file.read_text("utf-8").strip())
    except (OSError, ValueError) as error:
        raise InputError(f"--token-file {asked.token_file}: {error}") from None


class Bar:
    """A line on a terminal: how much, how fast, how long still."""

    def __init__(self) -> None:
        self._began, self._from, self._what, self._next = time.monotonic(), 0, "", 0.0

    def __call__(self, what: str, done: int, size: int | None) -> None:
        now = time.monotonic()
        if what != self._what:
            self._began, self._from, self._what, self._next = now, done, what, 0.0
        if now < self._next:
            return
        self._next = now + _EVERY_S
        rate = (done - self._from) / max(1e-3, now - self._began)
        text = f"{what} {done / 1e6:.0f} MB"
        if size:
            filled = min(20, 20 * done // size)
            left = (size - done) / rate if rate > 0 else 0
            text = (
                f"{what} [{'#' * filled}{'.' * (20 - filled)}] {done / 1e6:.0f} of {size / 1e6:.0f} MB,"
                f" {rate / 1e6:.1f} MB/s, {left:.0f} s left"
            )
        sys.stderr.write("\r\x1b[K" + plain(text, 200))
        sys.stderr.flush()

    def clear(self) -> None:
        """Leave the line empty."""
        sys.stderr.write("\r\x1b[K")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m kernels download-model",
        description="Fetch a model file; it is kept only if its SHA-256 is right.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="NAME|URL", help=f"a name in the lock file, or an address ({LOCK.name})")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="(default: the user's cache)")
    parser.add_argument("--sha256", default="", metavar="HEX", help="in place of the lock file's")
    parser.add_argument("--lock", type=Path, default=LOCK, metavar="FILE.toml", help="models by name")
    parser.add_argument(
        "--base-url", default="", metavar="URL", help="a mirror (default: HF_ENDPOINT, or Hugging Face)"
    )
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="holds a token (default: HF_TOKEN)")
    parser.add_argument("--offline", action="store_true", help="only look on the disk")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the path")
    return parser
