"""What macOS's Seatbelt leaves to a sandbox, in its own language."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from kowalski.execution.sandbox.layout import KERNELS, held_paths, hidden_paths

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kowalski.execution.sandbox.spec import SandboxSpec

_SYSTEM: Final = (
    "/usr", "/bin", "/sbin", "/System", "/Library/Apple", "/Library/Frameworks",
    "/Library/Developer", "/private/var/db/timezone", "/private/var/db/dyld",
)  # fmt: skip
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_NETWORK_FILES: Final = (
    "/private/etc/resolv.conf", "/private/etc/hosts", "/private/etc/services",
    "/private/etc/protocols", "/private/etc/ssl", "/private/var/run/resolv.conf",
)  # fmt: skip
_REPOSITORIES: Final = r"/[.]([gG][iI][tT]|[hH][gG]|[jJ][jJ])(/|$)"
_RESOLVER: Final = "/private/var/run/mDNSResponder"


def profile(spec: SandboxSpec, scratch: str) -> str:
    """The profile of a sandbox whose files are written below `scratch`. The last rule counts."""
    readable = [*_SYSTEM, KERNELS, *spec.toolchains, *spec.rights.read]
    writable = [scratch]
    masked: list[str] = []
    held = held_paths(spec)
    workspace = spec.workspace
    if workspace and workspace.access != "overlay":
        (writable if workspace.access == "write" else readable).append(workspace.root)
        masked = hidden_paths(workspace.root, spec.hidden)
    ancestors = {place for path in [*readable, *writable] for place in _above(path)}
    rules = [
        "(version 1)",
        "(deny default)",
        '(import "system.sb")',
        "(allow process-fork)",
        f"(allow process-exec {_below(readable)} {_below(writable)})",
        "(allow signal (target same-sandbox))",
        "(allow process-info* (target same-sandbox))",
        "(allow sysctl-read)",
        f"(allow file-read-metadata {_exactly(sorted(ancestors))})",
        f"(allow file-read* {_below(readable)} {_below(writable)})",
        f"(allow file-write* {_below(writable)})",
        f"(allow file-read* file-write-data file-ioctl {_exactly(_DEVICES)})",
    ]
    if spec.blobs:
        rules.append(f"(deny file-read* {_below([spec.blobs])})")
        rules.append(f"(allow file-read-metadata {_exactly([*_above(spec.blobs), spec.blobs])})")
        rules.append(f"(allow file-read* (require-all {_below([spec.blobs])}")
        rules.append(f"  (require-not {_exactly([spec.blobs])})))")
    if spec.rights.network:
        rules.append("(allow network-outbound (remote ip))")
        rules.append("(allow network-inbound (local ip))")
        rules.append("(allow network-bind (local ip))")
        rules.append("(allow system-socket)")
        rules.append(f"(allow network-outbound (remote unix-socket {_path('path', _RESOLVER)}))")
        rules.append(f"(allow file-read* {_below(_NETWORK_FILES)})")
        rules.append('(allow mach-lookup (global-name "com.apple.SystemConfiguration.configd")')
        rules.append('  (global-name "com.apple.trustd.agent"))')
    if workspace and workspace.access == "write":
        # By name, so that none can be made either.
        named = f'(require-all {_below([workspace.root])} (regex #"{_REPOSITORIES}"))'
        rules.append(f"(deny file-write* {named})")
    if held:
        rules.append(f"(deny file-write* {_below(held)})")
    if masked:
        rules.append(f"(deny file-read* file-write* {_below(masked)})")
    if masked or held:
        # Renaming a folder above would bring it out from under the rule.
        above = sorted({place for path in [*masked, *held] for place in _above(path)})
        rules.append(f"(deny file-write-unlink {_exactly(above)})")
    return "\n".join(rules) + "\n"


def _above(path: str) -> list[str]:
    """The folders above a path, which must be walked through to reach it."""
    found = []
    while path != "/":
        path = os.path.dirname(path)
        found.append(path)
    return found


def _below(paths: Iterable[str]) -> str:
    return " ".join(_path("subpath", path) for path in paths)


def _exactly(paths: Iterable[str]) -> str:
    return " ".join(_path("literal", path) for path in paths)


def _path(kind: str, path: str) -> str:
    """A filter for a path, whatever characters it has."""
    quoted = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'({kind} "{quoted}")'
