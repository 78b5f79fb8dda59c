"""The protocol's own rules, and clients that break them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from assistants.sdk_client import assistant, execute
from assistants.wire import MODERN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp import Client

    from assistants.wire import Wire

HANDSHAKES = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "modern", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
PRINT = {"name": "execute_code", "arguments": {"code": "echo 42", "language": "bash"}}


def printed(answer: dict[str, Any]) -> str:
    """What a call of `execute_code` printed."""
    text: str = json.loads(answer["result"]["content"][0]["text"])["stdout"]
    return text


@pytest.mark.parametrize("revision", HANDSHAKES)
def test_every_revision_with_a_handshake_is_spoken(
    connect: Callable[..., Wire], revision: str
) -> None:
    wire = connect()

    assert wire.initialize(revision)["result"]["protocolVersion"] == revision
    assert printed(wire.ask("tools/call", PRINT, number=1)) == "42\n"


def test_the_revision_without_a_handshake_is_spoken(connect: Callable[..., Wire]) -> None:
    wire = connect()

    told = wire.ask("server/discover", {"_meta": ENVELOPE}, number=1)["result"]
    assert MODERN in told["supportedVersions"]
    assert "session_id" in told["instructions"]
    answer = wire.ask("tools/call", {**PRINT, "_meta": ENVELOPE}, number=2)
    assert printed(answer) == "42\n"
    assert answer["result"]["structuredContent"]["stdout"] == "42\n"


def test_a_client_need_not_say_its_name(connect: Callable[..., Wire]) -> None:
    wire = connect()
    nameless = {key: value for key, value in ENVELOPE.items() if "clientInfo" not in key}

    assert printed(wire.ask("tools/call", {**PRINT, "_meta": nameless}, number=1)) == "42\n"


async def test_the_sdk_client_of_the_newest_revision_gets_on_with_it(
    home: dict[str, str], folder: Path
) -> None:
    async with assistant(home, folder, mode=MODERN) as client:
        await execute(client, "x = 41", session_id="modern")
        assert (await execute(client, "x + 1", session_id="modern"))["value"] == "42"


def test_an_unknown_revision_is_answered_with_a_known_one(connect: Callable[..., Wire]) -> None:
    assert connect().initialize("1999-01-01")["result"]["protocolVersion"] in HANDSHAKES


def test_nothing_can_be_called_before_the_handshake(connect: Callable[..., Wire]) -> None:
    wire = connect()

    assert "error" in wire.ask("tools/call", PRINT, number=1)
    wire.initialize()
    assert printed(wire.ask("tools/call", PRINT, number=2)) == "42\n"


def test_a_second_handshake_does_no_harm(wire: Wire) -> None:
    wire.initialize(number="again")

    assert printed(wire.ask("tools/call", PRINT, number=1)) == "42\n"


def test_unknown_methods_and_tools_are_said_to_be_unknown(wire: Wire) -> None:
    assert wire.ask("no/such/method", number=1)["error"]["code"] == -32601
    result = wire.ask("tools/call", {"name": "no_such_tool", "arguments": {}}, number=2)["result"]
    assert result["isError"] is True
    assert "no_such_tool" in result["content"][0]["text"]


@pytest.mark.parametrize("number", [99, "never", None, [1], {}])
def test_cancelling_what_is_not_there_does_no_harm(wire: Wire, number: object) -> None:
    wire.send("notifications/cancelled", {"requestId": number})
    wire.ping()


def test_cancelling_what_is_over_does_no_harm(wire: Wire) -> None:
    wire.ask("tools/call", PRINT, number=1)
    wire.send("notifications/cancelled", {"requestId": 1})
    wire.ping()


@pytest.mark.parametrize(
    ("line", "number", "code"),
    [
        (b"no json", None, -32700),
        (b"\xff\xfe{}", None, -32700),
        (b"[" * 100_000, None, -32700),
        (b'{"jsonrpc": "2.0", "id": 5, "method": 7}', 5, -32600),
        (b'{"jsonrpc": "1.0", "id": "six", "method": "ping"}', "six", -32600),
        (b'{"jsonrpc": "2.0", "id": 8, "method": "\\ud800"}', 8, -32600),
        (b"[]", None, -32600),
        (b"17", None, -32600),
    ],
)
def test_a_line_that_is_no_message_is_answered(
    wire: Wire, line: bytes, number: Any, code: int
) -> None:
    wire.say(line)

    assert wire.answer(number)["error"]["code"] == code
    wire.ping()


def test_empty_lines_are_passed_over(wire: Wire) -> None:
    wire.say(b"")
    wire.say(b"  \r")
    wire.ping()


def test_a_message_may_come_in_pieces(wire: Wire) -> None:
    assert wire.process.stdin is not None
    for part in (b'{"jsonrpc": "2.0", ', b'"id": 1, "method"', b': "ping"}\n{"jsonrpc": "2.0",'):
        wire.process.stdin.write(part)
        wire.process.stdin.flush()
    assert wire.answer(1)["result"] == {}
    wire.say(b'"id": 2, "method": "ping"}')
    assert wire.answer(2)["result"] == {}


def test_a_line_without_an_end_is_refused_and_forgotten(connect: Callable[..., Wire]) -> None:
    wire = connect()
    wire.initialize()
    assert wire.process.stdin is not None
    megabyte = b"x" * 1024 * 1024
    for _ in range(130):
        wire.process.stdin.write(megabyte)
    wire.process.stdin.flush()

    error = wire.answer(None)["error"]
    assert error["code"] == -32700
    assert "too long" in error["message"]
    wire.say(b"")
    wire.ping()


def test_a_client_that_reads_late_gets_every_answer(wire: Wire) -> None:
    for number in range(100):
        wire.send("tools/list", number=number)

    for number in range(100):
        assert len(wire.answer(number)["result"]["tools"]) == 7


def test_a_client_that_stops_reading_does_no_harm(connect: Callable[..., Wire]) -> None:
    wire = connect()
    wire.initialize()
    assert wire.process.stdout is not None
    wire.process.stdout.close()

    wire.send("ping", number=1)
    wire.send("ping", number=2)

    assert wire.close() == 0


def test_a_session_in_a_file_is_answered_to_its_end(home: dict[str, str], folder: Path) -> None:
    greeting = {
        "protocolVersion": HANDSHAKES[-1],
        "capabilities": {},
        "clientInfo": {"name": "file", "version": "1"},
    }
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": greeting},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
    ]
    script = folder / "session.jsonl"
    script.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    with script.open() as stdin:
        done = subprocess.run(
            [sys.executable, "-m", "kowalski_mcp"],
            stdin=stdin,
            cwd=folder,
            env=home,
            capture_output=True,
            text=True,
            check=True,
        )

    assert json.loads(done.stdout)["id"] == 1


async def test_the_list_of_tools_is_small_and_tells_what_a_model_needs(client: Client) -> None:
    listed = await client.list_tools()

    size = len(listed.model_dump_json(by_alias=True, exclude_none=True))
    assert size < 12_000
    tools = {tool.name: tool for tool in listed.tools}
    assert set(tools) == {
        "execute_code",
        "distributed_infer",
        "wait",
        "cancel",
        "read_output",
        "get_artifact",
        "list_devices",
    }
    for tool in tools.values():
        assert tool.description
        assert tool.annotations is not None
        assert tool.input_schema["additionalProperties"] is False
        for argument in tool.input_schema["properties"].values():
            assert argument["description"]
    assert set(tools["execute_code"].input_schema["required"]) == {"code", "language"}
    assert tools["execute_code"].output_schema is not None


async def test_every_language_that_runs_is_named_to_the_model(client: Client) -> None:
    devices = (await client.call_tool("list_devices", {})).structured_content or {}
    languages = {one["language"] for one in devices["devices"][0]["languages"]}
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    described = tools["execute_code"].input_schema["properties"]["language"]["description"]

    named = {word.strip(",.").lower() for word in described.split()}
    assert languages == named & {"python", "javascript", "bash", "rust", "java"}
    assert all(language in (client.instructions or "").lower() for language in languages)
