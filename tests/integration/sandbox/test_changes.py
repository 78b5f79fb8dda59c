"""What an overlay tells of its changes, and how they come to the workspace."""

from __future__ import annotations

import ast
import inspect
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enclosed import Box, box, spec_for
from kowalski.execution.sandbox.mechanisms.bubblewrap import Bubblewrap
from kowalski.model.session import Change, LeftBehind, TakenOver

if TYPE_CHECKING:
    from kowalski.execution.sandbox.mechanism import Mechanism


@pytest.fixture
def folder(reachable: Path) -> Path:
    """A workspace with files in folders."""
    for name in ("a", "b", "d/x", "d/y", "d/e/z", "f/only"):
        (reachable / name).parent.mkdir(parents=True, exist_ok=True)
        (reachable / name).write_text(f"{name}\n")
    return reachable


async def changes(inside: Box) -> set[tuple[str, str]]:
    return {(change.kind, change.path) for change in await inside.sandbox.changes()}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("true", set()),
        ("echo x > new", {("added", "new")}),
        ("echo more >> a", {("modified", "a")}),
        ("echo other > b; rm a", {("modified", "b"), ("deleted", "a")}),
        ("rm -r d", {("deleted", "d")}),
        ("rm d/x", {("deleted", "d/x")}),
        (
            "rm -r d; mkdir d; echo n > d/n",
            {("deleted", "d/e"), ("deleted", "d/x"), ("deleted", "d/y"), ("added", "d/n")},
        ),
        ("rm a; mkdir a; echo n > a/n", {("deleted", "a"), ("added", "a/n")}),
        ("rm -r f; echo n > f", {("deleted", "f"), ("added", "f")}),
        ("mkdir -p n/m", {("added", "n/m/")}),
        ("mkdir n; rmdir n; echo t > t; rm t", set()),
        ("ln -s a l", {("added", "l")}),
        ("mv a c", {("deleted", "a"), ("added", "c")}),
        ("mkfifo p", {("added", "p")}),
        ("cat a b d/x > /dev/null", set()),
        ("exec 5<>a", set()),
    ],
)
async def test_changes_are_listed(
    enclosing: Mechanism, folder: Path, command: str, expected: set[tuple[str, str]]
) -> None:
    async with box(enclosing, spec_for(enclosing, folder, "overlay")) as inside:
        ran = await inside.bash(command)
        assert ran.err == ""
        assert await changes(inside) == expected


async def test_changes_tell_sizes(enclosing: Mechanism, folder: Path) -> None:
    async with box(enclosing, spec_for(enclosing, folder, "overlay")) as inside:
        await inside.bash("printf 12345 > new; rm a")
        assert set(await inside.sandbox.changes()) == {
            Change(path="new", kind="added", size=5),
            Change(path="a", kind="deleted", size=None),
        }


async def test_changes_can_be_read_after_everything_inside_has_ended(
    isolating: Mechanism, folder: Path
) -> None:
    async with box(isolating, spec_for(isolating, folder, "overlay")) as inside:
        await inside.bash("echo x > new")
        await inside.sandbox.sweep()
        assert await changes(inside) == {("added", "new")}


async def test_without_an_overlay_there_are_no_changes(enclosing: Mechanism, folder: Path) -> None:
    async with box(enclosing, spec_for(enclosing, folder)) as inside:
        assert await inside.sandbox.changes() == ()
        assert await inside.sandbox.take_over() == TakenOver()


async def test_the_list_of_changes_is_bounded(isolating: Mechanism, folder: Path) -> None:
    async with box(isolating, spec_for(isolating, folder, "overlay")) as inside:
        await inside.bash("mkdir m; cd m; touch $(seq 12000)")
        assert len(await inside.sandbox.changes()) == 10_000


async def test_what_the_user_changes_meanwhile_is_not_taken_for_the_programs_change(
    landlock: Mechanism, folder: Path
) -> None:
    async with box(landlock, spec_for(landlock, folder, "overlay")) as inside:
        (folder / "a").write_text("the user's own\n")
        await inside.bash("echo x > new")
        assert (await inside.sandbox.take_over()).kept == ("new",)
    assert (folder / "a").read_text() == "the user's own\n"


async def test_all_changes_are_taken_over(enclosing: Mechanism, folder: Path) -> None:
    async with box(enclosing, spec_for(enclosing, folder, "overlay")) as inside:
        await inside.bash("echo x > new; echo more >> a; rm -r d; mkdir -p n/m; rm b; ln -s a b")
        taken = await inside.sandbox.take_over()
    assert set(taken.kept) == {"new", "a", "d", "n/m/", "b"}
    assert (folder / "new").read_text() == "x\n"
    assert (folder / "a").read_text() == "a\nmore\n"
    assert not (folder / "d").exists()
    assert (folder / "n/m").is_dir()
    assert (folder / "b").readlink() == Path("a")
    assert not list(folder.rglob(".kowalski-*"))


async def test_chosen_changes_are_taken_over(enclosing: Mechanism, folder: Path) -> None:
    async with box(enclosing, spec_for(enclosing, folder, "overlay")) as inside:
        await inside.bash("echo x > new; mkdir n; echo 1 > n/1; echo 2 > n/2; rm a")
        chosen = await inside.sandbox.take_over(["n", "new"])
        assert set(chosen.kept) == {"n/1", "n/2", "new"}
        assert await inside.sandbox.take_over(["../b", "missing", ""]) == TakenOver()
    assert (folder / "a").exists()
    assert (folder / "n/2").read_text() == "2\n"


async def test_what_is_taken_over_belongs_to_the_folders_owner(
    enclosing: Mechanism, folder: Path
) -> None:
    async with box(enclosing, spec_for(enclosing, folder, "overlay")) as inside:
        await inside.bash("mkdir n; echo x > n/x; ln -s x n/l")
        await inside.sandbox.take_over()
    for name in ("n", "n/x", "n/l"):
        assert (folder / name).lstat().st_uid == folder.stat().st_uid


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("mkfifo it", "it is no file, folder or link"),
        ("ln -s /etc/passwd it", "it is a link that leads out of the folder"),
    ],
)
async def test_what_is_left_behind_has_a_reason(
    namespaces: Mechanism, folder: Path, command: str, reason: str
) -> None:
    async with box(namespaces, spec_for(namespaces, folder, "overlay")) as inside:
        await inside.bash(command)
        taken = await inside.sandbox.take_over()
    assert taken == TakenOver(left=(LeftBehind(path="it", reason=reason),))


@pytest.mark.parametrize(
    "command",
    [
        "echo 'touch /tmp/ran' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit",
        "echo '[core] fsmonitor = ./evil' >> .git/config",
        "echo evil > .git/commondir",
        "rm -r .git",
        "rm -r .git; mkdir .git; echo ref: refs/heads/x > .git/HEAD",
        "rm -r .git; echo 'gitdir: evil' > .git",
        "rm -r .git; ln -s evil .git",
        "mkdir new; cp -r .git new",
        "cp -r .git .GIT",
        "cp -r .git GIT~1",
        "cp -r .git $'.g\\u200cit'",
        "cp -r .git bare; mv bare/HEAD bare/head",
        "echo 'gitdir: ../evil' > d/.git",
        "mkdir .hg; echo '[hooks]' > .hg/hgrc",
        # A folder that Git takes for a repository by what is in it, also bit by bit.
        "cp -r .git bare",
        "mkdir half; cp .git/HEAD .git/config half/",
        "mkdir -p half/refs half/objects; echo x > half/refs/x; echo x > half/objects/x",
        "cp .git/HEAD almost/",
        "rm -r sub",
        "mv sub away",
    ],
)
async def test_nothing_is_taken_over_that_version_control_would_run(
    namespaces: Mechanism, folder: Path, command: str
) -> None:
    put_repositories(folder)
    before = repositories(folder)
    async with box(namespaces, spec_for(namespaces, folder, "overlay")) as inside:
        ran = await inside.bash(f"({command}) && echo other > a")
        assert ran.err == ""
        taken = await inside.sandbox.take_over()
    assert repositories(folder) == before
    assert "a" in taken.kept
    halves = {"half/HEAD", "half/config", "half/objects/x", "half/refs/x"}
    assert taken.left or set(taken.kept) - {"a"} <= halves


async def test_no_enclosure_lets_a_hook_out(enclosing: Mechanism, folder: Path) -> None:
    put_repositories(folder)
    before = repositories(folder)
    async with box(enclosing, spec_for(enclosing, folder, "overlay")) as inside:
        await inside.bash("echo evil > .git/hooks/pre-commit; echo evil > .git/hooks/x")
        taken = await inside.sandbox.take_over()
    assert repositories(folder) == before
    assert {left.path for left in taken.left} == {".git/hooks/pre-commit", ".git/hooks/x"}


def put_repositories(folder: Path) -> None:
    for path in (".git/hooks/x", ".git/objects/x", ".git/refs/x", "sub/.git/config"):
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text("true\n")
    for path in (".git/HEAD", ".git/config"):
        (folder / path).write_text("mine\n")
    for path in ("almost/objects/x", "almost/refs/x"):
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text("mine\n")


def repositories(root: Path) -> dict[str, str]:
    """What is in folders that version control would run programs from."""
    found = {}
    for name, content in tree(root).items():
        path = root / name
        above = [path, *path.parents]
        names = {".git", ".hg", "git~1", ".g\u200cit"}
        if any(folder.name.lower() in names for folder in above) or any(
            {"head", "objects", "refs"} <= {part.name.lower() for part in folder.iterdir()}
            for folder in above
            if folder.is_dir()
        ):
            found[name] = content
    return found


async def test_rights_of_a_file_are_taken_over_but_set_user_id(
    isolating: Mechanism, folder: Path
) -> None:
    async with box(isolating, spec_for(isolating, folder, "overlay")) as inside:
        await inside.bash("echo x > run; chmod 4755 run; echo x > own; chmod 600 own")
        await inside.sandbox.take_over()
    assert (folder / "run").stat().st_mode & 0o7777 == 0o755
    assert (folder / "own").stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize(
    "link",
    ["/etc/passwd", "../outside", "d/../../outside", "../../../../etc/passwd", "d/e/../../../x"],
)
async def test_links_that_lead_out_are_left_behind(
    enclosing: Mechanism, folder: Path, link: str
) -> None:
    async with box(enclosing, spec_for(enclosing, folder, "overlay")) as inside:
        await inside.bash(f"ln -s {link} l; mkdir deep; ln -s ../{link} deep/l")
        taken = (await inside.sandbox.take_over()).kept
        assert "l" not in taken
        assert "deep/l" not in taken or link.startswith("/")
    assert not (folder / "l").is_symlink()


async def test_nothing_is_written_through_a_link_that_appeared_in_the_workspace(
    enclosing: Mechanism, folder: Path
) -> None:
    with tempfile.TemporaryDirectory() as elsewhere:
        async with box(enclosing, spec_for(enclosing, folder, "overlay")) as inside:
            await inside.bash(
                "echo evil > d/x; mkdir new; echo evil > new/x; echo evil > a; rm d/y"
            )
            # In the folder itself these become links before the changes come.
            (Path(elsewhere) / "x").write_text("good\n")
            (Path(elsewhere) / "y").write_text("good\n")
            (folder / "d").rename(folder / "moved")
            (folder / "d").symlink_to(elsewhere)
            (folder / "new").symlink_to(elsewhere)
            (folder / "a").unlink()
            (folder / "a").symlink_to(Path(elsewhere) / "x")
            await inside.sandbox.take_over()
        assert (Path(elsewhere) / "x").read_text() == "good\n"
        assert (Path(elsewhere) / "y").exists()
    # A link in the place of a changed file is replaced by the file.
    assert (folder / "a").read_text() == "evil\n"


async def test_a_folder_that_became_a_link_inside_is_not_followed(
    enclosing: Mechanism, folder: Path
) -> None:
    async with box(enclosing, spec_for(enclosing, folder, "overlay")) as inside:
        await inside.bash("rm -r d; ln -s /etc d")
        listed = await changes(inside)
        assert listed == {("deleted", "d"), ("added", "d")}
        await inside.sandbox.take_over()
    assert not (folder / "d").is_symlink()


NAMES = st.sampled_from(["a", "b", "d", "d/x", "d/e", "d/e/z", "n", "n/n", "f/only"])
DEEDS = st.sampled_from(
    [
        "echo {0} > {1}",
        "echo {0} >> {1}",
        "rm -rf {0}",
        "mkdir -p {0}",
        "mv -T {0} {1}",
        "cp -rT {0} {1}",
        "ln -sfT n {0}",
        "rm -rf {0}; mkdir {0}; echo {1} > {0}/q",
        "chmod 700 {0}",
    ]
)


def tree(root: Path) -> dict[str, str]:
    """Everything below a folder by path: what a link leads to, or what a file holds."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_dir():
            found[name] = "folder"
        else:
            found[name] = path.read_text()
    return found


@settings(max_examples=25)
@given(deeds=st.lists(st.tuples(DEEDS, NAMES, NAMES), max_size=8))
def test_after_taking_over_the_folder_is_what_the_program_saw(
    deeds: list[tuple[str, str, str]],
) -> None:
    async def check() -> None:
        mechanism = Bubblewrap.find()
        try:
            with tempfile.TemporaryDirectory() as name:
                root = Path(name)
                for file in ("a", "b", "d/x", "d/y", "d/e/z", "f/only"):
                    (root / file).parent.mkdir(parents=True, exist_ok=True)
                    (root / file).write_text(f"{file}\n")
                async with box(mechanism, spec_for(mechanism, root, "overlay")) as inside:
                    for deed, first, second in deeds:
                        await inside.bash(f"({deed.format(first, second)}) 2>/dev/null")
                    look = f"import os\nfrom pathlib import Path\n{inspect.getsource(tree)}"
                    seen = await inside.python(f"{look}\nprint(tree(Path('.')))")
                    await inside.sandbox.take_over()
                assert tree(root) == ast.literal_eval(seen.out)
        finally:
            await mechanism.close()

    anyio.run(check)
