"""Bytes are kept by their content, whole or not at all, and only known ones can be opened."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.agent.store.blobs import Blobs
from kowalski.errors import AgentUnavailable, InvalidRequest, UnknownRun

if TYPE_CHECKING:
    from collections.abc import Iterator

MB = 1 << 20


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def age(blobs: Blobs, sha256: str, seconds: float) -> None:
    """Lets a blob seem unused for that long."""
    now = (blobs.path(sha256)).stat().st_mtime
    os.utime(blobs.path(sha256), (now - seconds, now - seconds))


def kept(blobs: Blobs) -> set[str]:
    return {path.name for path in (blobs.folder.parent / "all").iterdir()}


@given(st.binary(max_size=5000), st.integers(0, 6000), st.integers(0, 6000))
def test_what_was_put_comes_back(data: bytes, limit: int, offset: int) -> None:
    with tempfile.TemporaryDirectory() as base:
        blobs = Blobs(Path(base))
        ref = blobs.put(data)
        assert (ref.sha256, ref.size) == (hashlib.sha256(data).hexdigest(), len(data))
        assert blobs.put(io.BytesIO(data)) == ref
        assert blobs.path(ref.sha256).read_bytes() == data
        assert blobs.read(ref.sha256, limit, offset) == data[offset : offset + limit]


def test_a_file_is_taken_in_with_its_media_type(blobs: Blobs, tmp_path: Path) -> None:
    file = tmp_path / "figure.png"
    file.write_bytes(b"png")
    ref = blobs.put(file, "image/png")
    assert ref.media_type == "image/png"
    file.write_bytes(b"changed")
    assert blobs.read(ref.sha256, 10) == b"png"


def test_the_same_bytes_are_kept_once(blobs: Blobs, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"same")
    ref = blobs.put(b"same")
    identity = blobs.path(ref.sha256).stat().st_ino
    assert blobs.put(file) == ref
    assert blobs.path(ref.sha256).stat().st_ino == identity
    assert kept(blobs) == {ref.sha256}


def test_blobs_can_be_read_but_not_changed(blobs: Blobs) -> None:
    path = blobs.path(blobs.put(b"x").sha256)
    assert stat.S_IMODE(path.stat().st_mode) == 0o444


@pytest.fixture
def as_owner(blobs: Blobs) -> Iterator[dict[str, int]]:
    """How to start a program that owns the blobs and has no privilege, as in a sandbox."""
    if os.geteuid() != 0:
        yield {}
        return
    nobody = 65534
    os.chown(blobs.folder, nobody, nobody)
    yield {"user": nobody, "group": nobody}


def test_code_opens_blobs_by_name_but_cannot_list_them(
    blobs: Blobs, as_owner: dict[str, int]
) -> None:
    ref = blobs.put(b"content")
    ask = {"cwd": blobs.folder, "capture_output": True, "check": False, **as_owner}
    listed = subprocess.run(["/bin/ls", "."], **ask)  # type: ignore[call-overload]
    assert listed.returncode != 0
    assert ref.sha256.encode() not in listed.stdout
    opened = subprocess.run(["/bin/cat", ref.sha256], **ask)  # type: ignore[call-overload]
    assert opened.stdout == b"content"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../all", "/etc/passwd", "a" * 63, "A" * 64, "0" * 63 + "\n", "é" * 64]
)
def test_what_is_no_digest_names_nothing(blobs: Blobs, name: str) -> None:
    with pytest.raises(UnknownRun):
        blobs.path(name)
    with pytest.raises(UnknownRun):
        blobs.read(name, 10)


def test_an_unknown_digest_says_that_it_may_have_expired(blobs: Blobs) -> None:
    with pytest.raises(UnknownRun, match="may have expired"):
        blobs.read("0" * 64, 10)


def test_only_regular_files_are_taken_in(blobs: Blobs, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for name in ("fifo", "link", "missing", "blobs"):
        with pytest.raises(InvalidRequest):
            blobs.put(tmp_path / name)
    assert kept(blobs) == set()


def test_a_hundred_megabytes_pass_through_little_memory(blobs: Blobs, tmp_path: Path) -> None:
    file = tmp_path / "large"
    with file.open("wb") as handle:
        handle.truncate(100 * MB)
    tracemalloc.start()
    try:
        ref = blobs.put(file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert ref.size == 100 * MB
    assert peak < 8 * MB


def test_a_source_that_fails_leaves_nothing(blobs: Blobs) -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        blobs.put(Broken())  # type: ignore[arg-type]
    assert kept(blobs) == set()


def test_a_killed_taker_leaves_no_blob_and_its_rest_is_removed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from kowalski.agent.store.blobs import Blobs\n"
        "Blobs(Path(sys.argv[1])).put(sys.stdin.buffer.raw)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "blobs")]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as taker:
        assert taker.stdin
        # More than the pipe holds: when this returns, the taker has taken some in.
        taker.stdin.write(b"x" * (4 * MB))
        taker.send_signal(signal.SIGKILL)
        taker.wait()
    blobs = Blobs(tmp_path / "blobs")
    (rest,) = kept(blobs)
    assert len(rest) != 64
    blobs.expire(0, 0, grace_s=0)
    assert kept(blobs) == {rest}
    os.utime(blobs.folder.parent / "all" / rest, (0, 0))
    blobs.expire(0, 0, grace_s=0)
    assert kept(blobs) == set()


def test_a_blob_that_a_power_cut_tore_is_put_anew(blobs: Blobs) -> None:
    ref = blobs.put(b"whole")
    path = blobs.path(ref.sha256)
    path.chmod(0o644)
    path.write_bytes(b"wh")
    assert blobs.put(b"whole") == ref
    assert blobs.read(ref.sha256, 100) == b"whole"


def test_a_blob_that_is_listed_but_cannot_be_opened_is_mended(blobs: Blobs) -> None:
    ref = blobs.put(b"data")
    blobs.path(ref.sha256).unlink()
    with pytest.raises(UnknownRun):
        blobs.path(ref.sha256)
    assert blobs.read(blobs.put(b"data").sha256, 10) == b"data"


def test_unused_blobs_expire_by_age(blobs: Blobs) -> None:
    old, new = blobs.put(b"old").sha256, blobs.put(b"new").sha256
    age(blobs, old, 1000)
    assert blobs.expire(500, 10 * MB, grace_s=0) == 3
    assert kept(blobs) == {new}
    with pytest.raises(UnknownRun):
        blobs.path(old)


def test_the_longest_unused_go_until_the_rest_fits(blobs: Blobs) -> None:
    shas = [blobs.put(bytes([n]) * 100).sha256 for n in range(5)]
    for n, sha in enumerate(shas):
        age(blobs, sha, 1000 - n)
    assert blobs.expire(10_000, 250, grace_s=0) == 300
    assert kept(blobs) == set(shas[3:])


def test_pinned_and_just_used_blobs_stay(blobs: Blobs) -> None:
    pinned, used = blobs.put(b"pinned").sha256, blobs.put(b"used").sha256
    age(blobs, pinned, 1e6)
    age(blobs, used, 1e6)
    blobs.read(used, 1)
    assert blobs.expire(0, 0, pinned={pinned}, grace_s=60) == 0
    assert kept(blobs) == {pinned, used}
    assert blobs.expire(0, 0, pinned={pinned}, grace_s=0) == 4
    assert kept(blobs) == {pinned}


def test_a_blob_that_is_used_while_expiry_looks_stays(blobs: Blobs) -> None:
    sha = blobs.put(b"data").sha256
    age(blobs, sha, 1000)

    class UsesWhatIsAskedFor(frozenset[str]):
        """Pins nothing, but every blob gets used between being seen and being removed."""

        def __contains__(self, name: object) -> bool:
            blobs.read(str(name), 1)
            return False

    assert blobs.expire(0, 0, UsesWhatIsAskedFor()) == 0
    assert blobs.read(sha, 10) == b"data"


def test_a_clock_that_was_set_back_keeps_nothing_for_ever(blobs: Blobs) -> None:
    sha = blobs.put(b"future").sha256
    age(blobs, sha, -1e6)
    assert blobs.expire(1000, 0) == 6
    assert kept(blobs) == set()


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 99), st.booleans()), max_size=12),
    st.integers(0, 300),
    st.integers(1, 100),
)
def test_after_expiry_everything_fits_that_may_go(
    given_blobs: list[tuple[int, int, bool]], total: int, oldest: int
) -> None:
    with tempfile.TemporaryDirectory() as base:
        blobs = Blobs(Path(base))
        sizes: dict[str, int] = {}
        pinned: set[str] = set()
        for number, (size, seconds, pin) in enumerate(given_blobs):
            sha = blobs.put(bytes([number]) * size).sha256
            sizes[sha] = size
            age(blobs, sha, seconds + 100)
            pinned |= {sha} if pin else set()
        freed = blobs.expire(oldest + 100, total, pinned, grace_s=0)
        left = kept(blobs)
        assert pinned <= left
        assert freed == sum(sizes.values()) - sum(sizes[sha] for sha in left)
        assert left <= pinned or sum(sizes[sha] for sha in left) <= total


def test_blobs_that_are_put_while_others_expire_are_there(blobs: Blobs) -> None:
    data = [bytes([n]) * 1000 for n in range(20)]
    stop = threading.Event()
    failures: list[Exception] = []

    def expire() -> None:
        while not stop.is_set():
            blobs.expire(0, 0)

    def put() -> None:
        try:
            for _ in range(20):
                for one in data:
                    assert blobs.read(blobs.put(one).sha256, 2000) == one
        except (AssertionError, UnknownRun) as error:
            failures.append(error)

    for one in data:
        age(blobs, blobs.put(one).sha256, 1000)
    cleaner = threading.Thread(target=expire)
    takers = [threading.Thread(target=put) for _ in range(3)]
    for thread in (cleaner, *takers):
        thread.start()
    for taker in takers:
        taker.join()
    stop.set()
    cleaner.join()
    assert failures == []


def test_a_folder_that_others_may_change_is_refused(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs").chmod(0o777)
    with pytest.raises(AgentUnavailable, match="chmod go-w"):
        Blobs(tmp_path / "blobs")


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("a small file system can be mounted by root alone")
    code = (
        "import sys; from pathlib import Path\n"
        "from kowalski.agent.store.blobs import Blobs\n"
        "from kowalski.errors import Busy\n"
        "blobs = Blobs(Path(sys.argv[1]))\n"
        "try: blobs.put(b'x' * (1 << 22))\n"
        "except Busy as error: print(error.user_message)\n"
        "print([p.name for p in (Path(sys.argv[1]) / 'all').iterdir()])\n"
    )
    script = 'mount -t tmpfs -o size=1m,mode=0700 none "$1" && exec "$0" -c "$2" "$1"'
    command = ["unshare", "-m", "sh", "-c", script, sys.executable, str(tmp_path), code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.stderr.startswith(("unshare", "mount")):
        pytest.skip(f"nothing can be mounted here: {done.stderr}")
    assert "The disk is full" in done.stdout, done.stderr
    assert done.stdout.endswith("[]\n")
