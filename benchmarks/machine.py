"""The machine and the versions that the numbers depend on."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import anyio

import kowalski
from benchmarks.account import ControlGroup, open_account


def surroundings() -> dict[str, str | int]:
    """What the numbers depend on."""
    account = open_account("probe")
    exact = isinstance(account, ControlGroup)
    anyio.run(account.close)
    return {
        "kowalski": kowalski.__version__,
        "commit": said("git", "rev-parse", "HEAD"),
        "system": platform.platform(),
        "processor": processor(),
        "cpus": os.cpu_count() or 0,
        "python": platform.python_version(),
        "node": said("node", "--version"),
        "cpu_accounting": "cgroup" if exact else "/proc",
    }


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def said(*command: str) -> str:
    """What a command prints, or nothing where it is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return ""
