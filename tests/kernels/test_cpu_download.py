"""A file is there whole and with the right hash, or not at all, whatever the server does."""

import hashlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kernels.__main__ import main
from kernels.download import DownloadError, Wanted, fetch
from kernels.download.command import LOCK
from kernels.download.place import Place, Source

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `CONTENT` with ranges; ``script`` holds what to do wrong in the next answers."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.seen, self.tag, self.pace = [], [], '"one"', 0.0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/repo/resolve/main/model.gguf"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        wrong = self.server.script.pop(0) if self.server.script else {}
        self.server.seen.append(dict(self.headers))
        asked = self.headers.get("Range")
        valid = self.headers.get("If-Range") in (None, self.server.tag)
        start = int(asked[6:-1]) if asked and valid and not wrong.get("ignore_range") else 0
        body = wrong.get("content", CONTENT)[start:]
        status = wrong.get("status", 206 if asked and start else 200)
        if start >= len(CONTENT) and "status" not in wrong:
            status, body = 416, b""
        if status >= 300:
            body = b""
        self.send_response(status)
        headers = {"Content-Length": str(len(body)), "ETag": self.server.tag}
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        for name, value in (headers | wrong.get("headers", {})).items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        for at in range(0, len(body), 2**16):
            if at >= wrong.get("cut", len(body) + 1):
                self.close_connection = True
                return
            try:
                self.wfile.write(body[at : at + 2**16])
            except OSError:
                return
            time.sleep(self.server.pace)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    made = Server()
    yield made
    made.shutdown()
    made.server_close()


def got(server, folder, sha=SHA, size=None, **options):
    waits = []
    path = fetch(Wanted(server.url, sha, size), folder / "m.gguf", pause=waits.append, **options)
    assert path.read_bytes() == CONTENT
    assert sorted(each.name for each in folder.iterdir()) == ["m.gguf", "m.gguf.lock"]
    return waits


@pytest.mark.parametrize(("script", "answers"), [
    ([], 1),
    ([{"cut": 300_000}], 2),
    ([{"cut": 300_000}, {"cut": 300_000}, {"cut": 100_000}], 4),
    ([{"status": 503}, {"status": 500}], 3),
    ([{"cut": 300_000}, {"ignore_range": True}], 2),
    ([{"cut": 300_000}, {"headers": {"Content-Range": "bytes 5-9/10"}}], 3),
    ([{"cut": 300_000}, {"headers": {"Content-Range": None}}], 3),
    ([{"cut": 300_000}, {"headers": {"Content-Range": "bytes 327680-1048575/9999999"}}], 3),
    ([{"cut": 300_000}, {"status": 416}], 3),
    ([{"headers": {"Content-Length": None, "Connection": "close"}}], 1),
    ([{"cut": 300_000}, {"headers": {"Content-Range": f"bytes 327680-1048575/{'9' * 5000}"}}], 3),
    ([{"status": 429, "headers": {"Retry-After": "Fri, 31 Dec 99999999999999999999 23:59:59 GMT"}}], 2),
    ([{"cut": 300_000, "headers": {"ETag": '"caf\xe9"'}}], 2),
])  # fmt: skip
def test_cpu_download_gets_there(script, answers, server, tmp_path):
    server.script = list(script)
    waits = got(server, tmp_path)
    assert len(server.seen) == answers
    assert len(waits) == answers - 1


def test_cpu_download_goes_on_where_it_was_cut(server, tmp_path):
    server.script = [{"cut": 300_000}]
    got(server, tmp_path)
    assert server.seen[1]["Range"].startswith("bytes=3")
    assert server.seen[1]["If-Range"] == '"one"'


@pytest.mark.parametrize("tag", ['W/"weak"', None, '"two"'])
def test_cpu_download_starts_anew_where_it_cannot_be_sure(tag, server, tmp_path):
    place = Place(tmp_path / "m.gguf")
    place.begin(Source(server.url, "" if tag != '"two"' else '"one"', len(CONTENT)))
    place.part.write_bytes(b"x" * 1000)
    server.tag = tag or ""
    got(server, tmp_path)
    assert len(server.seen) == 1
    assert ("Range" in server.seen[0]) == (tag == '"two"')


@pytest.mark.parametrize("note", [
    "[" * 10**5, "[]", '{"url": "URL", "tag": ["x"], "size": 5}', '{"url": "URL", "tag": "\\u2603", "size": 5}',
])  # fmt: skip
def test_cpu_download_believes_no_note_that_it_did_not_write(note, server, tmp_path):
    (tmp_path / "m.gguf.part").write_bytes(b"x" * 1000)
    (tmp_path / "m.gguf.part.json").write_text(note.replace("URL", server.url))
    got(server, tmp_path)
    assert "Range" not in server.seen[0]


@pytest.mark.parametrize(("name", "make", "words"), [
    ("m.gguf", os.mkfifo, "no regular file"), ("m.gguf", Path.mkdir, "no regular file"),
    ("m.gguf.part", Path.mkdir, "Is a directory"), ("m.gguf.lock", Path.mkdir, "Is a directory"),
])  # fmt: skip
def test_cpu_download_neither_reads_nor_replaces_what_is_no_file(name, make, words, server, tmp_path):
    make(tmp_path / name)
    with pytest.raises(DownloadError, match=words):
        got(server, tmp_path)
    assert not (tmp_path / name).is_file()


@pytest.mark.parametrize("token", ["se\ncret", "s\xe9cret", "se\0cret"])
def test_cpu_download_a_token_that_is_none_is_not_shown(token):
    with pytest.raises(DownloadError, match="the token has characters") as caught:
        Wanted("https://example.com/m", SHA, token=token)
    assert "cret" not in str(caught.value)


def test_cpu_download_leaves_room_where_a_server_never_says_how_much(server, tmp_path, monkeypatch):
    server.script = [{"headers": {"Content-Length": None, "Connection": "close"}}]
    asked = []
    monkeypatch.setattr(Place, "check_room", lambda place, needed: asked.append(needed))
    got(server, tmp_path)
    assert sum(asked) == len(CONTENT)


def test_cpu_download_waits_as_long_as_it_is_asked_to_but_no_longer(server, tmp_path):
    server.script = [
        {"status": 429, "headers": {"Retry-After": "7"}},
        {"status": 429, "headers": {"Retry-After": "9999"}},
    ]
    assert got(server, tmp_path) == [7, 60]
    assert Wanted  # dates are read too
    server.script = [{"status": 503, "headers": {"Retry-After": "Mon, 23 Nov 2020 00:00:00 GMT"}}]
    (tmp_path / "m.gguf").unlink()
    assert got(server, tmp_path) == [0]


@pytest.mark.parametrize(("words", "script", "more"), [
    ("sha256", [{"content": CONTENT[:-1] + b"?"}], {}),
    ("sha256", [], {"sha": "0" * 64}),
    ("it should have 7", [], {"size": 7}),
    ("404", [{"status": 404}], {}),
    ("HF_TOKEN", [{"status": 401}], {}),
    ("gzip", [{"headers": {"Content-Encoding": "gzip"}}], {}),
    ("6 times in a row", [{"status": 503}] * 9, {}),
    ("redirects", [{"status": 302, "headers": {"Location": "/again"}}] * 9, {}),
    ("https", [{"status": 302, "headers": {"Location": "http://example.com/x"}}], {}),
    ("is no address", [{"status": 302, "headers": {"Location": "http://[::1"}}], {}),
    ("names no host", [{"status": 302, "headers": {"Location": f"https://{'a' * 300}.com/x"}}], {}),
    ("more than", [{"cut": 300_000}, {"headers": {"Content-Length": None, "Connection": "close"},
                                       "content": CONTENT * 2}], {}),
])  # fmt: skip
def test_cpu_download_keeps_nothing_that_is_wrong(words, script, more, server, tmp_path):
    server.script = list(script)
    with pytest.raises(DownloadError, match=words):
        got(server, tmp_path, **more)
    assert [each.name for each in tmp_path.iterdir()] == ["m.gguf.lock"]


def test_cpu_download_ends_after_many_cuts_and_goes_on_later(server, tmp_path):
    server.script = [{"cut": 300_000}] + [{"status": 503}] * 6
    with pytest.raises(DownloadError, match="goes on where it was cut"):
        got(server, tmp_path)
    assert (tmp_path / "m.gguf.part").stat().st_size >= 300_000
    got(server, tmp_path)
    assert server.seen[-1]["Range"].startswith("bytes=")


def test_cpu_download_tells_its_token_to_one_host_alone(server, tmp_path):
    other = Server()
    server.script = [{"status": 302, "headers": {"Location": other.url}}]
    fetch(Wanted(server.url, SHA, token="secret"), tmp_path / "m.gguf")
    assert server.seen[0]["Authorization"] == "Bearer secret"
    assert "Authorization" not in other.seen[0]
    other.shutdown()


def test_cpu_download_fetches_nothing_twice_and_nothing_offline(server, tmp_path):
    got(server, tmp_path)
    got(server, tmp_path)
    got(server, tmp_path, offline=True)
    assert len(server.seen) == 1
    (tmp_path / "m.gguf").write_bytes(b"other")
    with pytest.raises(DownloadError, match="another hash"):
        got(server, tmp_path, offline=True)
    got(server, tmp_path)


def test_cpu_download_looks_at_the_disk_first(server, tmp_path, monkeypatch):
    monkeypatch.setattr("kernels.download.place.SPARE", 2**60)
    with pytest.raises(DownloadError, match="MB free"):
        got(server, tmp_path)
    assert not (tmp_path / "m.gguf.part").exists()


SMALL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
from kernels.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def child(server, folder, *, program=("-m", "kernels"), **options):
    command = [sys.executable, *program, "download-model", server.url, "--sha256", SHA, "--to", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_cpu_download_on_a_full_disk_says_so_and_goes_on_later(server, tmp_path):
    assert resource.RLIMIT_FSIZE  # a limit on files stands for the disk
    out, err = (full := child(server, tmp_path, program=("-c", SMALL_DISK))).communicate(timeout=60)
    assert (full.returncode, out) == (1, "")
    assert "make room" in err
    assert (tmp_path / "model.gguf.part").stat().st_size == 500_000
    again = child(server, tmp_path)
    assert again.communicate(timeout=60)[0] == f"{tmp_path / 'model.gguf'}\n"
    assert server.seen[-1]["Range"] == "bytes=500000-"


def test_cpu_download_killed_in_the_middle_goes_on(server, tmp_path):
    server.pace = 0.5
    killed = child(server, tmp_path)
    part = tmp_path / "model.gguf.part"
    while not (part.exists() and part.stat().st_size > 200_000):
        assert killed.poll() is None
        time.sleep(0.01)
    second = child(server, tmp_path)
    assert "another process" in second.communicate(timeout=60)[1]
    assert second.returncode == 1
    killed.kill()
    killed.communicate()
    server.pace = 0
    assert child(server, tmp_path).wait(timeout=60) == 0
    assert (tmp_path / "model.gguf").read_bytes() == CONTENT
    assert "Range" in server.seen[-1]


def test_cpu_download_interrupted_says_how_to_go_on(server, tmp_path):
    server.pace = 0.05
    stopped = child(server, tmp_path)
    while not (tmp_path / "model.gguf.part").exists():
        assert stopped.poll() is None
        time.sleep(0.01)
    stopped.send_signal(signal.SIGINT)
    err = stopped.communicate(timeout=60)[1]
    assert (stopped.returncode, err) == (130, "interrupted; the same command goes on from there\n")


def test_cpu_download_command_by_name(server, tmp_path, capsys, monkeypatch):
    lock = tmp_path / "models.toml"
    lock.write_text(
        f'[small]\nrepo = "repo"\nfile = "model.gguf"\nrevision = "main"\nsha256 = "{SHA}"\nsize = {len(CONTENT)}\n'
    )
    monkeypatch.setenv("HF_ENDPOINT", server.url.partition("/repo")[0])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert main(["download-model", "small", "--lock", str(lock), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"path": said["path"], "sha256": SHA, "size": len(CONTENT)}
    assert Path(said["path"]).read_bytes() == CONTENT
    assert Path(said["path"]).name == "small-model.gguf"
    assert str(tmp_path / "cache") in said["path"]


@pytest.mark.parametrize(("words", "arguments"), [
    ("it has bitnet-b1.58-2B-4T", ["nothing"]),
    ("no sha256", ["https://example.com/m.gguf"]), ("64 digits", ["https://example.com/m.gguf", "--sha256", "abc"]),
    ("names no file", ["https://example.com/"]), ("names no file", ["https://example.com/.bashrc"]),
    ("names no file", ["https://example.com/..%2Fx"]), ("no address", ["http://[::1", "--sha256", SHA]),
    ("token-file", ["https://e.com/m", "--token-file", "/no/such"]),
])  # fmt: skip
def test_cpu_download_command_refuses(words, arguments, capsys):
    assert main(["download-model", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_cpu_download_command_wants_a_digest(tmp_path, capsys):
    lock = tmp_path / "models.toml"
    lock.write_text('[small]\nrepo = "repo"\nfile = "model.gguf"\nrevision = "main"\n')
    assert main(["download-model", "small", "--lock", str(lock)]) == 2
    assert "no sha256 is known for small" in capsys.readouterr().err


def test_cpu_download_lock_file_pins_every_model():
    for entry in tomllib.loads(LOCK.read_text("utf-8")).values():
        assert re.fullmatch("[0-9a-f]{40}", entry["revision"])
        assert re.fullmatch("[0-9a-f]{64}", entry["sha256"])
        assert entry["size"] > 0


@pytest.mark.parametrize("text", ["no toml [", "[small]\nrepo = 7", "[small]\nrepo = 'a'"])
def test_cpu_download_command_refuses_lock_files(text, tmp_path, capsys):
    (tmp_path / "models.toml").write_text(text)
    assert main(["download-model", "small", "--lock", str(tmp_path / "models.toml")]) == 2
    assert "models.toml" in capsys.readouterr().err


def test_cpu_download_leaves_the_environment_alone():
    assert "HF_TOKEN" not in os.environ  # or the tests above would send it
