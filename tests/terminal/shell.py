"""The `kowalski` command as a shell starts it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from terminal.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Mapping

KOWALSKI = str(Path(sys.executable).with_name("kowalski"))
_PATIENCE_S = 120


@dataclass
class Shell:
    """Starts commands in `folder` with `env`. `started` are the processes that may still run."""

    env: Mapping[str, str]
    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    screens: list[Screen] = field(default_factory=list)

    def kowalski(
        self, *words: str, stdin: str = "", folder: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """The finished command; its stdout and stderr are pipes."""
        return subprocess.run(
            [KOWALSKI, *words],
            cwd=folder or self.folder,
            env={**self.env, **env},
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=_PATIENCE_S,
            check=False,
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        """The running command; its stdout and stderr are pipes."""
        process = subprocess.Popen(
            [KOWALSKI, *words],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.started.append(process)
        return process

    def line(self, command: str) -> subprocess.CompletedProcess[str]:
        """A line as somebody types it, with pipes and quotes."""
        path = f"{Path(KOWALSKI).parent}{os.pathsep}{self.env['PATH']}"
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env={**self.env, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=_PATIENCE_S,
            check=False,
        )

    def watch(self, *words: str, **env: str) -> Screen:
        """The running command with somebody watching: its stdout and stderr are a terminal."""
        ours, theirs = pty.openpty()
        screen = Screen(ours, columns=80)
        with os.fdopen(theirs, "wb") as terminal:
            screen.process = subprocess.Popen(
                [KOWALSKI, *words],
                cwd=self.folder,
                env={**self.env, "TERM": "xterm-256color", **env},
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
                start_new_session=True,
            )
        self.screens.append(screen)
        return screen

    def close(self) -> None:
        """End what still runs."""
        for process in self.started:
            process.kill()
            process.communicate()
        for screen in self.screens:
            screen.close()
