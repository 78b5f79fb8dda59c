"""SIGINT for the program, and never for the kernel around it."""

import _signal  # type: ignore[import-not-found]
import _thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    import types
    import typing


class Interrupts:
    """Raises KeyboardInterrupt where the program runs. As a context: holds it back until the end.

    Attributes:
        armed: a run is under way.
        pending: an interrupt came while the run was not in the program's own code.
        awaited: the event loop and the task that the program waits in, if it does.
        cancelled: an interrupt cancelled that task.
    """

    def __init__(self, folder: str, door: "types.CodeType") -> None:
        self.armed = False
        self.pending = False
        self.awaited: "typing.Any" = None
        self.cancelled = False
        self._own = folder + "/"
        self._door = door
        self._loops: "tuple[str, ...]" = ()
        self._main = _thread.get_ident()
        self._held = 0
        self._deferred = False

    def install(self) -> None:
        """Take SIGINT, also from a program that took it."""
        _signal.signal(_signal.SIGINT, self._received)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, [_signal.SIGINT])

    def waits_in(self, folders: "tuple[str, ...]") -> None:
        """Where the code of event loops is: there, no code of the program's runs."""
        self._loops = folders

    def __enter__(self) -> None:
        if _thread.get_ident() == self._main:
            self._held += 1

    def __exit__(self, *_: object) -> None:
        if _thread.get_ident() == self._main:
            self._held -= 1
            if self._deferred and not self._held:
                self._deferred = False
                raise KeyboardInterrupt

    def _received(self, number: int, frame: "types.FrameType | None") -> None:
        program = loop = False
        while frame is not None and frame.f_code is not self._door:
            name = frame.f_code.co_filename
            if name.startswith(self._loops):
                loop = True
            elif not name.startswith(self._own):
                program = True
            frame = frame.f_back
        if frame is None or not (program or loop):
            self.pending = self.armed
        elif self._held:
            self._deferred = True
        elif program or self.awaited is None:
            raise KeyboardInterrupt
        else:
            self.cancelled = True
            events, task = self.awaited
            events.call_soon_threadsafe(task.cancel)
