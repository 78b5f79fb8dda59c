"""The file of a document, and the folder of its images: written whole, or left alone."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from kowalski.documents.document import load
from kowalski.documents.edits import Shown
from kowalski.errors import InvalidDocument, InvalidRequest
from kowalski_cli.document.file import DocumentFile
from kowalski_cli.document.image_folder import ImageFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXT = "```js {name=a}\n1\n```\n"
_SHOWN = {1: Shown(("1",))}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A document."""
    path = tmp_path / "notes.md"
    path.write_text(_TEXT)
    return path


def _image(content: bytes = b"image") -> str:
    return f"a-{hashlib.sha256(content).hexdigest()[:12]}.png"


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_mode_stays_and_nothing_else_is_left(path: Path) -> None:
    path.chmod(0o640)

    DocumentFile(path).write(load(path), _SHOWN)

    assert path.stat().st_mode & 0o777 == 0o640
    assert "kowalski:output a" in path.read_text()
    assert _names(path.parent) == ["notes.md"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_the_owner_stays(path: Path) -> None:
    os.chown(path, 65534, 65534)

    DocumentFile(path).write(load(path), _SHOWN)

    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)


def test_a_link_stays_one_and_its_target_is_written(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = folder / "link.md"
    link.symlink_to("../notes.md")

    DocumentFile(link).write(load(link), _SHOWN)

    assert link.is_symlink()
    assert "kowalski:output a" in path.read_text()
    assert _names(folder) == ["link.md"]


def test_a_file_that_shows_all_of_it_already_is_not_touched(path: Path) -> None:
    DocumentFile(path).write(load(path), _SHOWN)
    before = path.stat()

    _, made = DocumentFile(path).write(load(path), _SHOWN)

    assert made == {}
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_was_changed_meanwhile_stays(path: Path) -> None:
    document = load(path)
    path.write_text(f"New.\n\n{_TEXT}\nMore.\n")

    now, made = DocumentFile(path).write(document, _SHOWN)

    text = path.read_text()
    assert text.startswith("New.\n\n```js {name=a}\n1\n```\n<!-- kowalski:output a -->\n")
    assert text.endswith("<!-- /kowalski:output -->\n\nMore.\n")
    assert [now.blocks[index - 1].start_line for index in made] == [3]


def test_a_document_whose_block_was_changed_meanwhile_is_left_alone(path: Path) -> None:
    document = load(path)
    changed = _TEXT.replace("1", "2")
    path.write_text(changed)

    with pytest.raises(InvalidDocument, match="changed while its blocks ran"):
        DocumentFile(path).write(document, _SHOWN)
    assert path.read_text() == changed
    assert _names(path.parent) == ["notes.md"]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(InvalidRequest, match="no file that can be written"):
        DocumentFile(tmp_path / "pipe")


def test_a_file_with_more_names_than_one_is_refused_before_and_after_its_blocks_ran(
    path: Path,
) -> None:
    file = DocumentFile(path)
    os.link(path, path.with_name("other.md"))

    for refused in (lambda: DocumentFile(path), lambda: file.write(load(path), _SHOWN)):
        with pytest.raises(InvalidRequest, match="2 names") as raised:
            refused()

    assert path.read_text() == _TEXT
    _, command = str(raised.value).split("its own: ")
    subprocess.run(command, shell=True, check=True)
    DocumentFile(path).write(load(path), _SHOWN)
    assert path.with_name("other.md").read_text() == _TEXT
    assert "kowalski:output a" in path.read_text()


def test_what_became_something_else_meanwhile_is_not_waited_for(path: Path) -> None:
    file, document = DocumentFile(path), load(path)
    path.unlink()
    os.mkfifo(path)

    with pytest.raises(InvalidRequest, match="no file that can be written"):
        file.write(document, _SHOWN)


def test_a_document_that_is_not_there_or_a_circle_of_links_is_said_to_be_so(path: Path) -> None:
    path.with_name("circle.md").symlink_to("circle.md")
    for name, reason in (("absent.md", "no such file"), ("circle.md", "symbolic links")):
        with pytest.raises(InvalidDocument, match=reason):
            DocumentFile(path.with_name(name))


@pytest.fixture
def ordinary() -> Iterator[Path]:
    """A folder of an ordinary user, who the test is: root may write everything."""
    user = os.geteuid() or 65534
    with TemporaryDirectory() as folder:
        os.chown(folder, user, -1)
        os.seteuid(user)
        try:
            yield Path(folder)
        finally:
            os.seteuid(os.getuid())


@pytest.mark.skipif(sys.platform != "linux", reason="Python reads them on Linux alone")
def test_labels_and_access_lists_stay(path: Path) -> None:
    # Version 2; user::rw-, the user 12345 r--, group::---, mask r--, other::---.
    entries = [(1, 6, -1), (2, 4, 12345), (4, 0, -1), (16, 4, -1), (32, 0, -1)]
    packed = (struct.pack("<HHi", *entry) for entry in entries)
    given = {"user.label": b"blue", "system.posix_acl_access": struct.pack("<I", 2)}
    given["system.posix_acl_access"] += b"".join(packed)
    try:
        for name, value in given.items():
            os.setxattr(path, name, value)
    except OSError as error:
        pytest.skip(f"The file system has none: {error}")

    DocumentFile(path).write(load(path), _SHOWN)

    assert {name: os.getxattr(path, name) for name in given} == given
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("beside", ["notes.markdown", "index.html", "notes.md"])
def test_an_image_that_a_file_beside_names_stays(path: Path, beside: str) -> None:
    images, kept, gone = ImageFolder(path), _image(), _image(b"other")
    images.put(kept, b"image")
    images.put(gone, b"other")
    (path.parent / "data.bin").write_bytes(b"\xff" * 100)
    (path.parent / beside).write_text(f'<img src="{images.link(kept)}">')

    removed = images.remove([images.link(kept), images.link(gone)])

    assert removed == (images.link(gone),)
    assert images.has(kept)


def test_an_image_stays_where_there_are_too_many_files_to_look_into(path: Path) -> None:
    images, name = ImageFolder(path), _image()
    images.put(name, b"image")
    for number in range(2000):
        (path.parent / f"{number}.txt").touch()

    assert images.remove([images.link(name)]) == ()


@pytest.mark.parametrize("which", ["notes.md", ".", "notes_files"])
def test_what_may_not_be_written_is_refused_before_anything_runs(
    ordinary: Path, which: str
) -> None:
    path = ordinary / "notes.md"
    path.write_text(_TEXT)
    (ordinary / "notes_files").mkdir()
    (ordinary / which).chmod(0o555)

    with pytest.raises(InvalidRequest, match=f"{(ordinary / which).name} is read-only"):
        ImageFolder(DocumentFile(path).target)


def test_images_come_with_their_folder_and_go_with_it(path: Path) -> None:
    images = ImageFolder(path)
    name = _image()

    images.put(name, b"image")
    there = images.has(name)
    content = (path.parent / "notes_files" / name).read_bytes()
    gone = images.remove([images.link(name)])

    assert (there, content) == (True, b"image")
    assert gone == (f"notes_files/{name}",)
    assert _names(path.parent) == ["notes.md"]
    assert images.remove([images.link(name)]) == ()


def test_a_file_that_is_not_kowalskis_stays(path: Path) -> None:
    images, folder = ImageFolder(path), path.parent / "notes_files"
    folder.mkdir()
    others = [_image(), "mine.png", "data.csv"]
    for name in others:
        (folder / name).write_bytes(b"mine")
    (path.parent / _image()).write_bytes(b"image")

    gone = images.remove(
        [*map(images.link, others), f"notes_files/../{_image()}", f"{path.parent}/{_image()}"]
    )

    assert gone == ()
    assert _names(folder) == sorted(others)
    assert (path.parent / _image()).exists()


def test_a_link_in_the_place_of_the_folder_leads_nowhere(path: Path, tmp_path: Path) -> None:
    images = ImageFolder(path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (path.parent / "notes_files").symlink_to(elsewhere)

    with pytest.raises(InvalidRequest, match="no folder of its own"):
        ImageFolder(path)
    with pytest.raises(InvalidRequest, match="cannot be written"):
        images.put(_image(), b"image")
    assert _names(elsewhere) == []


def test_links_hold_no_character_that_would_end_them(tmp_path: Path) -> None:
    images = ImageFolder(tmp_path / "my (notes) é%.md")

    assert images.link("a.png") == "my%20%28notes%29%20é%25_files/a.png"
