"""What the tests of the faces share: an agent of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

KOWALSKI = str(Path(sys.executable).with_name("kowalski"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a user who has not used Kowalski before; their agent ends at the end."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KOWALSKI_")}
    user = tmp_path_factory.mktemp("user")
    env = {**kept, "HOME": str(user), "KOWALSKI_HOME": str(user / "kowalski")}
    # The kernels that are made for a JDK take seconds; they are the same for all of these users.
    env["XDG_CACHE_HOME"] = str(tmp_path_factory.getbasetemp().parent / "kowalski-caches")
    yield env
    subprocess.run([KOWALSKI, "agent", "stop"], env=env, check=True, capture_output=True)
