"""Packages that only the real model needs, kept for all checkouts of this user."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROJECT: Final = Path(__file__).parents[2]
_REQUIREMENTS: Final = Path(__file__).parent / "requirements"
_INSTALL_S: Final = 900.0


class CannotInstall(Exception):
    """A package cannot be had on this machine, with the reason."""


def installed(package: str) -> Path:
    """The folder with `package`, as `requirements/` pins it; installed if it is not there yet.

    Raises:
        CannotInstall: there is no such package for this machine, or no way to fetch it.
    """
    requirements = _REQUIREMENTS / f"{package}.txt"
    cache = _cache()
    folder = cache / f"{package}-{_key(requirements)}"
    if not folder.exists():
        with _alone(cache):
            if not folder.exists():
                _install(requirements, folder)
    return folder


def forget(package: str) -> None:
    """Remove what `installed` has put there, so that it is installed anew."""
    cache = _cache()
    with _alone(cache):
        folder = cache / f"{package}-{_key(_REQUIREMENTS / f'{package}.txt')}"
        shutil.rmtree(folder, ignore_errors=True)


def _install(requirements: Path, folder: Path) -> None:
    # Complete once it has its name: whoever is killed leaves a folder that nobody takes for it.
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    uv = os.environ.get("UV") or shutil.which("uv", path=_search_path())
    if uv is None:
        raise CannotInstall("uv is not on PATH: run `make setup`")
    what = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(requirements)]
    where = ["--python", sys.executable, "--target", str(unfinished)]
    try:
        done = subprocess.run(
            [uv, "pip", "install", "--no-cache", "--quiet", *where, *what],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_INSTALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CannotInstall(f"uv did not install it within {_INSTALL_S:g} s") from error
    if done.returncode != 0:
        raise CannotInstall(f"uv cannot install it: {' '.join(done.stderr.split())}")
    unfinished.rename(folder)


def _search_path() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), str(_PROJECT / ".make" / "bin")])


def _key(requirements: Path) -> str:
    """Names the versions and the kind of machine and Python that they are for."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    return f"{digest}-{sys.platform}-{platform.machine()}-{sys.implementation.cache_tag}"


def _cache() -> Path:
    """A folder that outlives this checkout; in it, where the user has no place of their own."""
    try:
        own = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        if own.is_absolute():
            return _made(own / "kowalski-tests")
    except (OSError, RuntimeError):
        # Without a home, or with one that is not theirs to write in.
        pass
    return _made(_PROJECT / ".cache" / "kowalski-tests")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(folder)
    return folder


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Wait until nobody else installs. The lock goes with its holder."""
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
