"""Where the agent of this user keeps things, and where it is reached."""

from __future__ import annotations

import binascii
import os
import stat
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kowalski.errors import AgentUnavailable, InvalidSettings
from kowalski.settings.folder import config_folder, override, xdg_folder
from kowalski.settings.ownership import make_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_SOCKET_PATH: Final = 100
"""Bytes. Linux takes 107 and macOS 103."""


@dataclass(frozen=True)
class Places:
    """Folders and files of one user on one device. Nothing need exist before `create`.

    Faces that find the same configuration and state find the same agent, and others another one:
    the socket's name is made from both.

    Attributes:
        config_dir: what the owner decides: settings and grants.
        state_dir: what the agent remembers.
        runtime_dir: what lives as long as the agent.
        socket: where faces reach the agent; a path of at most 100 bytes.
    """

    config_dir: Path
    state_dir: Path
    runtime_dir: Path
    socket: Path

    @classmethod
    def find(cls, environ: Mapping[str, str] = os.environ) -> Places:
        """The places that the environment names. `KOWALSKI_HOME` puts all into one folder.

        Raises:
            InvalidSettings: no home folder is known, or `KOWALSKI_HOME` is no absolute path.
        """
        home = override(environ)
        if home:
            return cls.within(home)
        config = config_folder(environ)
        state = xdg_folder("XDG_STATE_HOME", ".local/state", environ)
        runtime = _runtime_folder(environ)
        return cls(config, state, runtime, _socket(config, state, runtime))

    @classmethod
    def within(cls, home: Path) -> Places:
        """Everything in the one folder `home`, an absolute path."""
        state, runtime = home / "state", home / "run"
        return cls(home, state, runtime, _socket(home, state, runtime))

    @property
    def settings_file(self) -> Path:
        """What the owner has set."""
        return self.config_dir / "settings.toml"

    @cached_property
    def grants_file(self) -> Path:
        """What the owner has granted."""
        return self.config_dir / "grants.toml"

    @property
    def servers_file(self) -> Path:
        """Which servers of language models the owner has added."""
        return self.config_dir / "servers.toml"

    @property
    def keys_file(self) -> Path:
        """The keys of those servers, where the system has no keyring for them."""
        return self.config_dir / "keys.json"

    @property
    def token_file(self) -> Path:
        """What a client of the MCP server over HTTP must know."""
        return self.config_dir / "mcp-token"

    @property
    def model_notes_file(self) -> Path:
        """What was found out of the models of servers."""
        return self.state_dir / "models.json"

    @property
    def lock_file(self) -> Path:
        """Held by the one agent that owns the state."""
        return self.state_dir / "agent.lock"

    @property
    def log_file(self) -> Path:
        """What the agent says."""
        return self.state_dir / "agent.log"

    @property
    def journal_file(self) -> Path:
        """What happened."""
        return self.state_dir / "journal.sqlite"

    @property
    def blobs_dir(self) -> Path:
        """Bytes by their content."""
        return self.state_dir / "blobs"

    @property
    def compiled_dir(self) -> Path:
        """Which blobs are programs, and of what code."""
        return self.state_dir / "compiled"

    @property
    def folders(self) -> tuple[Path, ...]:
        """Kowalski's own folders, which no run may ever see."""
        return tuple(dict.fromkeys((*self._own(), self.socket.parent)))

    def create(self) -> None:
        """Makes the folders, each readable by its owner alone.

        Raises:
            InvalidSettings: others could change the folder of configuration.
            AgentUnavailable: others could change another one, or it cannot be made.
        """
        make_folder(self.config_dir, InvalidSettings)
        for folder in self.folders:
            if folder != self.config_dir:
                make_folder(folder, AgentUnavailable)

    def _own(self) -> tuple[Path, ...]:
        return (self.config_dir, self.state_dir, self.runtime_dir)


def _runtime_folder(environ: Mapping[str, str]) -> Path:
    named = environ.get("XDG_RUNTIME_DIR", "")
    if named.startswith("/") and Path(named).is_dir():
        return Path(named) / "kowalski"
    if sys.platform == "darwin":
        named = environ.get("TMPDIR", "")
        return Path(named) / "kowalski" if named.startswith("/") else _temporary_folder()
    # A face without the variable (cron, su) must find the agent of a face that has it.
    usual = Path(f"/run/user/{os.geteuid()}")
    try:
        status = usual.lstat()
    except OSError:
        return _temporary_folder()
    safe = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    return usual / "kowalski" if safe else _temporary_folder()


def _temporary_folder() -> Path:
    return Path(f"/tmp/kowalski-{os.geteuid()}")  # noqa: S108 - owner and mode are checked


def _socket(config: Path, state: Path, runtime: Path) -> Path:
    identity = b"\0".join(os.fsencode(folder) for folder in (config, state, runtime))
    # A checksum tells one user's folders apart well enough, and imports in no time.
    name = f"agent-{binascii.crc32(identity):08x}.sock"
    socket = runtime / name
    if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
        return _temporary_folder() / name
    return socket
