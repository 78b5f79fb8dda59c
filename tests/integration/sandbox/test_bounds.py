"""What code inside a sandbox can use up: no more than its limits, and all of it is seen."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import anyio
import pytest

from enclosed import MB, Box, box, limited, read_line, spec, spec_for

if TYPE_CHECKING:
    from pathlib import Path

    from kowalski.execution.sandbox.mechanism import Mechanism
    from kowalski.execution.sandbox.usage import Usage

FORK_UNTIL_REFUSED = """
import os, time
count = 0
try:
    while count < 1000:
        if os.fork() == 0:
            time.sleep(1000)
        count += 1
except BlockingIOError:
    pass
print(count)
"""


async def use(inside: Box, code: str) -> Usage:
    """What the sandbox uses while the code, which prints a line, waits afterwards."""
    process = await inside.start(
        inside.sandbox.spec.python, "-I", "-c", code + "\nprint('ready', flush=True)\ninput()"
    )
    try:
        assert await read_line(process.stdout_fd) == "ready"
        return await inside.sandbox.usage()
    finally:
        process.close()


# A program that waits for input reads from a pipe that nobody writes to.
WAIT = "import os, time\ndef input():\n    os.read(3, 1)\n"


async def test_processes_are_limited(isolating: Mechanism) -> None:
    async with box(isolating, limited(spec(), processes=20)) as inside:
        ran = await inside.python(FORK_UNTIL_REFUSED)
        # The first program and the one that forks count as well.
        assert ran.out.strip() == "18"


async def test_threads_count_as_processes(isolating: Mechanism) -> None:
    code = """
import threading
count = 0
wait = threading.Event()
try:
    while count < 1000:
        threading.Thread(target=wait.wait, daemon=True).start()
        count += 1
except RuntimeError:
    print(count, flush=True)
"""
    async with box(isolating, limited(spec(), processes=20)) as inside:
        assert (await inside.python(code)).out.strip() == "18"


async def test_a_fork_bomb_leaves_other_sandboxes_room(isolating: Mechanism) -> None:
    wanted = limited(spec(), processes=20)
    async with box(isolating, wanted) as first, box(isolating, wanted) as second:
        bomb = await first.start("/bin/bash", "-c", ":(){ :|:& }; :; wait")
        try:
            assert (await second.python(FORK_UNTIL_REFUSED)).out.strip() == "18"
        finally:
            bomb.close()


async def test_without_a_namespace_processes_are_limited_too(
    landlock: Mechanism,
) -> None:
    async with box(landlock, limited(spec_for(landlock), processes=20)) as inside:
        ran = await inside.python(FORK_UNTIL_REFUSED)
        # Others of this user may have ended meanwhile, which makes room.
        assert 0 < int(ran.out) < 100


async def test_a_heap_is_limited(enclosing: Mechanism) -> None:
    async with box(enclosing, limited(spec_for(enclosing), memory_bytes=200 * MB)) as inside:
        ran = await inside.python("x = bytearray(300 << 20)")
    assert "MemoryError" in ran.err


async def test_a_file_cannot_outgrow_the_limit(enclosing: Mechanism) -> None:
    async with box(enclosing, limited(spec_for(enclosing), disk_bytes=8 * MB)) as inside:
        ran = await inside.bash(
            'truncate -s 10G "$HOME/sparse"; head -c 20000000 /dev/zero > "$HOME/big"'
        )
        assert ran.status.exit_code != 0
        size = await inside.bash('stat -c %s "$HOME/big"')
        assert int(size.out) <= 8 * MB


@pytest.mark.parametrize("place", ["$HOME", "$TMPDIR", "/dev/shm"])
async def test_all_files_together_fit_the_limit(isolating: Mechanism, place: str) -> None:
    fill = f'for i in $(seq 40); do head -c 1000000 /dev/zero > "{place}/$i" || exit 3; done'
    async with box(isolating, limited(spec(), disk_bytes=8 * MB)) as inside:
        ran = await inside.bash(fill)
        assert "No space left" in ran.err
        other = await inside.bash('head -c 1000000 /dev/zero > "$HOME/other" || echo full')
        assert other.out == "full\n"


async def test_an_overlay_fits_the_same_limit(isolating: Mechanism, tmp_path: Path) -> None:
    wanted = limited(spec(tmp_path, "overlay"), disk_bytes=8 * MB)
    fill = "for i in $(seq 40); do head -c 1000000 /dev/zero > $i || exit 3; done"
    async with box(isolating, wanted) as inside:
        ran = await inside.bash(fill)
        assert "No space left" in ran.err
        assert (await inside.sandbox.usage()).disk_bytes <= 8 * MB


async def test_the_number_of_files_is_limited(isolating: Mechanism) -> None:
    code = """
import os
os.chdir(os.environ["HOME"])
count = 0
try:
    while count < 100_000:
        os.close(os.open(str(count), os.O_CREAT))
        count += 1
except OSError as error:
    print(error.strerror)
"""
    async with box(isolating, limited(spec(), disk_bytes=8 * MB)) as inside:
        assert (await inside.python(code)).out == "No space left on device\n"


async def test_filling_a_sandbox_leaves_the_disk_as_it_was(isolating: Mechanism) -> None:
    before = shutil.disk_usage("/tmp").free
    async with box(isolating, limited(spec(), disk_bytes=200 * MB)) as inside:
        await inside.bash('head -c 190000000 /dev/zero > "$HOME/big"')
        assert (await inside.sandbox.usage()).disk_bytes > 150 * MB
        assert before - shutil.disk_usage("/tmp").free < 100 * MB


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("heap", "x = bytearray(b'x') * (60 << 20)"),
        (
            "shared mapping",
            "import mmap\nx = mmap.mmap(-1, 60 << 20)\nfor i in range(0, 60 << 20, 4096): x[i] = 1",
        ),
        ("file", "import os\nopen(os.environ['HOME'] + '/f', 'wb').write(bytes(60 << 20))"),
        (
            "deleted file",
            "import os\nf = open(os.environ['HOME'] + '/f', 'wb')\nf.write(bytes(60 << 20))\n"
            "f.flush()\nos.unlink(f.name)",
        ),
        ("standard input", "import os\nos.write(0, bytes(60 << 20))"),
    ],
)
async def test_whatever_occupies_memory_is_seen(isolating: Mechanism, what: str, code: str) -> None:
    async with box(isolating, limited(spec(), disk_bytes=100 * MB)) as inside:
        before = await inside.sandbox.usage()
        after = await use(inside, WAIT + code)
    assert 55 * MB < after.memory_bytes - before.memory_bytes < 90 * MB, what


async def test_memory_over_many_processes_is_added_up(isolating: Mechanism) -> None:
    code = """
for _ in range(4):
    if os.fork() == 0:
        x = bytearray(b"x") * (20 << 20)
        os.write(4, b".")
        time.sleep(1000)
"""
    async with box(isolating) as inside:
        process = await inside.start(
            inside.sandbox.spec.python, "-I", "-c", WAIT + code + "input()"
        )
        ready = b""
        while len(ready) < 4:
            await anyio.wait_readable(process.control_out)
            ready += os.read(process.control_out, 4)
        usage = await inside.sandbox.usage()
        process.close()
    assert usage.memory_bytes > 80 * MB
    assert usage.processes >= 6


async def test_memory_that_processes_share_is_counted_once_near_the_limit(
    isolating: Mechanism,
) -> None:
    code = """
import mmap
x = mmap.mmap(-1, 60 << 20)
for i in range(0, 60 << 20, 4096):
    x[i] = 1
for _ in range(4):
    if os.fork() == 0:
        sum(x[i] for i in range(0, 60 << 20, 4096))
        os.write(4, b".")
        time.sleep(1000)
"""
    async with box(isolating, limited(spec(), memory_bytes=200 * MB)) as inside:
        process = await inside.start(
            inside.sandbox.spec.python, "-I", "-c", WAIT + code + "input()"
        )
        ready = b""
        while len(ready) < 4:
            await anyio.wait_readable(process.control_out)
            ready += os.read(process.control_out, 4)
        usage = await inside.sandbox.usage()
        process.close()
    assert 60 * MB < usage.memory_bytes < 150 * MB


async def test_a_file_that_is_mapped_and_shared_is_counted_once_near_the_limit(
    isolating: Mechanism,
) -> None:
    code = """
import mmap
file = open("/dev/shm/f", "w+b")
file.write(bytes(60 << 20))
file.flush()
x = mmap.mmap(file.fileno(), 60 << 20)
sum(x[i] for i in range(0, 60 << 20, 4096))
"""
    wanted = limited(spec(), memory_bytes=110 * MB, disk_bytes=100 * MB)
    async with box(isolating, wanted) as inside:
        usage = await use(inside, WAIT + code)
    assert 60 * MB < usage.memory_bytes < 100 * MB


async def test_processor_time_is_counted_after_the_end_of_who_used_it(
    isolating: Mechanism,
) -> None:
    async with box(isolating) as inside:
        before = await inside.sandbox.usage()
        await inside.python("import time\nwhile time.process_time() < 0.3: pass")
        after = await inside.sandbox.usage()
    assert after.cpu_s - before.cpu_s >= 0.29


@pytest.mark.parametrize(
    "attempt",
    [
        "import resource; resource.setrlimit(resource.RLIMIT_NPROC, (1000, 1000))",
        "import resource; resource.setrlimit(resource.RLIMIT_DATA, (1 << 40, 1 << 40))",
        "import os; os.memfd_create('x')",
        "import os; os.nice(-5)",
        "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))",
    ],
)
async def test_limits_cannot_be_raised_from_inside(enclosing: Mechanism, attempt: str) -> None:
    async with box(enclosing, spec_for(enclosing)) as inside:
        ran = await inside.python(attempt)
        assert ran.status.exit_code == 1
        assert "Error" in ran.err
