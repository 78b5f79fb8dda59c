"""Settings come from the owner's file, the environment and flags, and say where each is from."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.errors import InvalidSettings
from kowalski.settings.loading import load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kowalski.settings.model import Settings

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir(mode=0o700)
    return folder / "settings.toml"


def write(file: Path, text: str | bytes, mode: int = 0o600) -> Path:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(mode)
    return file


def refusal(
    file: Path, flags: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None
) -> str:
    with pytest.raises(InvalidSettings) as caught:
        load(flags, environ or {}, file)
    return caught.value.user_message


def origin(settings: Settings, key: str) -> str:
    return next(origin for name, _, origin in settings.effective() if name == key)


@pytest.mark.parametrize("text", [None, "", "\n# nothing\n", "\ufeff", "[limits]\n"])
def test_a_missing_or_empty_file_leaves_every_default(file: Path, text: str | None) -> None:
    if text is not None:
        write(file, text)
    settings = load(environ={}, path=file)
    assert settings.limits.wall_s == 30
    assert settings.maxima.wall_s == 3600
    assert settings.sandbox.floor == "L1"
    assert {origin for _, _, origin in settings.effective()} <= {
        "default",
        "cut to maxima.memory_mb",
    }


def test_the_file_stands_in_the_folder_of_configuration(tmp_path: Path) -> None:
    for environ, folder in (
        ({"HOME": str(tmp_path / "a")}, tmp_path / "a/.config/kowalski"),
        ({"XDG_CONFIG_HOME": str(tmp_path / "b")}, tmp_path / "b/kowalski"),
        ({"KOWALSKI_HOME": str(tmp_path / "c")}, tmp_path / "c"),
    ):
        folder.mkdir(mode=0o700, parents=True)
        write(folder / "settings.toml", "[agent]\nqueue = 7\n")
        assert load(environ=environ).agent.queue == 7


def test_flags_win_over_the_environment_and_that_over_the_file(file: Path) -> None:
    write(file, "# mine\n[limits]\nwall_s = 10\nprocesses = 20\noutput_mb = 30\n")
    environ = {"KOWALSKI_LIMITS_PROCESSES": "21", "KOWALSKI_LIMITS_OUTPUT_MB": "31"}
    settings = load({"limits.output_mb": 32, "limits.disk_mb": None}, environ, file)
    limits = settings.limits
    assert (limits.wall_s, limits.processes, limits.output_mb) == (10, 21, 32)
    assert origin(settings, "limits.wall_s") == f"{file}, line 3"
    assert origin(settings, "limits.processes") == "environment KOWALSKI_LIMITS_PROCESSES"
    assert origin(settings, "limits.output_mb") == "flag"
    assert origin(settings, "limits.disk_mb") == "default"


def test_every_key_has_its_variable_and_its_flag() -> None:
    settings = load(environ={"HOME": "/nowhere"})
    for key, value, _ in settings.effective():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        variable = "KOWALSKI_" + key.replace(".", "_").upper()
        by_variable = load(environ={"HOME": "/nowhere", variable: text})
        assert origin(by_variable, key) == f"environment {variable}"
        assert load({key: text}, {"HOME": "/nowhere"}).effective() == [
            (k, v, "flag" if k == key else o) for k, v, o in by_variable.effective()
        ]


@given(st.integers(1, 3600), st.integers(1, 3600))
def test_a_default_limit_never_exceeds_its_maximum(limit: int, maximum: int) -> None:
    environ = {
        "HOME": "/nowhere",
        "KOWALSKI_LIMITS_WALL_S": str(limit),
        "KOWALSKI_MAXIMA_WALL_S": str(maximum),
    }
    settings = load(environ=environ)
    assert settings.limits.wall_s == min(limit, maximum)
    if limit > maximum:
        assert origin(settings, "limits.wall_s") == "cut to maxima.wall_s"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[limits]\nwall_s = \n", 2, "not valid TOML"),
        ("[limits]\nwall_s = 1\n[limits", 3, "not valid TOML"),
        ("x = '''\nnever closed\n", 2, "not valid TOML"),
        ("[limits]\nwal_s = 1\n", 2, "did you mean 'wall_s'?"),
        ("[limitz]\nwall_s = 1\n", 1, "did you mean 'limits'?"),
        ("[limits]\n# minimum\nminimum = 'L2'\n", 3, "belongs to [sandbox]"),
        ("# limits\n\nlimits = 3\n", 3, "a section is expected"),
        ("limits.wall_s = 'soon'\n", 1, "key limits.wall_s"),
        ("limits = { processes = 40, wall_s = 'soon' }\n", 1, "key limits.wall_s"),
        ("[agent]\nidle_exit_s = 5\n[pool]\nidle_s = true\n", 4, "key pool.idle_s"),
        ("[limits]\nprocesses = 1.5\n", 2, "1.5"),
        ("[limits]\nprocesses = '12'\n", 2, "'12'"),
        ("[limits]\nprocesses = 0\n", 2, "greater than or equal to 20"),
        ("[limits]\nwall_s = inf\n", 2, "finite"),
        ("[limits]\nwall_s = nan\n", 2, "nan"),
        ("[limits]\nwall_s = -1\n", 2, "greater than 0"),
        (f"[limits]\nprocesses = {'9' * 5000}\n", 2, "not valid TOML"),
        ("[sandbox]\nminimum = 'L0'\n", 2, "'L0'"),
        ("[sandbox]\nallow_unsandboxed = 1\n", 2, "key sandbox.allow_unsandboxed"),
        ("[device]\nname = 'a b'\n", 2, "key device.name"),
        (b"[limits]\n# \xff\n", 2, "not UTF-8"),
        ("[limits]\nwall_s = 1\n".encode("utf-16"), 1, "not UTF-8"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(
    file: Path, text: str | bytes, line: int, says: str
) -> None:
    message = refusal(write(file, text))
    assert f"{file}, line {line}" in message
    assert says in message


def test_a_key_in_a_comment_or_a_string_is_not_taken_for_the_place(file: Path) -> None:
    write(file, '# wall_s = 1\n[device]\nname = """\\\nwall_s"""\n[limits]\nwall_s = "x"\n')
    assert f"{file}, line 6, key limits.wall_s" in refusal(file)


def test_a_file_nested_beyond_reason_is_refused(file: Path) -> None:
    write(file, "x = " + "[" * 100_000)
    assert str(file) in refusal(file)


def test_a_file_of_a_gigabyte_is_refused(file: Path) -> None:
    write(file, "")
    with file.open("r+b") as handle:
        handle.truncate(1 << 30)
    assert "more than" in refusal(file)


def test_a_symbolic_link_is_refused(file: Path, tmp_path: Path) -> None:
    file.symlink_to(write(tmp_path / "elsewhere.toml", ""))
    assert "symbolic link" in refusal(file)


def test_a_fifo_is_refused_without_waiting_for_it(file: Path) -> None:
    os.mkfifo(file)
    assert "not a regular file" in refusal(file)


def test_a_folder_in_place_of_the_file_is_refused(file: Path) -> None:
    file.mkdir()
    assert "not a regular file" in refusal(file)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_change_is_refused(file: Path, mode: int) -> None:
    assert "chmod go-w" in refusal(write(file, "", mode))


@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_a_file_in_a_folder_that_others_may_change_is_refused(file: Path, mode: int) -> None:
    write(file, "").parent.chmod(mode)
    assert "chmod go-w" in refusal(file)


def test_a_file_that_others_may_only_read_is_taken(file: Path) -> None:
    assert load(environ={}, path=write(file, "[agent]\nslots = 3\n", 0o644)).agent.slots == 3


@as_root
def test_a_file_of_another_user_is_refused(file: Path) -> None:
    os.chown(write(file, ""), 12345, -1)
    assert "another user (uid 12345)" in refusal(file)


@as_root
def test_a_file_in_another_users_folder_is_refused(file: Path) -> None:
    os.chown(write(file, "").parent, 12345, -1)
    assert "another user (uid 12345)" in refusal(file)


@pytest.mark.parametrize("value", [" ", " 5", "5 ", "5\n", "\t5", "5\x00", "5\x1b[0m"])
def test_a_variable_with_blanks_or_control_characters_is_refused(file: Path, value: str) -> None:
    assert "KOWALSKI_LIMITS_WALL_S" in refusal(file, environ={"KOWALSKI_LIMITS_WALL_S": value})


def test_an_empty_variable_is_one_that_is_not_set(file: Path) -> None:
    assert load(path=file, environ={"KOWALSKI_LIMITS_WALL_S": ""}) == load(path=file, environ={})


def test_a_variable_of_the_wrong_type_is_refused_with_its_key(file: Path) -> None:
    message = refusal(file, environ={"KOWALSKI_LIMITS_WALL_S": "soon"})
    assert "environment KOWALSKI_LIMITS_WALL_S, key limits.wall_s" in message


def test_a_misspelt_variable_is_refused_with_a_suggestion(file: Path) -> None:
    message = refusal(file, environ={"KOWALSKI_LIMITS_WALLS": "5"})
    assert "did you mean 'KOWALSKI_LIMITS_WALL_S'?" in message


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("KOWALSKI_LIMIT_WALL", "KOWALSKI_LIMITS_WALL_S"),
        ("KOWALSKI_LIMIT_MEMORY_MB", "KOWALSKI_LIMITS_MEMORY_MB"),
        ("KOWALSKI_SESSION_IDLE_S", "KOWALSKI_SESSIONS_IDLE_S"),
    ],
)
def test_a_variable_that_is_nearly_that_of_a_setting_is_refused(
    file: Path, variable: str, meant: str
) -> None:
    assert f"did you mean {meant!r}?" in refusal(file, environ={variable: "3"})


@pytest.mark.parametrize(
    "variable",
    [
        "KOWALSKI_DEMO",
        "KOWALSKI",
        "KOWALSKI_HOME",
        "KOWALSKI_DEBUG",
        "KOWALSKI_EXO_URLS",
        "KOWALSKI_OPENAI_URLS",
        "KOWALSKI_STUDIO_KEY",
        "KOWALSKI_MODEL_SERVER_TOKEN",
    ],
)
def test_a_variable_of_no_section_is_somebody_elses(file: Path, variable: str) -> None:
    assert load(environ={variable: "x"}, path=file).limits.wall_s == 30


@pytest.mark.parametrize("section", ["limits", "maxima"])
@pytest.mark.parametrize(("name", "little"), [("memory_mb", 1), ("processes", 1)])
def test_so_little_that_no_interpreter_starts_is_refused(
    file: Path, section: str, name: str, little: int
) -> None:
    write(file, f"[{section}]\n{name} = {little}\n")
    assert re.search(rf"line 2.*{name}.*greater than or equal to \d+", refusal(file))


def test_a_misspelt_flag_is_refused_with_a_suggestion(file: Path) -> None:
    assert "did you mean 'limits.wall_s'?" in refusal(file, {"limits.walls": 3})


LOWER: list[tuple[str, str, Any, Any]] = [
    ("sandbox.minimum", "minimum = 'L2'", "L3", "L1"),
    ("sandbox.allow_unsandboxed", "allow_unsandboxed = true", False, None),
    ("sandbox.allow_unsandboxed", "allow_unsandboxed = false", False, True),
    ("maxima.memory_mb", "memory_mb = 500", 400, 600),
    ("maxima.wall_s", "wall_s = 500", 400, 600),
]


@pytest.mark.parametrize(("key", "owners", "less", "more"), LOWER)
def test_only_the_owners_file_can_give_code_more(
    file: Path, key: str, owners: str, less: Any, more: Any
) -> None:
    section, _, name = key.partition(".")
    write(file, f"[{section}]\n{owners}\n")
    variable = f"KOWALSKI_{section}_{name}".upper()
    for flags, environ in (({key: less}, {}), ({}, {variable: str(less).lower()})):
        if key == "sandbox.minimum":
            environ = {name: value.upper() for name, value in environ.items()}
        settings = load(flags, environ, file)
        assert getattr(getattr(settings, section), name) == less
    if more is None:
        return
    given_more = str(more).lower() if isinstance(more, bool) else str(more)
    for message in (refusal(file, {key: more}), refusal(file, environ={variable: given_more})):
        assert "refused" in message
        assert str(file) in message
        assert name in message


def test_a_default_cannot_be_exceeded_from_outside_either(file: Path) -> None:
    assert "refused" in refusal(file, environ={"KOWALSKI_SANDBOX_ALLOW_UNSANDBOXED": "true"})
    assert "refused" in refusal(file, environ={"KOWALSKI_MAXIMA_WALL_S": "3601"})


@pytest.mark.parametrize(
    ("name", "owners", "more"),
    [
        ("allowed_hosts", '["box.example:*", "[fd00::7]:7435"]', '["evil.example"]'),
        ("allowed_origins", '["https://chat.example"]', '["https://evil.example"]'),
    ],
)
def test_only_the_owners_file_can_let_others_in(
    file: Path, name: str, owners: str, more: str
) -> None:
    variable = f"KOWALSKI_MCP_{name}".upper()
    assert "refused" in refusal(file, environ={variable: more})
    write(file, f"[mcp]\n{name} = {owners}\n")

    assert getattr(load({}, {variable: owners}, file).mcp, name) == json.loads(owners)
    assert getattr(load({}, {variable: "[]"}, file).mcp, name) == []
    assert "refused" in refusal(file, environ={variable: more})


@pytest.mark.parametrize("value", ['"box.example"', "[1]", '["*"]', '["a b"]', '["box/"]', '[""]'])
def test_what_is_no_list_of_hosts_is_refused(file: Path, value: str) -> None:
    write(file, f"[mcp]\nallowed_hosts = {value}\n")
    assert "mcp.allowed_hosts" in refusal(file)


def test_who_demands_a_stronger_sandbox_never_gets_none(file: Path) -> None:
    write(file, "[sandbox]\nallow_unsandboxed = true\n")
    assert load(environ={}, path=file).sandbox.floor == "L0"
    stricter = load({"sandbox.minimum": "L2"}, {}, file)
    assert stricter.sandbox.floor == "L2"
