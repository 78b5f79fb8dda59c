"""The user's folder of configuration."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from kowalski.errors import InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


def home_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's home.

    Raises:
        InvalidSettings: neither `HOME` nor the list of users names an absolute one.
    """
    named = environ.get("HOME", "")
    if named.startswith("/"):
        return Path(named)
    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError as error:
        raise InvalidSettings(
            "No home folder is known: set HOME or KOWALSKI_HOME to an absolute path."
        ) from error


def override(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The one folder that `KOWALSKI_HOME` puts everything into; None where it is not set.

    Raises:
        InvalidSettings: it is not an absolute path.
    """
    named = environ.get("KOWALSKI_HOME")
    if named is None:
        return None
    if not named.startswith("/") or named != named.strip() or "\n" in named:
        raise InvalidSettings(
            f"KOWALSKI_HOME is {named!r}: give an absolute path without surrounding blanks, "
            "or unset it."
        )
    return Path(named)


def xdg_folder(variable: str, default: str, environ: Mapping[str, str] = os.environ) -> Path:
    """`kowalski` within the folder that `variable` names, else within `default` of the home.

    As the XDG specification demands, a value that is no absolute path counts as none.
    """
    named = environ.get(variable, "")
    base = Path(named) if named.startswith("/") else home_folder(environ) / default
    return base / "kowalski"


def config_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where `settings.toml` and `grants.toml` stand. It need not exist.

    Raises:
        InvalidSettings: no place is known for it.
    """
    return override(environ) or xdg_folder("XDG_CONFIG_HOME", ".config", environ)
