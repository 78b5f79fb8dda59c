"""Names of environment variables that a request may never set, whatever is granted."""

from __future__ import annotations

from typing import Final

_NAMES: Final = frozenset(
    {
        "BASHOPTS",
        "BASH_ENV",
        "CLASSPATH",
        "ENV",
        "GCONV_PATH",
        "GETCONF_DIR",
        "GLIBC_TUNABLES",
        "HOME",
        "HOSTALIASES",
        "IFS",
        "JDK_JAVAC_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "LOCPATH",
        "NLSPATH",
        "NODE_OPTIONS",
        "NODE_PATH",
        "NODE_REPL_EXTERNAL_MODULE",
        "PATH",
        "PROMPT_COMMAND",
        "PS4",
        "RES_OPTIONS",
        "RUBYLIB",
        "RUBYOPT",
        "RUSTC",
        "RUSTC_BOOTSTRAP",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTDOCFLAGS",
        "RUSTFLAGS",
        "SHELLOPTS",
        "TMPDIR",
        "_JAVA_OPTIONS",
        "JAVA_TOOL_OPTIONS",
    }
)
_PREFIXES: Final = (
    "BASH_FUNC_",
    "CARGO_",
    "DYLD_",
    "GIT_",
    "KOWALSKI_",
    "LD_",
    "MALLOC_",
    "PERL",
    "PYTHON",
)


def is_forbidden(name: str) -> bool:
    """Whether setting `name` could make a program load or run what its caller did not write.

    True as well for what is no name of an environment variable: letters, digits and `_` of ASCII,
    the first no digit.
    """
    if not (name.isascii() and name.isidentifier()):
        return True
    upper = name.upper()
    return upper in _NAMES or upper.startswith(_PREFIXES)
