"""Some folders can never be a workspace, whoever asks and whatever is granted."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kowalski.agent.home.places import Places
from kowalski.agent.home.workspace_root import check_root
from kowalski.errors import RightsDenied


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "people" / "ada"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def places(tmp_path: Path) -> Places:
    config, state, runtime = (tmp_path / name / "kowalski" for name in ("c", "s", "r"))
    made = Places(config, state, runtime, runtime / "agent.sock")
    made.create()
    return made


def refusal(root: str | Path, places: Places, home: Path) -> str:
    with pytest.raises(RightsDenied) as caught:
        check_root(root, places, {"HOME": str(home)})
    return caught.value.user_message


def test_a_folder_of_the_users_is_given_by_its_real_path(places: Places, home: Path) -> None:
    project = home / "project"
    project.mkdir()
    (home / "link").symlink_to(project)
    assert check_root(home / "link", places, {"HOME": str(home)}) == str(project.resolve())


def test_the_home_and_what_is_above_it_are_refused(places: Places, home: Path) -> None:
    for root in (home, home.parent, Path("/"), home / "x" / "..", Path(f"{home}//.")):
        (home / "x").mkdir(exist_ok=True)
        assert "your home folder" in refusal(root, places, home)


@pytest.mark.parametrize("name", [".git", ".git/hooks", "sub/.hg/store"])
def test_the_inside_of_a_repository_is_refused(places: Places, home: Path, name: str) -> None:
    (home / name).mkdir(parents=True)
    assert "version control" in refusal(home / name, places, home)


def test_a_link_to_the_home_is_refused(places: Places, home: Path, tmp_path: Path) -> None:
    (tmp_path / "innocent").symlink_to(home)
    assert "your home folder" in refusal(tmp_path / "innocent", places, home)


def test_a_changed_home_variable_does_not_open_the_real_one(places: Places, home: Path) -> None:
    try:
        real = Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        pytest.skip("this user has no entry in the list of users")
    assert "cannot be a workspace" in refusal(real, places, home)


def test_the_home_under_another_name_is_refused(home: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("only root can mount a folder a second time")
    code = (
        "import sys; from pathlib import Path\n"
        "from kowalski.agent.home.places import Places\n"
        "from kowalski.agent.home.workspace_root import check_root\n"
        "from kowalski.errors import RightsDenied\n"
        "home, other, own = map(Path, sys.argv[1:])\n"
        "try: check_root(other, Places.within(own), {'HOME': str(home)})\n"
        "except RightsDenied as error: print(error.user_message)\n"
    )
    other = tmp_path / "other"
    other.mkdir()
    script = 'mount --bind "$2" "$3" || exit 77; exec "$0" -c "$1" "$2" "$3" "$4"'
    program = ["unshare", "-m", "sh", "-c", script, sys.executable, code]
    paths = [str(home), str(other), str(tmp_path / "own")]
    done = subprocess.run([*program, *paths], capture_output=True, text=True, check=False)
    if done.returncode == 77 or done.stderr.startswith("unshare"):
        pytest.skip(f"nothing can be mounted here: {done.stderr}")
    assert "your home folder" in done.stdout


def test_what_holds_kowalskis_own_folders_or_lies_in_them_is_refused(
    places: Places, home: Path
) -> None:
    for own in places.folders:
        inside = own / "inside"
        inside.mkdir(exist_ok=True)
        for root in (own, own.parent, inside):
            assert "Kowalski's own folder" in refusal(root, places, home)


def test_where_a_folder_of_kowalskis_will_be_made_is_refused_too(
    tmp_path: Path, home: Path
) -> None:
    (tmp_path / "later").mkdir()
    places = Places.within(tmp_path / "later" / "kowalski")
    assert "Kowalski's own folder" in refusal(tmp_path / "later", places, home)


@pytest.mark.parametrize("root", ["/proc", "/proc/self", "/sys", "/dev", "/dev/shm", "/etc"])
def test_folders_of_the_system_are_refused(places: Places, home: Path, root: str) -> None:
    if Path(root).exists():
        assert "cannot be a workspace" in refusal(root, places, home)


@pytest.mark.parametrize("name", [".ssh", ".aws", ".kube/cache", ".config/gh", ".GnuPG"])
def test_folders_of_credentials_are_refused(places: Places, home: Path, name: str) -> None:
    (home / name).mkdir(parents=True)
    assert "credentials" in refusal(home / name, places, home)


def test_what_is_no_folder_is_refused(places: Places, home: Path) -> None:
    file = home / "notes.md"
    file.write_text("")
    (home / "loop").symlink_to(home / "loop")
    assert "not a folder" in refusal(file, places, home)
    for root in (home / "missing", home / "loop", "a\0b", "x" * 10_000):
        assert "no such folder" in refusal(root, places, home)
