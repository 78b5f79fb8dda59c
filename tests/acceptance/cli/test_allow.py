"""`kowalski allow`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from terminal.shell import Shell


def test_rights_add_up_and_can_be_taken_back_one_by_one(shell: Shell) -> None:
    other = shell.folder.parent / "other"
    other.mkdir()

    shell.kowalski("allow", ".", "--net")
    added = shell.kowalski("allow", ".", "--write", "--env", "LANG", "--read", "../other")
    taken = shell.kowalski("allow", ".", "--revoke", "--net", "--read", "../other", "--json")

    assert added.stdout == (
        f"Code in {shell.folder} may reach the network, change the folder, read {other}, "
        "have LANG.\n"
    )
    rights = {"network": False, "write": True, "read": [], "env": ["LANG"]}
    assert json.loads(taken.stdout) == {"folder": str(shell.folder), "rights": rights}


def test_a_variable_that_is_not_set_is_granted_and_named(shell: Shell) -> None:
    words = ("allow", ".", "--env", "NOT_SET_ANYWHERE", "--env", "SET_HERE")
    done = shell.kowalski(*words, SET_HERE="1")

    assert "NOT_SET_ANYWHERE is not set here" in done.stderr
    assert "SET_HERE" not in done.stderr
    assert "have NOT_SET_ANYWHERE" in done.stdout


def test_the_list_has_every_folder(shell: Shell) -> None:
    shell.kowalski("allow", ".", "--net")

    assert f"{shell.folder}" in shell.kowalski("allow").stdout
    assert str(shell.folder) in [
        grant["folder"] for grant in json.loads(shell.kowalski("allow", "--json").stdout)
    ]


def test_nothing_is_left_after_all_is_taken_back(shell: Shell) -> None:
    shell.kowalski("allow", ".", "--net", "--write")

    done = shell.kowalski("allow", ".", "--revoke")

    assert "may do nothing beyond reading it" in done.stdout


def test_a_session_that_keeps_its_rights_is_named(shell: Shell) -> None:
    shell.kowalski("allow", ".", "--net")
    opened = shell.kowalski("exec", "-l", "python", "-s", "online", "-c", "1")
    assert opened.returncode == 0

    done = shell.kowalski("allow", ".", "--revoke", "--net")

    assert "kowalski sessions end online" in done.stderr


def test_what_can_never_be_granted_is_refused(shell: Shell) -> None:
    for words in ((shell.env["HOME"], "--net"), (".", "--env", "LD_PRELOAD"), ("/etc", "--write")):
        done = shell.kowalski("allow", *words)

        assert (done.stdout, done.returncode) == ("", 3)


def test_a_grant_below_the_top_of_a_checkout_is_told_to_count_for_nothing_there(
    shell: Shell,
) -> None:
    (shell.folder / ".git").mkdir()
    (shell.folder / "sub").mkdir()

    below = shell.kowalski("allow", "sub", "--net", "--env", "LANG")
    top = shell.kowalski("allow", ".", "--net")

    assert below.returncode == 0
    assert f"To grant it: kowalski allow {shell.folder} --net --env LANG\n" in below.stderr
    assert top.stderr == ""


def test_rights_without_a_folder_make_no_sense(shell: Shell) -> None:
    done = shell.kowalski("allow", "--net")

    assert (done.stdout, done.returncode) == ("", 2)
    assert "kowalski allow ." in done.stderr


def test_code_can_neither_see_nor_change_what_was_granted(shell: Shell) -> None:
    shell.kowalski("allow", ".", "--write")
    grants = Path(shell.env["KOWALSKI_HOME"], "grants.toml")
    before = grants.read_bytes()

    read = shell.kowalski("exec", "--write", "-l", "python", "-c", f"open({str(grants)!r})")
    code = (
        f"import os; os.makedirs({str(grants.parent)!r}, exist_ok=True); open({str(grants)!r}, 'w')"
    )
    shell.kowalski("exec", "--write", "-l", "python", "-c", code)

    assert "FileNotFoundError" in read.stderr
    assert grants.read_bytes() == before
