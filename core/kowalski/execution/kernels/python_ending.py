"""What a Python program may expect when it ends: a run is one's end if no other follows it."""

import _thread
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing


def await_threads() -> None:
    """Wait for the program's threads, but for its daemons. An interrupt ends the wait."""
    threading: "typing.Any" = sys.modules.get("threading")
    if not hasattr(threading, "enumerate"):
        return
    # Not `threading._shutdown`: from Python 3.13 on it hides interrupts.
    for release in reversed(getattr(threading, "_threading_atexits", ())):
        release()
    own = threading.current_thread()
    while True:
        alive = [one for one in threading.enumerate() if one is not own and one.is_alive()]
        awaited = [one for one in alive if not one.daemon]
        if not awaited:
            return
        awaited[0].join()


def run_exit_functions() -> None:
    """Call what the program registered with `atexit`; what fails there is told on stderr."""
    atexit: "typing.Any" = sys.modules.get("atexit")
    run = getattr(atexit, "_run_exitfuncs", None)
    if run is not None:
        try:
            run()
        except (Exception, SystemExit):
            # Before Python 3.10 it also raises the last of what it has told.
            pass


def let_go(
    names: "dict[str, typing.Any]",
    own_threads: int,
    put: "typing.Callable[[dict[str, typing.Any], str, object], None]",
) -> None:
    """Let go of what the program holds, so that its files are written and its objects told.

    Threads that live on may still need it, but for the kernel's own. `put` sets a name.
    """
    if _thread._count() > own_threads:
        return
    # The order in which Python itself does.
    for name in sorted(names, key=lambda name: not name.startswith("_")):
        if name != "__builtins__":
            put(names, name, None)
