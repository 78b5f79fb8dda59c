"""A runner: the process that holds one node's part of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from kowalski.inference.exo.fields import member, members, number, tagged, text

_PREFIX: Final = "Runner"
_SERVING: Final = ("Ready", "Running")
_LOADED: Final = ("Loaded", "WarmingUp", *_SERVING)
_ENDING: Final = ("Failed", "ShuttingDown", "Shutdown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """One runner as a node's state has it.

    Attributes:
        state: exo's name for it without `Runner`; one that is not known here is kept.
        loaded: the part of its layers that is in memory, 0 to 1.
        message: why it failed, shortened.
    """

    id: str
    state: str
    loaded: float = 0.0
    message: str = ""

    @property
    def serves(self) -> bool:
        """Whether it takes requests."""
        return self.state in _SERVING

    @property
    def failed(self) -> bool:
        """Whether it will never serve again."""
        return self.state in _ENDING


def read_runners(value: Any) -> dict[str, Runner]:
    """The runners in the JSON of `/state/runners`, those of instances long gone included."""
    runners = {}
    for runner_id, entry in members(value).items():
        if (found := tagged(entry)) is not None:
            runners[runner_id] = _runner(runner_id, *found)
    return runners


def _runner(runner_id: str, tag: str, held: Any) -> Runner:
    state = tag.removeprefix(_PREFIX)
    loaded = 1.0 if state in _LOADED else 0.0
    layers = number(member(held, "layersLoaded"))
    total = number(member(held, "totalLayers"))
    if state == "Loading" and layers is not None and total:
        loaded = min(1.0, layers / total)
    return Runner(
        id=runner_id, state=state, loaded=loaded, message=text(member(held, "errorMessage"))
    )
