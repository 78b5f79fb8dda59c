"""`kowalski blocks`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from terminal.shell import Shell

DOCUMENT = """\
---
title: x
---

```python {name=load timeout=2m}
print(1)
```

> ~~~js {needs=load manual}
> 1
> ~~~

    indented

```
nameless
```

```pуthon
lookalike
```

```bash
unclosed
"""


def test_json_tells_everything_about_every_block(shell: Shell) -> None:
    (shell.folder / "notes.md").write_text(DOCUMENT, encoding="utf-8")

    done = shell.kowalski("blocks", "notes.md", "--json")

    blocks = json.loads(done.stdout)
    assert (done.stderr, done.returncode) == ("", 2)
    told = [
        [block[key] for key in ("language", "start_line", "end_line", "kind", "name", "runnable")]
        for block in blocks
    ]
    assert told == [
        ["python", 5, 7, "fenced", "load", True],
        ["javascript", 9, 11, "fenced", None, True],
        [None, 13, 13, "indented", None, False],
        [None, 15, 17, "fenced", None, False],
        [None, 19, 21, "fenced", None, False],
        ["bash", 23, 24, "fenced", None, False],
    ]
    assert blocks[0]["code"] == "print(1)\n"
    assert blocks[0]["attributes"]["timeout_s"] == 120
    assert blocks[1]["code"] == "1\n"
    assert blocks[1]["attributes"]["needs"] == ["load"]
    assert [block["closed"] for block in blocks] == [True] * 5 + [False]
    assert [bool(block["problem"]) for block in blocks] == [False] * 2 + [True] * 4


def test_people_see_what_would_run_and_why_the_rest_would_not(shell: Shell) -> None:
    (shell.folder / "notes.md").write_text(DOCUMENT, encoding="utf-8")

    done = shell.kowalski("blocks", "notes.md")

    assert "1    5-7  load  python      print(1)" in done.stdout
    assert "manual; needs load" in done.stdout
    assert "2 blocks of 6 can run." in done.stdout
    assert "Block 4 cannot: it names no language" in done.stdout
    assert "notes.md:23:1: error: its fence is never closed" in done.stderr
    assert done.returncode == 2


def test_what_is_no_error_is_no_failure(shell: Shell) -> None:
    (shell.folder / "notes.md").write_text("```sh {odd=1}\n```\n```elvish\n```\n    code\n")

    done = shell.kowalski("blocks", "notes.md")

    assert "warning: unknown attribute `odd`" in done.stderr
    assert done.returncode == 0


def test_a_document_that_is_too_large_is_refused(shell: Shell) -> None:
    (shell.folder / "notes.md").write_text("x" * 6_000_000)

    done = shell.kowalski("blocks", "notes.md", "--json")

    assert json.loads(done.stdout)["code"] == "document_too_large"
    assert done.returncode == 2


def test_a_document_that_is_no_text_is_refused_with_the_place(shell: Shell) -> None:
    (shell.folder / "notes.md").write_bytes(b"fine\n\xff\n")

    done = shell.kowalski("blocks", "notes.md")

    assert "notes.md:2" in done.stderr
    assert done.returncode == 2


def test_hostile_names_cannot_touch_the_terminal(shell: Shell) -> None:
    hostile = "```python {name='\x1b[2Jx' odd='\x9b2J'}\n'\x1b]0;t\x07'\n```\n"
    (shell.folder / "notes.md").write_text(hostile, encoding="utf-8")

    screen = shell.watch("blocks", "notes.md")

    assert screen.finish() == 2
    assert "\x1b[2J" not in screen.raw
    assert "\x1b]" not in screen.raw
    assert "\x9b" not in screen.raw
