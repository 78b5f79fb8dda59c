"""The Rust kernel: compiles a block and runs it as a program of its own; nothing is remembered.

It runs in the interpreter of the sandbox's first program, any CPython from 3.8 on, and loads what
only a compilation needs when there is one: a block that was compiled before is merely started.
"""

import _signal  # type: ignore[import-not-found]
import posix
import sys

TYPE_CHECKING = False
_FOLDER = __file__.rpartition("/")[0]
if TYPE_CHECKING:
    import types
    import typing

    from kowalski.execution.kernels import (
        python_channel,
        rust_compiler,
    )
else:
    # The interpreter is isolated: it finds nothing beside this file by itself.
    sys.path.insert(0, _FOLDER)
    try:
        import python_channel
        import rust_compiler
    finally:
        sys.path.remove(_FOLDER)

_FILE = "<code>"
_INTERRUPTED = 130
_PANICKED = 101
_PLAINLY = ["", "", ""]


class Kernel:
    """Compiles and runs blocks with one compiler."""

    def __init__(self, compiler: str) -> None:
        self._channel = python_channel.Channel(3, 4, _Undisturbed())
        self._compiler = rust_compiler.Compiler(compiler, _FOLDER)
        self._build = _PLAINLY
        self._arguments: "list[str]" = []
        self._interrupted = False
        self._problem = ""

    def serve(self) -> "typing.NoReturn":
        """Execute what the agent sends until it goes."""
        _signal.signal(_signal.SIGINT, self._note_interrupt)
        try:
            version = self._compiler.version()
        except OSError as error:
            version = ""
            self._problem = str(error)
        self._channel.send(("hello", version))
        while True:
            kind, raw = self._channel.receive()
            fields = [field.decode("utf-8", "surrogateescape") for field in raw]
            if kind == "build":
                self._build = fields
            elif kind == "program":
                self._arguments = fields[2:]
            elif kind == "run":
                self._interrupted = False
                self._run(*fields)
                self._build = _PLAINLY
                self._arguments = []
            elif kind == "variables":
                self._channel.send(("variables", "[]"))

    def _run(self, code: str, label: str, functions: str, *inputs: str) -> None:
        how, kept, words, *files = self._build
        source, program = None, ""
        if self._problem:
            self._fail(1, "CompilerUnavailable", "the compiler cannot be used: " + self._problem)
            return
        try:
            if kept and self._compiler.is_current(files):
                # Told before the program begins, for whatever speaks here afterwards may be it.
                self._channel.send(("kept",))
            else:
                source, built = self._compiled(code, label, how)
                if built is None:
                    return
                program, words = built
            if "only" in how.split():
                self._channel.send(("done", "0"))
                return
            if words:
                _write(2, _labelled(words, label).encode("utf-8", "backslashreplace"))
            self._start(program or kept, code, source, dict(zip(inputs[::2], inputs[1::2])))
        except OSError as error:
            self._fail(1, type(error).__name__, "the program cannot be run: %s" % error)
        finally:
            self._compiler.clear()

    def _compiled(
        self, code: str, label: str, how: str
    ) -> "tuple[typing.Any, tuple[str, str] | None]":
        """The block's source, and its program with the compiler's warnings if there is one."""
        words = how.split()
        result = self._compiler.compile(
            code,
            lambda doing: self._channel.send(("compiling", doing)),
            release="release" in words,
            tell="tell" in words,
            network="network" in words,
        )
        said = [("diagnostic", *message.fields()) for message in result.messages]
        if result.program is None:
            first = next(one for one in result.messages if one.severity == "error")
            if self._interrupted:
                self._fail(_INTERRUPTED, "KeyboardInterrupt", "interrupted while it was compiled")
            else:
                _, kind, message, line, column = first.fields()
                self._channel.send(
                    *said,
                    ("error", kind, message, line, column, _labelled(result.words, label)),
                    ("done", "1"),
                )
            return result.source, None
        if "only" in words and not result.binary:
            # Whoever had it made cannot keep it, but may run it once.
            binary = self._compiler.program()
            self._channel.send(*said, ("passing", binary, result.words))
        else:
            self._channel.send(*said, ("built", result.binary, result.words, *result.files))
        return result.source, (result.program, result.words)

    def _start(
        self, program: str, code: str, source: "typing.Any", inputs: "dict[str, str]"
    ) -> None:
        """Run the program to its end."""
        environment = dict(posix.environ)
        environment.update(
            (name.encode(), path.encode("utf-8", "surrogateescape"))
            for name, path in inputs.items()
        )
        if self._interrupted:
            self._fail(_INTERRUPTED, "KeyboardInterrupt", "interrupted")
            return
        words = [self._compiler.place, *self._arguments]
        try:
            status = rust_compiler.run(program, words, environment)
        except PermissionError:
            if program == self._compiler.place:
                raise
            # Not every sandbox lets it be executed where it is kept.
            status = rust_compiler.run(self._compiler.copied(program), words, environment)
        if posix.WIFSIGNALED(status):
            number = posix.WTERMSIG(status)
            if self._interrupted and number == _signal.SIGINT:
                self._fail(_INTERRUPTED, "KeyboardInterrupt", "interrupted")
            else:
                name = _signal_name(number)
                self._channel.send(
                    ("error", name, "the program was ended by %s" % name, "", "", ""),
                    ("done", "", str(number)),
                )
            return
        exit_code = posix.WEXITSTATUS(status)
        if exit_code == 0:
            self._channel.send(("done", "0"))
            return
        line = shift = ""
        if exit_code == _PANICKED:
            source = source or self._compiler.source(code)
            line, shift = str(source.line), str(len(source.head))
        # The agent finds a panic's place in what was printed; this is how it was moved.
        self._fail(exit_code, "ExitStatus", "exit status %d" % exit_code, line, shift)

    def _fail(self, status: int, kind: str, message: str, line: str = "", column: str = "") -> None:
        self._channel.send(("error", kind, message, line, column, ""), ("done", str(status)))

    def _note_interrupt(self, number: int, frame: "types.FrameType | None") -> None:
        self._interrupted = True


class _Undisturbed:
    """Nothing disturbs this kernel: an interrupt only leaves a note."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exception: object) -> None:
        return None


def _signal_name(number: int) -> str:
    for name in dir(_signal):
        if name.startswith("SIG") and getattr(_signal, name) == number and "_" not in name:
            return name
    return "SIG%d" % number


def _labelled(words: str, label: str) -> str:
    """What the compiler drew, with the name that this run's code has.

    What is kept has none: the same code may stand in other documents.
    """
    for arrow in ("--> ", "::: "):
        words = words.replace("%s%s:" % (arrow, _FILE), "%s%s:" % (arrow, label))
    return words


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[posix.write(fd, data) :]


def main() -> None:
    """Take over descriptors 0 to 4, and serve until the agent goes. Never returns."""
    Kernel(sys.argv[1]).serve()


if __name__ == "__main__":
    main()
