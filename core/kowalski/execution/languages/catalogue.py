"""The languages that run: each has a file here, and its kernel beside `init.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kowalski.execution.languages.bash import Bash
from kowalski.execution.languages.java import Java
from kowalski.execution.languages.javascript import JavaScript
from kowalski.execution.languages.python import Python
from kowalski.execution.languages.rust import Rust

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kowalski.execution.languages.language import Language

BY_NAME: Final[Mapping[str, Language]] = {
    language.name: language for language in (Python(), JavaScript(), Bash(), Rust(), Java())
}
