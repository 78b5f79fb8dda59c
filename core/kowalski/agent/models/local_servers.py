"""Servers of language models on this host, found at the ports that they have by default."""

from __future__ import annotations

import socket
from typing import Final

from kowalski.model.server import ServerEntry

USUAL: Final = (
    ServerEntry(name="exo", kind="exo", urls=("http://127.0.0.1:52415",)),
    ServerEntry(name="ollama", kind="openai", urls=("http://127.0.0.1:11434",)),
    ServerEntry(name="lm-studio", kind="openai", urls=("http://127.0.0.1:1234",)),
    ServerEntry(name="llama.cpp", kind="openai", urls=("http://127.0.0.1:8080",)),
)
"""What people run, where it listens unless they say otherwise."""


def listening(entry: ServerEntry) -> bool:
    """Whether anything listens at the address of a server on this host. Takes no time there."""
    address = entry.urls[0].rpartition("//")[2]
    host, _, port = address.partition(":")
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((host, int(port))) == 0
