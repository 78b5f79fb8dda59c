"""Kowalski's own errors, as a model reads them."""

from __future__ import annotations

from kowalski.errors import AgentUnavailable, NoDeviceAvailable, UnsupportedLanguage
from kowalski_mcp.failure import told, told_unknown


def test_an_error_is_told_with_its_code_and_whether_a_retry_may_help() -> None:
    assert told(UnsupportedLanguage("No."), ()) == "No. (error unsupported_language)"
    assert "may succeed later" in told(AgentUnavailable("Gone."), ())


def test_private_paths_are_not_told() -> None:
    error = AgentUnavailable("See /home/me/.kowalski/state/agent.log")

    text = told(error, ("/home/me/.kowalski", "/home/me/.kowalski/state"))

    assert "/home/me" not in text
    assert text.startswith("See <Kowalski's own folder>/agent.log")


def test_unknown_arguments_are_named_in_bounds() -> None:
    text = told_unknown({"x" * 1000, *map(str, range(100))}, ["code"])

    assert "code" in text
    assert len(text) < 500
    assert told_unknown({"x"}, []).endswith("there is no argument 'x'. The tool takes none.")


def test_a_model_is_sent_to_a_tool_and_not_to_a_terminal() -> None:
    error = NoDeviceAvailable("None is called x. `kowalski devices` lists them.")

    assert told(error, ()) == (
        "None is called x. list_devices lists them. (error no_device_available)"
    )
