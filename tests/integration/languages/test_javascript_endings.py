"""How JavaScript blocks end: done, failed, exited or interrupted, and what is left of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from integration.languages.javascript_process import KernelProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[KernelProcess]:
    process = KernelProcess(tmp_path)
    yield process
    process.close()


def _still_whole(kernel: KernelProcess) -> bool:
    """Whether all that a program uses works: timers, ticks, files, output, children."""
    code = (
        "await new Promise((done) => setTimeout(done, 2));"
        "await new Promise((done) => setImmediate(done));"
        "await new Promise((done) => process.nextTick(done));"
        "await fs.promises.readFile('/dev/null');"
        "await new Promise((done) => child_process.exec('echo child', (e, out) => done(out)));"
        "setTimeout(() => console.log('late'), 5); console.log('whole'); undefined"
    )
    result = kernel.run(code)
    return (result.stdout, result.exit_code) == ("whole\nlate\n", 0)


def test_a_run_is_over_when_all_is_done_that_it_began(kernel: KernelProcess) -> None:
    code = (
        "const main = async () => { await new Promise((done) => setTimeout(done, 20));"
        "fs.readFile('/dev/null', () => { console.log('read');"
        "setTimeout(() => console.log('last'), 20) }) }\nmain(); undefined"
    )
    assert kernel.run(code).stdout == "read\nlast\n"


def test_a_server_stays_and_serves_later_runs(kernel: KernelProcess) -> None:
    kernel.run(
        "const server = require('http').createServer((ask, answer) => answer.end('served'));"
        "await new Promise((done) => server.listen(0, '127.0.0.1', done)); undefined"
    )
    ask = "await (await fetch(`http://127.0.0.1:${server.address().port}`)).text()"
    assert kernel.run(ask).value == "'served'"
    assert kernel.run(ask).value == "'served'"


@pytest.mark.parametrize(
    ("code", "exit_code", "stdout"),
    [
        ("process.on('exit', (code) => console.log('bye', code))", 0, "bye 0\n"),
        ("process.on('exit', (code) => console.log('bye', code)); process.exit(3)", 3, "bye 3\n"),
        ("process.on('exit', (code) => console.log('bye', code)); throw 1", 1, "bye 1\n"),
        ("process.on('exit', () => { process.exitCode = 5 })", 5, ""),
        ("process.on('exit', () => process.exit(6))", 6, ""),
        ("process.on('exit', () => { throw new Error('late') })", 1, ""),
        (
            "setTimeout(() => console.log('first'), 20);"
            "process.on('exit', () => console.log('last'))",
            0,
            "first\nlast\n",
        ),
        ("process.on('beforeExit', (code) => console.log('before', code))", 0, "before 0\n"),
        ("process.once('beforeExit', () => process.exit(7))", 7, ""),
        ("process.on('beforeExit', () => { throw 1 })", 1, ""),
        (
            "let left = 3; process.on('exit', () => console.log('bye'));"
            "process.on('beforeExit', () => {"
            "if (left--) setTimeout(() => console.log('more', left), 1) })",
            0,
            "more 2\nmore 1\nmore 0\nbye\n",
        ),
    ],
)
def test_the_last_run_tells_who_listens_that_the_program_ends(
    kernel: KernelProcess, code: str, exit_code: int, stdout: str
) -> None:
    result = kernel.run(f"{code}; undefined", last=True)

    assert (result.exit_code, result.stdout) == (exit_code, stdout)


def test_a_session_goes_on_and_tells_nobody_that_it_ends(kernel: KernelProcess) -> None:
    assert kernel.run("process.on('exit', () => console.log('bye')); undefined").stdout == ""
    assert _still_whole(kernel)


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("let a = 1; let a = 2", (1, 16)),
        ("{\n  const b = 1, b = 2\n}", (2, 16)),
        ("1;\nlet known = 2, known = 3", (2, 5)),
    ],
)
def test_a_name_that_is_declared_twice_is_marked_where_it_is_wrong(
    kernel: KernelProcess, code: str, place: tuple[int, int]
) -> None:
    kernel.run("let known = 1")

    result = kernel.run(code)

    assert result.error_place == place
    assert "\nSyntaxError: Identifier" in result.traceback


def test_waiting_for_what_cannot_happen_is_an_error(kernel: KernelProcess) -> None:
    result = kernel.run("await new Promise(() => {})")
    assert (result.error_type, result.exit_code) == ("UnsettledAwait", 1)
    assert _still_whole(kernel)


@pytest.mark.parametrize(
    ("code", "kind", "place"),
    [
        ("let a = 1\n  missing.thing", "ReferenceError", (2, 3)),
        ("await 1\nnull.x", "TypeError", (2, 6)),
        ("function f() {\n  throw new RangeError('no')\n}\nf()", "RangeError", (2, 9)),
        ("1\nlet b = ;", "SyntaxError", (2, 9)),
        ("import fs from 'fs'; let c = ;", "SyntaxError", (1, 30)),
        ("import {\n  join\n} from 'path'\nlet d = ;", "SyntaxError", (4, 9)),
        ("import { absent } from 'fs'", "SyntaxError", (1, 1)),
        ("return 1", "SyntaxError", (1, 1)),
        ("setTimeout(() => {\n  throw new Error('late')\n}, 1)", "Error", (2, 9)),
        ("Promise.reject(new Error('unheard')); 1", "Error", (1, 16)),
        ("const e = new Error('made here')\n\nthrow e", "Error", (1, 11)),
        ("throw 'text'", "Uncaught", (None, None)),
        ("throw null", "Uncaught", (None, None)),
        ("class Mine extends Error { name = 'Mine' }\nthrow new Mine('m')", "Mine", (2, 7)),
        ("require('absent')", "Error", (1, 1)),
        ("await import('absent')", "Error", (1, 7)),
    ],
)
def test_errors_name_their_place_in_the_block(
    kernel: KernelProcess, code: str, kind: str, place: tuple[int | None, int | None]
) -> None:
    result = kernel.run(code)
    assert (result.error_type, result.error_place, result.exit_code) == (kind, place, 1)
    assert _still_whole(kernel)


def test_tracebacks_show_the_line_and_nothing_of_the_kernel(kernel: KernelProcess) -> None:
    kernel.run("function f(x) {\n  return x.y.z\n}", label="notes.md:3")
    result = kernel.run("// calls\n\tf({})", label="notes.md:9")
    assert result.traceback == (
        "notes.md:9:2\n\tf({})\n\t^\n\n"
        "TypeError: Cannot read properties of undefined (reading 'z')\n"
        "    at f (notes.md:3:2:14)\n    at notes.md:9:2:2"
    )


def test_what_a_program_prints_of_an_error_has_nothing_of_the_kernel(
    kernel: KernelProcess,
) -> None:
    result = kernel.run("try { null.x } catch (e) { console.log(e.stack) }", label="a.js")
    assert result.stdout == (
        "TypeError: Cannot read properties of null (reading 'x')\n    at a.js:1:12\n"
    )


def test_causes_are_told_and_long_stacks_are_cut(kernel: KernelProcess) -> None:
    caused = kernel.run("throw new Error('outer', { cause: new TypeError('inner') })")
    assert "[cause]: TypeError: inner" in caused.traceback
    deep = kernel.run("function f(n) { return n ? f(n - 1) : null.x }; f(100)")
    assert 0 < deep.traceback.count("at f (") <= 12


@pytest.mark.parametrize(
    "code",
    [
        "throw Object.defineProperty(new Error('m'), 'stack', { get() { throw 1 } })",
        "throw Object.defineProperty(new Error('m'), 'message', { get() { throw 1 } })",
        "throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 2 } })",
        "throw { get [Symbol.toStringTag]() { throw 1 } }",
        "throw { [Symbol.for('nodejs.util.inspect.custom')]() { throw 1 } }",
        "Error.prepareStackTrace = () => { throw 1 }; throw new Error('m')",
        "Error.stackTraceLimit = 0; throw new Error('m')",
        "throw { toString() { for (;;) throw 1 } }",
    ],
)
def test_errors_that_cannot_be_told_end_their_run_all_the_same(
    kernel: KernelProcess, code: str
) -> None:
    assert kernel.run(code).exit_code == 1
    assert _still_whole(kernel)


def test_a_failing_block_keeps_what_it_had_made(kernel: KernelProcess) -> None:
    kernel.run("let kept = 'paid for'; missing()")
    assert kernel.run("kept").value == "'paid for'"


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("process.exit(3)", 3),
        ("process.exit()", 0),
        ("process.exitCode = 4", 4),
        ("process.exitCode = 4; process.exit()", 4),
        ("process.exit(256 + 7)", 7),
        ("try { process.exit(3) } catch { console.log('no') } finally { console.log('no') }", 3),
        ("await 1; try { process.exit(3) } finally { console.log('no') }", 3),
        ("Promise.resolve().then(() => process.exit(3)).catch(() => process.exit(5))", 3),
        ("setTimeout(() => { process.exit(3); console.log('no') }, 1); undefined", 3),
        ("setImmediate(() => process.exit(3)); undefined", 3),
        ("process.nextTick(() => process.exit(3)); undefined", 3),
        ("fs.readFile('/dev/null', () => process.exit(3)); undefined", 3),
        ("await fs.promises.readFile('/dev/null'); process.exit(3)", 3),
        ("await new Promise((d) => setTimeout(d, 1)); process.exit(3); console.log('no')", 3),
    ],
)
def test_a_program_can_exit_and_the_session_lives_on(
    kernel: KernelProcess, code: str, exit_code: int
) -> None:
    kernel.run("let state = 1")
    result = kernel.run(code)
    assert (result.exit_code, result.stdout, result.error) == (exit_code, "", None)
    assert kernel.run("state").value == "1"
    assert _still_whole(kernel)
    assert kernel.run("1").exit_code == 0


@pytest.mark.parametrize(
    "code",
    [
        "console.log('go'); while (true) {}",
        "console.log('go'); while (true) { try { [].x.y } catch {} }",
        "await 1; console.log('go'); while (true) {}",
        "console.log('go'); await new Promise((done) => setTimeout(done, 1e8))",
        "console.log('go'); setInterval(() => {}, 1); undefined",
        "console.log('go'); await never()",
        "child_process.execSync('echo go; exec sleep 1000', { stdio: 'inherit' })",
        "console.log('go'); /(a+)+b/.test('a'.repeat(50))",
    ],
)
def test_an_interrupt_ends_the_run_and_keeps_the_state(kernel: KernelProcess, code: str) -> None:
    kernel.run("let state = 1")
    asked = {"never": lambda: (_ for _ in ()).throw(TimeoutError)}
    result = kernel.run(
        code, interrupt_when=lambda told: "go" in told.stdout, functions=asked, answering=False
    )
    assert (result.error_type, result.exit_code) == ("KeyboardInterrupt", 1)
    assert kernel.run("state").value == "1"
    assert _still_whole(kernel)


@pytest.mark.parametrize(
    "begin",
    [
        "setTimeout(busy, 1)",
        "setImmediate(busy)",
        "fs.readFile('/dev/null', busy)",
        "new Promise((done) => setTimeout(done, 1)).then(busy)",
        "(async () => { await fs.promises.readFile('/dev/null'); busy() })()",
    ],
)
def test_an_interrupt_ends_a_callback_that_never_returns(kernel: KernelProcess, begin: str) -> None:
    kernel.run(
        "let state = 1; function busy() { console.log('go'); const end = Date.now() + 1000;"
        "while (Date.now() < end); console.log('survived') }"
    )
    # What ends them starts in time of its own, and until then they end by themselves.
    for _ in range(20):
        result = kernel.run(f"{begin}; undefined", interrupt_when=lambda told: "go" in told.stdout)
        if "survived" not in result.stdout:
            break
    assert (result.error_type, result.stdout) == ("KeyboardInterrupt", "go\n")
    assert kernel.run("state").value == "1"
    assert _still_whole(kernel)
    again = kernel.run(
        "console.log('go'); for (;;);", interrupt_when=lambda told: "go" in told.stdout
    )
    assert again.error_type == "KeyboardInterrupt"


def test_what_is_never_settled_survives_the_collection_of_garbage(kernel: KernelProcess) -> None:
    code = (
        "let rounds = 0; setInterval(() => { Array.from({ length: 3e5 }, (_, n) => ({ n }));"
        "if (++rounds === 20) console.log('go') }, 1); await new Promise(() => {})"
    )
    result = kernel.run(code, interrupt_when=lambda told: "go" in told.stdout)
    assert result.error_type == "KeyboardInterrupt"
    assert kernel.run("1").value == "1"


def test_an_interrupt_between_runs_is_for_none(kernel: KernelProcess) -> None:
    for _ in range(3):
        kernel.interrupt()
        assert kernel.run("1 + 1").value == "2"


def test_what_an_ended_run_left_does_not_hold_up_later_ones(kernel: KernelProcess) -> None:
    kernel.run(
        "setInterval(() => {}, 5); console.log('go')",
        interrupt_when=lambda told: "go" in told.stdout,
    )
    result = kernel.run("setTimeout(() => console.log('mine'), 10); undefined")
    assert (result.stdout, result.exit_code) == ("mine\n", 0)


def test_a_program_may_listen_for_its_own_errors(kernel: KernelProcess) -> None:
    kernel.run("process.on('uncaughtException', (error) => console.log('heard', error.message))")
    result = kernel.run("setTimeout(() => { throw new Error('it') }, 1); undefined")
    assert (result.stdout, result.error) == ("heard it\n", None)


def test_a_program_cannot_make_the_kernel_deaf(kernel: KernelProcess) -> None:
    kernel.run(
        "process.removeAllListeners(); for (const name of ['setTimeout', 'setImmediate',"
        "'clearTimeout']) globalThis[name] = () => {}; Promise.prototype.then = () => {}; 1"
    )
    assert kernel.run("process.nextTick(() => { throw new Error('it') })").error_message == "it"
    assert kernel.run("process.exit(2)").exit_code == 2
    loop = kernel.run(
        "console.log('go'); for (;;);", interrupt_when=lambda told: "go" in told.stdout
    )
    assert loop.error_type == "KeyboardInterrupt"
    assert kernel.run("2").value == "2"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("process.abort()", -6),
        ("process.kill(process.pid, 'SIGKILL')", -9),
        ("process.reallyExit(9)", 9),
    ],
)
def test_a_crash_ends_the_kernel(kernel: KernelProcess, code: str, status: int) -> None:
    assert kernel.run(code).exit_code is None
    assert kernel.wait() == status
