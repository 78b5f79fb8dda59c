"""`kowalski servers`: the servers of language models."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from kowalski.agent.home.places import Places
from kowalski.errors import InvalidRequest
from kowalski.model.server import ServerEntry
from kowalski_cli import exit_codes
from kowalski_cli.arguments import with_examples, with_json
from kowalski_cli.screen.event_lines import json_text
from kowalski_cli.screen.screen import Screen, note
from kowalski_cli.screen.table import Column, table
from kowalski_cli.screen.terminal_text import one_line
from kowalski_cli.talk import talk

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from kowalski.engine import Engine
    from kowalski.model.server import ServerInfo, ServerKind


def declare(parser: ArgumentParser) -> None:
    """Say which arguments there are."""
    parser.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=("list", "add", "remove", "scan"),
        help="what to do (default: list)",
    )
    parser.add_argument(
        "name", nargs="?", help="what you call the server; for scan, the network (default: yours)"
    )
    parser.add_argument("url", nargs="*", help="where it is; for exo, any of its nodes")
    parser.add_argument(
        "--kind", choices=("exo", "openai"), default="openai", help="(default: openai)"
    )
    parser.add_argument(
        "--key-env", metavar="KOWALSKI_X", help="the environment variable that holds its key"
    )
    parser.add_argument(
        "--key", action="store_true", help="ask for its key, and keep it in the system's keyring"
    )
    parser.add_argument("--yes", action="store_true", help="scan without asking whether to")
    parser.add_argument("--add", action="store_true", help="add all that a scan finds")
    with_json(parser)
    with_examples(
        parser,
        ("kowalski servers", "which there are, and what each has"),
        ("kowalski servers add mini http://127.0.0.1:8000", "one that speaks as OpenAI's does"),
        ("kowalski servers add rack http://127.0.0.1:52416 --kind exo", "an exo cluster"),
        ("kowalski servers remove mini", "forget one"),
        ("kowalski servers remove rack", "and another"),
        ("kowalski servers scan 127.0.0.2 --yes", "who serves models in a network of yours"),
    )


def perform(arguments: Namespace) -> int:
    """List servers, add one, forget one, or look for some."""
    if arguments.action == "scan":
        # It needs what asks servers, and no other command does.
        from kowalski_cli.models.server_scan import scan_servers

        _check_alone(arguments, named=False)
        scan_servers(
            arguments.name, consents=arguments.yes, adds=arguments.add, as_json=arguments.json
        )
        return exit_codes.OK
    if arguments.yes or arguments.add:
        raise InvalidRequest("--yes and --add belong to: kowalski servers scan")
    if arguments.action == "list":
        _check_alone(arguments, named=arguments.name is not None)
        _list(talk(_ask_servers), as_json=arguments.json)
        return exit_codes.OK
    if arguments.name is None:
        raise InvalidRequest("Which server? `kowalski servers` lists them.")
    if arguments.action == "add":
        _add(arguments)
    else:
        _check_alone(arguments, named=False)
        talk(lambda engine: engine.remove_server(arguments.name))
        text = f"The server {arguments.name} is forgotten."
        _say({"removed": arguments.name}, text, as_json=arguments.json)
    return exit_codes.OK


def _check_alone(arguments: Namespace, *, named: bool) -> None:
    if named or arguments.url or arguments.key_env or arguments.key:
        raise InvalidRequest(
            "Only `add` takes more: kowalski servers add NAME URL. The list takes no name."
        )


def _add(arguments: Namespace) -> None:
    if not arguments.url:
        raise InvalidRequest(
            f"Where is it? For example: kowalski servers add {arguments.name} http://127.0.0.1:8000"
        )
    entry = ServerEntry(
        name=arguments.name,
        kind=cast("ServerKind", arguments.kind),
        urls=tuple(arguments.url),
        key_from=arguments.key_env,
    )
    if arguments.key and arguments.key_env:
        raise InvalidRequest("Either --key, or --key-env with a variable: not both.")
    key = _typed_key(entry.name) if arguments.key else None
    server = talk(lambda engine: engine.add_server(entry, key))
    models = ", ".join(one_line(model.name) for model in server.models) or "no models"
    text = f"The server {server.name} is known from now on."
    _say(server, text if server.problem else f"{text} It has {models}.", as_json=arguments.json)
    if server.key_from == "file":
        note(
            f"Its key is in {Places.find().keys_file}, which only you may read: this system has no "
            "keyring, or kowalski-rlm[keyring] is not installed."
        )
    if server.key_from is not None and any(map(_in_the_clear, entry.urls)):
        note(
            "Its key travels unencrypted, and whoever listens in the networks between can read "
            "it. If it speaks TLS, write https:// in its URL."
        )
    if server.problem:
        note(f"It is not asked now: {one_line(server.problem)}")


def _in_the_clear(url: str) -> bool:
    """Whether what is sent there leaves this computer, and anybody on the way could read it."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")


def _typed_key(name: str) -> str:
    """The key as a person types it, unseen, or as a line of stdin has it."""
    if sys.stdin.isatty():
        # Only here, where somebody waits for it.
        from getpass import getpass

        return getpass(f"The key of {one_line(name)}: ")
    return sys.stdin.readline()


async def _ask_servers(engine: Engine) -> tuple[ServerInfo, ...]:
    return await engine.servers()


def _list(servers: tuple[ServerInfo, ...], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json_text(servers))
        return
    screen = Screen()
    if not servers:
        screen.line(
            "No server is known, and none was found on this host.\n"
            "For example: kowalski servers add studio http://studio.local:1234\n"
            "`kowalski doctor` tells how to start one."
        )
        return
    style = screen.style
    columns = (
        Column("server", paint=style.bold),
        Column("kind"),
        Column("address", flexible=True),
        Column("from"),
        Column("slots", right=True),
        Column("models", flexible=True),
        Column("problem", flexible=True, paint=style.bad),
    )
    screen.lines(table(columns, [_row(server) for server in servers], style, screen.width))


def _row(server: ServerInfo) -> tuple[str, ...]:
    busy = f"{server.busy} of {server.slots} busy" if server.slots else ""
    return (
        one_line(server.name),
        server.kind,
        one_line(", ".join(server.urls)),
        server.source,
        busy,
        one_line(", ".join(model.name for model in server.models)),
        one_line(server.problem or ""),
    )


def _say(value: object, text: str, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json_text(value))
    else:
        Screen().line(text)
