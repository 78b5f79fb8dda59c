"""The agent's folders are found the same way by every face, and are its owner's alone."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.agent.home.places import LONGEST_SOCKET_PATH, Places
from kowalski.errors import AgentUnavailable, InvalidSettings


def test_the_xdg_folders_are_used_where_they_are_named(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir()
    places = Places.find(
        {
            "HOME": "/home/somebody",
            "XDG_CONFIG_HOME": "/c",
            "XDG_STATE_HOME": "/s",
            "XDG_RUNTIME_DIR": str(runtime),
        }
    )
    assert places.config_dir == Path("/c/kowalski")
    assert places.state_dir == Path("/s/kowalski")
    assert places.runtime_dir == runtime / "kowalski"
    assert places.settings_file == Path("/c/kowalski/settings.toml")
    assert places.grants_file == Path("/c/kowalski/grants.toml")
    for own in (places.lock_file, places.log_file, places.journal_file):
        assert own.parent == Path("/s/kowalski")
    assert places.blobs_dir.parent == Path("/s/kowalski")


def test_without_them_or_with_relative_ones_the_usual_folders_are(tmp_path: Path) -> None:
    usual = Places.find({"HOME": str(tmp_path)})
    assert usual.config_dir == tmp_path / ".config/kowalski"
    assert usual.state_dir == tmp_path / ".local/state/kowalski"
    relative = {"XDG_CONFIG_HOME": "c", "XDG_STATE_HOME": ".", "XDG_RUNTIME_DIR": "r"}
    assert Places.find({"HOME": str(tmp_path), **relative}) == usual


def test_one_variable_puts_all_into_one_folder(tmp_path: Path) -> None:
    places = Places.find({"KOWALSKI_HOME": str(tmp_path), "XDG_STATE_HOME": "/s"})
    assert places == Places.within(tmp_path)
    for folder in (places.config_dir, places.state_dir, places.runtime_dir):
        assert folder.is_relative_to(tmp_path)


@pytest.mark.parametrize("value", ["", "relative", " /blank", "/line\n"])
def test_a_home_that_is_no_absolute_path_is_refused(value: str) -> None:
    with pytest.raises(InvalidSettings, match="KOWALSKI_HOME"):
        Places.find({"KOWALSKI_HOME": value})


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\n/"), min_size=1, max_size=120))
def test_the_socket_always_fits_and_belongs_to_its_folders(name: str) -> None:
    places = Places.within(Path("/somewhere") / name)
    assert len(os.fsencode(places.socket)) <= LONGEST_SOCKET_PATH
    assert places == Places.within(Path("/somewhere") / name)
    assert places.socket != Places.within(Path("/elsewhere") / name).socket
    assert places.socket.parent in places.folders


def test_a_face_with_other_settings_reaches_another_agent(tmp_path: Path) -> None:
    mine = Places.find({"HOME": str(tmp_path)})
    others = Places.find({"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "other")})
    assert mine.socket != others.socket


@pytest.mark.parametrize("depth", [1, 40])
def test_the_folders_are_made_for_the_owner_alone(tmp_path: Path, depth: int) -> None:
    places = Places.within(tmp_path.joinpath(*["deep"] * depth))
    places.create()
    places.create()
    for folder in places.folders:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.stat().st_uid == os.geteuid()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(places.socket))
    places.socket.unlink()


def test_folders_that_others_may_read_are_closed(tmp_path: Path) -> None:
    places = Places.within(tmp_path / "home")
    places.state_dir.mkdir(parents=True)
    places.state_dir.chmod(0o755)
    places.create()
    assert stat.S_IMODE(places.state_dir.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o722])
@pytest.mark.parametrize("which", ["state_dir", "runtime_dir", "config_dir"])
def test_folders_that_others_may_change_are_refused(tmp_path: Path, which: str, mode: int) -> None:
    places = Places.within(tmp_path / "home")
    folder: Path = getattr(places, which)
    folder.mkdir(parents=True)
    folder.chmod(mode)
    error = InvalidSettings if which == "config_dir" else AgentUnavailable
    with pytest.raises(error, match="chmod go-w"):
        places.create()
    assert stat.S_IMODE(folder.stat().st_mode) == mode


def test_a_symbolic_link_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    places = Places.within(tmp_path / "home")
    places.config_dir.mkdir()
    (tmp_path / "elsewhere").mkdir()
    places.runtime_dir.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AgentUnavailable, match="symbolic link"):
        places.create()


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    places = Places.within(tmp_path / "home")
    places.config_dir.mkdir()
    places.state_dir.write_text("")
    with pytest.raises(AgentUnavailable, match="not a folder"):
        places.create()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_another_users_folder_is_refused(tmp_path: Path) -> None:
    places = Places.within(tmp_path / "home")
    places.runtime_dir.mkdir(parents=True, mode=0o700)
    os.chown(places.runtime_dir, 12345, -1)
    with pytest.raises(AgentUnavailable, match="another user"):
        places.create()


def test_the_runtime_folder_needs_no_variable() -> None:
    with tempfile.TemporaryDirectory() as home:
        places = Places.find({"HOME": home})
        gone = Places.find({"HOME": home, "XDG_RUNTIME_DIR": f"{home}/gone"})
    assert places.runtime_dir.is_absolute()
    assert gone.runtime_dir == places.runtime_dir
