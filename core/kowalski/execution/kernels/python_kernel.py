"""The Python kernel: executes code and remembers, as a notebook does.

It runs in the user's interpreter, any CPython from 3.8 on, inside a sandbox. Only modules that are
built into the interpreter are imported at the start; everything else waits until it is needed,
because a fresh sandbox must be ready within milliseconds.
"""

import _ast
import _io
import builtins
import posix
import sys

TYPE_CHECKING = False
_FOLDER = __file__.rpartition("/")[0]
if TYPE_CHECKING:
    import types
    import typing

    from kowalski.execution.kernels import (
        python_channel,
        python_imports,
        python_interrupts,
        python_streams,
    )
    from kowalski.execution.kernels.python_host import Host, HostFunction
else:
    # The interpreter is isolated: it finds nothing beside this file by itself.
    sys.path.insert(0, _FOLDER)
    try:
        import python_channel
        import python_imports
        import python_interrupts
        import python_streams
    finally:
        sys.path.remove(_FOLDER)

_COROUTINE = 0x0080
_INTERRUPTED = 130
_MOST_SOURCES = 500
_VALUE_CHARACTERS = 100000


class Kernel:
    """Executes code in one `__main__` module."""

    def __init__(self) -> None:
        self._pid = posix.getpid()
        self._interrupts = python_interrupts.Interrupts(_FOLDER, Kernel._enter.__code__)
        self._channel = python_channel.Channel(3, 4, self._interrupts)
        self._imports = python_imports.Imports(_FOLDER, self._interrupts, {"emit": self._emit})
        self._streams = python_streams.Streams()
        self._module = type(sys)("__main__")
        self._names = self._module.__dict__
        self._names["__builtins__"] = builtins
        self._sources: "dict[str, list[str]]" = {}
        self._flags = _ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._host: "Host | None" = None
        self._functions: "dict[str, HostFunction]" = {}
        self._inputs: "dict[str, tuple[str, str]]" = {}
        self._loop: "typing.Any" = None
        self._siblings: "dict[str, typing.Any]" = {}
        self._program: "typing.Any" = None
        self._is_last = False

    def serve(self) -> "typing.NoReturn":
        """Execute what the agent sends until it goes."""
        for name in ("python_kernel", "python_channel", "python_imports"):
            sys.modules.pop(name, None)
        for name in ("python_interrupts", "python_streams"):
            sys.modules.pop(name, None)
        sys.modules["__main__"] = self._module
        sys.argv = [""]
        self._imports.install(self._fill_linecache)
        self._interrupts.install()
        posix.register_at_fork(after_in_child=self._forked)
        self._channel.send(("hello", "%d.%d.%d" % sys.version_info[:3]))
        while True:
            kind, fields = self._channel.receive() if self._host is None else self._host.command()
            if kind == "run":
                self._interrupts.pending, self._interrupts.armed = False, True
                self._run(*[field.decode("utf-8", "replace") for field in fields])
                self._interrupts.armed = False
            elif kind == "program":
                words = [field.decode("utf-8", "surrogateescape") for field in fields]
                self._program = self._sibling("python_program").Program(self._names, *words)
            elif kind == "last":
                self._is_last = True
            elif kind == "variables":
                self._channel.send(("variables", self._enter(self._variables)))

    def _enter(self, work: "typing.Callable[..., typing.Any]", *arguments: object) -> "typing.Any":
        """The one door to the program's code: interrupts strike behind it, and nowhere else."""
        return work(*arguments)

    def _run(self, code: str, label: str, functions: str, *inputs: str) -> None:
        self._streams.renew()
        self._offer(functions.split())
        code = code[1:] if code.startswith("\ufeff") else code
        filename = self._remember(code, label)
        status = 0
        at: "int | None" = None
        said: "list[tuple[str, ...]]" = []
        try:
            if self._program is not None:
                self._program.begin()
            self._bind_inputs(code, dict(zip(inputs[::2], inputs[1::2])))
            self._imports.mentioned(code)
            body, last, last_line = self._compiled(code, filename)
            if self._interrupts.pending:
                raise KeyboardInterrupt
            self._enter(self._execute, body)
            if last is not None:
                at = last_line
                text = self._enter(self._shown, last, last_line)
                if text is not None:
                    said.append(("value", text))
        except SystemExit as error:
            status = _exit_code(error)
        except BaseException as error:
            status = _INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
            said.append(("error", *self._told(error, filename, label, at)))
        for step in self._steps_at_the_end():
            try:
                if self._is_last and self._interrupts.pending:
                    self._interrupts.pending = False
                    raise KeyboardInterrupt
                self._enter(step)
            except BaseException as error:
                if not status:
                    status = _INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
                    said.append(("error", *self._told(error, filename, label)))
        if self._program is not None:
            self._program.end()
            self._program = None
        self._streams.finish()
        if posix.getpid() != self._pid:
            self._leave(status, said)
        if self._host is not None:
            self._host.close()
        self._interrupts.install()
        self._channel.send(*said, ("done", str(status)))

    def _steps_at_the_end(self) -> "list[typing.Callable[[], None]]":
        """What remains to be done when the block is over."""
        if not self._is_last:
            return [self._flush_figures]
        ending = self._sibling("python_ending")
        return [
            ending.await_threads,
            # Before what matplotlib does at the exit: it destroys them.
            self._flush_figures,
            ending.run_exit_functions,
            # Python itself says that it is there when it ends.
            lambda: ending.let_go(self._names, self._streams.threads, _setter("sys", 1)),
        ]

    def _offer(self, names: "list[str]") -> None:
        """Make the caller's functions callable, and those of earlier runs no longer."""
        for name, function in self._functions.items():
            if name not in names and self._names.get(name) is function:
                del self._names[name]
        if names and self._host is None:
            made = self._sibling("python_host")
            self._host = made.Host(self._channel, self._interrupts, self._imports.standard)
        if self._host is not None:
            self._host.open(names)
            make = self._sibling("python_host").HostFunction
            self._functions = {
                name: self._functions.get(name) or make(self._host, name) for name in names
            }
            self._names.update(self._functions)

    def _bind_inputs(self, code: str, inputs: "dict[str, str]") -> None:
        """Decode the inputs that the code mentions, unless that has been done."""
        for name, path in inputs.items():
            bound = self._inputs.get(name)
            if name not in code:
                continue
            if bound is None or bound[0] != path or self._names.get(name) is not bound[1]:
                with _io.open(path, encoding="utf-8", errors="replace", newline="") as file:
                    text = self._names[name] = file.read()
                self._inputs[name] = (path, text)

    def _remember(self, code: str, label: str) -> str:
        """Keep the code's lines for tracebacks. Returns the file name that it is compiled as."""
        lines = code.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        filename, number = label, 1
        while self._sources.get(filename, lines) != lines:
            number += 1
            filename = "%s (%d)" % (label, number)
        self._sources[filename] = lines
        if len(self._sources) > _MOST_SOURCES:
            del self._sources[next(iter(self._sources))]
        if "linecache" in sys.modules:
            self._fill_linecache(sys.modules["linecache"])
        return filename

    def _fill_linecache(self, linecache: "typing.Any") -> None:
        for name, lines in self._sources.items():
            if name not in linecache.cache:
                text = [line + "\n" for line in lines]
                linecache.cache[name] = (sum(map(len, text)), None, text, name)

    def _compiled(
        self, code: str, filename: str
    ) -> "tuple[types.CodeType, types.CodeType | None, int]":
        """The code as a body and a last expression, whose value is shown, and that one's line."""
        tree = compile(code, filename, "exec", self._flags | _ast.PyCF_ONLY_AST, True)
        for statement in tree.body:
            if isinstance(statement, _ast.ImportFrom) and statement.module == "__future__":
                for alias in statement.names:
                    future = self._imports.standard("__future__")
                    self._flags |= getattr(getattr(future, alias.name, None), "compiler_flag", 0)
        last, line = None, 0
        if tree.body and isinstance(tree.body[-1], _ast.Expr) and not _hushed(tree.body[-1], code):
            line = tree.body[-1].lineno
            expression = _ast.Expression(tree.body.pop().value)
            last = compile(expression, filename, "eval", self._flags, True)
        return compile(tree, filename, "exec", self._flags, True), last, line

    def _execute(self, code: "types.CodeType") -> "typing.Any":
        self._names.pop("__warningregistry__", None)
        result = eval(code, self._names)
        return self._await(result) if code.co_flags & _COROUTINE else result

    def _await(self, coroutine: "typing.Any") -> "typing.Any":
        import asyncio
        import selectors

        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
            folder = (asyncio.__file__ or "").rpartition("/")[0]
            self._interrupts.waits_in((folder + "/", selectors.__file__ or folder))
        task = self._loop.create_task(coroutine)
        self._interrupts.awaited = (self._loop, task)
        self._interrupts.cancelled = False
        try:
            return self._loop.run_until_complete(task)
        except asyncio.CancelledError as error:
            if self._interrupts.cancelled:
                raise KeyboardInterrupt().with_traceback(error.__traceback__) from None
            raise
        finally:
            if not task.done():
                task.cancel()
                self._loop.run_until_complete(asyncio.wait([task]))
            if not task.cancelled():
                task.exception()
            self._interrupts.awaited = None

    def _shown(self, code: "types.CodeType", line: int) -> "str | None":
        """The value of an expression as a notebook shows it; pictures become artifacts."""
        value = self._execute(code)
        if value is None:
            return None
        _setter(code.co_filename, line)(self._names, "_", value)
        kind = type(value)
        draw = getattr(kind, "_repr_png_", None)
        if draw is not None:
            data = draw(value)
            if isinstance(data, tuple):
                data = data[0]
            if isinstance(data, bytes):
                self._emit("%s.png" % kind.__name__.lower(), "image/png", data)
        text = repr(value)
        if len(text) > _VALUE_CHARACTERS:
            left_out = len(text) - _VALUE_CHARACTERS
            text = "%s... %d characters more" % (text[:_VALUE_CHARACTERS], left_out)
        return text

    def _flush_figures(self) -> None:
        if "matplotlib.pyplot" in sys.modules:
            __import__("kowalski_figures").finish()

    def _emit(self, name: str, media_type: str, data: bytes) -> None:
        self._channel.send(("artifact", name, media_type, data))

    def _told(
        self, error: BaseException, filename: str, label: str, at: "int | None" = None
    ) -> "tuple[str, ...]":
        teller = self._sibling("python_errors").Teller(self._sources, _FOLDER)
        try:
            told: "tuple[str, ...]" = teller.tell(error, filename, label, at)
        except Exception as broken:
            why = "it cannot be told, because that raised %s" % type(broken).__name__
            told = (type(error).__name__, why, "", "", "")
        return told

    def _variables(self) -> str:
        hidden = {id(function) for function in self._functions.values()}
        hidden.update(id(text) for _, text in self._inputs.values())
        listed = self._sibling("python_variables").listed(self._names, hidden)
        text: str = self._imports.standard("json").dumps(listed)
        return text

    def _sibling(self, name: str) -> "typing.Any":
        if name not in self._siblings:
            self._siblings[name] = python_imports.sibling(_FOLDER, name)
        return self._siblings[name]

    def _forked(self) -> None:
        """In a process that the program forked."""
        self._channel.close()
        self._streams.forked()
        if self._host is not None:
            self._host.forked()

    def _leave(self, status: int, said: "list[tuple[str, ...]]") -> "typing.NoReturn":
        """End a process that the program forked and that ran to the end of the block."""
        for kind, *fields in said:
            if kind == "error":
                posix.write(2, fields[-1].encode("utf-8", "backslashreplace"))
        posix._exit(status)


def _setter(filename: str, line: int) -> "typing.Any":
    """What sets a name as if the program did so there, should it be warned of what goes by that."""

    def put(names: "dict[str, typing.Any]", name: str, value: object) -> None:
        names[name] = value

    code = put.__code__.replace(co_filename=filename, co_firstlineno=line - 1)
    function: "typing.Any" = type(put)
    return function(code, {"__builtins__": builtins, "__name__": "__main__"})


def _hushed(statement: "typing.Any", code: str) -> bool:
    """Whether a semicolon follows, by which notebooks hide a value."""
    lines = code.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    line = lines[statement.end_lineno - 1].encode("utf-8", "surrogatepass")
    rest: bytes = line[statement.end_col_offset :]
    return rest.lstrip(b") \t").startswith(b";")


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    sys.stderr.write("%s\n" % (error.code,))
    return 1


def main() -> None:
    """Take over descriptors 0 to 4, and serve until the agent goes. Never returns."""
    Kernel().serve()


if __name__ == "__main__":
    main()
