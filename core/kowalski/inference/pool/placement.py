"""Where work goes: a score per candidate, higher is better, with the parts that made it.

Latencies `l` are in milliseconds; `m` is the free part of a memory, 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceScore:
    """Why a server was, or would be, chosen for a prompt.

    Attributes:
        server: its name.
        score: higher is better.
        first_token_ms: what its first token is expected to take when nothing else runs there.
        busy: calls that it is at.
        waiting: calls that wait and could go there.
        slots: calls that it takes at once.
        expected_ms: the first token's, the calls before it counted.
        eligible: whether it may be asked now.
        note: why it may not.
    """

    server: str
    score: float
    first_token_ms: float
    busy: int
    waiting: int
    slots: int
    expected_ms: float
    eligible: bool = True
    note: str = ""


def expected_ms(first_token_ms: float, busy: int, waiting: int, slots: int) -> float:
    """The latency to expect of a server, its load counted: twice as long when it is full."""
    return first_token_ms * (1 + (busy + waiting) / max(1, slots))


def inference(latency_ms: float) -> float:
    """The score for a prompt: `1 / (1 + l/10)`."""
    return 1 / (1 + latency_ms / 10)


def code_execution(free_memory: float, latency_ms: float) -> float:
    """The score for running code: `0.4 m + 0.6 / (1 + l/50)`."""
    return 0.4 * free_memory + 0.6 / (1 + latency_ms / 50)


def context_compression(latency_ms: float) -> float:
    """The score for folding a context: `1 / (1 + l/5)`."""
    return 1 / (1 + latency_ms / 5)


def model_loading(free_memory: float) -> float:
    """The score for loading a model: `m`."""
    return free_memory
