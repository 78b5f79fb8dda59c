"""Where programs are installed: on PATH, behind version switches, and below which folder.

Nothing that is found here is executed: a folder's files may be anybody's.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib64")
DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_MOST_LINKS: Final = 40
_MOST_BYTES: Final = 4096


def on_path(names: tuple[str, ...], path: str | None, workspace: str | None) -> Iterator[Path]:
    """Executables of these names on `path`, in order, seen through pyenv's and asdf's shims."""
    for folder in (path or DEFAULT_PATH).split(":"):
        if not folder.startswith("/"):
            continue
        for name in names:
            candidate = Path(folder) / name
            if not is_executable(candidate):
                continue
            if Path(folder).name == "shims":
                yield from _behind_shim(Path(folder).parent, name, workspace)
            else:
                yield candidate


def environments(virtual_env: str | None, workspace: str | None) -> Iterator[tuple[Path, str]]:
    """Python's virtual environments for code in `workspace`, each with how it was found."""
    for name in (".venv", "venv"):
        if workspace and (Path(workspace) / name / "pyvenv.cfg").is_file():
            yield Path(workspace) / name, f"the workspace's {name}"
    if virtual_env and (Path(virtual_env) / "pyvenv.cfg").is_file():
        yield Path(virtual_env), "VIRTUAL_ENV"


def is_executable(path: Path) -> bool:
    """Whether this is a file that its user may execute."""
    return path.is_file() and os.access(path, os.X_OK)


def needs_showing(folder: Path) -> bool:
    """Whether a sandbox must be told to show a folder, since it is not the system's."""
    return not any(folder == Path(top) or folder.is_relative_to(top) for top in _SYSTEM)


def is_too_wide(folder: Path) -> bool:
    """Whether showing a folder would show the user's home, or all there is."""
    home = Path(os.environ.get("HOME", "/nonexistent")).resolve()
    return folder == Path("/") or home == folder or home.is_relative_to(folder)


def is_reachable(path: Path, shown: Iterable[Path]) -> bool:
    """Whether `path` and every link that it leads over lie in what a sandbox shows.

    `shown` are real folders; the system's are always there.
    """
    folders = tuple(shown)
    for _ in range(_MOST_LINKS):
        folder = path.parent
        if needs_showing(folder):
            if folder.resolve() != folder:
                return False
            if not any(folder.is_relative_to(known) for known in folders):
                return False
        if not path.is_symlink():
            return True
        path = Path(os.path.normpath(folder / path.readlink()))
    return False


def lines_of(file: Path) -> list[str]:
    """The first lines of a small text file, stripped, without empty ones; none of what is none.

    The file may be anybody's: a pipe would block, and a device never end.
    """
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return []
    try:
        regular = stat.S_ISREG(os.fstat(fd).st_mode)
        text = os.read(fd, _MOST_BYTES).decode("utf-8", "replace") if regular else ""
    finally:
        os.close(fd)
    return [line.strip() for line in text.splitlines() if line.strip()]


def _behind_shim(root: Path, name: str, workspace: str | None) -> Iterator[Path]:
    """What pyenv (`root/versions`) or asdf (`root/installs`) would run for `name`."""
    for version in _chosen_versions(root, workspace):
        if version == "system":
            # What comes later on PATH was chosen.
            return
        for folder in _installed(root, version):
            if is_executable(folder / "bin" / name):
                yield folder / "bin" / name


def _installed(root: Path, version: str) -> list[Path]:
    """The folders of a version; `3.12` stands for the newest 3.12.x where that is none itself."""
    found = [root / "versions" / version, *sorted((root / "installs").glob(f"*/{version}"))]
    close = [*(root / "versions").glob(f"{version}.*"), *(root / "installs").glob(f"*/{version}.*")]
    return [*found, *sorted(close, key=lambda path: _version_key(path.name), reverse=True)]


def _chosen_versions(root: Path, workspace: str | None) -> Iterator[str]:
    start = Path(workspace) if workspace else None
    for folder in (start, *start.parents) if start else ():
        yield from _versions_in(folder / ".python-version")
        yield from _versions_in(folder / ".node-version")
        yield from _tool_versions(folder / ".tool-versions")
    yield from _versions_in(root / "version")
    yield from _tool_versions(Path(os.environ.get("HOME", "/nonexistent")) / ".tool-versions")
    # Nothing was chosen, or what was chosen has no such program: the newest that has it.
    versions = [path.name for path in root.glob("versions/*")]
    versions += [path.name for path in root.glob("installs/*/*")]
    yield from sorted(versions, key=_version_key, reverse=True)


def _versions_in(file: Path) -> list[str]:
    return [word for word in lines_of(file) if _is_plain(word)]


def _tool_versions(file: Path) -> list[str]:
    return [word for line in lines_of(file) for word in line.split()[1:] if _is_plain(word)]


def _is_plain(version: str) -> bool:
    return all(c.isalnum() or c in ".-_" for c in version) and version not in (".", "..")


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else -1 for part in version.split("."))
