"""Only what the owner stored for a folder is granted to its code, and never guessed."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.agent.home.allow_command import allow_command
from kowalski.agent.home.grants import Grants
from kowalski.agent.home.places import Places
from kowalski.errors import InvalidSettings, RightsDenied
from kowalski.execution.rights import Rights

NONE = Rights()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "user")}


@pytest.fixture
def grants(tmp_path: Path, environ: dict[str, str]) -> Grants:
    return Grants(Places.within(tmp_path / "own"), environ)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Places.within(tmp_path / "own").grants_file


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "user" / "project"
    folder.mkdir(parents=True)
    return folder


def write(file: Path, text: str, mode: int = 0o600) -> None:
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)


def test_nothing_is_granted_at_first(grants: Grants, project: Path) -> None:
    assert grants.load() == {}
    assert grants.for_folder(project) == NONE


def test_grants_add_up_and_outlive_the_process(
    grants: Grants, project: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    (tmp_path / "data").mkdir()
    grants.allow(project, Rights(network=True))
    grants.allow(project, Rights(write=True, env=("HF_TOKEN",)))
    new = grants.allow(project, Rights(read=(str(tmp_path / "data"),)))
    expected = Rights(True, True, (str((tmp_path / "data").resolve()),), ("HF_TOKEN",))
    assert new == expected
    assert Grants(Places.within(tmp_path / "own"), environ).for_folder(project) == expected


def test_the_nearest_granted_folder_counts(grants: Grants, project: Path) -> None:
    (project / "a" / "b").mkdir(parents=True)
    grants.allow(project, Rights(network=True, write=True))
    grants.allow(project / "a", removing=Rights(write=True))
    assert grants.for_folder(project) == Rights(network=True, write=True)
    assert grants.for_folder(project / "a" / "b") == Rights(network=True)
    assert grants.for_folder(project.parent) == NONE


def test_a_folder_beside_with_a_longer_name_gets_nothing(grants: Grants, project: Path) -> None:
    beside = project.with_name("project2")
    beside.mkdir()
    grants.allow(project, Rights(network=True))
    assert grants.for_folder(beside) == NONE
    grants.allow(beside, Rights(write=True))
    grants.revoke(project)
    assert grants.for_folder(beside) == Rights(write=True)


def test_grants_follow_the_real_folder_not_its_name(grants: Grants, project: Path) -> None:
    link = project.with_name("link")
    link.symlink_to(project)
    grants.allow(link, Rights(write=True))
    assert grants.for_folder(project) == Rights(write=True)
    link.unlink()
    link.mkdir()
    assert grants.for_folder(link) == NONE


def test_revoking_leaves_no_right_below_or_from_above(grants: Grants, project: Path) -> None:
    inner = project / "a" / "b"
    inner.mkdir(parents=True)
    grants.allow(project, Rights(network=True))
    grants.allow(inner, Rights(write=True))
    assert grants.revoke(project / "a")
    assert grants.for_folder(project / "a") == NONE
    assert grants.for_folder(inner) == NONE
    assert grants.for_folder(project) == Rights(network=True)
    assert not grants.revoke(project / "a")


def test_what_was_granted_can_be_taken_back_piece_by_piece(
    grants: Grants, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    data = str((tmp_path / "data").resolve())
    everything = Rights(network=True, write=True, read=(data,), env=("A", "B"))
    grants.allow(project, everything)
    assert grants.allow(project, removing=Rights(env=("A",))).env == ("B",)
    assert grants.allow(project, removing=Rights(read=(data,))).read == ()
    (tmp_path / "data").rmdir()
    assert grants.allow(project, removing=everything) == NONE


def test_a_grant_counts_at_once_in_another_process(
    grants: Grants, project: Path, tmp_path: Path
) -> None:
    assert grants.for_folder(project) == NONE
    code = (
        "import sys; from pathlib import Path\n"
        "from kowalski.agent.home.grants import Grants\n"
        "from kowalski.agent.home.places import Places\n"
        "from kowalski.execution.rights import Rights\n"
        "Grants(Places.within(Path(sys.argv[1]))).allow(sys.argv[2], Rights(network=True))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "own"), str(project)]
    subprocess.run(command, check=True)
    assert grants.for_folder(project) == Rights(network=True)


def test_no_grant_is_lost_when_many_are_given_at_once(
    grants: Grants, project: Path, tmp_path: Path
) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from kowalski.agent.home.grants import Grants\n"
        "from kowalski.agent.home.places import Places\n"
        "from kowalski.execution.rights import Rights\n"
        "grants = Grants(Places.within(Path(sys.argv[1])))\n"
        "for n in range(20): grants.allow(sys.argv[2], Rights(env=(f'{sys.argv[3]}{n}',)))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "own"), str(project)]
    writers = [subprocess.Popen([*command, name]) for name in ("A", "B", "C")]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(grants.for_folder(project).env) == 60


def test_the_file_is_its_owners_alone(grants: Grants, project: Path, file: Path) -> None:
    grants.allow(project, Rights(write=True))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert {path.name for path in file.parent.iterdir()} == {"grants.toml", ".grants.lock"}


@pytest.mark.parametrize("home", ["/", "user", "."])
def test_a_home_or_what_is_above_it_can_never_be_granted(
    grants: Grants, project: Path, tmp_path: Path, home: str
) -> None:
    assert project.exists()
    with pytest.raises(RightsDenied, match="cannot be a workspace"):
        grants.allow(tmp_path / home, Rights(write=True))
    with pytest.raises(RightsDenied, match="can never be granted"):
        grants.allow(project, Rights(read=(str(tmp_path / home),)))
    assert grants.load() == {}


def test_kowalskis_own_folder_can_never_be_granted(
    grants: Grants, project: Path, file: Path
) -> None:
    file.parent.mkdir()
    with pytest.raises(RightsDenied, match="own folder"):
        grants.allow(file.parent, Rights(write=True))
    with pytest.raises(RightsDenied, match="own folder"):
        grants.allow(project, Rights(read=(str(file.parent),)))


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PYTHONSTARTUP", "A=B", ""])
def test_names_that_change_how_programs_start_can_never_be_granted(
    grants: Grants, project: Path, file: Path, name: str
) -> None:
    with pytest.raises(RightsDenied, match="can never be granted"):
        grants.allow(project, Rights(env=(name,)))
    write(file, f'["{project}"]\nenv = ["{name}"]\n')
    with pytest.raises(InvalidSettings, match=r"grants\.toml, line 2.*can never be granted"):
        grants.for_folder(project)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('["/a"\n', 1),
        ('["/a"]\nnetwork = 1\n', 2),
        ('["/a"]\nwrite = "yes"\n', 2),
        ('["/a"]\nread = "/b"\n', 2),
        ('["/a"]\nread = ["b"]\n', 2),
        ('["/a"]\nenv = [1]\n', 2),
        ('["/a"]\nsudo = true\n', 2),
        ('["a"]\nnetwork = true\n', 1),
        ('["/a/../b"]\nnetwork = true\n', 1),
        ('# no folder\n"/a" = true\n', 2),
        ("network = true\n", 1),
    ],
)
def test_a_file_that_cannot_be_read_as_grants_grants_nothing(
    grants: Grants, project: Path, file: Path, text: str, line: int
) -> None:
    write(file, f"{text}")
    for attempt in (
        grants.load,
        lambda: grants.for_folder(project),
        lambda: grants.allow(project, Rights(write=True)),
        lambda: grants.revoke(project),
    ):
        with pytest.raises(InvalidSettings, match=f"line {line}"):
            attempt()
    assert file.read_text() == text


def test_a_file_that_others_may_change_grants_nothing(
    grants: Grants, project: Path, file: Path
) -> None:
    grants.allow(project, Rights(network=True))
    assert grants.for_folder(project).network
    file.chmod(0o660)
    with pytest.raises(InvalidSettings, match="chmod go-w"):
        grants.for_folder(project)
    file.chmod(0o600)
    file.parent.chmod(0o770)
    with pytest.raises(InvalidSettings, match="chmod go-w"):
        grants.for_folder(project)


def test_a_file_that_was_removed_grants_nothing(grants: Grants, project: Path, file: Path) -> None:
    grants.allow(project, Rights(network=True))
    assert grants.for_folder(project).network
    file.unlink()
    assert grants.for_folder(project) == NONE


def test_what_cannot_be_written_changes_nothing(grants: Grants, project: Path, file: Path) -> None:
    grants.allow(project, Rights(network=True))
    before = file.read_bytes()
    (file.parent / ".grants.lock").unlink()
    (file.parent / ".grants.lock").mkdir()
    with pytest.raises(InvalidSettings, match="Nothing was changed"):
        grants.allow(project, Rights(write=True))
    assert file.read_bytes() == before


def test_a_folder_whose_name_is_no_unicode_is_refused_not_mangled(
    grants: Grants, project: Path, file: Path
) -> None:
    odd = Path(os.fsdecode(os.fsencode(project) + b"/\xff"))
    try:
        odd.mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    grants.allow(project, Rights(network=True))
    before = file.read_bytes()
    with pytest.raises(RightsDenied, match="not UTF-8"):
        grants.allow(odd, Rights(write=True))
    assert file.read_bytes() == before


names = st.text(
    st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=40
).filter(lambda name: name not in (".", "..") and len(name.encode()) <= 255)


@given(names, st.booleans(), st.booleans(), st.sets(st.from_regex(r"\AX_[A-Z0-9]{1,8}\Z")))
def test_whatever_a_folder_is_called_its_grants_come_back(
    name: str, network: bool, write: bool, env: set[str]
) -> None:
    with tempfile.TemporaryDirectory() as base:
        places = Places.within(Path(base) / "own")
        folder = Path(base) / "x" / f"x{name}"
        folder.mkdir(parents=True)
        rights = Rights(network=network, write=write, env=tuple(sorted(env)))
        assert Grants(places).allow(folder, rights) == rights
        assert Grants(places).for_folder(folder) == rights
        assert Grants(places).revoke(folder) == (rights != NONE)
        assert Grants(places).for_folder(folder) == NONE


@given(names)
def test_the_command_that_grants_survives_a_shell(name: str) -> None:
    rights = Rights(network=True, write=True, read=(f"/r/{name}",), env=("A",))
    command = allow_command(f"/w/{name}", rights)
    assert command.startswith("kowalski allow ")
    words = ["kowalski", "allow", f"/w/{name}", "--net", "--write", "--env", "A"]
    assert shlex.split(command) == [*words, "--read", f"/r/{name}"]


def test_the_command_for_a_plain_folder_reads_plainly() -> None:
    assert allow_command("/home/ada/notes", Rights(network=True)) == (
        "kowalski allow /home/ada/notes --net"
    )
