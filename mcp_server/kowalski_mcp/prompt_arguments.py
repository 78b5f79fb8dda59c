"""What the tool of language models takes, with bounds, and described for a model."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from kowalski_mcp.arguments import Plain

PLACE: Final = "{input}"
"""Where a template has its input."""


def _with_place(template: str) -> str:
    if PLACE not in template:
        raise ValueError(f"it must have {PLACE} where each of the inputs goes")
    return template


Prompts = Annotated[
    list[str],
    Field(min_length=1, max_length=10_000, description="The prompts, all asked at once."),
]
Template = Annotated[
    str,
    AfterValidator(_with_place),
    Field(description=f"Instead of prompts: a prompt with {PLACE} in it, asked for each input."),
]
Inputs = Annotated[
    list[str] | Annotated[str, Plain],
    Field(
        min_length=1,
        max_length=10_000,
        description="What goes into template: texts; or a file's path or a run's handle, whose "
        "lines they are.",
    ),
]
Model = Annotated[
    str,
    Field(
        max_length=200,
        description="A model's name from list_devices. Left out, the default or the only one.",
    ),
    Plain,
]
System = Annotated[str, Field(description="System message for all prompts.")]
MaxTokens = Annotated[
    int, Field(strict=True, ge=1, le=2**31 - 1, description="The most that each answer may have.")
]
Temperature = Annotated[
    float,
    Field(strict=True, ge=0, le=2, allow_inf_nan=False, description="0 for the likeliest answer."),
]
JsonSchema = Annotated[
    dict[str, Any], Field(description="JSON Schema that each answer must satisfy.")
]
PromptTimeout = Annotated[
    float,
    Field(
        strict=True,
        gt=0,
        le=86400,
        allow_inf_nan=False,
        description="Seconds that each prompt may take. Default 600.",
    ),
]
