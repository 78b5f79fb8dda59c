"""What the owner of a device can do where an enclosure does not work."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
_USERNS_CLONE = Path("/proc/sys/kernel/unprivileged_userns_clone")
_MOST_USERNS = Path("/proc/sys/user/max_user_namespaces")
_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))


def for_namespaces() -> str:
    """How to let bubblewrap work, by the settings of this system that stand in its way."""
    if _says(_APPARMOR, "1"):
        python = os.path.realpath(sys.executable)
        profile = f"profile kowalski {python} flags=(unconfined) {{ userns, }}"
        return (
            "This system denies user namespaces to programs that it does not know. Allow them to "
            "Kowalski's interpreter: "
            f"echo 'abi <abi/4.0>, {profile}' | sudo tee /etc/apparmor.d/kowalski && "
            "sudo apparmor_parser -r /etc/apparmor.d/kowalski"
        )
    if _says(_USERNS_CLONE, "0"):
        return "Allow user namespaces: sudo sysctl -w kernel.unprivileged_userns_clone=1"
    if _says(_MOST_USERNS, "0"):
        return "Allow user namespaces: sudo sysctl -w user.max_user_namespaces=15000"
    if any(mark.exists() for mark in _CONTAINER_MARKS):
        return (
            "Let the container have namespaces of its own: start it with --security-opt "
            "seccomp=unconfined --security-opt systempaths=unconfined --security-opt "
            "apparmor=unconfined"
        )
    return "Install bubblewrap 0.11 or newer, and use Linux 5.14 or newer with user namespaces."


def for_landlock() -> str:
    """How to let Landlock work."""
    if os.getuid() == 0:
        return (
            "Run Kowalski as an ordinary user: an agent of root's gives its identity away, and "
            "then reaches neither root's home nor what is in it."
        )
    return (
        "Use Linux 6.2 or newer; `cat /sys/kernel/security/lsm` must list landlock, else add it "
        "to the boot parameter lsm=."
    )


def for_seatbelt() -> str:
    """How to let Seatbelt work."""
    return "Use macOS 12 or newer, and start Kowalski outside of any other app sandbox."


def for_nothing() -> str:
    """Where even an unenclosed run does not start."""
    return "Check that the interpreter exists and that the folder for temporary files is writable."


def _says(setting: Path, value: str) -> bool:
    try:
        return setting.read_text().strip() == value
    except OSError:
        return False
