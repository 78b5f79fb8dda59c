"""The compiler of Rust: from a block to a program, and whether an earlier one still holds."""

import _signal  # type: ignore[import-not-found]
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from kowalski.execution.kernels.rust_cargo import Crates
    from kowalski.execution.kernels.rust_folder import Folder
    from kowalski.execution.kernels.rust_manifest import Manifest
    from kowalski.execution.kernels.rust_messages import Message
    from kowalski.execution.kernels.rust_source import Source

_MOST_BINARY_BYTES = 32 * 1024 * 1024
_MOST_FILES = 100
_MOST_MESSAGE_BYTES = 4 * 1024 * 1024
_CHUNK = 1 << 20
_NEWEST_EDITION = (85, "2024")
_UNTOLD = (b"asm!", b"#[link", b"#![link")
_SETTLED_NS = 20_000_000


def _may_tell_less(code: bytes) -> bool:
    """Whether code may include files that the compiler does not list."""
    bare = b"".join(code.split())
    return any(mark in bare for mark in _UNTOLD)


class Result:
    """What became of a compilation: a program, or messages that say why there is none.

    `words` are the messages as the compiler draws them. `binary` holds the program's bytes, and
    `files` names and hashes of what it includes, in turn; both are empty for a program that must
    not be used again.
    """

    def __init__(self, source: "Source", messages: "list[Message]", words: str) -> None:
        self.source = source
        self.messages = messages
        self.words = words
        self.program: "str | None" = None
        self.binary = b""
        self.files: "list[str]" = []


class Compiler:
    """`rustc`, with a folder of its own for what it makes.

    Attributes:
        place: where a program lies that was just compiled.
    """

    def __init__(self, path: str, siblings: str) -> None:
        self._path = path
        self._siblings = siblings
        self._modules: "dict[str, typing.Any]" = {}
        temporary = posix.environ.get(b"TMPDIR", b"/tmp").decode("utf-8", "surrogateescape")
        self._folder = "%s/rust.%d" % (temporary, posix.getpid())
        self._is_clear = True
        self.place = self._folder + "/program"
        self._cargo = path.rpartition("/")[0] + "/cargo"
        self._edition = "2021"

    def version(self) -> str:
        """The compiler's version, such as `1.95.0`.

        Raises:
            OSError: it cannot be started, or does not tell.
        """
        reader, writer = posix.pipe()
        actions = [(posix.POSIX_SPAWN_DUP2, writer, 1)]
        try:
            pid = posix.posix_spawn(
                self._path, [self._path, "--version"], _environment(), file_actions=actions
            )
        finally:
            posix.close(writer)
        words = posix.read(reader, 4096).decode("utf-8", "replace").split()
        posix.close(reader)
        posix.waitpid(pid, 0)
        if words[:1] != ["rustc"] or len(words) < 2:
            raise OSError(0, "%s does not tell its version" % self._path)
        numbers = words[1].split("-")[0].split(".")
        if numbers[0] == "1" and int(numbers[1]) >= _NEWEST_EDITION[0]:
            self._edition = _NEWEST_EDITION[1]
        return words[1]

    def source(self, code: str) -> "Source":
        """The block as the compiler gets it."""
        plain = self._sibling("rust_manifest").without_front_matter(code)
        source: "Source" = self._sibling("rust_source").Source(plain)
        return source

    def compile(
        self,
        code: str,
        hear: "typing.Callable[[str], None]",
        *,
        release: bool,
        tell: bool,
        network: bool,
    ) -> Result:
        """Compile a block. Its program is there until `clear`; the result has it to `tell` it.

        Crates are built where there is a `network`; `hear` is told how that goes.
        """
        source, manifests = self.source(code), self._sibling("rust_manifest")
        messages = self._sibling("rust_messages")
        self._make_folder()
        lacking = self._cargo if network else ""
        may_build = network and self._has_cargo()
        manifest = manifests.embedded(code)
        if manifest is None:
            result = self._compiled(source, None, release=release, tell=tell)
            missing = messages.missing_crates(result.messages)
            if not missing:
                return result
            manifest = manifests.named(missing)
            if not may_build:
                result.messages.insert(0, messages.refused(manifest, lacking))
                return result
        elif not may_build:
            return Result(source, [messages.refused(manifest, lacking)], "")
        return self._with_crates(source, manifest, hear, release=release, tell=tell)

    def is_current(self, files: "list[str]") -> bool:
        """Whether files, told by names and hashes in turn, still hold what they held."""
        for name, digest in zip(files[::2], files[1::2]):
            try:
                if self._digest(name, None)[0] != digest:
                    return False
            except OSError:
                return False
        return True

    def copied(self, kept: str) -> str:
        """A program that was kept, copied to where it may be executed."""
        self._make_folder()
        reader = posix.open(kept, posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            writer = posix.open(self.place, _ANEW, 0o700)
            try:
                while True:
                    data = posix.read(reader, _CHUNK)
                    if not data:
                        return self.place
                    while data:
                        data = data[posix.write(writer, data) :]
            finally:
                posix.close(writer)
        finally:
            posix.close(reader)

    def program(self) -> bytes:
        """The program that was compiled last; nothing if it is too large to be handed on."""
        if posix.stat(self.place).st_size > _MOST_BINARY_BYTES:
            return b""
        return self._own().data("program", _MOST_BINARY_BYTES)

    def clear(self) -> None:
        """Remove what a block left in the compiler's folder; its program may still be running."""
        if not self._is_clear:
            self._is_clear = True
            self._remove()

    def _with_crates(
        self,
        source: "Source",
        manifest: "Manifest",
        hear: "typing.Callable[[str], None]",
        *,
        release: bool,
        tell: bool,
    ) -> Result:
        messages = self._sibling("rust_messages")
        cargo = self._sibling("rust_cargo").Cargo(
            self._cargo, self._path, self._sibling("rust_folder").Folder(self._folder + "/package")
        )
        start = posix.getcwdb().decode("utf-8", "surrogateescape")
        package = manifest.package(start, self._edition)
        began_ns = posix.stat(self._own().put("code.rs", b"")).st_ctime_ns
        crates: "Crates" = cargo.build(package, _environment(), spawn, hear, release=release)
        if crates.flags:
            return self._compiled(source, crates, release=release, tell=tell, began_ns=began_ns)
        found = messages.read(crates.text, source)
        result = Result(source, found, messages.told(found))
        if not any(message.severity == "error" for message in found):
            line = manifest.line_of(crates.words)
            found.insert(0, messages.Refusal("CargoError", crates.problem(), line))
            result.words = manifest.told(crates.words, messages.FILE)
        return result

    def _compiled(
        self,
        source: "Source",
        crates: "Crates | None",
        *,
        release: bool,
        tell: bool,
        began_ns: int = 0,
    ) -> Result:
        messages = self._sibling("rust_messages")
        code_file = self._own().put("code.rs", source.text.encode("utf-8", "surrogateescape"))
        began_ns = began_ns or posix.stat(code_file).st_ctime_ns
        flags = ["--edition=" + self._edition, *(["-O"] if release else [])]
        environment = _environment()
        # Code that comes on stdin has a name so, and with it a folder for what it includes.
        environment[b"UNSTABLE_RUSTDOC_TEST_PATH"] = messages.FILE.encode()
        environment[b"UNSTABLE_RUSTDOC_TEST_LINE"] = b"0"
        before = ""
        if crates is not None:
            flags, before = crates.flags, crates.text
            environment.update(crates.variables)
        status = run(self._path, self._command(flags), environment, self._actions())
        text = self._own().data("messages", _MOST_MESSAGE_BYTES).decode("utf-8", "replace")
        found = messages.read("%s\n%s" % (before, text), source)
        result = Result(source, found, messages.told(found))
        if status != 0:
            if not any(message.severity == "error" for message in found):
                crash, result.words = messages.crashed(text, _ending(status))
                found.insert(0, crash)
            return result
        result.program = self.place
        files = [] if crates is None else crates.files
        if tell and files is not None:
            self._fill(result, source.text, files, began_ns)
        return result

    def _has_cargo(self) -> bool:
        try:
            posix.stat(self._cargo)
        except OSError:
            return False
        return True

    def _command(self, flags: "list[str]") -> "list[str]":
        return [
            self._path,
            "-",
            "--crate-name=code",
            "--crate-type=bin",
            "--error-format=json",
            "-Cstrip=debuginfo",
            "--out-dir=" + self._folder,
            "--emit=dep-info=%s/files,link=%s/program" % (self._folder, self._folder),
            *flags,
        ]

    def _actions(self) -> "list[tuple[typing.Any, ...]]":
        opened = posix.POSIX_SPAWN_OPEN
        return [
            (opened, 0, self._folder + "/code.rs", posix.O_RDONLY, 0),
            (opened, 2, self._folder + "/messages", _ANEW & ~posix.O_CLOEXEC, 0o600),
            (posix.POSIX_SPAWN_DUP2, 2, 1),
        ]

    def _fill(self, result: Result, text: str, more: "list[str]", began_ns: int) -> None:
        """Put into the result what it takes to use the program again, if it may be.

        `more` are files that it depends on besides those that the compiler lists.
        """
        names = _listed(self._own().text("files", _CHUNK)) + more
        if len(names) > _MOST_FILES:
            return
        if _may_tell_less(text.encode("utf-8", "surrogateescape")):
            return
        files: "list[str]" = []
        for name in names:
            try:
                digest, settled = self._digest(name, began_ns)
            except OSError:
                return
            if not settled:
                return
            files += [name, digest]
        result.files = files
        result.binary = self.program()

    def _digest(self, name: str, began_ns: "int | None") -> "tuple[str, bool]":
        """A file's SHA-256, and whether it is surely what it was at a time."""
        hashing = self._sibling("hashlib").sha256()
        fd = posix.open(name, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NONBLOCK)
        try:
            held, size = b".", 0
            while held:
                held = posix.read(fd, _CHUNK)
                size += len(held)
                if _may_tell_less(held):
                    began_ns = 0
                hashing.update(held)
            status = posix.fstat(fd)
        finally:
            posix.close(fd)
        # A file of the system's own, made up as it is read, has no size.
        settled = status.st_size == size and (
            began_ns is None or status.st_ctime_ns < began_ns - _SETTLED_NS
        )
        return hashing.hexdigest(), settled

    def _make_folder(self) -> None:
        self._is_clear = False
        try:
            posix.mkdir(self._folder, 0o700)
        except FileExistsError:
            self._remove()

    def _remove(self) -> None:
        for name in ("program", "code.rs", "messages", "files"):
            try:
                posix.unlink("%s/%s" % (self._folder, name))
            except OSError:
                pass

    def _own(self) -> "Folder":
        folder: "Folder" = self._sibling("rust_folder").Folder(self._folder)
        return folder

    def _sibling(self, name: str) -> "typing.Any":
        """A module, imported when it is needed first."""
        if name not in self._modules:
            sys.path.insert(0, self._siblings)
            try:
                self._modules[name] = __import__(name)
            finally:
                sys.path.remove(self._siblings)
        return self._modules[name]


_ANEW = posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_NOFOLLOW | posix.O_CLOEXEC


def run(
    path: str,
    argv: "list[str]",
    environment: "dict[bytes, bytes]",
    actions: "typing.Sequence[tuple[typing.Any, ...]]" = (),
) -> int:
    """Run a program to its end; how it ended, as `waitpid` tells it.

    Raises:
        OSError: it cannot be started.
    """
    return posix.waitpid(spawn(path, argv, environment, actions), 0)[1]


def spawn(
    path: str,
    argv: "list[str]",
    environment: "dict[bytes, bytes]",
    actions: "typing.Sequence[tuple[typing.Any, ...]]" = (),
) -> int:
    """Start a program; its process id.

    Raises:
        OSError: it cannot be started.
    """
    # What the kernel ignores or catches, its programs do not.
    defaults = [_signal.SIGINT, _signal.SIGPIPE, _signal.SIGXFSZ]
    return posix.posix_spawn(path, argv, environment, file_actions=actions, setsigdef=defaults)


def _environment() -> "dict[bytes, bytes]":
    """Of the environment, what a linker needs: nothing that the request has set."""
    kept = (b"PATH", b"HOME", b"TMPDIR", b"LANG")
    return {name: posix.environ[name] for name in kept if name in posix.environ}


def _listed(text: str) -> "list[str]":
    """The files that a list of dependencies names: the lines with nothing behind the colon."""
    lines = [line for line in text.split("\n") if line.endswith(":") and line[0] != "#"]
    return [line[:-1].replace("\\ ", " ") for line in lines]


def _ending(status: int) -> str:
    if posix.WIFSIGNALED(status):
        return "the compiler was ended by signal %d" % posix.WTERMSIG(status)
    return "the compiler ended with exit status %d" % posix.WEXITSTATUS(status)
