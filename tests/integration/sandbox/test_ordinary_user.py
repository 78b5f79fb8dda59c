"""Everything again as an ordinary user, when the tests themselves run as root."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import pytest

from enclosed import ORDINARY, ordinary_python

FILES = ("test_reach.py", "test_workspace.py", "test_changes.py", "test_programs.py",
         "test_probe.py", "test_ends.py", "test_bounds.py")  # fmt: skip


@pytest.mark.skipif(os.getuid() != 0, reason="these tests run as an ordinary user already")
@pytest.mark.parametrize("name", FILES)
def test_as_an_ordinary_user(name: str) -> None:
    folder = Path(__file__).resolve().parent
    python = ordinary_python()
    packages = sysconfig.get_path("purelib")
    root = folder.parents[2]
    if python is None or not _readable(root) or not _readable(Path(packages)):
        pytest.skip("an ordinary user cannot reach an interpreter of this version, or the tests")
    with tempfile.TemporaryDirectory(prefix="kowalski-ordinary-") as home:
        os.chown(home, ORDINARY, ORDINARY)
        ran = subprocess.run(
            [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=",
             str(folder / name)],
            user=ORDINARY, group=ORDINARY, extra_groups=[], cwd=root, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "HOME": home,
                "TMPDIR": home,
                "HYPOTHESIS_STORAGE_DIRECTORY": home,
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": os.pathsep.join([packages, str(root / "core"), str(root / "tests")]),
            },
        )  # fmt: skip
    assert ran.returncode == 0, ran.stdout.decode()


def _readable(folder: Path) -> bool:
    """Whether everybody may enter a folder and those above it."""
    return all(place.stat().st_mode & 0o005 == 0o005 for place in (folder, *folder.parents))
