"""A task of the cluster's. What it was asked holds users' prompts, and is never read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from kowalski.inference.exo.fields import identifier, member, members, tagged, text

_GENERATION: Final = "TextGeneration"
_OPEN: Final = ("Pending", "Running")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """An answer in the making. `command` is the id of the completion, for whoever asked for it."""

    id: str
    status: str
    instance: str
    command: str

    @property
    def open(self) -> bool:
        """Whether it is not over."""
        return self.status in _OPEN


def read_tasks(value: Any) -> tuple[Task, ...]:
    """The answers in the making, or made, in the JSON of `/state/tasks`."""
    tasks = []
    for task_id, entry in members(value).items():
        found = tagged(entry)
        if found is None or found[0] != _GENERATION:
            continue
        held = found[1]
        tasks.append(
            Task(
                id=task_id,
                status=text(member(held, "taskStatus"), 40),
                instance=identifier(member(held, "instanceId")),
                command=identifier(member(held, "commandId")),
            )
        )
    return tuple(tasks)
