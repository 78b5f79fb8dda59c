"""A question that a face may ask of an agent."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar, Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Message(Generic[T_co]):
    """A question whose answer is a `T_co`. `answer` is that type, for reading it from JSON."""

    __slots__ = ()
    op: str
    answer: ClassVar[Any]


def op_of(kind: type[Message[Any]]) -> str:
    """The name by which a question travels."""
    return next(str(field.default) for field in fields(kind) if field.name == "op")  # type: ignore[arg-type]
