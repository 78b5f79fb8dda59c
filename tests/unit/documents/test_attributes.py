"""What blocks ask for, in Kowalski's words and in those of other tools."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.documents.document import Document, parse
from kowalski.model.block import BlockAttributes, CodeBlock

_NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1).filter(
    lambda name: len(name) <= 100 and "," not in name and not name.isdecimal()
)


def _document(info: str, code: str = "") -> Document:
    return parse(f"~~~{info}\n{code}~~~\n")


def _block(info: str, code: str = "") -> CodeBlock:
    (block,) = _document(info, code).blocks
    return block


def _attributes(info: str, code: str = "") -> BlockAttributes:
    """The attributes of a block about which nothing is said."""
    document = _document(info, code)
    assert document.warnings == ()
    return document.blocks[0].attributes


def test_without_attributes_a_block_asks_for_nothing() -> None:
    assert _attributes("python") == BlockAttributes()


def test_kowalskis_own_attributes_are_all_understood() -> None:
    document = parse(
        "```rust {name=load session=main timeout=60 device=studio needs=fetch,clean manual"
        " check=exact release background}\n```\n"
        "```sh {name=fetch}\n```\n```sh {name=clean}\n```\n"
    )

    assert document.warnings == ()
    assert document.blocks[0].name == "load"
    assert document.blocks[0].attributes == BlockAttributes(
        name="load",
        session="main",
        timeout_s=60.0,
        device="studio",
        needs=("fetch", "clean"),
        manual=True,
        check="exact",
        release=True,
        background=True,
    )


@pytest.mark.parametrize(
    "info",
    [
        "python {name=load}",
        "python{name=load}",
        "python { name = load }",
        'python {name="load"}',
        "python {name='load',}",
        "python {#load}",
        "python name=load",
        'python {"name":"load"}',
        'python { "name" : "load" }',
        "{.python #load}",
        "{#load .python}",
        "{.python name=load}",
        "{python name=load}",
        '{python, label="load"}',
        "{python,name=load}",
        "{python} {name=load}",
    ],
)
def test_a_name_is_given_in_any_dialect(info: str) -> None:
    assert _block(info).language == "python"
    assert _attributes(info).name == "load"


def test_a_quarto_label_is_a_name_and_stays_in_the_code() -> None:
    code = "#| label: load\nprint(1)\n"

    assert _block("{python}", code).code == code
    assert _attributes("{python}", code).name == "load"


@given(_NAMES)
def test_any_name_can_be_quoted(name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')

    assert _block(f'python {{name="{quoted}"}}').name == name


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("60", 60.0),
        ("0.5", 0.5),
        ("60s", 60.0),
        ("500ms", 0.5),
        ("2m", 120.0),
        ("1.5h", 5400.0),
        ("'90 s'", 90.0),
        ("168h", 604800.0),
    ],
)
def test_timeouts_are_in_seconds_or_name_their_unit(written: str, seconds: float) -> None:
    assert _attributes(f"python {{timeout={written}}}").timeout_s == seconds


@pytest.mark.parametrize(
    "written",
    [
        *("-1", "0", "0ms", "1e308", "abc", "inf", "nan", "60x", "2M", "", "''", "169h", "٣"),
        *("1_000", "9" * 400),
    ],
)
def test_an_impossible_timeout_is_an_error_with_its_place(written: str) -> None:
    document = _document(f"python {{timeout={written}}}")
    (said,) = document.warnings

    assert (said.line, said.column, said.severity) == (1, 12, "error")
    assert said.message.startswith("`timeout` cannot be ")
    assert len(said.message) < 200
    assert document.blocks[0].problem == said.message


@pytest.mark.parametrize("number", ["1e308", "-1", "NaN", "true", "9" * 1000])
def test_json_numbers_are_no_way_around_the_bounds(number: str) -> None:
    assert not _block(f'python {{"timeout":{number}}}').runnable


@pytest.mark.parametrize(
    "written",
    [
        "name=7",
        "name=",
        "name",
        "name='a,b'",
        "name=' a'",
        "name='a\tb'",
        "name=a\u200b",
        f"name={'a' * 101}",
        "session=",
        "session=../../x",
        "session=-x",
        f"session={'a' * 65}",
        "device",
        "needs",
        "needs=a,",
        "needs=1",
        "check",
        "check=maybe",
        "check=EXIT",
        "manual=maybe",
        "manual=",
        "release=2",
        "background=never",
        "eval=perhaps",
    ],
)
def test_a_value_that_cannot_be_keeps_the_block_from_running(written: str) -> None:
    document = _document(f"python {{{written}}}")
    said = document.warnings[0]

    assert (said.line, said.column, said.severity) == (1, 12, "error")
    assert not document.blocks[0].runnable


def test_a_session_may_be_a_number() -> None:
    assert _attributes("python {session=1}").session == "1"


@pytest.mark.parametrize("value", ["", "=true", "=yes", "=on", "=1", "=TRUE", "='true'"])
def test_flags_are_raised_by_their_name_or_a_yes(value: str) -> None:
    assert _attributes(f"python {{manual{value}}}").manual


@pytest.mark.parametrize("value", ["=false", "=no", "=off", "=0", "=FALSE"])
def test_flags_are_lowered_by_a_no(value: str) -> None:
    assert not _attributes(f"python {{manual{value}}}").manual


@pytest.mark.parametrize(
    "info",
    [
        'sh {"excludeFromRunAll":"true"}',
        'sh {"excludeFromRunAll":true}',
        "sh { excludeFromRunAll=true }",
        'sh {"ignore":true}',
        "{sh, eval=FALSE}",
        "{sh, eval=F}",
        "sh manual",
        "sh {manual eval=true}",
        "sh {manual=true manual=false}",
    ],
)
def test_whatever_keeps_a_block_from_running_in_other_tools_makes_it_manual(info: str) -> None:
    attributes = _attributes(info)

    assert attributes.manual


@pytest.mark.parametrize(
    ("info", "check"),
    [("{python, error=TRUE}", "ignore"), ("{python, error=FALSE}", "exact")],
)
def test_knitrs_error_option_says_whether_failing_is_fine(info: str, check: str) -> None:
    assert _attributes(info).check == check


@pytest.mark.parametrize("language", ["python", "java", "sh"])
def test_a_release_of_what_is_not_compiled_for_speed_is_a_warning_with_its_place(
    language: str,
) -> None:
    (warning,) = _document(f"{language} {{release}}").warnings
    assert (warning.line, warning.column, warning.severity) == (1, len(language) + 6, "warning")
    assert "`release` has no effect" in warning.message
    assert _document(f"{language} {{release=false}}").warnings == ()


def test_runmes_background_is_kowalskis() -> None:
    info = 'sh {"background":"true","interactive":"false","terminalRows":20,"id":"01HF"}'

    assert _attributes(info).background


def test_json_lists_are_lists_of_names() -> None:
    assert _block('sh {"needs":["a","b c"]}').attributes.needs == ("a", "b c")


def test_needs_are_named_once_each() -> None:
    assert _block("sh {needs='a, b,a'}").attributes.needs == ("a", "b")


def test_an_unknown_attribute_is_kept_and_said_with_its_place() -> None:
    document = parse('Text\n\n> ```sh {name=x colour="blue" flag}\n> ```\n')
    (block,) = document.blocks

    assert block.runnable
    assert block.attributes.extra == {"colour": "blue", "flag": ""}
    assert [(said.line, said.column, said.severity) for said in document.warnings] == [
        (3, 17, "warning"),
        (3, 31, "warning"),
    ]
    assert "`colour`" in document.warnings[0].message


def test_many_unknown_attributes_are_counted_and_errors_come_first() -> None:
    unknown = " ".join(f"x{number}" for number in range(200))
    document = _document(f"python {{{unknown} timeout=no}}")

    assert len(document.warnings) == 21
    assert any("181 more" in said.message for said in document.warnings)
    assert [said.severity for said in document.warnings].count("error") == 1
    assert not document.blocks[0].runnable


def test_a_long_attribute_is_shown_shortened() -> None:
    (said,) = _document(f"python {{{'x' * 1000}}}").warnings

    assert len(said.message) < 100


@pytest.mark.parametrize(
    "info",
    [
        'python title="x"',
        'python hl_lines="1 3" linenums="1"',
        "js {1,3-4}",
        "js{4}",
        "{.python .numberLines startFrom=100}",
        "{python, echo=FALSE, fig.cap='A picture'}",
    ],
)
def test_how_a_block_looks_is_nothing_to_warn_of(info: str) -> None:
    assert _block(info).runnable
    assert _attributes(info).extra


def test_an_attribute_given_twice_is_said_and_the_last_one_counts() -> None:
    document = _document("python {name=a name=b}")

    assert document.blocks[0].name == "b"
    (said,) = document.warnings
    assert (said.column, said.severity) == (19, "warning")


@pytest.mark.parametrize(
    ("info", "column"),
    [
        ("python {name=load", 21),
        ('python {name="load}', 12),
        ("python {name=lo'ad}", 12),
        ("python {=html}", 12),
        ("python {name=a}}", 19),
        ("python {{name=a}}", 12),
        ('python {"name":}', 11),
        ('python {"name"', 11),
        ('python {"name":{"a":1}}', 11),
        ('python {"name":[1]}', 11),
        ('python {"name":null}', 11),
        ('python {"timeout":' + "9" * 1900 + "}", 11),
        ('python {"a":' + "[" * 1900, 11),
    ],
)
def test_attributes_that_cannot_be_read_keep_the_block_from_running(info: str, column: int) -> None:
    document = _document(info)
    errors = [said for said in document.warnings if said.severity == "error"]

    assert [(said.line, said.column) for said in errors] == [(1, column)]
    assert document.blocks[0].problem == errors[0].message


def test_attributes_of_a_foreign_language_are_understood_and_never_warned_of() -> None:
    document = _document("json {name=data colour=blue timeout=no}")

    assert document.blocks[0].name == "data"
    assert document.warnings == ()
