"""The state of an interpreter that has just started, to which a forked one returns."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class Newborn:
    """What a bare `python -I -S` has loaded, to which a forked child returns."""

    def __init__(self, modules: Collection[str], path: list[str]) -> None:
        self.modules = frozenset(modules)
        self.path = tuple(path)
        self._serve: Callable[[str, str, str], None] | None = None

    def load(self, folder: str) -> None:
        """Load the programs inside from `folder`, once."""
        if self._serve is None:
            before = sys.path[:]
            sys.path.insert(0, folder)
            try:
                self._serve = __import__("init").main
                __import__("python_kernel")
            finally:
                sys.path[:] = before

    def resume(self, python: str, first: tuple[str, str, str]) -> NoReturn:
        """Forget everything else, call itself `python`, and be the first program."""
        assert self._serve is not None  # noqa: S101 - it is loaded before any fork
        serve, kept = self._serve, self.modules | {"python_kernel"}
        for name in [name for name in sys.modules if name not in kept]:
            del sys.modules[name]
        main = sys.modules["__main__"].__dict__
        for name in [name for name in main if not name.startswith("__")]:
            del main[name]
        sys.path[:] = self.path
        sys.path_importer_cache.clear()
        sys.executable = python
        sys.argv = sys.orig_argv = [python]
        serve(*first)
        raise SystemExit
