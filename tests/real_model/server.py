"""A running server of the model."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import httpx2

from real_model.engine import CONTEXT_TOKENS, ENGINES, MODEL, SLOTS
from real_model.model_file import model_file
from real_model.packages import CannotInstall, installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from real_model.engine import Engine

_KEEPER: Final = Path(__file__).with_name("keeper.py")
_START_S: Final = 120.0
_ANSWER_S: Final = 120.0
_DYING_S: Final = 2.0
_END_S: Final = 30.0
_LOG_LINES: Final = 5


class NoRealModel(Exception):
    """No engine serves the model on this machine; says for each one why."""


class _Unusable(Exception):
    """An engine is there and does not answer, with the reason."""


@dataclass(frozen=True, slots=True)
class RealServer:
    """A server that has answered.

    Attributes:
        url: without the API's version.
        engine: the package that it is of.
        model: what it calls its only model.
        slots: how many calls it answers at once; others wait.
        context_tokens: what each of them can read and write together.
    """

    url: str
    engine: str
    model: str = MODEL
    slots: int = SLOTS
    context_tokens: int = CONTEXT_TOKENS


@contextmanager
def real_server(engines: Sequence[Engine] = ENGINES) -> Iterator[RealServer]:
    """A server by the first of `engines` that works here, for the length of the block. It ends
    with this process too.

    Raises:
        NoRealModel: none of them works.
    """
    try:
        model = model_file()
    except CannotInstall as error:
        raise NoRealModel(
            f"The real model cannot be had: {error}. Try again with a network."
        ) from error
    reasons: list[str] = []
    for engine in engines:
        with TemporaryDirectory(prefix="kowalski-model-") as folder:
            log = Path(folder) / "log"
            try:
                command = engine.command(installed(engine.package), model)
            except CannotInstall as error:
                reasons.append(f"{engine.package}: {error}")
                continue
            with _kept(command, log) as keeper:
                try:
                    url = _url(keeper)
                    _ask(url, keeper)
                except _Unusable as error:
                    reasons.append(f"{engine.package}: {error}.{_last_words(log)}")
                    continue
                yield RealServer(url, engine.package)
                return
    tried = "\n".join(f"- {reason}" for reason in reasons)
    raise NoRealModel(
        "No engine serves the real model on this machine. Mend one, or add another: see "
        f"CONTRIBUTING.md. Tried:\n{tried}"
    )


@contextmanager
def _kept(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-S", str(_KEEPER), str(log), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as keeper:
        assert keeper.stdin is not None
        try:
            yield keeper
        finally:
            keeper.stdin.close()
            try:
                keeper.wait(_END_S)
            except subprocess.TimeoutExpired:
                # Stopped by somebody; killing ends even that.
                os.killpg(keeper.pid, signal.SIGKILL)


def _url(keeper: subprocess.Popen[bytes]) -> str:
    """Where it listens, once it does. Raises `_Unusable` if it ends or takes too long."""
    assert keeper.stdout is not None
    readable, _, _ = select.select([keeper.stdout], [], [], _START_S)
    if not readable:
        raise _Unusable(f"it was not ready within {_START_S:g} s")
    if line := keeper.stdout.readline():
        return line.decode().strip()
    raise _Unusable(_ending(keeper))


def _ask(url: str, keeper: subprocess.Popen[bytes]) -> None:
    """Have it compute something: programs for other processors begin well and end here."""
    question = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    try:
        answer = httpx2.post(
            f"{url}/v1/chat/completions", json=question, timeout=_ANSWER_S, trust_env=False
        )
        counted = answer.raise_for_status().json()["usage"]["completion_tokens"]
    except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
        # It died, refused, or answered with something else.
        raise _Unusable(f"asked something, {_ending(keeper)} ({error!r})") from error
    if not counted:
        raise _Unusable("asked something, it said nothing")


def _ending(keeper: subprocess.Popen[bytes]) -> str:
    """How it ended, or that it did not."""
    try:
        code = keeper.wait(_DYING_S)
    except subprocess.TimeoutExpired:
        return "it lives and does not serve"
    if 0 < code - 128 < signal.NSIG:
        return f"it ended by {signal.Signals(code - 128).name}"
    return f"it ended with status {code}"


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return ""
    return "".join(f"\n    {line}" for line in lines[-_LOG_LINES:])
