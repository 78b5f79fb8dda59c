"""The peers' own virtual environment, with every version pinned."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDER = REPOSITORY / ".make" / "peers"
PINS = Path(__file__).with_name("peers.txt")
STAMP = FOLDER / "installed.sha256"


class PeersUnavailableError(Exception):
    """The peers could not be installed; the message says what was tried."""


def prepare() -> Path:
    """The folder with the peers' programs; installs them where that was not done yet.

    Raises:
        PeersUnavailableError: the installation failed, as without a network.
    """
    wanted = hashlib.sha256(PINS.read_bytes() + sys.version.encode()).hexdigest()
    if not STAMP.exists() or STAMP.read_text() != wanted:
        install()
        STAMP.write_text(wanted)
    return FOLDER / "bin"


def install() -> None:
    """Make the environment anew.

    Raises:
        PeersUnavailableError: it failed.
    """
    python = str(FOLDER / "bin" / "python")
    for command in (
        ["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(FOLDER)],
        ["uv", "pip", "install", "--quiet", "--python", python, "--requirements", str(PINS)],
    ):
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, env=outside())
        except FileNotFoundError as error:
            raise PeersUnavailableError("uv is not on PATH") from error
        except subprocess.CalledProcessError as error:
            reason = error.stderr.strip().splitlines()[-1:] or ["it said nothing"]
            raise PeersUnavailableError(f"`{' '.join(command)}` failed: {reason[0]}") from error


def outside() -> dict[str, str]:
    """The environment without the mark of the virtual environment that this process runs in."""
    return {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
