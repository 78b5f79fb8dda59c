"""cargo, for the crates that a block asks for: it builds them, and tells how to compile with them.

It builds a package that depends on them and does nothing. With the flags that its program was
compiled with, the block is compiled as any other.
"""

import json
import posix
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from kowalski.execution.kernels.rust_folder import Folder

_RECORDER = b"""#!/bin/sh
case " $* " in *" --crate-name code "*)
    printf '%s\\n' "$@" >"${0%/*}/flags"
    env >"${0%/*}/variables"
esac
exec "$@"
"""
_CODEGEN = ("opt-level", "panic", "lto", "codegen-units", "overflow-checks", "debug-assertions")
_TOLD = re.compile(r"(CARGO_(?:PKG_\w+|MANIFEST_\w+|CRATE_NAME|BIN_NAME))=(.*)")
_LOCAL = re.compile(r"path\+file://|git\+file://")
_CAUSE = re.compile(r"^ *(?:\d+: )?(\S.*)")
# How an older cargo tells the place of what is wrong in a manifest.
_TOML_ERROR = re.compile(
    r"^ *TOML parse error at line (\d+), column (\d+)\n((?:(?: *\||  \d+ \|).*(?:\n|\Z))*)",
    re.MULTILINE,
)
_AT_WORK = re.compile(r"(?=[ \w]{12} ) +[A-Z][a-z]+ ")
_MOST_WORDS = 20000
_CHUNK = 65536


class Crates:
    """What became of the crates.

    `flags` and `variables` are for the compiler; `flags` is empty where there are none, `text`
    holds the compiler's messages so far, and `words` what cargo said against it.
    `files` are those of crates within reach; None if they may depend on files that nobody tells.
    """

    def __init__(self, text: str, words: str) -> None:
        self.text = text
        self.words = words
        self.flags: "list[str]" = []
        self.variables: "dict[bytes, bytes]" = {}
        self.files: "list[str] | None" = None

    def problem(self) -> str:
        """What cargo says first, and the innermost cause."""
        lines = self.words.split("\n")
        first = next((line[7:] for line in lines if line.startswith("error: ")), "")
        if "Caused by:" in lines:
            last = len(lines) - lines[::-1].index("Caused by:")
            cause = _CAUSE.match(lines[last]) if last < len(lines) else None
            if cause is not None:
                return "%s: %s" % (first, cause.group(1))
        return first or "cargo ended without a word; perhaps it had too little memory"


class Cargo:
    """`cargo` with a folder of its own, in which downloads stay as long as the kernel does."""

    def __init__(self, path: str, compiler: str, folder: "Folder") -> None:
        self._path = path
        self._compiler = compiler
        self._package = folder

    def build(
        self,
        manifest: str,
        environment: "dict[bytes, bytes]",
        spawn: "typing.Callable[..., int]",
        hear: "typing.Callable[[str], None]",
        *,
        release: bool,
    ) -> Crates:
        """Build what a manifest asks for.

        `spawn` starts a program, as `rust_compiler.spawn`; `hear` is told what cargo is at.
        """
        self._package.make()
        self._package.drop("Cargo.lock", "flags", "variables")
        self._package.put("Cargo.toml", manifest.encode("utf-8", "surrogateescape"))
        self._package.put("code.rs", b"fn main() {}\n")
        self._package.put("recorder", _RECORDER, 0o700)
        status, words = self._run(self._environment(environment), spawn, hear, release=release)
        words = words.replace(" at `%s/Cargo.toml`" % self._package.path, "")
        words = _TOML_ERROR.sub(_with_arrow, words)
        crates = Crates(self._package.data("messages").decode("utf-8", "replace"), words)
        if status == 0:
            self._complete(crates, release=release)
        return crates

    def _run(
        self,
        environment: "dict[bytes, bytes]",
        spawn: "typing.Callable[..., int]",
        hear: "typing.Callable[[str], None]",
        *,
        release: bool,
    ) -> "tuple[int, str]":
        """How cargo ended, and what it said; what it was at is no part of that."""
        argv = [self._path, "build", "--bin=code", "--message-format=json"]
        reader, writer = posix.pipe()
        here = posix.open(".", posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            messages = self._package.put("messages", b"")
            actions = (
                (posix.POSIX_SPAWN_OPEN, 0, "/dev/null", posix.O_RDONLY, 0),
                (posix.POSIX_SPAWN_OPEN, 1, messages, posix.O_WRONLY, 0),
                (posix.POSIX_SPAWN_DUP2, writer, 2),
            )
            # Beside its own package, it finds no settings of the folder's.
            posix.chdir(self._package.path)
            pid = spawn(
                self._path, [*argv, *(["--release"] if release else [])], environment, actions
            )
        finally:
            posix.close(writer)
            posix.fchdir(here)
            posix.close(here)
        try:
            words = _heard(reader, hear, " (%s)" % self._package.path)
        finally:
            posix.close(reader)
        return posix.waitpid(pid, 0)[1], words

    def _complete(self, crates: Crates, *, release: bool) -> None:
        """Tell how to compile with crates that were built."""
        recorded = self._package.text("flags").split("\n")
        for at, name in enumerate(recorded[:-1]):
            value = recorded[at + 1]
            if name in ("--extern", "-L", "--cfg"):
                crates.flags += [name, value]
            elif name == "-C" and value.partition("=")[0] in _CODEGEN:
                crates.flags.append("-C" + value)
            elif name.startswith("--edition="):
                crates.flags.append(name)
        variables = self._package.text("variables")
        for line in map(_TOLD.match, variables.split("\n")):
            if line is not None:
                variable, held = (part.encode("utf-8", "surrogateescape") for part in line.groups())
                crates.variables[variable] = held
        crates.files = self._files(crates.text, release=release)

    def _files(self, text: str, *, release: bool) -> "list[str] | None":
        own_place = self._package.path + "/"
        found: "dict[str, None]" = {}
        for line in text.split("\n"):
            raw = json.loads(line) if line.startswith("{") else {}
            if str(raw.get("manifest_path", "")).startswith(own_place):
                continue
            if _LOCAL.search(raw.get("package_id", "")) is not None:
                kinds = raw.get("target", {}).get("kind", ())
                if "git+" in raw["package_id"] or "proc-macro" in kinds:
                    return None
                if raw["reason"] == "build-script-executed":
                    return None
                if "manifest_path" in raw:
                    found.update(dict.fromkeys(_manifests(raw["manifest_path"])))
        kind = "release" if release else "debug"
        listed = self._package.text("target/%s/code.d" % kind).split("\n")[0]
        for name in re.split(r"(?<!\\) ", listed.partition(": ")[2]):
            if name and not name.startswith(own_place):
                found[name.replace("\\ ", " ")] = None
        return list(found)

    def _environment(self, environment: "dict[bytes, bytes]") -> "dict[bytes, bytes]":
        folder = self._package.path.encode("utf-8", "surrogateescape")
        return {
            **environment,
            b"CARGO_HOME": folder + b"/home",
            b"CARGO_TARGET_DIR": folder + b"/target",
            b"CARGO_INCREMENTAL": b"0",
            b"CARGO_PROFILE_DEV_DEBUG": b"false",
            b"CARGO_TERM_COLOR": b"never",
            b"RUSTC": self._compiler.encode("utf-8", "surrogateescape"),
            b"RUSTC_WORKSPACE_WRAPPER": folder + b"/recorder",
        }


def _heard(reader: int, hear: "typing.Callable[[str], None]", own: str) -> str:
    """What comes until the end, but for the lines that tell what cargo is at: those are told.

    `own` is left out: nobody needs to know the kernel's own package.
    """
    words, begun = "", b""
    while True:
        data = posix.read(reader, _CHUNK)
        *lines, begun = (begun + data).split(b"\n") if data else (begun, b"")
        for line in lines:
            text = line.decode("utf-8", "replace").replace(own, "")
            if _AT_WORK.match(text) is not None:
                hear(text.strip())
            elif len(words) < _MOST_WORDS:
                words += text + "\n"
        if not data:
            return words


def _manifests(path: str) -> "typing.Iterator[str]":
    """A crate's manifest, and those above it, from which it may inherit."""
    folder = path.rpartition("/")[0]
    while folder:
        try:
            posix.stat(folder + "/Cargo.toml")
            yield folder + "/Cargo.toml"
        except OSError:
            pass
        folder = folder.rpartition("/")[0]


def _with_arrow(found: "re.Match[str]") -> str:
    """The same place as cargo tells it today."""
    drawn = re.sub(r"^  ", "", found.group(3), flags=re.MULTILINE)
    return " --> Cargo.toml:%s:%s\n%s" % (found.group(1), found.group(2), drawn)
