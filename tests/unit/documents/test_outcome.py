"""What a document shows of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kowalski.documents.document import parse
from kowalski.documents.outcome import Outcome, content_in, image_name
from kowalski.documents.printed import HEAD_LINES, LINE_CHARACTERS, TAIL_LINES
from kowalski.model.event import Artifact, Finished, Output, ProgramError, Started, Stream

_OK = Finished(seq=9, run_id="r", status="ok")
_PNG = Artifact(
    seq=1, id="r-1", sha256="0123456789abcdef", name="a.png", media_type="image/png", size=1
)


def _outcome(*printed: tuple[Stream, str], end: Finished = _OK) -> Outcome:
    outcome = Outcome()
    for stream, text in printed:
        outcome.hear(Output(seq=1, stream=stream, text=text))
    outcome.hear(end)
    return outcome


def _printed(text: str) -> tuple[str, ...]:
    return _outcome(("stdout", text)).lines()


def test_stdout_comes_before_stderr_and_both_before_the_value_and_the_error() -> None:
    error = ProgramError(type="KeyError", message="'x'\nmore", traceback="long")
    end = replace(_OK, status="failed", value="42", error=error)

    shown = _outcome(("stderr", "two"), ("stdout", "one\n"), ("stdout", "more"), end=end)

    assert shown.lines() == ("one", "more", "two", "42", "✗ KeyError: 'x'")


def test_the_address_of_a_value_is_left_out() -> None:
    value = "[<matplotlib.lines.Line2D object at 0x7f3a5c0b1e50>]"

    shown = _outcome(("stdout", " at 0x7f3a\n"), end=replace(_OK, value=value)).lines()

    assert shown == (" at 0x7f3a", "[<matplotlib.lines.Line2D object at 0x…>]")


def test_what_java_and_rust_number_anew_each_time_is_left_out() -> None:
    panic = "thread 'main' (7) panicked at <code>:1:5:\nboom\n"
    value = "java.lang.Object@45aa16cd"

    shown = _outcome(("stderr", panic), end=replace(_OK, value=value)).lines()

    assert shown == (
        "thread 'main' panicked at <code>:1:5:",
        "boom",
        "java.lang.Object@…",
    )


def test_a_block_is_not_numbered_among_those_that_are_called_the_same() -> None:
    printed = 'at f(<code> (12):3)\nFile "<load> (2)", line 4\n<p> (3) of\n'
    assert _printed(printed) == ("at f(<code>:3)", 'File "<load>", line 4', "<p> (3) of")


def test_text_cannot_be_turned_around() -> None:
    assert _outcome(("stdout", "a\u202eb\u2066c\n"), end=_OK).lines() == ("a\ufffdb\ufffdc",)


@pytest.mark.parametrize(
    ("end", "line"),
    [
        (replace(_OK, status="timeout", reason="it took too long"), "✗ timeout: it took too long"),
        (replace(_OK, status="killed", reason="memory"), "✗ killed: memory"),
        (replace(_OK, status="failed", exit_code=3), "✗ exit code 3"),
        (replace(_OK, status="failed", reason="why"), "✗ why"),
        (
            replace(
                _OK, status="failed", error=ProgramError(type="ExitStatus", message="exit status 3")
            ),
            "✗ exit status 3",
        ),
        (replace(_OK, status="failed", error=ProgramError(type="Oops", message="")), "✗ Oops"),
    ],
)
def test_a_failure_is_shown_in_a_line(end: Finished, line: str) -> None:
    outcome = _outcome(end=end)

    assert outcome.lines() == (line,)
    assert outcome.whole


@pytest.mark.parametrize("status", ["cancelled", "lost", "interrupted"])
def test_a_run_that_was_ended_from_outside_has_no_result(status: str) -> None:
    end = replace(_OK, status=status)  # type: ignore[arg-type]

    assert not _outcome(("stdout", "half"), end=end).whole
    assert (Outcome().whole, Outcome().lines()) == (False, ())


@pytest.mark.parametrize(
    ("printed", "lines"),
    [
        ("", ()),
        ("\n \n", ()),
        ("no end", ("no end",)),
        ("spaces  \t\nmore\n\n", ("spaces", "more")),
        ("\n  kept\ttab", ("", "  kept\ttab")),
        ("\x1b[1;31mred\x1b[0m", ("red",)),
        ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\x1b[2K", ("alink",)),
        ("bold b\x08bo\x08o", ("bold bo",)),
        ("\x00\x07\x9b\ud800\u2028", ("\ufffd\ufffd\ufffd\ufffd",)),
        ("unfinished \x1b[3", ("unfinished",)),
        ("  0%\r 50%\r100%\r\nnext", ("100%", "next")),
        ("first\r\r\nnext\r", ("first", "next")),
    ],
)
def test_what_is_shown_is_harmless_and_the_same_every_time(
    printed: str, lines: tuple[str, ...]
) -> None:
    assert _printed(printed) == lines


def test_of_long_output_the_beginning_and_the_end_are_shown() -> None:
    lines = _printed("".join(f"{number}\n" for number in range(100_000)))

    assert len(lines) == HEAD_LINES + 1 + TAIL_LINES
    assert (lines[0], lines[-1]) == ("0", "99999")
    assert lines[HEAD_LINES] == f"… {100_000 - HEAD_LINES - TAIL_LINES:,} lines left out …"


def test_of_output_in_long_lines_no_more_is_shown() -> None:
    long = _printed("x" * 10_000_000)
    many = _printed(("y" * 1900 + "\n") * 1000)

    assert long == (
        f"{'x' * LINE_CHARACTERS} … {10_000_000 - LINE_CHARACTERS:,} characters left out",
    )
    assert len("".join(many)) < 25_000
    assert "… 990 lines left out …" in many


def test_a_line_that_was_gone_over_again_counts_once() -> None:
    assert _printed("".join(f"\r{'#' * 50} {done}%" for done in range(1000))) == (
        f"{'#' * 50} 999%",
    )


def test_images_are_shown_and_nothing_else_that_was_made() -> None:
    outcome = Outcome()
    outcome.hear(
        Started(
            seq=0,
            run_id="r",
            at=0,
            language="python",
            interpreter="",
            device="",
            sandbox="L2",
            session=None,
            fresh=True,
        )
    )
    outcome.hear(_PNG)
    outcome.hear(replace(_PNG, media_type="application/pdf"))
    # One that is opened by itself may run scripts.
    outcome.hear(replace(_PNG, media_type="image/svg+xml"))

    assert outcome.images == [_PNG]


@pytest.mark.parametrize(
    ("info", "name"),
    [
        ("python {name=plot}", "plot-0123456789ab.png"),
        ('python {name="../my plot/x.."}', "my-plot-x-0123456789ab.png"),
        ("python", "figure-0123456789ab.png"),
        ('python {name="..."}', "figure-0123456789ab.png"),
    ],
)
def test_the_name_of_an_image_tells_its_content(info: str, name: str) -> None:
    (block,) = parse(f"```{info}\n1\n```\n").blocks

    assert image_name(block, _PNG) == name
    assert content_in(name) == "0123456789ab"


@pytest.mark.parametrize("name", ["mine.png", "../x-0123456789ab.png", "x-0123456789ab.txt", ""])
def test_other_names_tell_none(name: str) -> None:
    assert content_in(name) is None
