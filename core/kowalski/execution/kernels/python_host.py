"""Functions that the program calls and its caller answers."""

import _thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from kowalski.execution.kernels.python_channel import Channel, Frame
    from kowalski.execution.kernels.python_interrupts import Interrupts

_COMMAND = ""


class Host:
    """Calls to the caller: many may be outstanding, from any thread.

    One of the threads that wait, the leader, reads for all of them, and when it has what it waited
    for, it makes another the leader. The kernel's own loop, which waits for its next command, is
    one of them: a thread that outlived its run may be the leader.
    """

    def __init__(
        self,
        channel: "Channel",
        interrupts: "Interrupts",
        standard: "typing.Callable[[str], typing.Any]",
    ) -> None:
        self._channel = channel
        self._interrupts = interrupts
        self._json = standard("json")
        self._poll = standard("select").poll()
        self._poll.register(channel.reading, standard("select").POLLIN)
        self._guard = _thread.allocate_lock()
        self._waiting: "dict[str, Waiter]" = {}
        self._commands: "list[Frame]" = []
        self._led = False
        self._offered: "frozenset[str]" = frozenset()
        self._calls = 0

    def open(self, names: "typing.Iterable[str]") -> None:
        """A run begins, which may call these functions."""
        self._offered = frozenset(names)

    def close(self) -> None:
        """The run is over: whoever still waits gets an error."""
        with self._guard:
            self._offered = frozenset()
            for waiter in self._waiting.values():
                if waiter.frame is None:
                    waiter.get(("answer", [b"", b"error", b"the run is over"]))
            self._waiting.clear()

    def call(self, name: str, arguments: "tuple[object, ...]") -> "typing.Any":
        """Call the host's function `name`.

        Raises:
            RuntimeError: the host answered with an error, or the run is over.
            TypeError: an argument has no JSON.
        """
        text = self._json.dumps(arguments)
        with self._interrupts, self._guard:
            if name not in self._offered:
                raise RuntimeError("%s: it can only be called while its run lasts" % name)
            self._calls += 1
            number = str(self._calls)
            waiter = self._waiting[number] = Waiter()
        try:
            self._channel.send(("call", number, name, text))
            self._wait(waiter)
        finally:
            self._leave(number, waiter)
        _, (_, kind, value) = waiter.frame
        answer = value.decode("utf-8", "replace")
        if kind == b"error":
            raise RuntimeError("%s: %s" % (name, answer))
        return self._json.loads(answer) if kind == b"json" else answer

    def command(self) -> "Frame":
        """The next frame that is no answer."""
        waiter = Waiter()
        with self._guard:
            if self._commands:
                return self._commands.pop(0)
            self._waiting[_COMMAND] = waiter
        self._wait(waiter)
        self._leave(_COMMAND, waiter)
        frame: Frame = waiter.frame
        return frame

    def forked(self) -> None:
        """Forget the threads of the process that forked this one."""
        self._guard = _thread.allocate_lock()
        self._offered = frozenset()

    def _wait(self, waiter: "Waiter") -> None:
        with self._interrupts, self._guard:
            if not self._led:
                self._led = waiter.leads = True
        while waiter.frame is None:
            if waiter.leads:
                self._read(waiter)
            else:
                waiter.woken.acquire()

    def _read(self, leader: "Waiter") -> None:
        frame = self._channel.next()
        if frame is None:
            # Only here may an interrupt strike: nothing has been read yet that could be lost.
            self._poll.poll()
            with self._interrupts:
                self._channel.fill()
                self._route()
        else:
            with self._interrupts:
                self._deliver(frame)

    def _route(self) -> None:
        frame = self._channel.next()
        while frame is not None:
            self._deliver(frame)
            frame = self._channel.next()

    def _deliver(self, frame: "Frame") -> None:
        kind, fields = frame
        number = fields[0].decode("ascii", "replace") if kind == "answer" else _COMMAND
        with self._guard:
            waiter = self._waiting.get(number)
            if waiter is not None and waiter.frame is None:
                waiter.get(frame)
            elif number == _COMMAND:
                self._commands.append(frame)

    def _leave(self, number: str, waiter: "Waiter") -> None:
        with self._interrupts, self._guard:
            self._waiting.pop(number, None)
            if not waiter.leads:
                return
            self._led = False
            for other in self._waiting.values():
                if other.frame is None:
                    self._led = other.leads = True
                    other.wake()
                    return


class Waiter:
    """A thread that waits: for its frame, or to lead."""

    def __init__(self) -> None:
        self.frame: "typing.Any" = None
        self.leads = False
        self.woken = _thread.allocate_lock()
        self.woken.acquire()

    def get(self, frame: "Frame") -> None:
        """Give it what it waits for."""
        self.frame = frame
        self.wake()

    def wake(self) -> None:
        """Make it look again. The host's guard is held."""
        if self.woken.locked():
            self.woken.release()


class HostFunction:
    """A function of the caller's."""

    def __init__(self, host: Host, name: str) -> None:
        self._host = host
        self.__name__ = self.__qualname__ = name

    def __call__(self, *arguments: object) -> "typing.Any":
        """Ask whoever runs this code. Arguments are what JSON can hold; returns the answer."""
        return self._host.call(self.__name__, arguments)

    def __repr__(self) -> str:
        return "<host function %s>" % self.__name__
