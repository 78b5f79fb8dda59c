"""Looking for servers of language models in this network, for `kowalski servers scan`."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from kowalski.errors import InvalidRequest
from kowalski.inference.completions.endpoint import canonical_url
from kowalski.inference.scan.scan import PORTS, Scan
from kowalski.inference.scan.subnet import network_named, own_addresses, own_networks
from kowalski_cli.screen.event_lines import json_text
from kowalski_cli.screen.live_screen import LiveScreen
from kowalski_cli.screen.progress import Progress
from kowalski_cli.screen.screen import Screen, to_stderr
from kowalski_cli.screen.table import Column, table
from kowalski_cli.screen.terminal_text import one_line
from kowalski_cli.talk import talk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network

    from kowalski.engine import Engine
    from kowalski.inference.scan.scan import FoundServer
    from kowalski.model.server import ServerInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A server that was found. `known_as` is its name where it was known already."""

    name: str
    kind: str
    urls: tuple[str, ...]
    models: tuple[str, ...]
    known_as: str | None
    added: bool = False


def scan_servers(network: str | None, *, consents: bool, adds: bool, as_json: bool) -> None:
    """Ask the computers of a network, this one's by default, and list who serves models.

    Raises:
        InvalidRequest: the network cannot be asked, or nobody agreed to it.
    """
    networks = (network_named(network),) if network is not None else own_networks()
    if not networks:
        raise InvalidRequest(
            "This computer is in no private network that could be looked through. Name one: "
            "kowalski servers scan 192.168.1.0/24"
        )
    if not consents:
        _ask_consent(networks)

    async def look(engine: Engine) -> tuple[Finding, ...]:
        found = await _look(networks, quiet=as_json)
        known = _known_urls(await engine.servers())
        return tuple([await _taken(engine, one, known, adds=adds) for one in found])

    findings = talk(look)
    if as_json:
        sys.stdout.write(json_text(findings))
    else:
        _show(findings, networks)


def _ask_consent(networks: Sequence[IPv4Network]) -> None:
    count = sum(network.num_addresses for network in networks)
    where = ", ".join(map(str, networks))
    ports = ", ".join(map(str, PORTS))
    if not sys.stdin.isatty():
        raise InvalidRequest(
            f"This would ask {count} addresses in {where}, and nobody is here to agree. With your "
            "consent: kowalski servers scan --yes"
        )
    to_stderr(
        f"This asks each of the {count} addresses in {where}, at the ports {ports},\n"
        "whether it serves language models. Do that only in a network of your own.\n"
        "Go on? [y/N] "
    )
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise InvalidRequest("Nothing was asked of anybody.")


async def _look(networks: tuple[IPv4Network, ...], *, quiet: bool) -> tuple[FoundServer, ...]:
    scan = Scan(networks)
    if quiet:
        return await scan.run()
    async with anyio.create_task_group() as tasks:
        progress = Progress(LiveScreen(Screen()), tasks)
        progress.begin(lambda: f"asked {scan.asked} of {scan.total} addresses")
        found = await scan.run()
        await progress.end()
    return found


def _known_urls(servers: Sequence[ServerInfo]) -> dict[str, str]:
    """By canonical URL the name of each server; one on this host is known by all of its
    addresses."""
    known = {}
    here = [str(address.ip) for address in own_addresses()]
    for server in servers:
        for url in map(canonical_url, server.urls):
            known[url] = server.name
            if "//localhost:" in url:
                known |= {url.replace("localhost", address): server.name for address in here}
    return known


async def _taken(
    engine: Engine, found: FoundServer, known: dict[str, str], *, adds: bool
) -> Finding:
    entry = found.entry
    name = next((known[url] for url in map(canonical_url, entry.urls) if url in known), None)
    if adds and name is None:
        await engine.add_server(entry)
    return Finding(
        name=entry.name,
        kind=entry.kind,
        urls=entry.urls,
        models=found.models,
        known_as=name,
        added=adds and name is None,
    )


def _show(findings: Sequence[Finding], networks: Sequence[IPv4Network]) -> None:
    screen = Screen()
    style = screen.style
    if not findings:
        screen.line(
            f"No server of language models answered in {', '.join(map(str, networks))}.\n"
            "Many listen to their own computer alone until they are told otherwise: for Ollama set "
            "OLLAMA_HOST=0.0.0.0,\nfor llama.cpp use --host 0.0.0.0, in LM Studio serve on the "
            "local network."
        )
        return
    columns = (
        Column("server", paint=style.bold),
        Column("address", flexible=True),
        Column("models", flexible=True),
        Column(""),
    )
    screen.lines(table(columns, [_row(one) for one in findings], style, screen.width))
    new = [one for one in findings if one.known_as is None and not one.added]
    if new:
        screen.line(f"\nTo use {'it' if len(new) == 1 else 'one of them'} from now on:")
    for one in new:
        kind = " --kind exo" if one.kind == "exo" else ""
        screen.line(f"  kowalski servers add {shlex.join((one.name, *one.urls))}{kind}")


def _row(one: Finding) -> tuple[str, ...]:
    state = "added" if one.added else f"known as {one.known_as}" if one.known_as else "new"
    models = ", ".join(map(one_line, one.models)) or "none"
    return one.name, one_line(", ".join(one.urls)), models, state
