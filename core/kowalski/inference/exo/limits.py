"""How long an exo cluster may take, and how much is asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from kowalski.inference.completions.deadlines import Deadlines


@dataclass(frozen=True, slots=True, kw_only=True)
class ExoLimits:
    """Seconds, unless the name says otherwise.

    Attributes:
        request_s: for one small question to one node, its connection included.
        answer_s: how long a look waits for nodes that are slow, if another answers.
        stale_s: a node that the cluster has not heard of for longer is not alive.
        identity_s: how long a node that said who it is is believed without asking again.
        silence_s: how long after its last word a node that is slow to say it still counts.
        quiet_s: how long a stream may make no progress before the cluster's state is looked at.
        poll_s: between two looks while something is waited for.
        cancel_s: for telling the cluster that an answer is not wanted any more.
        materialise_s: until an instance that was asked for exists.
        stall_s: how long a model's loading may make no progress.
        withdraw_s: for taking away an instance that is not wanted any more, or about to appear.
        mending_s: for deleting a suspect instance and asking for another.
        repairs: how many instances are placed again ...
        repairs_within_s: ... in this time.
        slots_per_instance: calls that an instance takes at once.
        calls: the deadlines of each call.
    """

    request_s: float = 3.0
    answer_s: float = 1.0
    stale_s: float = 12.0
    identity_s: float = 5.0
    silence_s: float = 8.0
    quiet_s: float = 2.0
    poll_s: float = 2.0
    cancel_s: float = 2.0
    materialise_s: float = 30.0
    stall_s: float = 180.0
    withdraw_s: float = 5.0
    mending_s: float = 5.0
    repairs: int = 3
    repairs_within_s: float = 600.0
    slots_per_instance: int = 8
    calls: Deadlines = field(default_factory=Deadlines)
