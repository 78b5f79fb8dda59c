"""Taking a model out of a cluster's memory, not from under those who use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kowalski.errors import Busy, InvalidRequest, ModelUnavailable
from kowalski.inference.exo.node_api import MAX_LONG_BYTES
from kowalski.inference.exo.task import read_tasks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski.inference.exo.node_api import NodeApi
    from kowalski.inference.exo.standing import Standing
    from kowalski.inference.exo.view import View

_SHORTEST: Final = 4


def named(view: View, name: str) -> tuple[Standing, ...]:
    """The instances of the model `name`; else the one whose id begins so.

    Raises:
        InvalidRequest: several ids begin so.
    """
    found = view.of_model(name)
    if not found and len(name) >= _SHORTEST:
        found = tuple(s for key, s in view.standings.items() if key.startswith(name))
        if len(found) > 1:
            raise InvalidRequest(f"Several instances begin with {name!r}. Give more of the id.")
    return found


async def requests_at(api: NodeApi, view: View, standings: Sequence[Standing]) -> int:
    """How many requests these instances are at, which nobody will answer once they have gone.

    Raises:
        ServerUnavailable: the cluster does not tell.
    """
    usable = {standing.instance.id for standing in standings if standing.usable}
    if not usable:
        return 0
    told = await api.get(view.url, "/state/tasks", limit_bytes=MAX_LONG_BYTES)
    return sum(task.open and task.instance in usable for task in read_tasks(told))


def not_loaded(view: View, name: str, server: str) -> ModelUnavailable:
    """The error for a model that is not there."""
    held = sorted({standing.instance.model for standing in view.standings.values()})
    return ModelUnavailable(
        f"{server} has no instance {name!r}, and none of a model of that name. It has: "
        f"{', '.join(held) or 'none'}."
    )


def in_use(name: str, server: str, requests: int) -> Busy:
    """The error for a model that is at requests."""
    them = "1 request" if requests == 1 else f"{requests} requests"
    return Busy(
        f"{server} is at {them} with {name!r}. Nothing was removed. Wait for their end, or have "
        "them fail: --force, or force=True from Python."
    )
