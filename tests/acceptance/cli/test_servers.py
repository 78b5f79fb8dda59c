"""`kowalski servers` and `kowalski models`."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from kowalski.model.server import ServerInfo

if TYPE_CHECKING:
    from doubles.completion_server import CompletionServer
    from terminal.shell import Shell


def test_without_servers_the_list_says_how_to_add_one(shell: Shell) -> None:
    done = shell.kowalski("servers")

    assert (done.returncode, done.stderr) == (0, "")
    assert "kowalski servers add" in done.stdout


def test_a_server_is_added_listed_and_forgotten(shell: Shell, serving: Any) -> None:
    server = serving()

    added = shell.kowalski("servers", "add", "mine", server.url)
    listed = shell.kowalski("servers")
    removed = shell.kowalski("servers", "remove", "mine")

    assert "It has small." in added.stdout
    row = next(line for line in listed.stdout.splitlines() if line.startswith("mine"))
    for told in ("openai", server.url, "settings", "small"):
        assert told in row
    assert (removed.returncode, removed.stderr) == (0, "")
    assert "mine" not in shell.kowalski("servers").stdout


def test_a_server_that_is_down_is_added_and_that_is_said(shell: Shell) -> None:
    done = shell.kowalski("servers", "add", "down", "http://127.0.0.1:1")
    (listed,) = json.loads(shell.kowalski("servers", "--json").stdout)
    shell.kowalski("servers", "remove", "down")

    assert done.returncode == 0
    assert "It is not asked now: down at http://127.0.0.1:1 cannot be reached" in done.stderr
    assert listed["problem"]


def test_json_has_the_names_of_python(shell: Shell, studio: CompletionServer) -> None:
    (listed,) = json.loads(shell.kowalski("servers", "--json").stdout)

    assert set(listed) == {field.name for field in fields(ServerInfo)}
    assert listed["urls"] == [studio.url]


def test_models_are_listed_over_all_servers(
    shell: Shell, studio: CompletionServer, serving: Any
) -> None:
    other = serving(model="large")
    shell.kowalski("servers", "add", "other", other.url)

    done = shell.kowalski("models")
    told = json.loads(shell.kowalski("models", "--json").stdout)
    shell.kowalski("servers", "remove", "other")

    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [(row[0], row[2]) for row in rows] == [("large", "other"), ("small", "studio")]
    assert [(one["model"]["name"], one["server"]) for one in told] == [
        ("large", "other"),
        ("small", "studio"),
    ]


def test_a_server_that_has_no_answer_is_not_passed_over_silently(shell: Shell) -> None:
    shell.kowalski("servers", "add", "down", "http://127.0.0.1:1")

    done = shell.kowalski("models")
    shell.kowalski("servers", "remove", "down")

    assert "no model" in done.stdout
    assert "down was not counted" in done.stderr


def test_a_key_is_named_and_never_given(shell: Shell) -> None:
    words = ("servers", "add", "keyed", "http://127.0.0.1:1", "--key-env", "SECRET")

    done = shell.kowalski(*words)

    assert done.returncode == 2
    assert "KOWALSKI_" in done.stderr


def test_the_doctor_names_the_servers_that_answer(shell: Shell, studio: CompletionServer) -> None:
    done = shell.kowalski("doctor")
    found = json.loads(shell.kowalski("doctor", "--json").stdout)

    assert f"studio {studio.url}  1 model" in done.stdout
    assert "ollama" not in done.stdout
    assert [server["name"] for server in found["servers"]] == ["studio"]


def test_the_doctor_tells_how_to_start_a_server_where_none_answers(shell: Shell) -> None:
    shell.kowalski("servers", "add", "down", "http://127.0.0.1:1")

    done = shell.kowalski("doctor")
    shell.kowalski("servers", "remove", "down")

    row = next(line for line in done.stdout.splitlines() if "http://127.0.0.1:1" in line)
    assert "cannot be reached" in row
    for command in ("uv run exo", "ollama run", "lms server start", "llama-server -m"):
        assert command in done.stdout


def test_a_file_of_servers_that_is_wrong_keeps_no_code_from_running(shell: Shell) -> None:
    own = shell.folder / "own"
    own.mkdir(mode=0o700)
    (own / "servers.toml").write_text("[studio]\nport = 1\n")
    (own / "servers.toml").chmod(0o600)

    done = shell.kowalski("doctor", KOWALSKI_HOME=str(own))
    shell.kowalski("agent", "stop", KOWALSKI_HOME=str(own))

    assert done.returncode == 0
    assert "servers.toml, line 2" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "studio"), "takes no name"),
        (("list", "--key-env", "KOWALSKI_KEY"), "Only `add`"),
        (("add",), "Which server?"),
        (("add", "mine"), "http://"),
        (("add", "mine", "ftp://host"), "ftp://host"),
        (("add", "a b", "http://127.0.0.1:1"), "a b"),
        (("add", "mine", "http://127.0.0.1:1", "--kind", "other"), "--kind"),
        (("remove",), "Which server?"),
        (("remove", "nobody"), "nobody"),
        (("remove", "mine", "http://127.0.0.1:1"), "Only `add`"),
        (("forget",), "forget"),
    ],
)
def test_what_makes_no_sense_is_refused(shell: Shell, words: tuple[str, ...], said: str) -> None:
    done = shell.kowalski("servers", *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_scan_asks_nobody_without_consent(shell: Shell) -> None:
    done = shell.kowalski("servers", "scan", "127.0.0.1")

    assert (done.returncode, done.stdout) == (2, "")
    assert "1 addresses in 127.0.0.1/32" in done.stderr
    assert "--yes" in done.stderr


def test_a_scan_that_finds_nobody_says_what_servers_need(shell: Shell) -> None:
    done = shell.kowalski("servers", "scan", "127.0.0.2", "--yes")

    assert done.returncode == 0
    assert "OLLAMA_HOST" in done.stdout


def test_a_key_is_taken_from_stdin_and_shown_to_nobody_but_the_server(
    shell: Shell, serving: Any
) -> None:
    server: CompletionServer = serving()

    added = shell.kowalski("servers", "add", "mine", server.url, "--key", stdin="s3cret-key\n")
    listed = shell.kowalski("servers", "--json")
    shell.kowalski("servers", "remove", "mine")

    assert added.returncode == 0
    assert json.loads(listed.stdout)[0]["key_from"] in ("file", "keyring")
    assert "s3cret" not in added.stdout + added.stderr + listed.stdout
    assert server.heard[-1].headers["authorization"] == "Bearer s3cret-key"
