"""A file or folder is believed only where nobody but its owner can have changed it."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.errors import AgentUnavailable, InvalidSettings
from kowalski.settings.folder import config_folder, home_folder
from kowalski.settings.ownership import check_folder, make_folder, read_file, write_file

if TYPE_CHECKING:
    from kowalski.errors import KowalskiError


def test_a_written_file_replaces_the_old_one_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    os.link(file, tmp_path / "other-name")
    write_file(file, b"new")
    assert read_file(file, 10, InvalidSettings) == b"new"
    assert (tmp_path / "other-name").read_bytes() == b"old"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_link_in_place_of_a_file_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"untouched")
    (tmp_path / "file").symlink_to(tmp_path / "target")
    write_file(tmp_path / "file", b"new")
    assert (tmp_path / "target").read_bytes() == b"untouched"
    assert not (tmp_path / "file").is_symlink()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from kowalski.settings.ownership import write_file\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try: write_file(Path(sys.argv[1]), b'x' * 1000)\n"
        "except OSError as error: sys.exit(3)\n"
    )
    file = tmp_path / "file"
    write_file(file, b"old")
    done = subprocess.run([sys.executable, "-B", "-c", code, str(file)], check=False)
    assert done.returncode == 3
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_is_read_up_to_its_limit_and_not_beyond(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_file(file, b"12345")
    assert read_file(file, 5, InvalidSettings) == b"12345"
    with pytest.raises(InvalidSettings, match="more than"):
        read_file(file, 4, InvalidSettings)
    assert read_file(tmp_path / "missing", 5, InvalidSettings) is None
    with pytest.raises(InvalidSettings, match="cannot be read"):
        read_file(file / "below", 5, InvalidSettings)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system has no /proc")
def test_what_tells_no_size_is_bounded_too() -> None:
    assert Path("/proc/self/status").stat().st_size == 0
    with pytest.raises(InvalidSettings, match="more than"):
        read_file(Path("/proc/self/status"), 10, InvalidSettings)


@pytest.mark.parametrize("error", [InvalidSettings, AgentUnavailable])
def test_what_is_no_folder_raises_what_was_asked(
    tmp_path: Path, error: type[KowalskiError]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(error, match="cannot be used"):
        make_folder(tmp_path / "file" / "below", error)
    with pytest.raises(error, match="cannot be used"):
        check_folder(tmp_path / "missing", error)


@given(st.sampled_from(range(0o1000)))
def test_a_folder_is_believed_exactly_if_others_cannot_write(mode: int) -> None:
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "folder"
        folder.mkdir()
        folder.chmod(mode)
        if mode & 0o022:
            with pytest.raises(InvalidSettings, match="chmod go-w"):
                check_folder(folder, InvalidSettings)
        else:
            check_folder(folder, InvalidSettings)


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_without_a_usable_home_the_list_of_users_tells_it(environ: dict[str, str]) -> None:
    try:
        listed = Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        with pytest.raises(InvalidSettings, match="set HOME or KOWALSKI_HOME"):
            home_folder(environ)
    else:
        assert home_folder(environ) == listed
        assert config_folder(environ) == listed / ".config" / "kowalski"
