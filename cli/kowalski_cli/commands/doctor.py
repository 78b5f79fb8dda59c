"""`kowalski doctor`: what works on this device, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from kowalski import __version__
from kowalski.agent.home.places import Places
from kowalski.errors import KowalskiError, LanguageUnavailable
from kowalski.execution.languages.catalogue import BY_NAME
from kowalski.execution.sandbox.probe import report
from kowalski.model.device import LanguageSupport
from kowalski.model.run import Toolchain
from kowalski_cli import exit_codes
from kowalski_cli.arguments import with_examples, with_json
from kowalski_cli.languages import language_lines
from kowalski_cli.models.server_lines import server_lines
from kowalski_cli.screen.event_lines import json_text
from kowalski_cli.screen.fields import fields
from kowalski_cli.screen.quantity import duration
from kowalski_cli.screen.screen import Screen
from kowalski_cli.screen.terminal_text import one_line
from kowalski_cli.talk import talk

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from kowalski.engine import Engine
    from kowalski.execution.sandbox.probe import ProbeResult
    from kowalski.model.device import Device
    from kowalski.model.record import AgentStatus
    from kowalski.model.server import ServerInfo
    from kowalski_cli.screen.style import Style


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was found. `problem` says why no agent can be had, and is empty if one can.

    `servers_problem` says the same of servers of language models.
    """

    ready: bool
    version: str
    python: str
    system: str
    sandboxes: tuple[ProbeResult, ...]
    languages: tuple[LanguageSupport, ...]
    sandbox: str
    agent: AgentStatus | None
    problem: str
    servers: tuple[ServerInfo, ...]
    servers_problem: str
    files: dict[str, str]


def declare(parser: ArgumentParser) -> None:
    """Say which arguments there are."""
    with_json(parser)
    with_examples(
        parser,
        ("kowalski doctor", "check everything; the exit code is 1 if nothing can run"),
        ("kowalski doctor --json", "the same for programs"),
    )


def perform(arguments: Namespace) -> int:
    """Check everything and tell."""
    diagnosis = _diagnosed()
    if arguments.json:
        sys.stdout.write(json_text(diagnosis))
    else:
        screen = Screen()
        screen.lines(_told(diagnosis, screen.style))
    return exit_codes.OK if diagnosis.ready else exit_codes.FAILED


def _diagnosed() -> Diagnosis:
    sandboxes = anyio.run(report)
    device, agent, problem = None, None, ""
    servers: tuple[ServerInfo, ...] = ()
    servers_problem = ""
    try:
        device, agent = talk(_ask)
    except KowalskiError as error:
        problem = error.user_message
    else:
        servers, servers_problem = _servers()
    languages = device.languages if device else tuple(_located())
    return Diagnosis(
        ready=device is not None and any(one.available for one in languages),
        version=__version__,
        python=f"{platform.python_version()} ({sys.executable})",
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        sandboxes=sandboxes,
        languages=languages,
        sandbox=f"{device.sandbox} ({device.sandbox_mechanism})" if device else "",
        agent=agent,
        problem=problem,
        servers=servers,
        servers_problem=servers_problem,
        files=_files(),
    )


async def _ask(engine: Engine) -> tuple[Device, AgentStatus]:
    device, *_ = await engine.devices()
    return device, await engine.agent_status()


def _servers() -> tuple[tuple[ServerInfo, ...], str]:
    """The servers, or why there are none; code runs without them."""
    try:
        return talk(_ask_servers), ""
    except KowalskiError as error:
        return (), error.user_message


async def _ask_servers(engine: Engine) -> tuple[ServerInfo, ...]:
    return await engine.servers()


def _located() -> list[LanguageSupport]:
    """The languages as they are found, without an agent that could try them."""
    toolchain = Toolchain(os.environ.get("PATH"), os.environ.get("VIRTUAL_ENV"))
    found = []
    for name, language in BY_NAME.items():
        try:
            path = language.locate(toolchain, None).path
        except LanguageUnavailable as error:
            problem = error.user_message
            found.append(LanguageSupport(language=name, available=False, problem=problem))
        else:
            found.append(LanguageSupport(language=name, available=True, interpreter=path))
    return found


def _files() -> dict[str, str]:
    places = Places.find()
    return {
        "settings": str(places.settings_file),
        "grants": str(places.grants_file),
        "journal": str(places.journal_file),
        "log": str(places.log_file),
        "socket": str(places.socket),
    }


def _told(found: Diagnosis, style: Style) -> list[str]:
    facts = [("kowalski", found.version), ("python", found.python), ("system", found.system)]
    lines = [*fields(facts, style), "", style.bold("sandbox")]
    strongest = max((probe.level for probe in found.sandboxes if probe.works), default="")
    for probe in found.sandboxes:
        lines += _probe_lines(probe, style, needed=probe.level > strongest)
    lines += ["", style.bold("languages"), *language_lines(found.languages, style, indent="  ")]
    lines += ["", style.bold("agent"), f"  {_agent_line(found, style)}"]
    lines += ["", style.bold("language models"), *_server_lines(found, style)]
    lines += ["", style.bold("files"), *fields(list(found.files.items()), style, indent="  ")]
    return [*lines, "", _verdict(found, style)]


def _probe_lines(probe: ProbeResult, style: Style, *, needed: bool) -> list[str]:
    if probe.works:
        held = "held against every attempt to get out"
        return [f"  {style.good(style.sign('ok'))} {probe.level} {probe.mechanism}  {held}"]
    if not needed:
        # One as strong works: this is good to know, and nothing to do about.
        sign = style.sign("skipped")
        return [style.dim(f"  {sign} {probe.level} {probe.mechanism}  {one_line(probe.problem)}")]
    sign = style.bad(style.sign("failed"))
    lines = [f"  {sign} {probe.level} {probe.mechanism}  {one_line(probe.problem)}"]
    return [*lines, f"    {style.name('help:')} {probe.remedy}"] if probe.remedy else lines


def _agent_line(found: Diagnosis, style: Style) -> str:
    if found.agent is None:
        return f"{style.bad(style.sign('failed'))} {found.problem}"
    up = duration(found.agent.uptime_s)
    return f"{style.good(style.sign('ok'))} process {found.agent.pid}, up {up}"


def _server_lines(found: Diagnosis, style: Style) -> list[str]:
    if found.servers_problem:
        return [f"  {style.bad(style.sign('failed'))} {one_line(found.servers_problem)}"]
    return server_lines(found.servers, style, indent="  ")


def _verdict(found: Diagnosis, style: Style) -> str:
    if not found.ready:
        return style.bad(f"{style.sign('failed')} Nothing can run yet: see above.")
    names = [one.language for one in found.languages if one.available]
    told = ", ".join(names[:-1]) + (" and " if names[:-1] else "") + names[-1]
    run = "run" if names[:-1] else "runs"
    return style.good(f"{style.sign('ok')} Ready: {told} {run} in sandbox {found.sandbox}.")
