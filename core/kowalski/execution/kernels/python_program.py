"""What a block knows of itself as a program: its name, its file and its arguments."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

_NAMELESS = "-c"


class Program:
    """Tells these as Python does, from `begin` to `end`."""

    def __init__(
        self, names: "dict[str, typing.Any]", name: str, path: str, *arguments: str
    ) -> None:
        self._names = names
        self._argv = [name or _NAMELESS, *arguments]
        self._path = path
        self._folder = path.rpartition("/")[0] or "/"

    def begin(self) -> None:
        """Set `sys.argv`; for a file `__file__` too, and its folder is where modules are first."""
        sys.argv = self._argv
        if self._path:
            self._names["__file__"] = self._path
            self._swap_first("", self._folder)

    def end(self) -> None:
        """Leave to the next block what it found before."""
        sys.argv = [""]
        if self._path:
            self._names.pop("__file__", None)
            self._swap_first(self._folder, "")

    def _swap_first(self, old: str, new: str) -> None:
        # The program may have put anything in its place.
        if isinstance(sys.path, list) and old in sys.path:
            sys.path[sys.path.index(old)] = new
