"""The JavaScript kernel, as a process of its own: what a block may be, and what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.languages.javascript_process import KernelProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelProcess]:
    """One kernel for tests that leave nothing behind."""
    process = KernelProcess(tmp_path_factory.mktemp("shared"))
    yield process
    process.close()


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[KernelProcess]:
    process = KernelProcess(tmp_path)
    yield process
    process.close()


def test_it_says_its_version(shared: KernelProcess) -> None:
    assert shared.hello is not None
    assert shared.hello.kind == "hello"
    assert shared.run("process.versions.node").value == f"'{shared.hello.text(0)}'"


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("1 + 1", "2"),
        ("'text'", "'text'"),
        ("({a: 1, b: [2]})", "{ a: 1, b: [ 2 ] }"),
        ("10n ** 20n", "100000000000000000000n"),
        ("-0", "-0"),
        ("0 / 0", "NaN"),
        ("null", "null"),
        ("undefined", None),
        ("let unseen = 1", None),
        ("await Promise.resolve(3)", "3"),
        ("Promise.resolve(4)", "4"),
        ("for await (const x of [Promise.resolve(5)]) x", "5"),
        ("Symbol('s')", "Symbol(s)"),
        ("new Map([[1, 2]])", "Map(1) { 1 => 2 }"),
        ("", None),
        ("// nothing", None),
        ("#!/usr/bin/env node\n6", "6"),
        ("'\U0001f600'.length", "2"),
    ],
)
def test_the_last_expression_is_shown_as_a_repl_shows_it(
    shared: KernelProcess, code: str, value: str | None
) -> None:
    result = shared.run(code)
    assert (result.value, result.exit_code, result.error) == (value, 0, None)


@pytest.mark.parametrize(
    "code",
    [
        "seen = 1; this === globalThis && delete globalThis.seen",
        "if (true) { 1 } else { 2 }",
        "'use strict'; undeclared = 1",
        "console.log('out'); Promise.resolve([4])",
        "\n  missing.thing",
        "[1].map((x) => {\n  throw new RangeError('no') })",
        "throw 'text'",
        "setTimeout(() => console.log('late'), 1)._idleTimeout",
        "process.nextTick(() => { throw new Error('it') })",
        "Promise.reject(new Error('unheard')); 1",
        "return 1",
        "1 + ;",
        "earlier + 1",
        "earlier = 5",
        "eval('earlier')",
        "process.exit(3)",
        "_",
    ],
)
def test_a_block_is_the_same_whether_or_not_it_declares_something(
    shared: KernelProcess, code: str
) -> None:
    results = []
    for written in (code, f"{code}\n;let unused"):
        shared.run("let earlier = 4; 'value'")
        results.append(shared.run(written))
    plain, declaring = results
    assert (plain.value, plain.exit_code) == (declaring.value, declaring.exit_code)
    assert (plain.stdout, plain.stderr) == (declaring.stdout, declaring.stderr)
    assert (plain.error is None) == (declaring.error is None)
    if plain.error:
        assert plain.error_place == declaring.error_place
        assert plain.traceback == declaring.traceback


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("import { basename } from 'node:path'\nbasename('/a/b')", "'b'"),
        ("import * as p from 'path'; p.basename('/a/b')", "'b'"),
        ("import p, { dirname as up } from 'path'; up(p.join('/a', 'b'))", "'/a'"),
        (
            "import {\n  join, // a comment\n  sep\n} from 'path'\n[join('a', 'b'), sep]",
            "[ 'a/b', '/' ]",
        ),
        ("import 'path'\n1", "1"),
        ("import data from './data.json' with { type: 'json' }; data.key", "7"),
        ("import own from './own.mjs'; own()", "'mine'"),
        ("(await import('./own.mjs')).default()", "'mine'"),
        ("const load = async () => import('./own.mjs'); (await load()).default()", "'mine'"),
        ("require('./common.js').name", "'common'"),
        ("import c from './common.js'; c.name", "'common'"),
        ("import { found } from 'installed'; found", "true"),
        ("require('installed').found", "true"),
        ("class A { import(x) { return x } }; new A().import(8)", "8"),
        ("({ import: 9 }).import", "9"),
        ("`${(await import('path')).sep} import('x')`", "\"/ import('x')\""),
        ("export const exported = 10; exported", "10"),
        ("export default function named() { return 11 }\nnamed()", "11"),
        ("const local = 12; export { local }; local", "12"),
        ("require.main === module", "true"),
        ("import.meta.url === require('url').pathToFileURL(process.argv[1]).href", "true"),
        ("import.meta.dirname === process.cwd() && __dirname === process.cwd()", "true"),
        ("os.EOL", "'\\n'"),
    ],
)
def test_both_kinds_of_modules_can_be_used(
    kernel: KernelProcess, tmp_path: Path, code: str, value: str
) -> None:
    (tmp_path / "data.json").write_text('{"key": 7}')
    (tmp_path / "own.mjs").write_text("export default () => 'mine'")
    (tmp_path / "common.js").write_text("module.exports = { name: 'common' }")
    package = tmp_path / "node_modules" / "installed"
    package.mkdir(parents=True)
    (package / "index.js").write_text("exports.found = true")
    result = kernel.run(code)
    assert (result.value, result.error and result.error_message) == (value, None)


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("import './no.mjs'", (1, 1)),
        ("1\nimport x from 'nowhere'; const y = 1", (2, 1)),
        ("import { no } from 'fs'", (1, 1)),
        ("const m = await import('nowhere')", (1, 17)),
        ("import {\n  join\n} from 'path'; const a = 1; null.x", (3, 34)),
        ("  export default null.x", (1, 23)),
    ],
)
def test_errors_have_the_place_that_they_have_in_the_block(
    kernel: KernelProcess, code: str, place: tuple[int, int]
) -> None:
    result = kernel.run(code, label="notes.md")
    assert result.error is not None
    assert result.error_place == place
    frames = [line for line in result.traceback.splitlines() if line.startswith("    at ")]
    assert len(frames) == 1
    assert f"notes.md:{place[0]}:{place[1]}" in frames[0]


@pytest.mark.parametrize("then", ["let x = 2", "const x = 2", "var x = 2", "var [x] = [2]"])
@pytest.mark.parametrize(
    "first",
    ["let x = 1", "const x = 1", "var x = 1", "class x {}", "function x() {}", "const { x } = {}"],
)
def test_what_was_declared_can_be_declared_again(
    kernel: KernelProcess, first: str, then: str
) -> None:
    kernel.run(first)
    assert kernel.run(f"{then}; x").value == "2"
    assert kernel.run("x").value == "2"


@pytest.mark.parametrize(
    "then", ["class x { y() { return 3 } }", "function x() {}", "async function x() {}"]
)
@pytest.mark.parametrize("first", ["let x = 1", "const x = 1", "var x = 1", "class x {}"])
def test_functions_and_classes_can_take_the_names_of_variables(
    kernel: KernelProcess, first: str, then: str
) -> None:
    kernel.run(first)
    assert kernel.run(f"{then}\ntypeof x").value == "'function'"
    assert kernel.run("typeof x").value == "'function'"


def test_a_block_that_declares_a_name_twice_is_wrong(shared: KernelProcess) -> None:
    result = shared.run("let twice = 1\nlet twice = 2")
    assert (result.error_type, result.error_place) == ("SyntaxError", (2, 5))


def test_assigning_to_a_constant_of_the_block_is_wrong(shared: KernelProcess) -> None:
    result = shared.run("const fixed = 1\nfixed = 2")
    assert (result.error_type, result.error_place) == ("TypeError", (2, 7))


def test_a_name_whose_declaration_failed_can_be_declared_again(kernel: KernelProcess) -> None:
    kernel.run("let late = missing()")
    assert kernel.run("let late = 2; late").value == "2"


_SNIPPETS = (
    "if (1) /['\"`{]/.test('a')",
    "const quote = /[/\\]'\"]/g",
    "let half = (4)\n/2/1",
    "const nested = `a${ { b: `${'}'}` }.b }${'`'}c`",
    "const text = 'it\\'s // no comment'",
    "// a comment with ' and ` and const x = 1",
    "/* const y = 2; ' */",
    "const { a, b: [c = { d: 1 }] = [] } = {}",
    "class Thing { static #p = 1; 'const' = 2; import() { return 3 } get() { return /}/ } }",
    "function gen() { const inner = 1; return { const: inner } }",
    "for (const item of [1, 2]) { const once = item }",
    "label: for (;;) { break label }",
    "let i = 1; i++ / 2",
    "const arrow = (x) => ({ x }), other = async () => await null",
    "const long = 1_000, float = .5e-3, big = 0xFFn",
    "var old = 1, older\n= 2",
    "const 변수 = '\u2028', $_ = 1",
    "switch (1) { case 1: { const inCase = 1 } default: }",
    "do { } while (0)",
    "const optional = ({})?.const ?.5 : 1",
)


@given(st.lists(st.sampled_from(_SNIPPETS), max_size=6), st.sampled_from(["\n", ";\n", "\n\n;"]))
@settings(max_examples=60)
def test_any_program_runs_as_it_stands(
    shared: KernelProcess, snippets: list[str], between: str
) -> None:
    unique = [*dict.fromkeys(snippets), "const probe = 7", "probe"]
    result = shared.run(between.join(unique))
    assert (result.value, result.error and result.traceback) == ("7", None)


def test_output_goes_where_the_program_sends_it(shared: KernelProcess) -> None:
    code = (
        "console.log('out', {a: 1}); console.error('err');"
        "process.stdout.write('raw\\n'); process.stderr.write(Buffer.from('bytes\\n'));"
        "require('child_process').execSync('echo child; echo warned >&2', {stdio: 'inherit'});"
        "process.stdout.write('end', () => {}); undefined"
    )
    result = shared.run(code)
    assert result.stdout == "out { a: 1 }\nraw\nchild\nend"
    assert result.stderr == "err\nbytes\nwarned\n"


def test_nothing_of_a_flood_is_lost(shared: KernelProcess) -> None:
    result = shared.run("for (let n = 0; n < 50000; n++) console.log(n)")
    assert result.stdout == "".join(f"{n}\n" for n in range(50000))


def test_a_program_that_ends_its_output_does_not_end_the_session_s(shared: KernelProcess) -> None:
    shared.run("process.stdout.end('last'); process.stdout.destroy(); process.stdin.destroy()")
    assert shared.run("console.log('next'); 1").stdout == "next\n"


@pytest.mark.parametrize(
    "code",
    [
        "require('fs').readFileSync(0, 'utf8')",
        "require('fs').readFileSync('/dev/stdin', 'utf8')",
        "let got = ''; for await (const part of process.stdin) got += part; got",
        "const lines = []; for await (const line of require('readline').createInterface("
        "{ input: process.stdin })) lines.push(line); lines.join('\\n') + '\\n'",
    ],
)
def test_each_run_reads_its_own_input_from_the_start(shared: KernelProcess, code: str) -> None:
    assert shared.run(code, stdin="one\ntwo\n").value == "'one\\ntwo\\n'"
    assert shared.run(code, stdin="three\n").value == "'three\\n'"


def test_inputs_are_read_when_they_are_wanted(kernel: KernelProcess, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"caf\xc3\xa9 \xff")
    inputs = {"page": tmp_path / "page", "absent": tmp_path / "nothing"}
    assert kernel.run("page", inputs=inputs).value == "'café \ufffd'"
    assert kernel.run("page.length").value == "6"
    missing = kernel.run("absent")
    assert "ENOENT" in missing.error_message


def test_an_input_replaces_what_the_program_declared(kernel: KernelProcess, tmp_path: Path) -> None:
    (tmp_path / "page").write_text("given")
    kernel.run("let page = 1")
    assert kernel.run("page", inputs={"page": tmp_path / "page"}).value == "'given'"


def test_variables_are_those_that_the_program_made(kernel: KernelProcess, tmp_path: Path) -> None:
    (tmp_path / "page").write_text("given")
    kernel.run(
        "let a = 1; const b = 'text'; var c = [1, 2]; class D {} function e() {}\n"
        "f = new Map(); const fs = require('fs'); import * as path from 'path'; let g = null\n"
        "let big = 'x'.repeat(1000); page.length",
        inputs={"page": tmp_path / "page"},
    )
    told = kernel.variables()
    assert {name: one["type"] for name, one in told.items()} == {
        "a": "number",
        "b": "string",
        "big": "string",
        "c": "Array",
        "D": "function",
        "e": "function",
        "f": "Map",
        "g": "null",
    }
    assert told["c"]["preview"] == "[ 1, 2 ]"
    assert len(told["big"]["preview"]) <= 80


def test_variables_are_bounded(kernel: KernelProcess) -> None:
    kernel.run("for (let n = 0; n < 1000; n++) globalThis['v' + n] = n; undefined")
    assert len(kernel.variables()) == 200


def test_host_functions_are_promises(shared: KernelProcess) -> None:
    code = "const [a, b] = await Promise.all([add(1, 2), add(3, 4)]); [a, b]"
    result = shared.run(code, functions={"add": lambda a, b: a + b})
    assert result.value == "[ 3, 7 ]"
    assert [call.text(1) for call in result.calls] == ["add", "add"]


def test_answers_come_as_text_json_or_errors(shared: KernelProcess) -> None:
    nothing: dict[str, str] = {}
    functions = {
        "say": lambda: "text",
        "tell": lambda: {"a": [1, None]},
        "fail": lambda: nothing["key"],
    }
    code = "[await say(), await tell(), await fail().catch((error) => error.message)]"
    result = shared.run(code, functions=functions)
    assert result.value == "[ 'text', { a: [ 1, null ] }, \"fail: 'key'\" ]"


def test_timers_go_on_while_an_answer_is_awaited(shared: KernelProcess) -> None:
    ticked: list[str] = []

    def slow() -> str:
        # The kernel ticks through this one before it is answered.
        ticked.append("asked")
        return "done"

    code = (
        "let ticks = 0; const timer = setInterval(() => ticks++, 1);"
        "while (ticks < 3) await tick(); const said = await slow(); clearInterval(timer); said"
    )
    result = shared.run(code, functions={"slow": slow, "tick": lambda: None})
    assert (result.value, ticked) == ("'done'", ["asked"])


def test_what_is_told_is_bounded(shared: KernelProcess) -> None:
    value = shared.run("'y'.repeat(1e7)").value
    assert value is not None
    assert len(value) < 100_100
    assert value.endswith("... 9900000 more characters")
    error = shared.run("throw new Error('x'.repeat(1e7))")
    assert len(error.error_message) < 100_100
    assert error.error_message.endswith("... 9900000 characters more")
    assert len(error.traceback) < 110_000
    asked = shared.run("await ask('z'.repeat(2e7))", functions={"ask": lambda z: z})
    assert (asked.error_type, asked.calls) == ("RangeError", [])


@pytest.mark.parametrize(
    "code",
    ["require('http').createServer()", "new net.Socket()", "child_process.spawn('true')"],
)
def test_what_node_keeps_in_a_server_or_a_socket_is_not_all_shown(
    shared: KernelProcess, code: str
) -> None:
    value = shared.run(code).value
    assert value is not None
    assert len(value.splitlines()) <= 21


def test_data_is_shown_however_long_it_is(shared: KernelProcess) -> None:
    code = "class Store extends require('events') { items = [{ name: 'one' }] }; new Store()"
    assert "items: [ { name: 'one' } ]" in (shared.run(code).value or "")
    value = shared.run("Array.from({ length: 90 }, (_, n) => ({ deep: { n, s: 'x'.repeat(70) } }))")
    assert "n: 89," in (value.value or "")


def test_a_picture_becomes_an_artifact(shared: KernelProcess) -> None:
    png = "89504e470d0a1a0a0000"
    result = shared.run(f"Buffer.from('{png}', 'hex')")
    [artifact] = result.artifacts
    assert [field.decode("latin1") for field in artifact.fields[:2]] == ["image.png", "image/png"]
    assert artifact.fields[2].hex() == png


def test_children_get_none_of_the_kernel_s_own_descriptors(shared: KernelProcess) -> None:
    code = (
        "const { spawnSync } = require('child_process');"
        "spawnSync('sh', ['-c', 'for n in 3 4; do { true >&$n; } 2>/dev/null && echo $n; done'])"
        ".stdout.toString()"
    )
    assert shared.run(code).value == "''"


def test_a_node_that_is_too_old_says_so(tmp_path: Path, kernel: KernelProcess) -> None:
    (tmp_path / "aged.cjs").write_text(
        "Object.defineProperty(process, 'versions', { value: { node: '16.20.2' } })"
    )
    old = tmp_path / "node"
    old.write_text(f'#!/bin/sh\nexec {kernel.node} -r {tmp_path}/aged.cjs "$@"\n')
    old.chmod(0o755)
    process = KernelProcess(tmp_path, str(old))
    result = process.run("'é' + `${1}`")
    assert (result.error_type, result.exit_code) == ("LanguageUnavailable", 1)
    assert "is Node.js 16.20.2; 18 or newer is needed" in result.error_message
    assert process.variables() == {}
    process.close()


def test_it_ends_when_the_agent_goes(tmp_path: Path) -> None:
    process = KernelProcess(tmp_path)
    process.hang_up()
    assert process.wait() == 0
    process.close()


@pytest.mark.parametrize(
    "replacing",
    [
        "Array.prototype.push = () => {}",
        "const push0 = Array.prototype.push; Array.prototype.push = function (...a) "
        "{ console.log('push'); return push0.apply(this, a) }",
        "process.binding('pipe_wrap').Pipe.prototype.readStart = () => { throw 1 }",
    ],
)
def test_what_a_program_puts_in_the_place_of_methods_is_not_the_kernels(
    kernel: KernelProcess, replacing: str
) -> None:
    kernel.run(f"{replacing}; 1")
    for number in range(3):
        answer = kernel.run(f"{number} + 1")
        assert (answer.value, answer.stdout) == (str(number + 1), "")
    assert kernel.run("throw new Error('thrown')").exit_code == 1
