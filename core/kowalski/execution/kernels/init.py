"""The first program inside every sandbox: it starts kernels, signals them, and reaps.

It obeys one control socket and ends when that closes. It must work in any CPython from 3.8 on and
start fast, so it imports nothing but built-in and C modules.
"""

import _signal  # type: ignore[import-not-found]
import _socket
import posix
import resource
import select
import sys

if False:  # for type checkers alone: importing typing takes time
    from typing import NoReturn

_CONTROL = 10
_KERNEL_FDS = 5
_SCRIPT = 3
_MOST_FDS = 64
_CHUNK = 65536
_LOOKS_BEFORE_FREEZING = 3
_MOST_LOOKS = 2000


def main(folder: str, home: str, processes: str) -> None:
    """Serve until the agent hangs up.

    `folder` holds the kernels, `home` is the scratch folder, `processes` how many may live inside
    (0 where the kernel cannot count them apart from others).
    """
    if int(processes):
        # Set in here, it counts the processes of this user namespace alone.
        resource.setrlimit(resource.RLIMIT_NPROC, (int(processes), int(processes)))
    control = _socket.socket(fileno=_CONTROL)
    _keep_low_descriptors()
    waker, woken = posix.pipe()
    posix.set_blocking(woken, False)
    _signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    _signal.signal(_signal.SIGCHLD, lambda *_: None)
    for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
        _signal.signal(number, _signal.SIG_IGN)
    init = Init(control, folder, home)
    init.say("hello", "%d.%d.%d" % sys.version_info[:3])
    poll = select.poll()
    poll.register(_CONTROL, select.POLLIN)
    poll.register(waker, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == waker:
                posix.read(waker, _CHUNK)
                init.reap()
            elif not init.hear():
                init.end()


class Init:
    """What the first program knows: the control socket, and the kernels that it started."""

    def __init__(self, control: _socket.socket, folder: str, home: str) -> None:
        self.control = control
        self.folder = folder
        self.home = home
        self.pending = b""
        self.fds = []  # type: list[int]
        self.kernels = {}  # type: dict[int, str]

    def say(self, kind: str, *fields: str) -> None:
        """Send a message to the agent."""
        raw = [field.encode("utf-8", "surrogateescape") for field in fields]
        header = " ".join([kind] + [str(len(field)) for field in raw])
        try:
            self.control.sendall(header.encode() + b"\n" + b"".join(raw))
        except OSError:
            self.end()

    def hear(self) -> bool:
        """Act on what the agent sent; False when it hung up."""
        try:
            data, ancillary, _, _ = self.control.recvmsg(_CHUNK, _socket.CMSG_SPACE(256))
        except ConnectionError:
            return False
        for _, kind, value in ancillary:
            if kind == _socket.SCM_RIGHTS:
                for start in range(0, len(value) - len(value) % 4, 4):
                    fd = int.from_bytes(value[start : start + 4], sys.byteorder)
                    posix.set_inheritable(fd, False)
                    self.fds.append(fd)
        self.pending += data
        while self._act():
            pass
        return data != b""

    def _act(self) -> bool:
        """Act on one message; False if none has come as a whole."""
        end = self.pending.find(b"\n")
        if end < 0:
            return False
        kind, *lengths = self.pending[:end].decode().split(" ")
        start = end + 1
        if len(self.pending) < start + sum(map(int, lengths)):
            return False
        fields = []
        for length in map(int, lengths):
            fields.append(self.pending[start : start + length].decode("utf-8", "surrogateescape"))
            start += length
        self.pending = self.pending[start:]
        if kind == "spawn":
            self.spawn(*fields)
        elif kind == "signal":
            self.signal(*fields)
        elif kind == "sweep":
            self.sweep(*fields)
        return True

    def spawn(self, number: str, preloaded: str, cwd: str, argc: str, *words: str) -> None:
        """Start a kernel; its descriptors 0 to 4 came along."""
        fds, self.fds = self.fds[:_KERNEL_FDS], self.fds[_KERNEL_FDS:]
        argv, pairs = words[: int(argc)], words[int(argc) :]
        env = dict(pair.split("=", 1) for pair in pairs)
        try:
            pid = self._start(preloaded == "1", fds, cwd, argv, env)
        except (OSError, ImportError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.say("failed", number, str(getattr(error, "errno", 0)), reason)
        else:
            self.kernels[pid] = number
            self.say("spawned", number, str(pid))
        for fd in fds:
            posix.close(fd)

    def _start(
        self,
        preloaded: bool,
        fds: "list[int]",
        cwd: str,
        argv: "tuple[str, ...]",
        env: "dict[str, str]",
    ) -> int:
        if preloaded:
            self._load(_module(argv))
        reader, writer = posix.pipe()
        pid = posix.fork()
        if pid == 0:
            try:
                _become(preloaded, fds, cwd, argv, env)
            except OSError as error:
                place = cwd if error.filename == cwd else argv[0]
                posix.write(writer, _bytes(str(error.errno) + " " + place))
            finally:
                posix._exit(127)
        posix.close(writer)
        # It closes unwritten when the kernel's program takes over.
        problem = posix.read(reader, 4096).decode("utf-8", "surrogateescape")
        posix.close(reader)
        if problem:
            posix.waitpid(pid, 0)
            number, _, place = problem.partition(" ")
            raise OSError(int(number), posix.strerror(int(number)) + ": " + place)
        return pid

    def _load(self, name: str) -> None:
        """Load a kernel's module once, for kernels to be forked with it in memory."""
        if name not in sys.modules:
            sys.path.insert(0, self.folder)
            try:
                __import__(name)
            finally:
                sys.path.remove(self.folder)

    def signal(self, number: str, signum: str) -> None:
        """Send a signal to a kernel and its group."""
        for pid, known in self.kernels.items():
            if known == number:
                try:
                    posix.killpg(pid, int(signum))
                except ProcessLookupError:
                    pass

    def sweep(self, number: str, *keep: str) -> None:
        """Kill everything but this program and the kernels to keep; `12+` is one with its group.

        Only for a process namespace of the sandbox's own, whose first process this is.
        """
        spared = {1} | {pid for pid, known in self.kernels.items() if known in keep}
        groups = {pid for pid, known in self.kernels.items() if known + "+" in keep}
        nothing = select.poll()
        looks = 0
        others = _others(spared, groups)
        while others:
            looks += 1
            if looks == _MOST_LOOKS:
                # Something cannot be killed: then nothing inside may live on.
                posix._exit(1)
            # Stopped, nothing can start a process while this one looks for it.
            freeze = looks > _LOOKS_BEFORE_FREEZING
            if freeze:
                posix.kill(-1, _signal.SIGSTOP)
                others = _others(spared, groups)
            for pid in others:
                _send(pid, _signal.SIGKILL)
            if freeze:
                for pid in spared - {1}:
                    _send(pid, _signal.SIGCONT)
                for pid in groups:
                    _send(-pid, _signal.SIGCONT)
            nothing.poll(1)
            others = _others(spared, groups)
        self.reap()
        self.say("swept", number)

    def end(self) -> "NoReturn":
        """End the kernels, where no namespace does, and this program."""
        for pid in self.kernels:
            try:
                posix.killpg(pid, _signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        posix._exit(0)

    def reap(self) -> None:
        """Collect what has ended, and report kernels."""
        while True:
            try:
                pid, status = posix.waitpid(-1, posix.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            number = self.kernels.pop(pid, None)
            if number is not None:
                if posix.WIFSIGNALED(status):
                    self.say("ended", number, "", str(posix.WTERMSIG(status)))
                else:
                    self.say("ended", number, str(posix.WEXITSTATUS(status)), "")


def _others(spared: "set[int]", groups: "set[int]") -> "list[int]":
    """The processes inside that live, but for those to spare and those of some groups."""
    found = []
    for name in posix.listdir("/proc"):
        if name.isdigit() and int(name) not in spared:
            try:
                fd = posix.open("/proc/" + name + "/stat", posix.O_RDONLY)
            except (FileNotFoundError, ProcessLookupError):
                continue
            try:
                # The name in parentheses may hold anything; then come state, parent and group.
                words = posix.read(fd, 1024).rpartition(b")")[2].split()
                if words and words[0] not in (b"Z", b"X") and int(words[2]) not in groups:
                    found.append(int(name))
            except ProcessLookupError:
                pass
            finally:
                posix.close(fd)
    return found


def _send(pid: int, number: int) -> None:
    try:
        posix.kill(pid, number)
    except ProcessLookupError:
        pass


def _keep_low_descriptors() -> None:
    """Occupy 0 to 4, so that no descriptor that arrives has a number with a meaning."""
    nothing = posix.open("/dev/null", posix.O_RDWR)
    for fd in range(_KERNEL_FDS):
        if fd != 2 and fd != nothing:
            posix.dup2(nothing, fd, False)
    if nothing >= _KERNEL_FDS:
        posix.close(nothing)
    posix.set_inheritable(_CONTROL, False)


def _become(
    preloaded: bool,
    fds: "list[int]",
    cwd: str,
    argv: "tuple[str, ...]",
    env: "dict[str, str]",
) -> None:
    """Turn a forked child into a kernel."""
    posix.setsid()
    _signal.set_wakeup_fd(-1)
    for number in (_signal.SIGCHLD, _signal.SIGTERM, _signal.SIGHUP):
        _signal.signal(number, _signal.SIG_DFL)
    for target, fd in enumerate(fds):
        posix.dup2(fd, target)
    posix.chdir(cwd)
    if not preloaded:
        for number in (_signal.SIGINT, _signal.SIGPIPE, _signal.SIGXFSZ):
            _signal.signal(number, _signal.SIG_DFL)
        posix.execve(argv[0], argv, env)
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    _set_environment(env)
    posix.closerange(_KERNEL_FDS, _MOST_FDS)
    sys.modules.pop("init", None)
    sys.argv = list(argv[_SCRIPT:])
    sys.modules[_module(argv)].main()


def _module(argv: "tuple[str, ...]") -> str:
    """The kernel's module: `python3 -I -S .../python_kernel.py` would start it by itself."""
    return argv[_SCRIPT].rpartition("/")[2].partition(".")[0]


def _set_environment(env: "dict[str, str]") -> None:
    """Replace the environment, also as the `os` module will see or has seen it."""
    environ = posix.environ  # type: dict[bytes, bytes]
    for name in list(environ):
        posix.unsetenv(name)
    environ.clear()
    for key, value in env.items():
        posix.putenv(key, value)
        environ[_bytes(key)] = _bytes(value)
    if "os" in sys.modules:
        known = sys.modules["os"].environ._data
        known.clear()
        known.update(environ)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
