"""A module that a program missed though it is there: installing one of its name would not help."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kowalski.model.event import ProgramError
    from kowalski.model.run import Origin


def misplaced_module(
    error: ProgramError, root: Path, start: Path, origin: Origin | None
) -> str | None:
    """Where the module lies that a Python program missed, and how to have it; None if nowhere.

    Looks beside the program, at the top of its folder `root` and in `src` there. `start` is the
    folder where its interpreter starts, which it searches.
    """
    if error.type != "ModuleNotFoundError" or error.message.count("'") != 2:
        return None
    # Of a module within a package, the package was found.
    name = error.message.split("'")[1]
    if not name.isidentifier():
        return None
    folders = [start, root, root / "src"]
    if origin is not None:
        folders.insert(0, (start / origin.document).parent)
    for folder in folders:
        # Only what code sees is looked at.
        inside = Path(os.path.normpath(folder))
        if inside.is_relative_to(root) and (found := _module(inside, name)):
            return (
                f"{found} is not where Python looks for modules here. To have it, begin with: "
                f"import sys; sys.path.insert(0, {str(inside)!r})"
            )
    return None


def _module(folder: Path, name: str) -> Path | None:
    for path in (folder / f"{name}.py", folder / name / "__init__.py"):
        try:
            if path.is_file():
                return path
        except OSError:
            # Not ours to see, and so not the program's either.
            continue
    return None
