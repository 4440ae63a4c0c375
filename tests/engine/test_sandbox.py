"""Code under test tries to leave its place: each way out, with bubblewrap, with Landlock alone, and with neither."""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from often import some
from support import Command, git, make_repo

from engine.cancel import CancelToken
from engine.config import Suite
from engine.errors import EnvironmentFailure
from engine.model import TestReport
from engine.suites import hidden, runner, sandbox
from engine.suites.environment import scrubbed
from engine.suites.interpreter import probe
from engine.suites.limits import Limits
from engine.suites.process import Exited
from engine.suites.remains import processes_of
from engine.suites.runner import Place, SuiteRunner, Watcher
from engine.suites.sandbox import confine
from engine.workspace.home import Home
from engine.workspace.repository import Repository

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="missing-tool: namespaces and Landlock")
ROOT = Path(__file__).parents[2]
SUITE = Suite(timeout_s=120, test_timeout_s=60)
WAYS = ("bubblewrap", "landlock", "off")

# Each passes where it got out.
ATTEMPTS = """
import ctypes, glob, json, os, socket, stat, subprocess
FACTS = json.load(open("facts.json"))
LIBC = ctypes.CDLL(None, use_errno=True)

def refused(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")

def test_reads_an_ssh_key(): open(FACTS["home"] + "/.ssh/id_ed25519").read()
def test_reads_a_token(): open(FACTS["home"] + "/.config/gh/hosts.yml").read()
def test_reads_netrc(): open(FACTS["home"] + "/.netrc").read()
def test_lists_home(): assert ".netrc" in os.listdir(FACTS["home"])
def test_reads_a_link_to_home():
    os.path.lexists("link") or os.symlink(FACTS["home"], "link")
    open("link/.netrc").read()
def test_reads_the_journal(): open(FACTS["checkout"] + "/.bitnet-tui/runs/r/journal.jsonl").read()
def test_reads_the_environment_of_another_process():
    assert b"A_KEY=" in open("/proc/%d/environ" % FACTS["victim"], "rb").read()
def test_reads_memory_of_another_process(): open("/proc/%d/mem" % FACTS["victim"], "rb")
def test_writes_the_checkout(): open(FACTS["checkout"] + "/data.txt", "a").write("mine")
def test_writes_the_repository(): open(FACTS["checkout"] + "/.git/config", "a").write("# mine")
def test_writes_elsewhere(): open(FACTS["elsewhere"] + "/new", "w").write("mine")
def test_empties_a_file(): os.truncate(FACTS["elsewhere"] + "/full", 0)
def test_moves_a_file_in(): os.rename(FACTS["elsewhere"] + "/moved", "moved")
def test_writes_through_a_link():
    os.path.lexists("out") or os.symlink(FACTS["elsewhere"], "out")
    open("out/new", "w").write("mine")
def test_writes_through_its_own_root(): open("/proc/self/root" + FACTS["elsewhere"] + "/new", "w").write("mine")
def test_looks_into_shared_temp(): assert FACTS["sees"] in os.listdir(FACTS["temp"])
def test_sets_the_kernel(): open("/proc/sys/kernel/core_pattern", "r+")
def test_moves_interrupts(): open("/proc/irq/default_smp_affinity", "r+")
def test_asks_the_kernel(): open("/proc/sysrq-trigger", "w")
def test_opens_a_disk():
    disks = [p for p in glob.glob("/dev/*") if stat.S_ISBLK(os.stat(p).st_mode)]
    assert any(open(p, "rb") for p in disks)
def test_makes_a_device():
    os.path.exists("disk") and os.unlink("disk")
    os.mknod("disk", 0o600 | stat.S_IFBLK, os.makedev(254, 0))
def test_mounts():
    os.path.isdir("mounted") or os.mkdir("mounted")
    refused(LIBC.mount(b"none", b"mounted", b"tmpfs", 0, None))
    LIBC.umount(b"mounted")
def test_signals_the_engine(): os.kill(FACTS["engine"], 0)
def test_traces_another_process():
    refused(LIBC.ptrace(16, FACTS["victim"], None, None))
    os.waitpid(FACTS["victim"], 0x40000000)
    refused(LIBC.ptrace(17, FACTS["victim"], None, None))
def test_gains_privileges(): assert LIBC.prctl(39, 0, 0, 0, 0) == 0
def test_connects_by_name():
    with socket.socket(socket.AF_UNIX) as s: s.connect(FACTS["socket"])
def test_connects_by_a_name_that_was_relative():
    with socket.socket(socket.AF_UNIX) as s: s.connect(FACTS["relative"])
def test_connects_to_an_abstract_name():
    with socket.socket(socket.AF_UNIX) as s: s.connect("\\0" + FACTS["abstract"])
def test_connects_to_the_machine():
    with socket.create_connection(("127.0.0.1", FACTS["port"]), 5): pass
def test_attaches_shared_memory(): refused(LIBC.shmget(FACTS["shm"], 1, 0))
def test_makes_a_user_namespace():
    pid = os.fork()
    if not pid: os._exit(LIBC.unshare(0x10000000) != 0)
    assert os.waitpid(pid, 0)[1] == 0
def test_sees_other_processes(): assert os.path.exists("/proc/%d/cmdline" % FACTS["victim"])
def test_takes_the_terminal(): open("/dev/tty", "r+")
"""
# What Landlock alone does not cut; the header says so.
OPEN = {
    "test_connects_by_name",
    "test_connects_by_a_name_that_was_relative",
    "test_connects_to_the_machine",
    "test_attaches_shared_memory",
    "test_makes_a_user_namespace",
    "test_sees_other_processes",
}
# Refused to everybody, or only root gets as far.
NO_CONTROL = {"test_takes_the_terminal", "test_asks_the_kernel"}
ROOT_ONLY = {"test_sets_the_kernel", "test_moves_interrupts", "test_opens_a_disk", "test_makes_a_device", "test_mounts"}

HONEST = """
import asyncio, multiprocessing, os, shutil, socket, sqlite3, subprocess, sys, tempfile, threading
from concurrent.futures import ProcessPoolExecutor

def test_git():
    assert subprocess.run(["git", "log", "-1", "--format=%s"], check=True, capture_output=True).stdout == b"init\\n"
    assert b"honest" in subprocess.run(["git", "ls-files"], check=True, capture_output=True).stdout
    subprocess.run(["git", "status", "--porcelain"], check=True, capture_output=True)
def test_git_of_its_own(tmp_path):
    name = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], [*name, "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
def test_temp(tmp_path):
    with tempfile.NamedTemporaryFile() as f: f.write(b"x")
    (tmp_path / "a").mkdir(); (tmp_path / "a" / "f").write_text("x"); (tmp_path / "b").mkdir()
    os.rename(tmp_path / "a" / "f", tmp_path / "b" / "f")
    os.link(tmp_path / "b" / "f", tmp_path / "c"); os.truncate(tmp_path / "c", 0)
    shutil.move(str(tmp_path / "c"), "moved-in"); os.unlink("moved-in")
def test_worktree():
    os.makedirs("made", exist_ok=True); open("made/file", "w").close()
    os.replace("made/file", "file"); os.unlink("file")
def test_loopback():
    server = socket.create_server(("127.0.0.1", 0))
    with socket.create_connection(server.getsockname()): pass
def test_named_socket(tmp_path):
    server = socket.socket(socket.AF_UNIX); server.bind(str(tmp_path / "s")); server.listen()
    with socket.socket(socket.AF_UNIX) as s: s.connect(str(tmp_path / "s"))
def double(x): return 2 * x
def test_processes():
    with ProcessPoolExecutor(2) as pool: assert list(pool.map(double, [1, 2])) == [2, 4]
    assert multiprocessing.Value("i", 3).value == 3
def test_asyncio(): assert asyncio.run(asyncio.sleep(0, 1)) == 1
def test_children(): subprocess.run([sys.executable, "-c", "import pytest"], check=True)
def test_shell(): assert subprocess.run("yes | head -1", shell=True, capture_output=True).stdout == b"y\\n"
def test_signals():
    child = subprocess.Popen(["sleep", "60"]); child.terminate(); assert child.wait() == -15
def test_database(tmp_path): sqlite3.connect(str(tmp_path / "d.db")).execute("create table t (a)")
def test_devices(): open(os.devnull, "w").write("x"); assert os.urandom(1)
def test_itself(): assert open("/proc/self/status").read(); assert os.listdir("/usr/bin")
def test_loud(capfd): print("x" * 10)
"""


@dataclass
class Bench:
    """A repository with a worktree, a home with keys, and a runner that is confined in one of the ways."""

    checkout: Path
    worktree: Path
    scratch: Path
    runner: SuiteRunner

    def run(self, files: dict[str, str], suite: Suite = SUITE) -> TestReport:
        for name, text in files.items():
            (self.worktree / name).write_text(text, encoding="utf-8")
        place = Place(self.worktree, self.checkout, "", self.scratch, (".",), frozenset())
        return self.runner.report("cpu", suite, place)


@pytest.fixture
def outside() -> Iterator[Path]:
    """A folder that is neither in a home nor in a folder for temporary files, as far as this checkout is not."""
    (ROOT / "build").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="sandbox-", dir=ROOT / "build"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path, as runs have: the name of a socket may have no more than 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="bt-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def bench(
    lean_python: Path, tmp_path: Path, outside: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Bench]:
    def make(way: str, **limits: int) -> Bench:
        home = outside / "home"
        for name in (".ssh/id_ed25519", ".config/gh/hosts.yml", ".netrc", "data/rows.csv"):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text("secret")
        checkout = home / "src" / "project"
        checkout.mkdir(parents=True)
        make_repo(
            checkout, {"pytest.ini": "[pytest]\n", "honest.txt": "x", "data.txt": "x", ".gitignore": ".bitnet-tui/\n"}
        )
        journal = checkout / ".bitnet-tui" / "runs" / "r" / "journal.jsonl"
        journal.parent.mkdir(parents=True)
        journal.write_text("{}")
        worktree = checkout / ".bitnet-tui" / "scratch" / "r" / "work"
        git(checkout, "worktree", "add", "-q", "--detach", str(worktree))
        monkeypatch.setenv("HOME", str(home))
        if way == "landlock":
            if not sandbox.landlock_version():
                pytest.skip("missing-tool: this kernel has no Landlock")
            monkeypatch.setenv("PATH", str(programs(tmp_path)))
        if way == "bubblewrap" and not shutil.which("bwrap"):
            pytest.skip("missing-tool: bubblewrap is not installed")
        environ = dict(os.environ)
        env = scrubbed(environ)
        python = probe(str(lean_python / "bin" / "python"), checkout, env)
        visible = [
            *Repository.open(checkout).folders(),
            *map(Path, (*python.prefixes, *python.path, python.executable)),
        ]
        mode = "off" if way == "off" else "auto"
        held = Limits(**{"memory_mb": 4096, "processes": 200, "disk_mb": 4096, "file_mb": 4096, "cpu_s": 600} | limits)
        chosen = confine(mode, visible, python.executable, env, limits=held)
        assert [bool(chosen.bwrap), bool(chosen.landlock)] == [way == "bubblewrap", way == "landlock"], chosen
        runner = SuiteRunner(f"a-run-{secrets.token_hex(4)}", python, chosen, environ, CancelToken())
        return Bench(checkout, worktree, short, runner)

    return make


def programs(folder: Path) -> Path:
    """A folder of programs in which there is no bubblewrap."""
    found = folder / "bin"
    found.mkdir(exist_ok=True)
    for name in ("git", "sh", "sleep", "yes", "head", "cat"):
        (found / name).symlink_to(str(shutil.which(name)))
    return found


def outcomes(report: TestReport) -> dict[str, str]:
    return {r.nodeid.split("::", 1)[-1]: str(r.outcome) for r in report.results}


@pytest.fixture
def facts(outside: Path) -> Iterator[dict[str, object]]:
    """What is there to be reached: files, sockets, processes."""
    elsewhere = outside / "elsewhere"
    elsewhere.mkdir()
    for name in ("full", "moved"):
        (elsewhere / name).write_text("x")
    abstract = f"bitnet-tui-{secrets.token_hex(4)}"
    shm = ctypes.CDLL(None).shmget(key := secrets.randbelow(2**30) + 1, 1, 0o1600)
    victim = subprocess.Popen(["sleep", "600"], env=os.environ | {"A_KEY": "secret"})
    named = Path(tempfile.mkdtemp(prefix="s", dir=ROOT / "build")) / "s"
    serve = "import socket, time; s = socket.socket(socket.AF_UNIX); s.bind('r'); s.listen(); print(flush=True)\n"
    relative = subprocess.Popen(
        [sys.executable, "-c", serve + "time.sleep(600)"], cwd=named.parent, stdout=subprocess.PIPE
    )
    assert relative.stdout is not None
    relative.stdout.readline()
    with (
        socket.socket(socket.AF_UNIX) as by_name,
        socket.socket(socket.AF_UNIX) as by_abstract,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        tempfile.NamedTemporaryFile(prefix="bitnet-tui-seen-") as seen,
    ):
        by_name.bind(str(named))
        by_abstract.bind(f"\0{abstract}")
        for server in (by_name, by_abstract):
            server.listen()
        yield {
            "elsewhere": str(elsewhere),
            "engine": os.getpid(),
            "victim": victim.pid,
            "socket": str(named),
            "relative": str(named.parent / "r"),
            "abstract": abstract,
            "port": tcp.getsockname()[1],
            "shm": key,
            "temp": str(Path(seen.name).parent),
            "sees": Path(seen.name).name,
        }
    ctypes.CDLL(None).shmctl(shm, 0, None)
    for process in (victim, relative):
        process.kill()
        process.wait()
    shutil.rmtree(named.parent)


@pytest.mark.parametrize("way", WAYS)
def test_no_way_out(way: str, bench: Callable[..., Bench], facts: dict[str, object]) -> None:
    made = bench(way)
    facts |= {"home": str(made.checkout.parents[1]), "checkout": str(made.checkout)}
    report = made.run({"facts.json": json.dumps(facts), "test_out.py": ATTEMPTS})
    found = outcomes(report)
    assert len(found) == ATTEMPTS.count("def test_"), report.problem
    got_out = {name for name, outcome in found.items() if outcome == "passed"}
    if way == "bubblewrap":
        assert got_out == set()
    elif way == "landlock":
        assert got_out <= OPEN, got_out - OPEN
        assert "test_connects_to_the_machine" in got_out
    else:  # so that the others can fail
        told = {r.nodeid.split("::")[-1]: r.message for r in report.results}
        missed = set(found) - got_out - NO_CONTROL - (ROOT_ONLY if os.geteuid() else set())
        assert missed <= {"test_makes_a_user_namespace", "test_traces_another_process"}, told


@pytest.mark.parametrize("way", WAYS)
def test_honest_tests_notice_nothing(way: str, bench: Callable[..., Bench]) -> None:
    report = bench(way).run({"test_honest.py": HONEST})
    assert {name: it for name, it in outcomes(report).items() if it != "passed"} == {}, report.results
    assert report.green, report.problem


GREEDY = """
import os, pathlib, subprocess, sys, time
HOLD = "import time; x = b'x' * (90 << 20); time.sleep(60)"
def test_before(): pass
def test_greedy(tmp_path):
    {body}
def test_after(): pass
"""


LIMITS = {
    "memory_mb": (
        200,
        "[subprocess.Popen([sys.executable, '-c', HOLD]) for _ in range(4)]; time.sleep(60)",
        "used more than 200 MB of memory",
    ),
    "processes": (
        20,
        "\n    for _ in range(200):\n        if not os.fork():\n            time.sleep(60)\n    time.sleep(60)",
        "more than 20 processes",
    ),
    "disk_mb": (
        30,
        "\n    for n in range(600):\n        (tmp_path / str(n)).write_bytes(b'x' * 100_000)\n    time.sleep(60)",
        "wrote more than 30 MB to disk",
    ),
    "cpu_s": (2, "\n    while True: pass", "used more than 2 s of processor time"),
}


# By default each limit is met in one of the ways, and each way has one that is met.
@pytest.mark.parametrize(("way", "limit"), some(list(product(WAYS, LIMITS)), (0, 3, 5, 8, 10)))
def test_who_takes_too_much_is_ended_and_told_so(way: str, limit: str, bench: Callable[..., Bench]) -> None:
    most, body, says = LIMITS[limit]
    made = bench(way, **{limit: most})
    report = made.run({"test_greedy.py": GREEDY.format(body=body)})
    found = outcomes(report)
    assert found == {"test_before": "passed", "test_greedy": "crashed", "test_after": "passed"}, report.problem
    charged = next(r for r in report.results if r.outcome == "crashed")
    assert charged.message == f"process was ended: {says}"
    assert limit == "cpu_s" or says.split(" ")[-1] in " ".join(made.runner.confinement.protections)


def test_what_forks_share_counts_once(bench: Callable[..., Bench]) -> None:
    body = "x = b'x' * (90 << 20)\n    for _ in range(6):\n        if not os.fork():\n            time.sleep(2)\n"
    body += "            os._exit(0)\n    for _ in range(6): assert os.wait()[1] == 0"
    assert bench("off", memory_mb=300).run({"test_greedy.py": GREEDY.format(body=body)}).green


def test_a_process_alone_is_refused_what_is_too_much(bench: Callable[..., Bench]) -> None:
    report = bench("bubblewrap", memory_mb=300).run({"test_greedy.py": GREEDY.format(body="bytearray(1 << 30)")})
    assert next(r for r in report.results if r.nodeid.endswith("greedy")).message == "MemoryError"


def test_endless_output_is_cut_and_the_test_ended(bench: Callable[..., Bench]) -> None:
    body = "subprocess.Popen(['yes', 'y' * 1000], stdout=open('/dev/stderr', 'w'), start_new_session=True).wait()"
    lines: list[str] = []
    made = bench("off")
    (made.worktree / "test_greedy.py").write_text(GREEDY.format(body=body))
    place = Place(made.worktree, made.checkout, "", made.scratch, (".",), frozenset())
    suite = Suite(args=("-s",), timeout_s=60, test_timeout_s=1)
    report = made.runner.report("cpu", suite, place, watcher=Watcher(on_line=lines.append))
    assert outcomes(report)["test_greedy"] == "timeout"
    assert sum(map(len, lines)) < 6_000_000
    assert any("not shown" in line for line in lines)


ESCAPES = """
import os, signal, subprocess, sys
LOST = "import os, sys, time\\nhear, tell = os.pipe()\\n"
LOST += "if os.fork(): os.read(hear, 1); os._exit(0)\\nos.setsid()\\nif os.fork(): os._exit(0)\\n"
LOST += "{more}\\nos.write(tell, b'x')\\ntime.sleep(300)"
def test_leaves(): subprocess.run([sys.executable, "-c", LOST, "{name}"], env={{}}, check=True)
{last}
"""
FORGET = "import resource; resource.setrlimit(10, (5, 5))"


def alive(name: str) -> list[str]:
    """Processes with this word on their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if name.encode() in entry.read_bytes().split(b"\0"):
                found.append(entry.parent.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("way", WAYS)
def test_what_leaves_its_parent_session_and_environment_is_ended_with_its_suite(
    way: str, bench: Callable[..., Bench]
) -> None:
    name = secrets.token_hex(8)
    report = bench(way).run({"test_out.py": ESCAPES.format(name=name, more=FORGET, last="")})
    assert report.green, report.problem
    assert alive(name) == []


@pytest.mark.parametrize("more", ["", FORGET])
def test_what_has_ended_who_watches_over_it_is_found_by_its_mark(bench: Callable[..., Bench], more: str) -> None:
    """Nothing confines here: the test kills the process above it, which would have ended all that is left."""
    name = secrets.token_hex(8)
    last = "def test_kills():\n    os.kill(os.getppid(), signal.SIGKILL)\n    signal.pause()\n"
    made = bench("off")
    report = made.run({"test_out.py": ESCAPES.format(name=name, more=more, last=last)})
    assert outcomes(report)["test_kills"] == "crashed"
    assert len(alive(name)) == 1
    Home.end_processes(made.runner.run)
    assert alive(name) == []


def test_a_cleared_environment_does_not_hide_whose_a_process_is(bench: Callable[..., Bench], tmp_path: Path) -> None:
    code = "print('there', flush=True); import time; time.sleep(300)"
    made = bench("off")
    argv = made.runner.confinement.wrap(["env", "-i", sys.executable, "-c", code], writable=(), cwd=tmp_path)
    env = {"BITNET_TUI_RUN": made.runner.run, "PATH": os.environ["PATH"]}
    watched = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, start_new_session=True)
    assert watched.stdout is not None
    watched.stdout.readline()
    assert watched.pid in processes_of(made.runner.run)
    assert len(processes_of(made.runner.run)) == 2
    assert processes_of("another-run") == []
    watched.send_signal(signal.SIGHUP)
    assert watched.wait() == 128 + signal.SIGKILL
    assert processes_of(made.runner.run) == []
    watched.stdout.close()


def test_the_death_of_the_engine_ends_what_it_watched(bench: Callable[..., Bench], tmp_path: Path) -> None:
    name = secrets.token_hex(8)
    made = bench("landlock")
    text = ESCAPES.format(name=name, more="", last="").split("LOST = ")[1].splitlines()[0]
    code = f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {text}, {name!r}], env={{}})\n"
    code += "print('there', flush=True)\ntime.sleep(300)\n"
    argv = made.runner.confinement.wrap([made.runner.interpreter.executable, "-c", code], writable=(), cwd=tmp_path)
    start = "import os, signal, subprocess, sys\nargv = eval(sys.argv[1])\n"
    start += f"argv[4] = argv[4].replace(\"'engine': {os.getpid()}\", f\"'engine': {{os.getpid()}}\")\n"
    start += "child = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)\n"
    start += "child.stdout.readline()\nprint('there', flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    engine = subprocess.run([sys.executable, "-c", start, repr(argv)], capture_output=True, text=True)
    assert engine.stdout == "there\n", engine.stderr
    for _ in range(200):
        if not alive(name):
            break
        time.sleep(0.05)
    assert alive(name) == []


def test_a_socket_that_goes_before_it_is_covered_costs_no_suite(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench("bubblewrap")
    there = hidden.sockets()
    folder = Path(tempfile.mkdtemp(prefix="s", dir=ROOT / "build"))
    # What was seen to listen, and does no longer when bubblewrap is started, with its folder.
    listed = iter([(folder / "s",), there])
    (folder / "s").touch()
    monkeypatch.setattr(hidden, "sockets", lambda: next(listed))
    start = runner.run_child

    def started(*args: Any, **kwargs: Any) -> Exited:
        shutil.rmtree(folder, ignore_errors=True)
        return start(*args, **kwargs)

    monkeypatch.setattr(runner, "run_child", started)
    report = made.run({"test_it.py": "def test_it(): pass\n"})
    assert report.green, report.problem
    # Where the checkout lies in a folder that is hidden as a whole, nothing in it has to be covered.
    assert hidden.below(folder, made.runner.confinement.hidden) or next(listed, None) is None


def test_who_only_says_what_bubblewrap_says_gets_no_second_turn(bench: Callable[..., Bench]) -> None:
    made = bench("bubblewrap")
    said = "import os, pathlib\ndef test_it():\n    with open('turns', 'a') as f: f.write('x')\n"
    said += '    os.write(1, b"\\nbwrap: Can\'t mkdir\\n"); os._exit(1)\n'
    report = made.run({"test_it.py": said}, replace(SUITE, args=("-s",)))
    assert not report.green
    assert (made.worktree / "turns").read_text() == "x"


@pytest.mark.parametrize("asked", ["[verify] require_sandbox = true", '[sandbox] mode = "on"'])
def test_landlock_alone_is_no_sandbox_to_who_requires_one(
    asked: str, lean_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(programs(tmp_path)))
    python = str(lean_python / "bin" / "python")
    with pytest.raises(EnvironmentFailure, match="bubblewrap \\(bwrap\\) is not installed") as refused:
        confine("on", [lean_python], python, scrubbed(os.environ), limits=Limits(), required=asked)
    assert sandbox.landlock_version() == 0 or "not the network" in str(refused.value)


def test_doctor_and_receipt_say_what_is_in_force_and_what_is_not(
    repo: Callable[..., Path], command: Command, tmp_path: Path
) -> None:
    folder = repo({"test_a.py": "def test_a(): pass\n"})
    settings = folder / "bitnet-tui.toml"
    settings.write_text('[sandbox]\nmode = "off"\nprocesses = 77\nmemory_mb = 0\n')
    said = command("doctor", cwd=folder).out
    assert "not confined: tests see the network and this machine's files" in said
    assert "77 processes" in said
    assert "no limit of memory" in said
    settings.unlink()
    said = command("doctor", cwd=folder, PATH=str(programs(tmp_path))).out
    if sandbox.landlock_version():
        assert "Landlock" in said
        assert "NOT cut without bubblewrap: network" in said


def test_folders_of_the_home_are_shown_where_asked_for(bench: Callable[..., Bench]) -> None:
    made = bench("bubblewrap")
    data = made.checkout.parents[1] / "data"
    made.runner.confinement = replace(made.runner.confinement, visible=(*made.runner.confinement.visible, data))
    read = f"def test_data(): assert open({str(data / 'rows.csv')!r}).read() == 'secret'\n"
    write = f"def test_write(): open({str(data / 'new')!r}, 'w')\n"
    assert outcomes(made.run({"test_data.py": read + write})) == {"test_data": "passed", "test_write": "failed"}
