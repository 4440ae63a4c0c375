"""Runs one command under limits, watches what comes of it, and leaves nothing of it behind.

Its text is run with ``-I -S -c`` by the target's interpreter, inside bubblewrap where there is one; nothing of the
target is imported. Python 3.8 syntax, standard library only. It stays outside of what it confines: where the kernel
has the means, the command can neither signal nor trace it.
"""

import _signal as signal  # without the names of `signal`, which take as long as Python itself to start
import os
import sys
import time

TICK = 0.1
GRACE = 2.0  # seconds the command has to end by itself after TERM
PATIENCE = 5.0  # seconds what was killed may take to be gone
OVER = 86  # exit code: a limit was exceeded; the last line says which
NOT_CONFINED = 125
NO_SUCH_COMMAND = 127
SAID = "bitnet-tui: ended: "
MARK = 1 << 40  # plus a number made from the run's name: a limit that may only be lowered tells whose a process is

_FORKED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP)
_FILE_RIGHTS = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15  # execute, write, read, truncate, ioctl
_READ_RIGHTS = 1 << 0 | 1 << 2 | 1 << 3  # execute, read, list
_MOVE = 1 << 13  # to another folder
_SCOPE_SIGNALS, _SCOPE_ALL = 2, 3
_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219}


def main(given, argv):
    """Run ``argv`` and end as it did.

    given : limits (``memory_mb``, ``file_mb``, ``processes``, ``disk_mb``, ``cpu_s``; 0: none), ``folders`` whose files
    count, ``alone`` (this is process 1 of a namespace), ``engine`` (process number), ``keys`` (there are some in the
    kernel), ``landlock`` (version, 0: not used) with ``readable`` and ``writable`` paths.
    """
    if not sys.platform.startswith("linux"):
        _limit(given)
        _execute(argv)
    # A namespace of its own has what it takes; loading what makes system calls would take time for nothing.
    kernel = None if given["alone"] and not given["keys"] else _Kernel()
    if not given["alone"]:
        kernel.prctl(36, 1)  # orphans of the command become children of this process
        kernel.prctl(1, signal.SIGHUP)  # the engine has died
        if os.getppid() != given["engine"]:
            os._exit(NOT_CONFINED)
    if given["keys"]:
        kernel.new_keyring()
    if given["landlock"]:
        kernel.no_new_privileges()
        if given["landlock"] >= 6:
            kernel.stand_above(given["landlock"])
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORKED)
    child = os.fork()
    if not child:
        _become(given, argv, kernel)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:
                continue
    _Watch(given, child).attend()


def _become(given, argv, kernel):
    """Confine this process and make it the command."""
    try:
        if not given["alone"]:
            kernel.prctl(1, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORKED)
        _limit(given)
        if given["landlock"]:
            kernel.drop_capabilities()
            kernel.landlock(given["landlock"], given["readable"], given["writable"])
    except OSError as error:
        _say("bitnet-tui: not confined, so not started: %s" % error)
        os._exit(NOT_CONFINED)
    _execute(argv)


def _execute(argv):
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them; what is ignored stays so
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        _say("%s: %s" % (argv[0], error.strerror))
    os._exit(NO_SUCH_COMMAND)


def _say(line):
    try:
        os.write(2, b"\n" + line.encode("utf-8", "replace") + b"\n")
    except OSError:
        return


def _limit(given):
    """Bounds for this process and all it starts; one that cannot be set is left as it is."""
    import resource

    # Data, not address space: numeric libraries reserve much they never touch.
    wanted = [("RLIMIT_CORE", 0, 0)]
    wanted += [("RLIMIT_DATA", given["memory_mb"] << 20, 0)] if given["memory_mb"] else []
    wanted += [("RLIMIT_FSIZE", given["file_mb"] << 20, 0)] if given["file_mb"] else []
    wanted += [("RLIMIT_CPU", given["cpu_s"], 5)] if given["cpu_s"] else []
    # It counts threads, and only in a namespace of its own the threads of this run alone.
    wanted += [("RLIMIT_NPROC", given["processes"] * 16, 0)] if given["processes"] and given["alone"] else []
    for name, most, more in wanted:
        _bound(resource, getattr(resource, name, None), most, most + more)
    if sys.platform.startswith("linux"):
        import zlib

        mark = MARK + zlib.crc32(os.environ.get("BITNET_TUI_RUN", "").encode("utf-8", "surrogateescape"))
        _bound(resource, 10, mark, mark)  # RLIMIT_LOCKS: bounds nothing since Linux 2.4.25
        try:
            with open("/proc/self/oom_score_adj", "w") as file:
                file.write("500")  # where the machine runs out of memory, tests go first
        except OSError:
            return


def _bound(resource, which, soft, hard):
    try:
        resource.setrlimit(which, (soft, hard))
    except (ValueError, OSError, TypeError):  # a lower bound holds already, or it is not known here
        return


class _Kernel:
    """System calls Python does not offer."""

    def __init__(self):
        import ctypes
        import struct

        self.ctypes, self.struct = ctypes, struct
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.syscall.restype = ctypes.c_long

    def prctl(self, what, value):
        words = [self.ctypes.c_ulong(word) for word in (value, 0, 0, 0)]
        return self.libc.prctl(what, *words)

    def no_new_privileges(self):
        self.checked(self.prctl(38, 1), "no_new_privs")

    def new_keyring(self):
        """Keys of the user's session are not for tests."""
        number = _KEYCTL.get(os.uname().machine)
        if number:
            self.libc.syscall(number, 1, None)

    def drop_capabilities(self):
        header = self.struct.pack("=Ii", 0x20080522, 0)
        self.checked(self.libc.capset(header, b"\0" * 24), "capset")

    def stand_above(self, version):
        """Confine this process so far that its signals reach what it has confined, and nobody else."""
        rules = self.ruleset(version, _MOVE, _SCOPE_SIGNALS)
        self.allow(rules, "/", _MOVE)  # no rule set allows it by itself
        self.restrict(rules)

    def landlock(self, version, readable, writable):
        rights = (1 << (13 + min(version, 5) - 1 - (version >= 4))) - 1
        rules = self.ruleset(version, rights, _SCOPE_ALL if version >= 6 else 0)
        for paths, allowed in ((readable, rights & _READ_RIGHTS), (writable, rights)):
            for path in paths:
                self.allow(rules, path, allowed)
        self.no_new_privileges()
        self.restrict(rules)

    def ruleset(self, version, rights, scope):
        words = (rights, 0, scope)[: 1 if version < 4 else 2 if version < 6 else 3]
        attributes = self.struct.pack("=%dQ" % len(words), *words)
        return self.checked(self.libc.syscall(444, attributes, len(attributes), 0), "landlock_create_ruleset")

    def allow(self, rules, path, rights):
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return  # it is gone: nothing to allow
        if not os.path.isdir(path):
            rights &= _FILE_RIGHTS
        beneath = self.struct.pack("=Qi", rights, place)
        self.checked(self.libc.syscall(445, rules, 1, beneath, 0), "landlock_add_rule: " + path)
        os.close(place)

    def restrict(self, rules):
        self.checked(self.libc.syscall(446, rules, 0), "landlock_restrict_self")
        os.close(rules)

    def checked(self, result, what):
        if result < 0:
            number = self.ctypes.get_errno()
            raise OSError(number, "%s: %s" % (what, os.strerror(number)))
        return result


class _Watch:
    """Looks after one child and all that descends from it."""

    def __init__(self, given, child):
        self.given = given
        self.child = child
        self.page = os.sysconf("SC_PAGE_SIZE")
        self.began = time.time() - 1
        room = given["disk_mb"] << 20
        self.floors = {folder: _free(folder) - room for folder in given["folders"]} if room else {}

    def attend(self):
        """Stay until the child has ended; end as it did."""
        looked, end_at, status = 0.0, None, None
        while status is None:
            got = signal.sigtimedwait(_FORKED, TICK)
            number = got.si_signo if got is not None else 0
            now = time.monotonic()
            if number == signal.SIGTERM:
                self.signal(self.child, signal.SIGTERM)
                end_at = end_at or now + GRACE
            if number == signal.SIGHUP or (end_at is not None and now > end_at):
                self.end(128 + signal.SIGKILL)
            status = self.reaped()
            if status is None and now - looked >= TICK:
                looked = now
                why = self.over()
                if why:
                    self.end(OVER, why)
        self.follow(status)

    def follow(self, status):
        if not os.WIFSIGNALED(status):
            self.end(os.WEXITSTATUS(status))
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            self.end(OVER, "used more than %d s of processor time" % self.given["cpu_s"])
        if number == signal.SIGXFSZ:
            self.end(OVER, "wrote a file of more than %d MB" % self.given["file_mb"])
        if self.given["alone"]:
            self.end(128 + number)  # nothing can signal the first process of a namespace, not even itself
        self.clear()
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
        os.kill(os.getpid(), number)
        os._exit(128 + number)

    def end(self, code, why=""):
        self.clear()
        if why:
            _say(SAID + why)
        os._exit(code)

    def reaped(self):
        """Status of the child, if it has ended; whatever else has ended is forgotten."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 0
            if pid == self.child:
                return status
            if not pid:
                return None

    # -- limits ---------------------------------------------------------------------------------------------------

    def over(self):
        """What was exceeded, in words; empty: nothing."""
        pids = self.pids()
        most = self.given["processes"]
        if most and len(pids) > most:
            return "more than %d processes" % most
        most = self.given["memory_mb"]
        # What forks share counts in each of them at first; only where that would be too much, it is looked at closely.
        if most and sum(map(self.private, pids)) > most << 20 and sum(map(self.share, pids)) > most << 20:
            return "used more than %d MB of memory" % most
        for folder, floor in self.floors.items():
            if _free(folder) < floor and self.filled(folder):
                return "wrote more than %d MB to disk" % self.given["disk_mb"]
        return ""

    def filled(self, folder):
        """Whose it is that has gone: others write to the disk too."""
        left = (self.given["disk_mb"] << 20) - sum(_written(place, self.began) for place in self.given["folders"])
        self.floors[folder] = _free(folder) - left
        return left < 0

    def private(self, pid):
        try:
            with open("/proc/%d/statm" % pid) as file:
                words = file.read().split()
        except OSError:
            return 0
        return (int(words[1]) - int(words[2])) * self.page if len(words) > 2 else 0

    def share(self, pid):
        """Its memory, with what it shares divided among those who do."""
        try:
            with open("/proc/%d/smaps_rollup" % pid) as file:
                return sum(int(line.split()[1]) << 10 for line in file if line.startswith("Pss:"))
        except (OSError, ValueError):
            return self.private(pid)  # it keeps that to itself

    def pids(self):
        if self.given["alone"]:
            return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]
        return _descendants(os.getpid())

    # -- the end --------------------------------------------------------------------------------------------------

    def clear(self):
        """End everything that descends from the child, however it has tried to get away."""
        if self.given["alone"] and os.getpid() == 1:
            return  # the kernel ends a namespace with its first process
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self.bounded():
                self.signal(-1, signal.SIGKILL)  # all at once: reaches those this process confines, nobody else
            else:
                for pid in _descendants(os.getpid()):
                    self.signal(pid, signal.SIGKILL)
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    continue
            except ChildProcessError:
                return
            time.sleep(0.002)

    def bounded(self):
        """Whether signals of this process reach only what it has confined: tried on the engine, each time."""
        engine = self.given["engine"]
        if self.given["landlock"] < 6 or _owner(engine) != os.getuid():  # another user's is refused anyway
            return False
        try:
            os.kill(engine, 0)
        except PermissionError:
            return os.getppid() == engine
        except OSError:
            return False
        return False

    @staticmethod
    def signal(pid, number):
        try:
            os.kill(pid, number)
        except OSError:
            return


def _owner(pid):
    """The user a process runs as; -1: nobody knows."""
    try:
        with open("/proc/%d/status" % pid) as file:
            return next((int(line.split()[1]) for line in file if line.startswith("Uid:")), -1)
    except (OSError, ValueError, IndexError):
        return -1


def _descendants(root):
    found, left = [], [root]
    while left:
        pid = left.pop()
        try:
            tasks = os.listdir("/proc/%d/task" % pid)
        except OSError:
            continue
        for task in tasks:
            try:
                with open("/proc/%d/task/%s/children" % (pid, task)) as file:
                    born = [int(word) for word in file.read().split()]
            except OSError:
                continue
            found += born
            left += born
    return found


def _free(folder):
    """Bytes left, and 4 kB for each file there is room for: both shrink with what is written."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return 0
    return disk.f_bavail * disk.f_frsize + disk.f_favail * 4096


def _written(top, since):
    """Bytes on disk of files made or changed since then, at least 4 kB for each."""
    size = 0
    for folder, inner, files in os.walk(top):
        for name in files + inner:
            try:
                found = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            if found.st_ctime >= since:
                size += max(found.st_blocks * 512, 4096)
    return size
