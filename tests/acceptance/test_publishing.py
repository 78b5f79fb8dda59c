"""What catalogues and Claude Desktop are told about Kowalski is true."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from assistants.sdk_client import assistant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
SERVER = json.loads((REPOSITORY / "server.json").read_text())
MANIFEST = json.loads((REPOSITORY / "mcp_server/bundle/manifest.json").read_text())
LONGEST_DESCRIPTION = 100
"""Of the registry's schema of 2025-12-11."""


@pytest.fixture
async def client(home: dict[str, str], tmp_path: Path) -> AsyncIterator[Client]:
    async with assistant(home, tmp_path) as client:
        yield client


def test_every_version_is_the_projects() -> None:
    (package,) = SERVER["packages"]
    assert {SERVER["version"], package["version"], MANIFEST["version"]} == {PROJECT["version"]}


def test_the_readme_proves_to_the_registry_whose_the_package_is() -> None:
    (marked,) = re.findall(r"<!-- mcp-name: (\S+) -->", (REPOSITORY / "README.md").read_text())
    (package,) = SERVER["packages"]
    assert marked == SERVER["name"]
    assert package["identifier"] == PROJECT["name"]
    assert len(SERVER["description"]) <= LONGEST_DESCRIPTION


def test_the_package_has_a_command_of_its_name_which_serves() -> None:
    """`uvx NAME ARGUMENTS` is how a client starts what the registry lists."""
    (package,) = SERVER["packages"]
    positional = [one for one in package["packageArguments"] if one["type"] == "positional"]
    assert PROJECT["scripts"][package["identifier"]] == PROJECT["scripts"]["kowalski"]
    assert [one["value"] for one in positional] == ["mcp"]


async def test_the_bundle_names_the_tools_that_there_are(client: Client) -> None:
    listed = await client.list_tools()
    assert {tool["name"] for tool in MANIFEST["tools"]} == {tool.name for tool in listed.tools}


async def test_the_bundle_starts_as_claude_desktop_would_start_it(
    home: dict[str, str], tmp_path: Path
) -> None:
    bundle, unpacked, folder = (tmp_path / name for name in ("k.mcpb", "unpacked", "folder"))
    folder.mkdir()
    (folder / "data.txt").write_text("41")
    subprocess.run(["bash", "scripts/bundle.sh", str(bundle)], cwd=REPOSITORY, check=True)
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(unpacked)
    config: dict[str, Any] = json.loads((unpacked / "manifest.json").read_text())["server"]
    known = {"__dirname": str(unpacked), "user_config.folder": str(folder)}
    # What the user has not been asked or not answered; switches are put in as text.
    known["user_config.write"] = str(MANIFEST["user_config"]["write"]["default"]).lower()
    arguments = [
        re.sub(r"\$\{(.+?)\}", lambda name: known[name[1]], word)
        for word in config["mcp_config"]["args"]
    ]
    environment = {
        name: value
        for name, value in {**os.environ, **home}.items()
        if name not in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")
        and not name.startswith("COVERAGE_")
    }
    # What it needs was fetched when this clone was set up.
    environment["UV_OFFLINE"] = "1"
    environment["UV_CACHE_DIR"] = subprocess.run(
        ["uv", "cache", "dir"], capture_output=True, text=True, check=True
    ).stdout.strip()
    server = StdioServerParameters(
        command=config["mcp_config"]["command"], args=arguments, env=environment, cwd=tmp_path
    )
    code = "int(open('data.txt').read()) + 1"
    async with Client(stdio_client(server)) as client:
        result = await client.call_tool("execute_code", {"code": code, "language": "python"})
    assert (unpacked / config["entry_point"]).is_file()
    assert (result.structured_content or {})["value"] == "42"
