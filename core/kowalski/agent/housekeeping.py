"""What the agent does when nobody asks: it lets go of what is old or unused."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel
import anyio.to_thread

from kowalski.agent.store import run_table
from kowalski.errors import StorageUnavailable
from kowalski.settings.model import MB

if TYPE_CHECKING:
    from kowalski.agent.conduct.sessions import Sessions
    from kowalski.agent.conduct.unwritten_endings import UnwrittenEndings
    from kowalski.agent.store.blobs import Blobs
    from kowalski.agent.store.compiled import Compiled
    from kowalski.agent.store.journal import Journal
    from kowalski.execution.pool import Pool
    from kowalski.settings.model import StorageSettings

_LOG: Final = logging.getLogger(__name__)
_ROUND_S: Final = 15.0
_STORAGE_ROUNDS: Final = 240
_DAY_S: Final = 86400.0
_EVENTS_AT_ONCE: Final = 50


async def keep_house(
    pool: Pool,
    sessions: Sessions,
    endings: UnwrittenEndings,
    journal: Journal,
    blobs: Blobs,
    compiled: Compiled,
    storage: StorageSettings,
) -> None:
    """Go round until cancelled: what is live every 15 s, the disk every hour."""
    rounds = 0
    while True:
        if rounds % _STORAGE_ROUNDS == 0:
            try:
                await expire_storage(journal, blobs, storage)
                expire_compiled = partial(compiled.expire, storage.output_days * _DAY_S)
                await anyio.to_thread.run_sync(expire_compiled)
            except (StorageUnavailable, OSError) as error:
                _LOG.warning("What is old was not let go of: %s", error)
        rounds += 1
        await anyio.sleep(_ROUND_S)
        await pool.expire()
        await sessions.expire()
        endings.settle()


async def expire_storage(journal: Journal, blobs: Blobs, storage: StorageSettings) -> None:
    """Forget runs, outputs and blobs by age and by total size."""
    age_s = storage.output_days * _DAY_S
    find = partial(
        run_table.expired,
        before=time.time() - age_s,
        keep_bytes=storage.output_total_mb * MB,
    )
    for run_id in await journal.read(find):
        forget = partial(run_table.forget, run_id=run_id, most_events=_EVENTS_AT_ONCE)
        while not journal.write(forget):
            await anyio.lowlevel.checkpoint()
    expire_blobs = partial(
        blobs.expire, max_age_s=age_s, max_total_bytes=storage.blobs_total_mb * MB
    )
    await anyio.to_thread.run_sync(expire_blobs)
