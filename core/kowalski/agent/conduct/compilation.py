"""The compiled form of a run's code: what is kept of it, and what is kept for others."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from kowalski.errors import KowalskiError
from kowalski.execution.build import Build
from kowalski.model.json_form import to_json

if TYPE_CHECKING:
    from kowalski.agent.conduct.admission import Admitted
    from kowalski.agent.store.compiled import Compiled
    from kowalski.execution.build import Kept
    from kowalski.execution.kernel import Outcome
    from kowalski.execution.sandbox.sandbox import Sandbox
    from kowalski.model.run import RunRequest

_FORM: Final = 2
_OF_CODE: Final = re.compile(r"E\d{4}")
"""The errors that the compiler has a number for: none is about a file that is not there, but:"""
_MISSING_FILE: Final = "E0583"
_LOG: Final = logging.getLogger(__name__)


class Compilation:
    """One run's code, and what the agent keeps for it.

    The key is the agent's own: no sandbox says for which code a program is. It holds all that a
    program depends on but the files that it includes, and what the code may do as well, so that no
    folder's code has a part in what another folder's code is taken to be.
    """

    def __init__(self, compiled: Compiled, admitted: Admitted, request: RunRequest) -> None:
        self._compiled = compiled
        self._key = _key(admitted, request)
        self._release = request.release
        self._network = admitted.spec.rights.network

    def kept(self) -> Kept | None:
        """The program that is kept for this code."""
        return self._compiled.find(self._key)

    def build(self, kept: Kept | None, *, clean: bool, only: bool = False) -> Build:
        """How the kernel is to compile it. `clean`: nothing has run in its sandbox before."""
        return Build(release=self._release, kept=kept, tell=clean, only=only, network=self._network)

    async def keep(self, outcome: Outcome) -> None:
        """Keep what a run in a clean sandbox compiled, if it did, and if it may be kept."""
        built = outcome.built
        if built is None or not built.binary or not built.lasts:
            return
        try:
            await anyio.to_thread.run_sync(
                self._compiled.put, self._key, built, outcome.diagnostics
            )
        except (KowalskiError, OSError) as error:
            # The run itself went as it did; the next one compiles anew.
            _LOG.warning("A compiled program could not be kept: %s", error)

    async def is_wrong(self, outcome: Outcome, session: Sandbox) -> bool:
        """Whether code that did not compile apart would not do so in a session either.

        That is so where the compiler has seen the same files, and missed none.
        """
        types = [one.type for one in outcome.diagnostics if one.severity == "error"]
        sure = all(_OF_CODE.fullmatch(type_) and type_ != _MISSING_FILE for type_ in types)
        return bool(types) and sure and not await session.changes()

    async def lent(self, outcome: Outcome, session: Sandbox) -> Kept | None:
        """What was compiled apart for this run in a session alone, if it would be the same there.

        What it depends on is not known, so a session that has changed files compiles it itself.
        """
        built = outcome.built
        if built is None or not built.binary or built.lasts or await session.changes():
            return None
        try:
            return await anyio.to_thread.run_sync(self._compiled.lend, built, outcome.diagnostics)
        except (KowalskiError, OSError) as error:
            _LOG.warning("A compiled program could not be handed on: %s", error)
            return None


def _key(admitted: Admitted, request: RunRequest) -> str:
    workspace = admitted.spec.workspace
    parts = [
        _FORM,
        admitted.language.name,
        admitted.interpreter.path,
        admitted.interpreter.identity,
        request.release,
        workspace.root if workspace else None,
        admitted.program.cwd,
        to_json(admitted.spec.rights),
        request.code,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
