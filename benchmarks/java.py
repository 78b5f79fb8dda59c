"""Java: fresh runs and session calls, against the JDK's own programs in the same sandbox."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from benchmarks.bench import Bench, cold_contestant, interpreter, request
from benchmarks.measure import interleave
from benchmarks.outcome import Outcome, Row, faster, under
from benchmarks.sustained import Runner, batch_of, never_slower, per_run
from kowalski.errors import LanguageUnavailable

_RUNS = 20
_PRINTING = "System.out.println(1);"
_COMPILE = """cd "$HOME" && cat > Main.java <<'END' && javac Main.java && java Main
class Main { public static void main(String[] a) { System.err.println(1); } }
END
"""
# What it says of its own about the user's preferences goes to standard error.
_SHELL = "echo 'System.out.println(1);' | jshell --execution local -s - 3>&2 2>/dev/null 1>&3"


async def measure(bench: Bench) -> Outcome:
    """A warm JVM one run at a time, the same back to back, and a session."""
    wanted = replace(request("python"), language="java", code=_PRINTING)
    title = "System.out.println(1), Java"
    try:
        java = await interpreter(bench.engine, wanted)
    except LanguageUnavailable as problem:
        return Outcome("java", title, (Row("kowalski", missing=problem.user_message),))
    path = f"PATH={java.rpartition('/')[0]}:/usr/bin:/bin; "
    compiled = await bench.caged(wanted, "javac", ("/bin/sh", "-c", path + _COMPILE))
    shell = await bench.caged(wanted, "jshell", ("/bin/sh", "-c", path + _SHELL))
    fresh, cold = await interleave(
        [
            bench.runs_of("kowalski: fresh sandbox, warm pool", wanted),
            cold_contestant("javac and java in the same sandbox", compiled),
        ],
        bench.rounds(40),
        calm=True,
    )
    call, cold_shell = await interleave(
        [
            bench.runs_of("kowalski: session call", replace(wanted, session="bench")),
            cold_contestant("jshell in the same sandbox", shell),
        ],
        bench.rounds(40),
        warmup=5,
    )
    runners = (
        Runner(
            "kowalski: fresh sandbox, back to back",
            partial(batch_of, bench, wanted),
            bench.agent,
            _RUNS,
        ),
        Runner("javac and java, back to back", compiled.run, compiled.account, _RUNS),
    )
    for turn in range(1 if bench.quick else 3):
        for runner in runners[:: -1 if turn % 2 else 1]:
            await runner.measure(1)
    ours, theirs = (runner.series() for runner in runners)
    return Outcome(
        "java",
        title,
        (
            Row(fresh.name, fresh),
            Row(cold.name, cold, (faster(fresh, cold, 10),)),
            Row(call.name, call, (under(call, 50),)),
            Row(cold_shell.name, cold_shell, (faster(call, cold_shell),)),
            Row(ours.name, ours, figures={"elapsed_ms_per_run": per_run(ours)}),
            Row(
                theirs.name,
                theirs,
                never_slower(ours, theirs),
                figures={"elapsed_ms_per_run": per_run(theirs)},
            ),
        ),
    )
