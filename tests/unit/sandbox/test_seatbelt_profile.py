"""What the profile for macOS says."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.execution.limits import EffectiveLimits
from kowalski.execution.rights import Rights
from kowalski.execution.sandbox.mechanisms.seatbelt_profile import profile
from kowalski.execution.sandbox.spec import SandboxSpec
from kowalski.model.run import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from kowalski.model.run import Access

LIMITS = EffectiveLimits(1, 1, 1 << 28, 10, 1 << 24, 1 << 20)
SCRATCH = "/private/tmp/kowalski-box-1-x"


BASE = SandboxSpec("/opt/tools/bin/python3", ("/opt/tools",), limits=LIMITS, rights=Rights())


def rules(workspace: Path | None = None, access: Access = "read", **changes: Any) -> str:
    place = Workspace(str(workspace), access) if workspace else None
    return profile(replace(BASE, workspace=place, **changes), SCRATCH)


def lines(text: str, start: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.startswith(start))


def test_everything_is_denied_that_is_not_allowed() -> None:
    assert rules().splitlines()[:2] == ["(version 1)", "(deny default)"]


def test_only_the_scratch_folder_can_be_written() -> None:
    assert re.findall(r'subpath "([^"]+)"', lines(rules(), "(allow file-write*")) == [SCRATCH]


@pytest.mark.parametrize("access", ["read", "overlay"])
def test_a_workspace_is_not_written_unless_granted(tmp_path: Path, access: Access) -> None:
    assert str(tmp_path) not in lines(rules(tmp_path, access), "(allow file-write*")
    assert str(tmp_path) in lines(rules(tmp_path, "write"), "(allow file-write*")


def test_there_is_no_network_unless_granted() -> None:
    assert "network" not in rules()
    assert "(allow network-outbound (remote ip))" in rules(rights=Rights(network=True))


def test_what_is_hidden_is_denied_after_all_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TOKEN=1")
    *before, deny, hold = rules(tmp_path, "write", hidden=(".env",)).splitlines()
    assert deny == f'(deny file-read* file-write* (subpath "{tmp_path}/.env"))'
    assert hold.startswith("(deny file-write-unlink")
    assert f'(literal "{tmp_path}")' in hold
    assert not any("deny file-read*" in line for line in before)


def test_repositories_are_not_written_whether_they_are_there_or_not(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    text = rules(tmp_path, "write", held=(f"{tmp_path}/bare",))
    named, held = lines(text, "(deny file-write* ").splitlines()
    assert held == f'(deny file-write* (subpath "{tmp_path}/bare"))'
    assert f'(subpath "{tmp_path}")' in named
    (pattern,) = re.findall(r'regex #"([^"]+)"', named)
    for path in ("/w/.git", "/w/.git/hooks/x", "/w/sub/.GIT/config", "/w/.hg/hgrc"):
        assert re.search(pattern, path)
    for path in ("/w/.github/x", "/w/.gitignore", "/w/a.git/x", "/w/git/x"):
        assert not re.search(pattern, path)
    assert text.index("(allow file-write*") < text.index(named)
    assert f'(literal "{tmp_path}")' in lines(text, "(deny file-write-unlink")
    assert "regex" not in rules(tmp_path)


def test_blobs_can_be_read_but_their_folder_cannot() -> None:
    text = rules(blobs="/private/state/blobs")
    assert '(require-not (literal "/private/state/blobs"))' in text


@given(name=st.text(st.characters(codec="utf-8", exclude_characters="/\0\n\r"), min_size=1))
def test_no_name_of_a_folder_ends_its_string(name: str) -> None:
    text = rules(toolchains=(f"/opt/{name}",))
    strings = re.findall(r'"((?:[^"\\]|\\.)*)"', text)
    assert f"/opt/{name}" in {re.sub(r"\\(.)", r"\1", string) for string in strings}
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    assert outside.count("(") == outside.count(")")
