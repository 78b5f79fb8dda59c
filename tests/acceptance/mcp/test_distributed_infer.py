"""Language models over MCP: many prompts at once."""

from __future__ import annotations

import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from assistants.sdk_client import Answer, assistant
from doubles.completion_server import (
    CHAT,
    DONE,
    MODELS,
    completion_server,
    delta,
    finish,
    json_reply,
    stalled_stream,
    stream,
    usage,
)
from doubles.exo.cluster import MODEL, exo_cluster

KOWALSKI = str(Path(sys.executable).with_name("kowalski"))

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp import Client

    from doubles.completion_server import CompletionServer, Wire

IMPATIENT = ("--answer-after", "1", "--progress-every", "0.2")
ENOUGH_S = 60


class Models:
    """A server of one model, which says what it was asked and an exclamation mark.

    It refuses `no`, says halves of characters to `half`, is silent for `stall` until `go`, and for
    `forever` until the question is withdrawn.
    """

    def __init__(self) -> None:
        self.server: CompletionServer
        self.begin()

    def begin(self) -> None:
        """Forget what happened."""
        self.go = anyio.Event()
        self.stalled = anyio.Event()
        self.withdrawn = anyio.Event()

    @property
    def asked(self) -> list[Any]:
        """The bodies of all questions."""
        return [heard.json() for heard in self.server.heard if heard.line == CHAT]

    async def reply(self, wire: Wire) -> None:
        """Answer a question."""
        said = wire.heard.json()["messages"][-1]["content"]
        if said == "no":
            await json_reply({"error": {"message": "I will not."}}, status=400)(wire)
        elif said == "forever":
            self.stalled.set()
            await stalled_stream(delta(content="so"))(wire)
            self.withdrawn.set()
        else:
            if said == "stall":
                await self.go.wait()
            text = "\ud800" if said == "half" else f"{said}!"
            await stream(delta(content=text), finish(), usage(3, 2), DONE)(wire)


@pytest.fixture(scope="module")
async def models(home: dict[str, str]) -> AsyncIterator[Models]:
    """The server, which the agent of `home` knows from its environment."""
    models = Models()
    listed = json_reply({"data": [{"id": "small"}]})
    async with completion_server({MODELS: listed, CHAT: models.reply}) as models.server:
        alone(home)
        home["KOWALSKI_OPENAI_URLS"] = models.server.url
        yield models


@pytest.fixture(scope="module")
async def client(home: dict[str, str], folder: Path, models: Models) -> AsyncIterator[Client]:
    """A client that waits as long as it takes."""
    async with assistant(home, folder) as client:
        yield client


@pytest.fixture
async def impatient(home: dict[str, str], folder: Path, models: Models) -> AsyncIterator[Client]:
    """A client whose server soon answers with a handle."""
    async with assistant(home, folder, *IMPATIENT) as client:
        yield client


@pytest.fixture(autouse=True)
def beginning(models: Models) -> None:
    """Each test begins with a server that has not been asked."""
    models.begin()


def alone(home: dict[str, str]) -> None:
    """Let the agent of a home look for no servers on this host."""
    settings = Path(home["KOWALSKI_HOME"]) / "settings.toml"
    settings.parent.mkdir(mode=0o700, exist_ok=True)
    settings.write_text("[inference]\ndiscover = false\n")
    settings.chmod(0o600)


async def tool(client: Client, name: str, **arguments: object) -> Answer:
    return Answer(await client.call_tool(name, arguments))


async def infer(client: Client, *prompts: str, **more: object) -> Answer:
    return await tool(client, "distributed_infer", prompts=list(prompts), **more)


async def test_prompts_are_answered_in_order(client: Client) -> None:
    asked = [f"prompt {number}" for number in range(40)]
    answer = await infer(client, *asked)

    assert not answer.is_error
    assert (answer["status"], answer["answered"], answer["failed"]) == ("ok", 40, 0)
    assert [one["index"] for one in answer["results"]] == [*range(40)]
    assert [one["text"] for one in answer["results"]] == [f"{prompt}!" for prompt in asked]
    first = answer["results"][0]
    assert first["finish_reason"] == "stop"
    assert first["usage"] == {"prompt_tokens": 3, "completion_tokens": 2}
    assert first["served_by"]
    assert first["latency_ms"] > 0
    assert "error" not in first
    assert json.loads(answer.text) == answer.fields


async def test_a_template_is_asked_for_each_input(client: Client) -> None:
    answer = await tool(
        client, "distributed_infer", template="Say {input}, {input}", inputs=["a", "{input}"]
    )

    assert [one["text"] for one in answer["results"]] == [
        "Say a, a!",
        "Say {input}, {input}!",
    ]


async def test_inputs_may_be_the_lines_of_a_file(client: Client, folder: Path) -> None:
    (folder / "a b.txt").write_text("red\n\n  \nlight green\r\nblau ö")
    answer = await tool(client, "distributed_infer", template="<{input}>", inputs="a b.txt")

    assert [one["text"] for one in answer["results"]] == ["<red>!", "<light green>!", "<blau ö>!"]


async def test_inputs_may_be_the_lines_that_a_run_printed(client: Client) -> None:
    code = "for number in range(3): print(f'item {number}')"
    ran = await tool(client, "execute_code", code=code, language="python")
    answer = await tool(client, "distributed_infer", template="Say {input}", inputs=ran["handle"])

    assert [one["text"] for one in answer["results"]] == [f"Say item {n}!" for n in range(3)]


async def test_inputs_are_read_with_no_more_rights_than_code_has(
    client: Client, folder: Path, tmp_path: Path, models: Models
) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("s3cret")
    (folder / ".env").write_text("KEY=s3cret")
    (folder / "link.txt").symlink_to(outside)
    asked = len(models.asked)
    for path in (str(outside), "../outside.txt", ".env", "link.txt", "none.txt", "$(id)"):
        answer = await tool(client, "distributed_infer", template="{input}", inputs=path)
        assert answer.is_error, path
        assert "s3cret" not in answer.text
    (folder / ".env").unlink()
    assert len(models.asked) == asked


async def test_what_has_no_end_or_no_beginning_is_refused_as_inputs(
    client: Client, folder: Path, models: Models
) -> None:
    asked = len(models.asked)
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("pipe")
    for path in ("/dev/zero", "pipe", "link"):
        answer = await tool(client, "distributed_infer", template="{input}", inputs=path)
        assert answer.is_error, path
        assert f"{path}: This is a device, a pipe or a socket, not a file" in answer.text
        assert "give the inputs as a list" in answer.text
    assert len(models.asked) == asked


async def test_what_is_asked_reaches_the_model(client: Client, models: Models) -> None:
    schema = {"type": "string"}
    await infer(
        client,
        "told",
        model="small",
        system="Be brief.",
        max_tokens=7,
        temperature=0,
        json_schema=schema,
        timeout_s=30,
    )

    asked = next(one for one in models.asked if one["messages"][-1]["content"].startswith("told"))
    assert asked["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (asked["model"], asked["max_tokens"], asked["temperature"]) == ("small", 7, 0)
    assert schema in asked["response_format"]["json_schema"].values()


async def test_each_prompt_fails_for_itself(client: Client) -> None:
    answer = await infer(client, "yes", "no")

    assert not answer.is_error
    assert (answer["status"], answer["answered"], answer["failed"]) == ("partial", 1, 1)
    answered, refused = answer["results"]
    assert answered["text"] == "yes!"
    assert "I will not" in refused["error"]["message"]
    assert refused["error"]["code"]


async def test_it_is_an_error_if_none_was_answered(client: Client) -> None:
    answer = await infer(client, "no", "no")

    assert answer.is_error
    assert answer["status"] == "failed"
    assert "I will not" in answer["reason"]


async def test_what_is_no_text_does_no_harm(client: Client) -> None:
    assert (await infer(client, "half"))["answered"] == 1


async def test_long_answers_are_cut_and_can_be_read(client: Client) -> None:
    asked = [f"{number} " + "long " * 1000 for number in range(10)]
    answer = await infer(client, *asked)

    assert len(answer.text.encode()) <= 20_000
    assert answer["truncated"] is True
    assert "read_output" in answer["notes"][0]
    for prompt, one in zip(asked, answer["results"], strict=True):
        assert prompt.startswith(one["text"])
        assert one["total_chars"] == len(prompt) + 1
    assert await outcomes(client, answer["handle"]) == {
        index: f"{prompt}!" for index, prompt in enumerate(asked)
    }


async def outcomes(client: Client, handle: str) -> dict[int, str]:
    """The texts that `read_output` has under a handle, by index."""
    text, offset = "", 0
    while offset is not None:
        piece = await tool(client, "read_output", handle=handle, offset=offset)
        text += piece["text"]
        offset = piece["next_offset"]
    found = map(json.loads, text.splitlines())
    return {one["index"]: one["result"]["text"] for one in found}


async def test_a_long_batch_is_answered_with_a_handle_and_waited_for(
    impatient: Client, models: Models
) -> None:
    started = await infer(impatient, "stall", "quick")
    assert not started.is_error
    assert started["status"] == "running"
    assert "wait" in started["reason"]

    still = await one_answered(impatient, started["run_id"])
    assert still["status"] == "running"
    assert [(one["index"], one["text"]) for one in still["results"]] == [(1, "quick!")]

    models.go.set()
    ended = await tool(impatient, "wait", run_id=started["run_id"], timeout_s=ENOUGH_S)
    assert ended["status"] == "ok"
    assert [one["text"] for one in ended["results"]] == ["stall!", "quick!"]
    again = await tool(impatient, "wait", run_id=started["run_id"], timeout_s=0)
    assert again.fields == ended.fields


async def one_answered(client: Client, run_id: str) -> Answer:
    """The result of a running batch, once one of its prompts has an answer."""
    with anyio.fail_after(ENOUGH_S):
        while not (answer := await tool(client, "wait", run_id=run_id, timeout_s=0))["answered"]:
            pass
    return answer


async def test_cancelling_a_batch_withdraws_it_and_keeps_what_had_come(
    impatient: Client, models: Models
) -> None:
    started = await infer(impatient, "forever", "quick")
    await one_answered(impatient, started["run_id"])

    ended = await tool(impatient, "cancel", run_id=started["run_id"])

    assert not ended.is_error
    assert (ended["status"], ended["answered"]) == ("cancelled", 1)
    assert [one["text"] for one in ended["results"]] == ["quick!"]
    with anyio.fail_after(ENOUGH_S):
        await models.withdrawn.wait()


async def test_progress_tells_how_many_were_answered(
    home: dict[str, str], folder: Path, models: Models
) -> None:
    noted: list[str] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        noted.append(message or "")
        if "2 of 4 answered, 1 failed" in noted[-1]:
            models.go.set()

    arguments = {"prompts": ["stall", "a", "b", "no"]}
    async with assistant(home, folder, "--progress-every", "0.2") as client:
        result = await client.call_tool("distributed_infer", arguments, progress_callback=note)

    assert models.go.is_set(), noted
    assert Answer(result)["answered"] == 3


async def test_cancelling_the_call_withdraws_the_prompts(client: Client, models: Models) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(infer, client, "forever")
        with anyio.fail_after(ENOUGH_S):
            await models.stalled.wait()
        tasks.cancel_scope.cancel()

    with anyio.fail_after(ENOUGH_S):
        await models.withdrawn.wait()


async def test_a_batch_ends_with_the_connection(
    home: dict[str, str], folder: Path, models: Models
) -> None:
    async with assistant(home, folder, *IMPATIENT) as client:
        assert (await infer(client, "forever"))["status"] == "running"
    with anyio.fail_after(ENOUGH_S):
        await models.withdrawn.wait()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "either prompts, or template"),
        ({"prompts": ["a"], "inputs": ["b"]}, "either prompts, or template"),
        ({"prompts": ["a"], "template": "{input}"}, "either prompts, or template"),
        ({"template": "{input}"}, "together with inputs"),
        ({"inputs": ["a"]}, "together with inputs"),
        ({"template": "no place", "inputs": ["a"]}, "{input}"),
        ({"inputs": "lines.txt"}, "together with inputs"),
        ({"template": "{input}", "inputs": "none.txt"}, "No such file"),
        ({"template": "{input}", "inputs": "/dev/null"}, "a device"),
        ({"prompts": []}, "prompts"),
        ({"prompts": "one"}, "prompts"),
        ({"prompts": ["a"] * 10_001}, "prompts"),
        ({"prompts": ["a"], "max_tokens": 0}, "max_tokens"),
        ({"prompts": ["a"], "temperature": -1}, "temperature"),
        ({"prompts": ["a"], "timeout_s": 0}, "timeout_s"),
        ({"prompts": ["a"], "json_schema": "string"}, "json_schema"),
        ({"prompts": ["a"], "json_schema": {"type": "strnig"}}, "json_schema: This is no valid"),
        ({"prompts": ["a"], "json_schema": {"enum": [*range(20_000)]}}, "too large"),
        ({"prompts": ["a"], "json_schema": {"$ref": "http://h/s"}}, "nothing is fetched"),
        ({"prompts": ["a"], "api_key": "x"}, "api_key"),
    ],
)
async def test_what_makes_no_sense_is_not_asked(
    client: Client, models: Models, arguments: dict[str, Any], told: str
) -> None:
    asked = len(models.asked)
    answer = await tool(client, "distributed_infer", **arguments)

    assert answer.is_error
    assert "Nothing was" in answer.text
    assert told in answer.text
    assert len(models.asked) == asked


async def test_servers_and_their_models_are_listed(client: Client) -> None:
    (server,) = (await tool(client, "list_devices"))["servers"]

    assert server["models"] == [{"name": "small", "state": "listed"}]
    assert server["slots"] > 0


async def test_the_nodes_of_a_cluster_are_listed_among_the_devices(
    home: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    bare = {name: value for name, value in home.items() if name != "KOWALSKI_OPENAI_URLS"}
    async with exo_cluster(1) as double:
        double.add([0])
        async with (
            own_agent({**bare, "KOWALSKI_EXO_URLS": double.urls[0]}, tmp_path) as env,
            assistant(env, folder) as client,
        ):
            here, node = (await tool(client, "list_devices"))["devices"]

    assert (here["id"], here["can"]) == ("local", ["run code"])
    assert (node["name"], node["server"], node["can"]) == ("studio-0", "exo", ["run models"])
    assert node["holds"] == [f"{MODEL} layers 0-3 of 4"]


async def test_a_server_that_is_silent_keeps_no_one_from_the_devices(
    home: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    async def silent(wire: Wire) -> None:
        await wire.until_left()

    async with (
        completion_server({MODELS: silent}) as server,
        own_agent({**home, "KOWALSKI_OPENAI_URLS": server.url}, tmp_path) as env,
        assistant(env, folder) as client,
    ):
        listed = await tool(client, "list_devices")

    assert listed["devices"]
    assert listed["servers_note"] or listed["servers"][0]["problem"]


async def test_without_a_server_the_error_says_what_to_do(
    home: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    bare = {name: value for name, value in home.items() if name != "KOWALSKI_OPENAI_URLS"}
    async with own_agent(bare, tmp_path) as env, assistant(env, folder) as client:
        answer = await infer(client, "hello")
        devices = await tool(client, "list_devices")

    assert answer.is_error
    assert "kowalski servers add" in answer["reason"]
    assert answer["results"][0]["error"]["code"] == "no_server_available"
    assert "servers" not in devices.fields


@asynccontextmanager
async def own_agent(home: dict[str, str], folder: Path) -> AsyncIterator[dict[str, str]]:
    """An environment whose agent is another than that of `home`, and ends with the block."""
    env = {**home, "KOWALSKI_HOME": str(folder / "own")}
    alone(env)
    yield env
    await anyio.run_process([KOWALSKI, "agent", "stop"], env=env)
