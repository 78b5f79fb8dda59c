"""How code inside a sandbox sees its workspace, its toolchains and blobs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from enclosed import MB, box, limited, spec_for, system_python
from kowalski.errors import SandboxUnavailable
from kowalski.execution.credentials import search
from kowalski.execution.rights import Rights

if TYPE_CHECKING:
    from kowalski.execution.sandbox.mechanism import Mechanism
    from kowalski.execution.sandbox.mechanisms.landlock import Landlock


@pytest.fixture
def folder(reachable: Path) -> Path:
    """A workspace with a few files."""
    (reachable / "a.txt").write_text("one\n")
    (reachable / "sub").mkdir()
    (reachable / "sub/b.txt").write_text("two\n")
    (reachable / ".env").write_text("TOKEN=t0ken\n")
    (reachable / "keys").mkdir()
    (reachable / "keys/id").write_text("k3y\n")
    return reachable


async def test_programs_start_in_the_workspace(enclosing: Mechanism, folder: Path) -> None:
    async with box(enclosing, spec_for(enclosing, folder)) as inside:
        ran = await inside.bash("pwd; cat a.txt sub/b.txt")
    assert ran.out == f"{folder}\none\ntwo\n"


async def test_without_a_workspace_programs_start_in_the_scratch_folder(
    enclosing: Mechanism,
) -> None:
    async with box(enclosing, spec_for(enclosing)) as inside:
        ran = await inside.bash('pwd; echo "$HOME"; echo x > y')
    assert ran.out.split() == [inside.sandbox.places.home] * 2
    assert ran.err == ""


async def test_a_read_only_workspace_cannot_be_changed(enclosing: Mechanism, folder: Path) -> None:
    async with box(enclosing, spec_for(enclosing, folder)) as inside:
        for command in (
            "echo x > new",
            "echo x >> a.txt",
            "truncate -s 0 a.txt",
            "rm a.txt",
            "mv a.txt c.txt",
            "mkdir d",
            "ln -s a.txt l",
            "chmod 000 a.txt",
            "touch -d 2001-01-01 a.txt",
        ):
            ran = await inside.bash(command)
            assert ran.status.exit_code != 0, command
    assert (folder / "a.txt").read_text() == "one\n"
    assert (folder / "a.txt").stat().st_mode & 0o777 == 0o644
    assert sorted(p.name for p in folder.iterdir()) == [".env", "a.txt", "keys", "sub"]


async def test_a_read_only_workspace_is_live(enclosing: Mechanism, folder: Path) -> None:
    async with box(enclosing, spec_for(enclosing, folder)) as inside:
        (folder / "later.txt").write_text("later\n")
        (folder / "swap").write_text("swapped\n")
        (folder / "swap").rename(folder / "a.txt")
        ran = await inside.bash("cat later.txt a.txt")
    assert ran.out == "later\nswapped\n"


async def test_a_writable_workspace_is_changed_for_its_owner(
    isolating: Mechanism, folder: Path
) -> None:
    async with box(isolating, spec_for(isolating, folder, "write")) as inside:
        ran = await inside.bash("echo more >> a.txt; echo x > new; mkdir d; rm -r sub")
    assert ran.err == ""
    assert (folder / "a.txt").read_text() == "one\nmore\n"
    assert not (folder / "sub").exists()
    for name in ("new", "d"):
        assert (folder / name).stat().st_uid == os.getuid()
        assert (folder / name).stat().st_gid == os.getgid()


async def test_repositories_stay_as_they_are_in_a_writable_workspace(
    enclosing: Mechanism, folder: Path
) -> None:
    for name in (".git/hooks/x", ".git/config", "bare/HEAD", "bare/objects/x", "bare/refs/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine\n")
    (folder / "sub/.git").write_text("gitdir: ../.git/modules/sub\n")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o777)
    before = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}
    found = search(str(folder))
    spec = spec_for(enclosing, folder, "write", held=found.repositories, hidden=found.hidden)
    async with box(enclosing, spec) as inside:
        for command in (
            "echo evil > .git/hooks/pre-commit",
            "echo evil >> .git/config",
            "echo evil > .git/commondir",
            "rm -r .git/hooks",
            "mv .git away",
            "rm -rf .git",
            "echo evil > sub/.git",
            "rm -f sub/.git",
            "echo evil > bare/config",
            "mv bare away",
        ):
            assert (await inside.bash(command)).err, command
        allowed = await inside.bash("cat .git/config sub/.git && echo more >> a.txt")
    assert allowed.err == ""
    assert "mine" in allowed.out
    before[folder / "a.txt"] += "more\n"
    assert {path: path.read_text() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.skipif(os.getuid() != 0, reason="only root has an identity to drop")
async def test_without_namespaces_root_cannot_grant_to_write_what_others_may_not(
    landlock: Landlock, folder: Path
) -> None:
    folder.chmod(0o755)
    with pytest.raises(SandboxUnavailable, match="run it as the folder's owner"):
        await landlock.open(spec_for(landlock, folder, "write"))


@pytest.mark.skipif(os.getuid() == 0, reason="root drops the identity that may write there")
async def test_a_writable_workspace_is_changed_without_namespaces_too(
    landlock: Landlock, folder: Path
) -> None:
    async with box(landlock, spec_for(landlock, folder, "write")) as inside:
        ran = await inside.bash("echo more >> a.txt; echo x > new; mkdir d; rm -r sub")
    assert ran.err == ""
    assert (folder / "a.txt").read_text() == "one\nmore\n"
    assert not (folder / "sub").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root owns what others cannot read")
async def test_what_only_root_can_read_is_readable_in_roots_own_workspace(
    isolating: Mechanism, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "private").write_text("mine\n")
    (tmp_path / "private").chmod(0o600)
    async with box(isolating, spec_for(isolating, tmp_path)) as inside:
        assert (await inside.bash("cat private")).out == "mine\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
async def test_a_workspace_of_another_users_stays_that_users(
    isolating: Mechanism, folder: Path
) -> None:
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, 4321, 4322)
    async with box(isolating, spec_for(isolating, folder, "write")) as inside:
        ran = await inside.bash("echo x > new; echo more >> a.txt")
    assert ran.err == ""
    assert ((folder / "new").stat().st_uid, (folder / "new").stat().st_gid) == (4321, 4322)


@pytest.mark.parametrize("access", ["read", "overlay", "write"])
async def test_hidden_files_and_folders_cannot_be_read(
    enclosing: Mechanism, folder: Path, access: str
) -> None:
    wanted = spec_for(enclosing, folder, access, hidden=(".env", str(folder / "keys"), "missing"))  # type: ignore[arg-type]
    async with box(enclosing, wanted) as inside:
        for command in (
            "cat .env",
            "cat keys/id",
            "ln .env c && cat c",
            "mv .env c && cat c",
            "cp .env c && cat c",
            "chmod 644 .env && cat .env",
            "mv keys k && cat k/id",
            "umount .env && cat .env",
        ):
            ran = await inside.bash(command)
            assert "t0ken" not in ran.out, command
            assert "k3y" not in ran.out, command
        assert (await inside.bash("cat sub/b.txt")).out == "two\n"
    assert (folder / ".env").read_text() == "TOKEN=t0ken\n"
    assert (folder / "keys/id").read_text() == "k3y\n"


async def test_hidden_files_stay_hidden_when_the_host_replaces_them(
    enclosing: Mechanism, folder: Path
) -> None:
    async with box(enclosing, spec_for(enclosing, folder, hidden=(".env", "keys"))) as inside:
        for number in range(3):
            (folder / "new").write_text(f"TOKEN=t0ken{number}\n")
            (folder / "new").rename(folder / ".env")
            (folder / "keys").rename(folder / f"old{number}")
            (folder / "keys").mkdir()
            (folder / "keys/id").write_text("an0ther\n")
            with anyio.fail_after(5):
                while (await inside.bash("cat .env keys/id")).out:
                    pass
        assert (await inside.bash("cat sub/b.txt")).out == "two\n"


async def test_hidden_links_lead_nowhere(enclosing: Mechanism, folder: Path) -> None:
    (folder / "link").symlink_to(folder / ".env")
    (folder / "out").symlink_to("/etc/hostname")
    wanted = spec_for(enclosing, folder, hidden=("link", "out"))
    async with box(enclosing, wanted) as inside:
        ran = await inside.bash("cat link .env out")
    assert ran.out == ""


async def test_an_overlay_is_writable_and_leaves_the_folder_alone(
    enclosing: Mechanism, folder: Path
) -> None:
    async with box(enclosing, spec_for(enclosing, folder, "overlay")) as inside:
        ran = await inside.bash("echo x > new; echo more >> a.txt; rm sub/b.txt; cat a.txt; ls sub")
        assert ran.out == "one\nmore\n"
        other = await inside.bash("cat new")
        assert other.out == "x\n"
    assert (folder / "a.txt").read_text() == "one\n"
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) == [
        ".env", "a.txt", "keys", "keys/id", "sub", "sub/b.txt",
    ]  # fmt: skip


async def test_an_overlay_by_copying_is_refused_when_the_folder_is_too_large(
    landlock: Landlock, folder: Path
) -> None:
    (folder / "big").write_bytes(bytes(3 * MB))
    with pytest.raises(SandboxUnavailable, match="too large to be copied"):
        await landlock.open(limited(spec_for(landlock, folder, "overlay"), disk_bytes=2 * MB))


async def test_further_folders_are_shown_read_only(enclosing: Mechanism, folder: Path) -> None:
    shared = Path(str(folder) + "-shared")
    shared.mkdir()
    try:
        (shared / "data").write_text("shared\n")
        async with box(
            enclosing, spec_for(enclosing, folder, rights=Rights(read=(str(shared),)))
        ) as inside:
            ran = await inside.bash(f"cat {shared}/data; echo x > {shared}/data")
        assert ran.out == "shared\n"
        assert ran.status.exit_code != 0
        assert (shared / "data").read_text() == "shared\n"
    finally:
        shutil.rmtree(shared)


async def test_a_toolchain_below_a_folder_that_the_sandbox_has_too_is_found(
    enclosing: Mechanism, reachable: Path
) -> None:
    # /tmp is the sandbox's own; what is shown below it must come after it.
    (reachable / "bin").mkdir()
    tool = reachable / "bin/tool"
    tool.write_text("#!/bin/sh\necho made\n")
    tool.chmod(0o755)
    wanted = spec_for(enclosing)
    wanted = spec_for(enclosing, toolchains=(*wanted.toolchains, str(reachable)))
    async with box(enclosing, wanted) as inside:
        assert (await inside.run(str(tool))).out == "made\n"
        assert (await inside.bash(f"echo x > {reachable}/x")).status.exit_code != 0


async def test_a_virtual_environment_in_the_workspace_runs(
    isolating: Mechanism, folder: Path
) -> None:
    python = system_python()
    if python is None:
        pytest.skip("no interpreter of the system's")
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").symlink_to(python)
    (folder / ".venv/pyvenv.cfg").write_text(f"home = {Path(python).parent}\n")
    wanted = spec_for(
        isolating,
        folder,
        python=str(folder / ".venv/bin/python"),
        toolchains=(str(folder / ".venv"),),
    )
    async with box(isolating, wanted) as inside:
        ran = await inside.run(f"{folder}/.venv/bin/python", "-c", "import sys; print(sys.prefix)")
    assert ran.out.strip() == str(folder / ".venv")


async def test_blobs_can_be_opened_by_name_but_not_listed(
    enclosing: Mechanism, reachable: Path
) -> None:
    blobs = reachable / "blobs"
    blobs.mkdir()
    (blobs / "abc123").write_text("content\n")
    # Nobody lists it, its owner included.
    blobs.chmod(0o311)
    try:
        async with box(enclosing, spec_for(enclosing, blobs=str(blobs))) as inside:
            assert (await inside.bash(f"cat {blobs}/abc123")).out == "content\n"
            listed = await inside.bash(f"ls {blobs}; echo {blobs}/*; find {blobs}")
            assert "abc123" not in listed.out
            reopened = await inside.bash(f"chmod 755 {blobs}; ls {blobs}")
            assert "abc123" not in reopened.out
            assert (await inside.bash(f"echo x >> {blobs}/abc123")).status.exit_code != 0
    finally:
        blobs.chmod(0o755)


@pytest.mark.parametrize("place", ["/work", "/tmp"])
async def test_a_workspace_may_be_where_the_scratch_folders_usually_are(
    isolating: Mechanism, place: str
) -> None:
    if not Path(place).is_dir():
        pytest.skip(f"there is no {place} here")
    async with box(isolating, spec_for(isolating, Path(place))) as inside:
        ran = await inside.bash('pwd; echo x > "$HOME/x" && echo x > "$TMPDIR/x" && echo written')
    assert ran.out == f"{place}\nwritten\n"


async def test_system_accounts_are_made_up(isolating: Mechanism) -> None:
    async with box(isolating) as inside:
        ran = await inside.bash("cat /etc/passwd; id -un; hostname; cat /etc/hosts")
    assert "root" not in ran.out
    assert "kowalski" in ran.out
