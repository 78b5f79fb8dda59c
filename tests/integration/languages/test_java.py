"""Java in a sandbox, asked for as faces ask."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kowalski.engine import Engine
from kowalski.errors import RightsDenied
from kowalski.model.event import HostCall, Output
from kowalski.model.run import Limits, RunRequest, Workspace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from kowalski.model.event import RunResult

_SESSION = "java"


@pytest.fixture(scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with Engine(embedded=True, home=tmp_path_factory.mktemp("home")) as engine:
        yield engine


async def _in_session(engine: Engine, code: str, **more: object) -> RunResult:
    """In the one session of these tests: each uses names of its own."""
    return await engine.run(RunRequest(language="java", code=code, session=_SESSION, **more))  # type: ignore[arg-type]


async def _fresh(engine: Engine, code: str, workspace: Workspace | None = None) -> RunResult:
    return await engine.run(RunRequest(language="java", code=code, workspace=workspace))


async def test_a_session_keeps_variables_methods_types_and_imports(engine: Engine) -> None:
    code = """import java.time.Duration;
record Pair(int left, int right) {}
int sum(Pair pair) {
    return pair.left() + pair.right();
}
var kept = new Pair(40, 2);
System.out.println("made");
"""
    assert (await _in_session(engine, code)).stdout == "made\n"
    result = await _in_session(engine, 'Duration.ofSeconds(sum(kept)) + " of " + kept')
    assert result.value == '"PT42S of Pair[left=40, right=2]"'
    held = {one.name: (one.type, one.preview) for one in await engine.variables(_SESSION, "java")}
    assert held["kept"] == ("Pair", "Pair[left=40, right=2]")
    assert held["sum"] == ("method", "sum(Pair)")


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("1 + 1", "2"),
        ("1 + 1;", "2"),
        ("\"a\" + 'b'", '"ab"'),
        ("new int[] {1, 2}", "int[2] { 1, 2 }"),
        ("List.of(1, 2).stream().map(n -> n * 2).toList()", "[2, 4]"),
        ("int quiet = 1;", None),
        ("quiet = 2", None),
        ('var names = new ArrayList<String>();\nnames.add("a=b"); // a call is a statement', None),
        ("for (int i = 0; i < 2; i++) { }", None),
    ],
)
async def test_the_value_of_a_last_expression_is_shown(
    engine: Engine, code: str, value: str | None
) -> None:
    result = await _in_session(engine, code)
    assert (result.status, result.value) == ("ok", value)


async def test_output_comes_in_order_and_in_utf_8(engine: Engine) -> None:
    code = 'System.out.print("é"); System.err.println("ü");\nSystem.out.println("→");'
    result = await _in_session(engine, code)
    assert (result.stdout, result.stderr) == ("é→\n", "ü\n")


@pytest.mark.parametrize("session", [_SESSION, None])
async def test_a_main_is_given_the_arguments_of_its_own_run_alone(
    engine: Engine, session: str | None
) -> None:
    code = """class Given {
    public static void main(String[] args) {
        for (String word : args) System.out.print(word + "|");
    }
}"""
    request = RunRequest(language="java", code=code, session=session)
    given = replace(request, args=("--year", "two words", "", "ü→\n"))

    assert (await engine.run(given)).stdout == "--year|two words||ü→\n|"
    assert (await engine.run(request)).stdout == ""


async def test_each_run_reads_its_own_standard_input(engine: Engine) -> None:
    code = "var input = new Scanner(System.in); var read = input.nextLine(); input.close(); read"
    for line in ("first", "second"):
        assert (await _in_session(engine, code, stdin=line + "\n")).value == f'"{line}"'


@pytest.mark.parametrize(
    ("code", "message", "place"),
    [
        ('\n\n  int wrong = "text";', "String cannot be converted to int", (3, 15)),
        ("int fine = 1;\nSystem.out.println(fine);\n\tabsent(fine);", "absent(int)", (3, 2)),
        ("for (int i = 0; i < 3; i++ {\n}", "')' expected", (1, 27)),
        ("void open() {", "reached end of file", (1, 14)),
        ("int a = 1;\n /* oops\nint b = 2;", "unclosed comment", (2, 2)),
        ("class Ends { }\n/* oops", "unclosed comment", (2, 1)),
    ],
)
async def test_what_the_compiler_says_names_the_line_and_column_of_the_block(
    engine: Engine, code: str, message: str, place: tuple[int, int]
) -> None:
    result = await _in_session(engine, code)
    assert result.error is not None
    assert (result.status, result.error.type) == ("failed", "CompileError")
    assert message in result.error.message
    assert (result.error.line, result.error.column) == place


async def test_an_exception_names_the_lines_that_it_came_through(engine: Engine) -> None:
    code = """int depth(int n) {
    if (n == 0)
        throw new IllegalStateException("too deep", new RuntimeException("why"));
    return depth(n - 1);
}

depth(1);
"""
    result = await _in_session(engine, code)
    assert result.error is not None
    assert (result.error.type, result.error.message) == (
        "java.lang.IllegalStateException",
        "too deep",
    )
    assert result.error.line == 3
    assert result.error.traceback.splitlines()[:4] == [
        "java.lang.IllegalStateException: too deep",
        "    at depth(<code>:3)",
        "    at depth(<code>:4)",
        "    at <code>:7",
    ]
    assert "Caused by: java.lang.RuntimeException: why" in result.error.traceback
    for ours in ("kowalski", "jshell", "REPL", "reflect"):
        assert ours not in result.error.traceback


async def test_a_session_lives_on_through_exits_timeouts_and_interrupts(engine: Engine) -> None:
    await _in_session(engine, "int alive = 7;")
    exited = await _in_session(engine, 'System.exit(3); System.out.println("after");')
    assert (exited.status, exited.exit_code, exited.stdout) == ("failed", 3, "")
    assert exited.error is None
    endless = await _in_session(engine, "while (true) { }", limits=Limits(wall_s=0.3))
    assert (endless.status, endless.session_alive) == ("timeout", True)
    code = 'System.out.println("go"); Thread.sleep(1_000_000);'
    request = RunRequest(language="java", code=code, session=_SESSION)
    async with engine.start(request) as run:
        async for event in run.events():
            if isinstance(event, Output):
                await engine.interrupt(_SESSION)
        result = await run.result()
    assert (result.status, result.session_alive) == ("interrupted", True)
    assert (await _in_session(engine, "alive")).value == "7"


@pytest.mark.parametrize(
    "code",
    [
        'System.setOut(null); System.setErr(null); System.setIn(null); System.out.println("x");',
        """System.setOut(new PrintStream(new OutputStream() {
            @Override public void write(int one) { throw new IllegalStateException("no"); }
            @Override public void flush() { throw new IllegalStateException("no"); }
        })); System.out.println("x");""",
    ],
)
async def test_a_run_ends_whatever_it_does_to_its_streams(engine: Engine, code: str) -> None:
    result = await _in_session(engine, code)
    assert (result.status, result.error is None) == ("failed", False)
    assert (await _in_session(engine, 'System.out.print("y");')).stdout == "y"


async def test_a_main_is_called_in_a_session_too(engine: Engine) -> None:
    code = "class Held { static int count = 5; static void main(String[] a) { count++; } }"
    assert (await _in_session(engine, code)).status == "ok"
    assert (await _in_session(engine, "Held.count")).value == "6"
    code = "package apart; class Own { public static void main(String[] a) { System.exit(4); } }"
    result = await _in_session(engine, code)
    assert (result.exit_code, result.session_alive) == (4, True)


_STARTS = 'public static void main(String[] arguments) { System.out.println("ran"); }'


@pytest.mark.parametrize(
    "code",
    [
        f"/** A class that greets people. */ public class Greeting {{ {_STARTS} }}",
        f"// This interface demo has a class demo.\nrecord Demo(int a) {{ {_STARTS} }}",
        f"interface Never {{ void main(); }}\nclass Begun {{ {_STARTS} }}",
    ],
)
async def test_comments_are_no_part_of_what_a_main_is_called_by(engine: Engine, code: str) -> None:
    assert (await _in_session(engine, code)).stdout == "ran\n"
    assert (await _fresh(engine, code)).stdout == "ran\n"


@pytest.mark.parametrize(
    "code",
    [
        "// there is no void main() here\nclass Plain { }",
        'class Text { String of = "public static void main(String[] args)"; }',
        "interface Later { void main(); }",
        "abstract class Half { void main() { } }",
        f"class Outer {{ static class Inner {{ {_STARTS} }} }}",
    ],
)
async def test_what_only_looks_like_a_main_is_a_mere_declaration(engine: Engine, code: str) -> None:
    result = await _in_session(engine, code)
    assert (result.status, result.stdout, result.error) == ("ok", "", None)


async def test_a_declaration_runs_by_itself_without_a_main(engine: Engine) -> None:
    result = await _fresh(engine, "interface Later { void main(); } // as void main() { }")
    assert (result.status, result.error) == ("ok", None)


async def test_a_program_reads_inputs_and_asks_its_caller(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "data").write_text('of "inputs"')
    code = """var answer = (Map<?, ?>) ask(List.of(1, 2.5, "ü"), Map.of("data", data));
System.out.println(answer.get("told") + " " + answer.get("whole"));
ask("refused");
"""
    request = RunRequest(
        language="java",
        code=code,
        session=_SESSION,
        host_functions=("ask",),
        inputs={"data": await engine.put_blob(tmp_path / "data")},
    )
    asked = []
    async with engine.start(request) as run:
        async for event in run.events():
            if isinstance(event, HostCall):
                asked.append(json.loads(event.arguments))
                if asked[-1] == ["refused"]:
                    await run.refuse(event.call_id, "not now")
                else:
                    await run.answer(event.call_id, {"told": ["a\n", None], "whole": 7})
        result = await run.result()
    assert asked == [[[1, 2.5, "ü"], {"data": 'of "inputs"'}], ["refused"]]
    assert result.stdout == "[a\n, null] 7\n"
    assert result.error is not None
    assert (result.error.message, result.error.line) == ("ask: not now", 3)


async def test_threads_that_die_say_why(engine: Engine) -> None:
    code = 'var t = new Thread(() -> { throw new RuntimeException("alone"); }, "worker");\n'
    result = await _in_session(engine, code + "t.start(); t.join();")
    assert result.status == "ok"
    assert 'Exception in thread "worker" java.lang.RuntimeException: alone' in result.stderr


async def test_a_program_runs_as_java_runs_it_and_ends_with_its_threads(engine: Engine) -> None:
    code = """package some.where;

public class Greeter {
    public static void main(String[] arguments) throws Exception {
        new Thread(() -> {
            try {
                Thread.sleep(50);
            } catch (InterruptedException never) {
                return;
            }
            System.out.println("last, of " + Greeter.class.getName());
        }).start();
        System.out.println("first");
    }
}
"""
    result = await _fresh(engine, code)
    assert (result.status, result.stdout) == ("ok", "first\nlast, of some.where.Greeter\n")


async def test_a_first_line_may_name_the_program_that_runs_it(engine: Engine) -> None:
    code = f"#!/usr/bin/java --source 17\nclass Script {{ {_STARTS} }}"
    assert (await _fresh(engine, code)).stdout == "ran\n"
    assert (await _in_session(engine, "#!/usr/bin/java\n1 + 1")).value == "2"


async def test_a_program_that_does_not_compile_is_told_all_its_errors(engine: Engine) -> None:
    code = """class Wrong {
    public static void main(String[] arguments) {
        int one = "1";
        absent();
    }
}
"""
    result = await _fresh(engine, code)
    assert result.error is not None
    assert (result.error.line, result.error.column) == (3, 19)
    assert result.error.message.endswith("(and 1 more)")
    assert "<code>:4:9: error: cannot find symbol" in result.error.traceback
    told = [(one.severity, one.type, one.line, one.column) for one in result.diagnostics]
    assert told == [
        ("error", "compiler.err.prob.found.req", 3, 19),
        ("error", "compiler.err.cant.resolve.location.args", 4, 9),
    ]
    assert result.diagnostics[0].message.endswith("String cannot be converted to int")
    (told_of_session,) = (await _in_session(engine, "1 +\n nowhere")).diagnostics
    assert (told_of_session.type, told_of_session.line) == ("compiler.err.cant.resolve.location", 2)


@pytest.mark.parametrize("before", ["", "package deep; "])
async def test_what_is_nested_too_deeply_is_told_in_one_line(engine: Engine, before: str) -> None:
    deep = "(" * 20_000 + "1" + ")" * 20_000
    result = await _in_session(engine, f"{before}class Deep {{ int n = {deep}; }}")
    assert result.error is not None
    assert (result.error.type, result.stderr) == ("CompileError", "")
    assert result.error.message == "the code is nested too deeply for the compiler"


async def test_an_exit_is_the_program_s_own(engine: Engine) -> None:
    code = 'Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));\n'
    result = await _fresh(engine, code + "System.exit(7);")
    assert (result.status, result.exit_code, result.stdout) == ("failed", 7, "hook\n")
    assert result.error is None


async def test_a_full_heap_is_an_error_that_names_the_limit(engine: Engine) -> None:
    code = "var all = new ArrayList<long[]>();\nwhile (true) all.add(new long[1_000_000]);"
    limits = Limits(memory_bytes=300 * 2**20)
    request = RunRequest(language="java", code=code, limits=limits)
    result = await engine.run(request)
    assert (result.status, result.error and result.error.type) == (
        "failed",
        "java.lang.OutOfMemoryError",
    )
    assert result.error is not None
    assert "300 MB, its memory limit" in result.error.message


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A folder with a stale `Main`, and with an annotation processor that announces itself."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "Main.java").write_text(
        'class Main { public static void main(String[] a) { System.out.println("stale"); } }'
    )
    (folder / "Intruder.java").write_text(
        """import java.util.Set;
import javax.annotation.processing.*;
import javax.lang.model.element.TypeElement;
@SupportedAnnotationTypes("*")
public class Intruder extends AbstractProcessor {
    @Override public boolean process(Set<? extends TypeElement> types, RoundEnvironment round) {
        System.out.println("intruded");
        return false;
    }
}
"""
    )
    subprocess.run(["javac", "-proc:none", "Main.java", "Intruder.java"], cwd=folder, check=True)
    services = folder / "META-INF" / "services"
    services.mkdir(parents=True)
    (services / "javax.annotation.processing.Processor").write_text("Intruder\n")
    return Workspace(str(folder))


def test_the_hostile_folder_does_intrude_upon_a_compiler_that_looks(hostile: Workspace) -> None:
    done = subprocess.run(
        ["javac", "-processorpath", ".", "-d", "/nonexistent", "Main.java"],
        cwd=hostile.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "intruded" in done.stdout


async def test_nothing_in_a_folder_changes_what_is_compiled_or_run(
    engine: Engine, hostile: Workspace
) -> None:
    code = """public class Main {
    public static void main(String[] arguments) throws Exception {
        System.out.println("own");
        try {
            System.out.println(Class.forName("Intruder"));
        } catch (ClassNotFoundException absent) {
            System.out.println("absent");
        }
    }
}
"""
    assert (await _fresh(engine, code, hostile)).stdout == "own\nabsent\n"
    result = await _fresh(engine, "class Mine { }\nnew Main();\nnew Mine();", hostile)
    assert result.error is not None
    assert "Main" in result.error.message
    assert "intruded" not in result.stdout


async def test_no_code_changes_the_kernel_that_later_code_gets(engine: Engine) -> None:
    code = """var kernel = Path.of(System.getProperty("java.class.path"));
Files.writeString(kernel, "mine");
"""
    result = await _in_session(engine, code)
    assert result.error is not None
    assert result.error.type.startswith("java.nio.file.")
    result = await _in_session(engine, 'Files.createFile(kernel.resolveSibling("ready2"));')
    assert result.error is not None
    assert result.error.type.startswith("java.nio.file.")


@pytest.mark.parametrize("name", ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH"])
async def test_no_request_tells_the_jvm_how_to_start(
    engine: Engine, hostile: Workspace, name: str
) -> None:
    request = RunRequest(language="java", code="1", workspace=hostile, env={name: "-Dx=y"})
    with pytest.raises(RightsDenied):
        await engine.run(request)
