"""What tools take, with bounds, and described for a model."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from kowalski.model.session_name import SESSION_NAME


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("it contains a NUL character")
    return text


def _plain(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError("it must have letters, and no control characters")
    return text


Plain: Final = AfterValidator(_plain)
"""Letters, and no control characters."""

Code = Annotated[
    str,
    Field(max_length=8 * 1024 * 1024, description="The program."),
    AfterValidator(_without_nul),
]
Language = Annotated[
    str, Field(max_length=40, description="python, javascript (Node), bash, java or rust.")
]
SessionId = Annotated[
    str,
    Field(
        max_length=64,
        pattern=f"^{SESSION_NAME}$",
        description="Any name of letters, digits, `.`, `_` and `-`. Calls with the same one share "
        "variables, imports and files, in all languages. Leave it out for a fresh sandbox.",
    ),
]
RunTimeout = Annotated[
    float,
    Field(
        strict=True,
        gt=0,
        le=31 * 86400,
        allow_inf_nan=False,
        description="Seconds of execution after which the code is killed. Default 30; 60 for rust.",
    ),
]
Patience = Annotated[
    float,
    Field(
        strict=True,
        ge=0,
        le=3600,
        allow_inf_nan=False,
        description="Seconds to wait for the end. Default 45.",
    ),
]
Device = Annotated[
    str,
    Field(
        max_length=200,
        description="A device's name from list_devices. Left out, the best one is chosen.",
    ),
    Plain,
]
Stdin = Annotated[
    str,
    Field(max_length=16 * 1024 * 1024, description="What the program reads from standard input."),
]
Idempotent = Annotated[
    bool,
    Field(
        strict=True,
        description="True if running it twice does no harm, so that it may be run again where its "
        "device vanished.",
    ),
]
Release = Annotated[
    bool,
    Field(strict=True, description="rust: optimised, for code that computes for long."),
]
RunId = Annotated[
    str,
    Field(max_length=100, description="run_id of an earlier result."),
    Plain,
]
Handle = Annotated[
    str,
    Field(max_length=100, description="handle of a result."),
    Plain,
]
ArtifactId = Annotated[
    str,
    Field(
        max_length=200,
        description="id from the artifacts of a result.",
    ),
    Plain,
]
Offset = Annotated[int, Field(strict=True, ge=0, le=2**53, description="Where to start, in bytes.")]
SliceBytes = Annotated[
    int,
    Field(strict=True, ge=4, le=16000, description="How much to read, in bytes; 16000 at most."),
]
