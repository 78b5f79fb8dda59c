"""Dataclasses of the model as JSON values, and back.

Light on purpose: a face reads its agent's answers with it and starts without pydantic. What comes
from outside is validated where it enters.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
_NOTHING: Final = object()


def to_json(value: object) -> Any:
    """`value` as dicts, lists and scalars; a dataclass becomes a dict of its fields."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    kind: Any = type(value)
    names = _field_names(kind)
    return {name: to_json(getattr(value, name)) for name in names}


def compact(value: object) -> Any:
    """As `to_json`, without what `from_json` fills in again: fields that have their default.

    Literals stay, for they tell the members of a union from each other.
    """
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (list, tuple)):
        return [compact(item) for item in value]
    kind: Any = type(value)
    # To ask whether it is a mapping takes longer than the rest.
    if not hasattr(kind, "__dataclass_fields__") and isinstance(value, Mapping):
        return {str(key): compact(item) for key, item in value.items()}
    return {
        name: compact(held)
        for name, default in _defaults(kind)
        if (held := getattr(value, name)) is not default and held != default
    }


def from_json(kind: type[T], value: Any) -> T:
    """The instance of `kind`, a dataclass or a union of dataclasses, that `to_json` had.

    Unknown keys are passed over, so that an older reader understands a newer writer.
    """
    wanted: Any = kind
    result: T = _reader(wanted)(value)
    return result


@cache
def _field_names(kind: Any) -> tuple[str, ...]:
    if not is_dataclass(kind):
        raise TypeError(f"{kind.__name__} has no JSON form")
    return tuple(field.name for field in fields(kind))


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    """The fields of a dataclass with their defaults; with a thing like no other if they stay."""
    names = _field_names(kind)
    hints = get_type_hints(kind)
    found: dict[str, Any] = dict.fromkeys(names, _NOTHING)
    for field in fields(kind):
        if get_origin(hints[field.name]) is Literal:
            continue
        if field.default is not MISSING:
            found[field.name] = field.default
        elif field.default_factory is not MISSING:
            found[field.name] = field.default_factory()
    return tuple(found.items())


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    if is_dataclass(kind) and isinstance(kind, type):
        return _dataclass_reader(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _union_reader(arguments)
    if origin is tuple:
        item = _reader(arguments[0])
        return lambda value: tuple(item(entry) for entry in value)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        item = _reader(arguments[1])
        return lambda value: {key: item(entry) for key, entry in value.items()}
    return lambda value: value


def _dataclass_reader(kind: type) -> Callable[[Any], Any]:
    hints = get_type_hints(kind)
    readers = [(field.name, _reader(hints[field.name])) for field in fields(kind)]

    def read(value: Mapping[str, Any]) -> Any:
        return kind(**{name: reader(value[name]) for name, reader in readers if name in value})

    return read


def _union_reader(arguments: tuple[Any, ...]) -> Callable[[Any], Any]:
    kinds: list[Any] = [argument for argument in arguments if is_dataclass(argument)]
    if not kinds:
        return lambda value: value
    if len(kinds) == 1:
        only = _reader(kinds[0])
        return lambda value: only(value) if isinstance(value, Mapping) else value
    tagged: dict[str, Callable[[Any], Any]] = {}
    for member in kinds:
        tag = get_type_hints(member)["type"]
        if get_origin(tag) is not Literal:
            raise TypeError(f"{member} has no literal type to tell it by")
        tagged[get_args(tag)[0]] = _reader(member)
    return lambda value: tagged[value["type"]](value)
