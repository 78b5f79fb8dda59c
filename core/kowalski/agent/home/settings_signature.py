"""Which settings a process goes by, so that faces notice an agent that goes by others."""

from __future__ import annotations

import binascii
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kowalski.agent.home.places import Places

_NO_SETTINGS = ("KOWALSKI_HOME", "KOWALSKI_DEBUG")


@dataclass(frozen=True, slots=True)
class SettingsSignature:
    """Changes when the settings do: `file` with the owner's file, `environment` with variables.

    A checksum each: what variables hold, such as keys, is not told to anybody.
    """

    file: str
    environment: str


def settings_signature(
    places: Places, environ: Mapping[str, str] = os.environ
) -> SettingsSignature:
    """The signature of what counts now."""
    try:
        status = places.settings_file.stat()
        file = f"{status.st_mtime_ns:x}-{status.st_size:x}"
    except OSError:
        file = "none"
    variables = sorted(
        f"{name}={value}"
        for name, value in environ.items()
        if name.startswith("KOWALSKI_") and name not in _NO_SETTINGS
    )
    told = "\0".join(variables).encode("utf-8", "surrogateescape")
    return SettingsSignature(file, f"{binascii.crc32(told):x}")
