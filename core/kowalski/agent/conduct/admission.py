"""Admission: from what a caller asks for to what the device's owner lets it have."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from kowalski.agent.conduct.request_check import check_request
from kowalski.agent.home.allow_command import allow_command
from kowalski.agent.home.grants import Grants
from kowalski.agent.home.workspace_root import check_root
from kowalski.agent.store.blobs import open_folder
from kowalski.errors import InvalidRequest, LanguageUnavailable, RightsDenied, UnsupportedLanguage
from kowalski.execution.credentials import MOST_ENTRIES, search, unchanged
from kowalski.execution.environment_names import is_forbidden
from kowalski.execution.languages.catalogue import BY_NAME
from kowalski.execution.limits import EffectiveLimits
from kowalski.execution.rights import Rights
from kowalski.execution.sandbox.spec import SandboxSpec
from kowalski.model.language import canonical
from kowalski.settings.model import LEAST_MEMORY_MB, LEAST_PROCESSES, MB

if TYPE_CHECKING:
    from collections.abc import Hashable

    from kowalski.agent.home.places import Places
    from kowalski.execution.languages.language import Interpreter, Language
    from kowalski.execution.sandbox.process import Program
    from kowalski.model.run import Limits, RunRequest, Toolchain, Workspace
    from kowalski.settings.model import LimitSettings, MaximumSettings, Settings

_UNSEARCHED: Final = (
    f"The folder holds more than {MOST_ENTRIES:,} files, and those deepest in it were not searched "
    "for credentials: code can read what lies there. Run it in a smaller folder to be sure."
)
_IN_WORDS: Final = {
    "wall_s": ("time", "s"),
    "cpu_s": ("processor time", "s"),
    "memory_bytes": ("memory", "MB"),
    "processes": ("processes", ""),
    "disk_bytes": ("disk space", "MB"),
    "output_bytes": ("output", "MB"),
}
_LEAST: Final = {"memory_bytes": LEAST_MEMORY_MB * MB, "processes": LEAST_PROCESSES}
_LOOK_AGAIN_S: Final = 5.0
_MANY_FOLDERS: Final = 500


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around code in one folder: its interpreters, and what it must not see.

    `repositories` are what in it belongs to version control. `folders` are those in which both
    were looked for, with the times of their last change.
    `notes` are for whoever runs code there. `admitted` remembers what was decided.
    """

    interpreters: dict[str, Interpreter]
    problems: dict[str, LanguageUnavailable]
    hidden: tuple[str, ...]
    repositories: tuple[str, ...] = ()
    folders: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    admitted: dict[Hashable, Admitted] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request with everything decided.

    `may_write` and `may_connect`: the owner has granted it, whether it was asked for or not.
    """

    language: Language
    interpreter: Interpreter
    program: Program
    spec: SandboxSpec
    limits: EffectiveLimits
    notes: tuple[str, ...] = ()
    may_write: bool = False
    may_connect: bool = False


class Admission:
    """Decides what runs may have. Looks at a folder at most once in five seconds."""

    def __init__(self, settings: Settings, places: Places, python: str) -> None:
        self._settings = settings
        self._places = places
        self._grants = Grants(places)
        self._python = python
        self._real_workspaces: dict[Workspace, tuple[float, Workspace]] = {}
        self._seen: dict[tuple[Toolchain, str | None], tuple[float, Surroundings]] = {}

    def language(self, name: str) -> Language:
        """The language that `name` spells.

        Raises:
            UnsupportedLanguage: none that runs here.
        """
        language = BY_NAME.get(canonical(name) or "")
        if language is None:
            known = ", ".join(BY_NAME)
            raise UnsupportedLanguage(
                f"{name!r} is no language that Kowalski knows. These run: {known}."
            )
        return language

    async def admit(self, request: RunRequest, *, sees_anew: bool = True) -> Admitted:
        """What the request gets, or the reason why it gets nothing.

        `sees_anew`: a sandbox is made or handed out for it, in which nothing may be visible that
        is to be hidden by now.

        Raises:
            UnsupportedLanguage, LanguageUnavailable, RightsDenied, InvalidRequest
        """
        check_request(request)
        language = self.language(request.language)
        workspace = self._real(request.workspace)
        around = await self.surroundings(request.toolchain, workspace, sees_anew=sees_anew)
        interpreter = around.interpreters.get(language.name)
        if interpreter is None:
            raise around.problems[language.name]
        rights = self.rights(workspace, request)
        key = language.name, workspace, rights, request.limits, request.background
        decided = around.admitted.get(key)
        if decided is None:
            limits, notes = self.limits(
                request.limits, compiles=language.compiles, endless=request.background
            )
            program = language.program(interpreter, limits.memory_bytes)
            if workspace is not None:
                program = replace(program, cwd=workspace.cwd)
            spec = self.spec(around, workspace, rights, limits)
            notes = (*notes, *interpreter.notes, *around.notes)
            granted = Rights() if workspace is None else self._grants.for_folder(workspace.root)
            decided = Admitted(
                language,
                interpreter,
                program,
                spec,
                limits,
                notes,
                may_write=granted.write,
                may_connect=granted.network,
            )
            around.admitted[key] = decided
        if request.env:
            env = {**decided.program.env, **request.env}
            return replace(decided, program=replace(decided.program, env=env))
        return decided

    def spec(
        self,
        around: Surroundings,
        workspace: Workspace | None,
        rights: Rights,
        limits: EffectiveLimits,
    ) -> SandboxSpec:
        """The sandbox for code in these surroundings."""
        python = around.interpreters.get("python")
        prefixes = dict.fromkeys(
            prefix
            for interpreter in around.interpreters.values()
            for prefix in interpreter.prefixes
        )
        return SandboxSpec(
            python=python.path if python else self._python,
            toolchains=tuple(prefixes),
            limits=replace(limits, wall_s=0, cpu_s=0, output_bytes=0),
            rights=rights,
            workspace=replace(workspace, cwd="") if workspace else None,
            hidden=around.hidden,
            # In no other sandbox could they be changed.
            held=around.repositories if rights.write else (),
            blobs=str(open_folder(self._places.blobs_dir)),
        )

    async def surroundings(
        self, toolchain: Toolchain, workspace: Workspace | None, *, sees_anew: bool = False
    ) -> Surroundings:
        """What stands around code in this folder, as of a few seconds ago at most.

        `sees_anew`: what is to be hidden is as of now.
        """
        key = toolchain, workspace.root if workspace else None
        now = time.monotonic()
        seen = self._seen.get(key)
        if seen is not None and sees_anew and not await _unchanged(seen[1].folders):
            seen = None
        if seen is None or seen[0] < now - _LOOK_AGAIN_S:
            look = partial(_look, toolchain, key[1])
            seen = now, await anyio.to_thread.run_sync(look)
            self._seen = {k: v for k, v in self._seen.items() if v[0] >= now - _LOOK_AGAIN_S}
            self._seen[key] = seen
        return seen[1]

    def rights(self, workspace: Workspace | None, request: RunRequest) -> Rights:
        """The rights of code in this folder: granted by the owner, lowered by the request.

        Raises:
            RightsDenied: the request needs more; the message has the command that grants it.
        """
        granted = self._grants.for_folder(workspace.root) if workspace else Rights()
        for name in request.env:
            if is_forbidden(name):
                raise RightsDenied(
                    f"The environment variable {name} changes how interpreters start, so no run "
                    "may set it. Set it inside the code, if it is needed there."
                )
        ungranted = sorted(set(request.env) - set(granted.env))
        if ungranted:
            raise _denied(workspace, f"set the variable {ungranted[0]}", env=ungranted)
        wants_write = workspace is not None and workspace.access == "write"
        if wants_write and not granted.write:
            raise _denied(workspace, "change files here", write=True)
        return Rights(
            network=granted.network and request.network,
            write=wants_write,
            read=granted.read,
            env=tuple(sorted(request.env)),
        )

    def limits(
        self, asked: Limits, *, compiles: bool = False, endless: bool = False
    ) -> tuple[EffectiveLimits, tuple[str, ...]]:
        """The limits in force, and a note for each that was cut to its maximum.

        Where none is asked for, code that `compiles` first has twice the time, and what is to be
        `endless` has the most that there is.

        Raises:
            InvalidRequest: a limit that is no positive number, or too low for any interpreter.
        """
        default, maximum = self._settings.limits, self._settings.maxima
        notes: list[str] = []

        def chosen(name: str, unit: int, wanted: float | None) -> float:
            key = name if unit == 1 else name.replace("_bytes", "_mb")
            if wanted is None:
                usual = _number(default, key) * unit
                if endless and name in ("wall_s", "cpu_s"):
                    return max(usual, _number(maximum, key))
                if name != "wall_s" or not compiles:
                    return usual
                return min(2 * usual, max(usual, _number(maximum, key)))
            if not (math.isfinite(wanted) and wanted > 0):
                raise InvalidRequest(f"The limit {name} must be a positive number, not {wanted!r}.")
            least = _LEAST.get(name, 0)
            if wanted < least:
                raise InvalidRequest(
                    f"The limit {name} must be at least {least}: with less, interpreters do not "
                    "even start."
                )
            most = _number(maximum, key) * unit
            if wanted > most:
                notes.append(_cut(name, most))
            return min(wanted, most)

        return EffectiveLimits(
            wall_s=chosen("wall_s", 1, asked.wall_s),
            cpu_s=chosen("cpu_s", 1, asked.cpu_s),
            memory_bytes=int(chosen("memory_bytes", MB, asked.memory_bytes)),
            processes=int(chosen("processes", 1, asked.processes)),
            disk_bytes=int(chosen("disk_bytes", MB, asked.disk_bytes)),
            output_bytes=int(chosen("output_bytes", MB, asked.output_bytes)),
        ), tuple(notes)

    def _real(self, workspace: Workspace | None) -> Workspace | None:
        if workspace is None:
            return None
        now = time.monotonic()
        known = self._real_workspaces
        seen = known.get(workspace)
        if seen is None or seen[0] < now - _LOOK_AGAIN_S:
            root = check_root(workspace.root, self._places)
            seen = now, replace(workspace, root=root, cwd=_within(root, workspace.cwd))
            self._real_workspaces = {
                k: v for k, v in known.items() if v[0] >= now - _LOOK_AGAIN_S
            } | {workspace: seen}
        return seen[1]


def _within(root: str, cwd: str) -> str:
    """A folder of a workspace, relative to its root."""
    real = Path(root, cwd).resolve()
    if not real.is_dir() or not real.is_relative_to(root):
        raise InvalidRequest(f"Code cannot start in {cwd!r}: it is no folder within {root}.")
    relative = str(real.relative_to(root))
    return "" if relative == "." else relative


def _number(section: LimitSettings | MaximumSettings, key: str) -> float:
    value: float = getattr(section, key)
    return value


def _cut(name: str, most: float) -> str:
    what, unit = _IN_WORDS[name]
    amount = most / MB if unit == "MB" else most
    told = f"{amount:g} {unit}".rstrip()
    return f"The limit of {what} was cut to {told}, the most that this device allows."


def _look(toolchain: Toolchain, root: str | None) -> Surroundings:
    interpreters, problems = {}, {}
    for name, language in BY_NAME.items():
        try:
            interpreters[name] = language.locate(toolchain, root)
        except LanguageUnavailable as problem:
            problems[name] = problem
    if root is None:
        return Surroundings(interpreters, problems, ())
    found = search(root)
    return Surroundings(
        interpreters,
        problems,
        hidden=found.hidden,
        repositories=found.repositories,
        folders=found.folders,
        notes=() if found.complete else (_UNSEARCHED,),
    )


async def _unchanged(folders: dict[str, int]) -> bool:
    if len(folders) > _MANY_FOLDERS:
        return await anyio.to_thread.run_sync(unchanged, folders)
    return unchanged(folders)


def _denied(
    workspace: Workspace | None, what: str, *, write: bool = False, env: list[str] | None = None
) -> RightsDenied:
    if workspace is None:
        return RightsDenied(f"Only code in a folder may {what}: name the folder to run in.")
    command = allow_command(workspace.root, Rights(write=write, env=tuple(env or ())))
    return RightsDenied(
        f"The owner of this device has not allowed code in {workspace.root} to {what}. "
        f"The owner can: {command}"
    )
