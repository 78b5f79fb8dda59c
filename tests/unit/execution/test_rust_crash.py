"""What is told of a compiler that crashed."""

from __future__ import annotations

import pytest

from kowalski.execution.kernels.rust_messages import crashed

_ENDED = "the compiler was ended by signal 6"
_MEMORY = """memory allocation of 536870912 bytes failed
stack backtrace:
   0: std::alloc::rust_oom
"""
_DEEP = """error: rustc interrupted by SIGSEGV, printing backtrace

/lib/librustc_driver.so(+0x3b62e1c)[0x7f4fff362e1c]
note: rustc unexpectedly overflowed its stack! this is a bug
"""


@pytest.mark.parametrize(
    ("text", "message", "note"),
    [
        (
            _MEMORY,
            "the compiler ran out of memory: it may take as much as the run itself",
            "memory allocation of 536870912 bytes failed",
        ),
        (_DEEP, "the code is nested too deeply for the compiler", ""),
        (
            "\nthread 'rustc' panicked at compiler/x.rs:1:1:\nno\nstack backtrace:\n",
            "the compiler failed: thread 'rustc' panicked at compiler/x.rs:1:1:",
            _ENDED,
        ),
        ("", _ENDED, ""),
    ],
    ids=["memory", "deep", "panic", "nothing"],
)
def test_it_is_told_in_a_line_with_a_note(text: str, message: str, note: str) -> None:
    error, words = crashed(text, _ENDED)
    assert error.fields() == ("error", "CompileError", message, "", "")
    assert words == f"error: {message}\n" + (f"  = note: {note}\n" if note else "")
