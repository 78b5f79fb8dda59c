"""The agent's process: `python -m kowalski.agent READY_FD`, started by the first face."""

from __future__ import annotations

import logging
import logging.handlers
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.agent.agent import Agent
from kowalski.agent.home.places import Places
from kowalski.agent.lock import sole_owner
from kowalski.agent.service.server import Server
from kowalski.errors import KowalskiError
from kowalski.execution.sandbox.open_files import allow_enough
from kowalski.settings.loading import load

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_PATIENCE_S: Final = 10.0
_LOG_BYTES: Final = 1_000_000


def main() -> None:
    """Serve until idle or told to stop. Tells the face that waits at `READY_FD` how it went."""
    # Whatever folder the first face stood in must not be held.
    os.chdir("/")
    allow_enough()
    ready_fd = int(sys.argv[1]) if len(sys.argv) > 1 else os.open(os.devnull, os.O_WRONLY)
    try:
        places = Places.find()
        places.create()
        with sole_owner(places, _PATIENCE_S):
            _log_to(places)
            _run(places, ready_fd)
    except KowalskiError as error:
        _tell(ready_fd, f"{error.code}\n{error.user_message}")
        sys.exit(1)


def _run(places: Places, ready_fd: int) -> None:
    try:
        anyio.run(_serve, places, ready_fd)
    except KowalskiError:
        raise
    except Exception:
        # Nobody reads what the agent writes to its stderr.
        logging.getLogger(__name__).exception("The agent failed")
        raise


async def _serve(places: Places, ready_fd: int) -> None:
    settings = load(path=places.settings_file)
    async with Agent(places, settings) as agent, anyio.create_task_group() as tasks:
        ready = anyio.Event()
        tasks.start_soon(_until_signalled, agent)
        tasks.start_soon(_until_idle, agent)
        tasks.start_soon(_until_stopped, agent, tasks)
        tasks.start_soon(partial(Server(agent).serve, ready=ready))
        await ready.wait()
        _tell(ready_fd, "ready")


async def _until_signalled(agent: Agent) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            agent.stopping.set()


async def _until_idle(agent: Agent) -> None:
    await agent.wait_idle()
    agent.stopping.set()


async def _until_stopped(agent: Agent, tasks: TaskGroup) -> None:
    await agent.stopping.wait()
    tasks.cancel_scope.cancel()


def _log_to(places: Places) -> None:
    places.log_file.touch(mode=0o600)
    log = logging.handlers.RotatingFileHandler(
        places.log_file, maxBytes=_LOG_BYTES, backupCount=1, delay=True
    )
    log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[log])
    logging.getLogger("kowalski").setLevel(logging.INFO)


def _tell(ready_fd: int, message: str) -> None:
    try:
        os.write(ready_fd, message.encode()[:4096])
    except BrokenPipeError:
        # The face that started it has gone already; another one will come.
        return
    finally:
        os.close(ready_fd)


if __name__ == "__main__":
    main()
