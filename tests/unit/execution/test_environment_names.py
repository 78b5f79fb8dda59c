"""Variables that make programs load or run something can never be set by a request."""

from __future__ import annotations

import pytest

from kowalski.execution.environment_names import is_forbidden


@pytest.mark.parametrize(
    "name",
    [
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "DYLD_INSERT_LIBRARIES",
        "PYTHONSTARTUP",
        "PYTHONPATH",
        "NODE_OPTIONS",
        "BASH_ENV",
        "ENV",
        "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS",
        "RUSTC_WRAPPER",
        "RUSTFLAGS",
        "CARGO_BUILD_RUSTC_WRAPPER",
        "PERL5OPT",
        "RUBYOPT",
        "GIT_SSH_COMMAND",
        "BASH_FUNC_ls%%",
        "PATH",
        "HOME",
        "KOWALSKI_HOME",
        "ld_preload",
        "",
        "A=B",
        "A B",
        "1A",
        "A\0",
        "A\n",
        "ÄÖ",
        "LD_PRELOAD\u200b",
    ],
)
def test_a_name_that_changes_how_programs_start_is_forbidden(name: str) -> None:
    assert is_forbidden(name)


@pytest.mark.parametrize("name", ["HF_TOKEN", "NODE_ENV", "DEBUG", "_X1", "ENVIRONMENT", "lower"])
def test_other_names_may_be_granted(name: str) -> None:
    assert not is_forbidden(name)
