"""Where work goes: a score per candidate, higher is better, with the parts that made it.

Latencies `l` are in milliseconds; `m` is the free part of a memory, 0 to 1.
"""

from __future__ import annotations


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
