"""Files of credentials that stand in folders people work in, and are hidden from code."""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import translate
from typing import TYPE_CHECKING, Final

from kowalski.execution.repositories import BARE, is_repository, looks_bare

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_ENTRIES: Final = 50_000
"""Entries that one search looks at before it ends."""

FOLDERS: Final = frozenset(
    {
        ".aws",
        ".azure",
        ".gnupg",
        ".kube",
        ".password-store",
        ".secrets",
        ".ssh",
        ".terraform.d",
        ".vault.d",
    }
)
"""Names of folders that hold credentials and are hidden whole."""

_WITHIN: Final = {
    ".bundle": {"config"},
    ".cargo": {"credentials", "credentials.toml"},
    ".composer": {"auth.json"},
    ".config": {"gcloud", "gh", "glab-cli", "kowalski", "op", "rclone"},
    ".docker": {"config.json"},
    ".gem": {"credentials"},
    ".m2": {"settings.xml", "settings-security.xml"},
    ".streamlit": {"secrets.toml"},
}
"""Names that hold credentials only in a folder of a certain name."""

_NAMES: Final = (
    ".env",
    ".env.*",
    ".envrc",
    ".boto",
    ".dockercfg",
    ".git-credentials",
    ".htpasswd",
    ".my.cnf",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    ".s3cfg",
    ".vault-token",
    "application_default_credentials.json",
    "client_secret*.json",
    "credentials.json",
    "id_dsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
    "id_rsa",
    "kubeconfig",
    "rclone.conf",
    "secrets.toml",
    "service-account*.json",
    "service_account*.json",
    "*.env",
    "*.env.local",
    "*.jks",
    "*.kdbx",
    "*.key",
    "*.keystore",
    "*.p12",
    "*.pem",
    "*.pfx",
    "*.ppk",
    "*.tfstate",
    "*.tfvars",
    "*.tfvars.json",
)
_SECRET: Final = re.compile("|".join(translate(name) for name in _NAMES))
_EXAMPLE: Final = "(example|sample|template|dist|defaults|schema)"
_SHOWN: Final = re.compile(
    rf"\.env\.{_EXAMPLE}\Z|(.*[._-])?{_EXAMPLE}\.(env|tfvars|tfvars\.json)\Z"
)
_SKIPPED: Final = frozenset(
    {
        "node_modules",
        ".venv",
        "__pycache__",
        ".tox",
        ".nox",
        ".mypy_cache",
        ".ruff_cache",
        ".hg",
        ".jj",
    }
)
_EMBEDDED: Final = re.compile(
    # A URL with a password or something as long as a token, or a key that is one.
    rb"(?:https?|ftps?)://(?:[^/\s@:]*:[^/\s@]+|[^/\s@]{20,})@"
    rb"|^\s*(?:extraheader|password|smtppass|token|oauth\w*)\s*=",
    re.IGNORECASE | re.MULTILINE,
)
_GIT_CONFIGS: Final = frozenset({"config", "config.worktree", "credentials"})
_GIT_SKIPPED: Final = frozenset({"objects", "refs", "logs", "hooks", "info", "lfs", "annex"})
_GIT_ENTRIES: Final = 5000
_READ_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Search:
    """What was found in a folder.

    `hidden` are real paths, sorted, none below another. `complete` is false where the folder has
    more entries than were looked at: those deepest in it were not. `folders` are those that were
    looked at, with the times of their last change in nanoseconds. `repositories` are the real
    paths of what belongs to version control, sorted.
    """

    hidden: tuple[str, ...]
    complete: bool
    folders: dict[str, int] = field(default_factory=dict)
    repositories: tuple[str, ...] = ()


def search(root: str, most_entries: int = MOST_ENTRIES) -> Search:
    """Looks for well-known files and folders of credentials in `root`, and for repositories.

    It goes level by level. Symbolic links are not followed out of `root`: where one that is named
    like a credential points to something else within it, that is hidden, and so is every other
    name of a hidden file. Folders of installed packages and of git's objects are passed over.
    Blocks meanwhile: about 1 ms for 300 entries.
    """
    top = os.path.realpath(root)
    hidden: set[str] = set()
    repositories: set[str] = set()
    folders = deque([top])
    looked_at: list[os.DirEntry[str]] = []
    changed: dict[str, int] = {}
    left = most_entries
    while folders and left > 0:
        folder = folders.popleft()
        try:
            changed[folder] = os.stat(folder).st_mtime_ns  # noqa: PTH116 - hot
            with os.scandir(folder) as entries:
                # A virtual environment, whatever its name.
                if folder != top and os.path.lexists(f"{folder}/pyvenv.cfg"):
                    continue
                bare: list[str] = []
                for entry in entries:
                    left -= 1
                    if left < 0:
                        break
                    if entry.name in BARE:
                        bare.append(entry.name)
                    if is_repository(entry.name):
                        repositories.add(os.path.realpath(entry.path))
                    looked_at.append(entry)
                    found, below = _judge(entry, top)
                    if found:
                        hidden.update(found)
                    elif below:
                        folders.append(entry.path)
                if looks_bare(bare):
                    repositories.add(folder)
        except OSError:
            # What its owner cannot list, code that runs with less cannot either.
            continue
    hidden |= _other_names(hidden, looked_at)
    within = {path for path in repositories if path == top or path.startswith(f"{top}/")}
    return Search(
        _outermost(hidden),
        complete=left >= 0 and not folders,
        folders=changed,
        repositories=tuple(sorted(within)),
    )


def unchanged(folders: Mapping[str, int]) -> bool:
    """Whether nothing was made, renamed or removed in these folders since they were looked at."""
    try:
        return all(os.stat(path).st_mtime_ns == at for path, at in folders.items())  # noqa: PTH116
    except OSError:
        return False


def in_credentials_folder(path: str) -> bool:
    """Whether a path is or lies in a folder that holds credentials, by its name."""
    parts = path.lower().split("/")
    return any(
        name in FOLDERS or name in _WITHIN.get(parent, ())
        for parent, name in zip(["", *parts], parts, strict=False)
    )


def _judge(entry: os.DirEntry[str], top: str) -> tuple[tuple[str, ...], bool]:
    """What of an entry to hide, and whether to look into it."""
    name = entry.name.lower()
    parent = os.path.basename(os.path.dirname(entry.path)).lower()  # noqa: PTH119, PTH120 - hot
    secret = name in FOLDERS or name in _WITHIN.get(parent, ()) or _named_like_secret(name)
    if entry.is_symlink():
        target = os.path.realpath(entry.path) if secret else ""
        within = target.startswith(f"{top}/") and os.path.lexists(target)
        return ((target,) if within else ()), False
    if entry.is_dir(follow_symlinks=False):
        if name == ".git":
            return _of_git(entry.path), False
        # A folder may be called `keys.pem` or `.env`, the latter often a virtual environment.
        if secret and (name in FOLDERS or name in _WITHIN.get(parent, ())):
            return (entry.path,), False
        return (), name not in _SKIPPED
    if secret and name.endswith(".pem") and not _may_hold_key(entry.path):
        return (), False
    return ((entry.path,) if secret else ()), False


def _other_names(hidden: set[str], entries: list[os.DirEntry[str]]) -> set[str]:
    """Further names of files that are hidden: hard links to the same content."""
    secrets: set[tuple[int, int]] = set()
    for path in hidden:
        with suppress(OSError):
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
                secrets.add((status.st_dev, status.st_ino))
    numbers = {number for _, number in secrets}
    found: set[str] = set()
    for entry in entries if secrets else ():
        if entry.inode() in numbers:
            with suppress(OSError):
                status = os.lstat(entry.path)
                if (status.st_dev, status.st_ino) in secrets:
                    found.add(entry.path)
    return found


def _named_like_secret(name: str) -> bool:
    return _SECRET.match(name) is not None and _SHOWN.match(name) is None


def _of_git(folder: str) -> tuple[str, ...]:
    """The configurations in a `.git`, its worktrees and modules that have a credential in them."""
    found: list[str] = []
    folders = deque([folder])
    left = _GIT_ENTRIES
    while folders and left > 0:
        try:
            with os.scandir(folders.popleft()) as entries:
                for entry in entries:
                    left -= 1
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in _GIT_SKIPPED:
                            folders.append(entry.path)
                    elif entry.name in _GIT_CONFIGS and _has_credentials(entry):
                        found.append(entry.path)
        except OSError:
            continue
    return tuple(found)


def _has_credentials(config: os.DirEntry[str]) -> bool:
    content = _beginning(config.path)
    return config.name == "credentials" or content is None or bool(_EMBEDDED.search(content))


def _may_hold_key(path: str) -> bool:
    """Whether a PEM file holds more than certificates and public keys."""
    content = _beginning(path)
    return content is None or len(content) >= _READ_BYTES or b"PRIVATE KEY" in content


def _beginning(path: str) -> bytes | None:
    """The first bytes of a regular file; None where they cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.read(descriptor, _READ_BYTES) if regular else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _outermost(paths: set[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for path in sorted(paths, key=lambda path: path.split("/")):
        if not kept or not path.startswith(f"{kept[-1]}/"):
            kept.append(path)
    return tuple(kept)
