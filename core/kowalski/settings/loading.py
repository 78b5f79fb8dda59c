"""Loading settings: the owner's file, then the environment, then flags."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from kowalski.errors import InvalidSettings
from kowalski.settings.folder import config_folder
from kowalski.settings.model import Section, Settings
from kowalski.settings.toml_file import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_SECTIONS: Final[dict[str, type[Section]]] = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
_KEYS: Final = {
    f"{section}.{name}": (section, name)
    for section, model in _SECTIONS.items()
    for name in model.model_fields
}
_VARIABLES: Final = {
    f"KOWALSKI_{section}_{name}".upper(): key for key, (section, name) in _KEYS.items()
}
_PREFIX: Final = "KOWALSKI_"
_OTHERS: Final = frozenset(
    {"KOWALSKI_HOME", "KOWALSKI_DEBUG", "KOWALSKI_EXO_URLS", "KOWALSKI_OPENAI_URLS"}
)
_ALIKE: Final = 0.75
_PREFIXES: Final = tuple(f"KOWALSKI_{section}_".upper() for section in _SECTIONS)


def load(
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] = os.environ,
    path: Path | None = None,
) -> Settings:
    """The settings in force.

    Args:
        flags: by key, such as `limits.wall_s`; strings are converted, None counts as not given.
        environ: variables `KOWALSKI_<SECTION>_<KEY>` count.
        path: the owner's file; by default `settings.toml` in the folder of configuration.

    Raises:
        InvalidSettings: something cannot be used, or the environment or a flag would give
            more than the owner's file does; the message says where and what to do.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    file = read_toml(path or config_folder(environ) / "settings.toml", InvalidSettings)
    for section, table in file.data.items():
        if section not in _SECTIONS:
            raise InvalidSettings(
                f"{file.place(section)}: no such section{_closest(section, _SECTIONS)}."
            )
        if not isinstance(table, dict):
            raise InvalidSettings(f"{file.place(section)}: a section is expected: [{section}].")
        for name, value in table.items():
            place = file.place(section, name)
            if name not in _SECTIONS[section].model_fields:
                raise InvalidSettings(f"{place}: no such key{_suggestion(section, name)}.")
            key = f"{section}.{name}"
            values[key] = _validated(section, name, value, place, strict=True)
            origins[key] = place.rpartition(", key ")[0]

    owner = _assembled(values)
    for key, given, origin in (*_from_environment(environ), *_from_flags(flags or {})):
        section, name = _KEYS[key]
        value = _validated(section, name, given, origin, strict=not isinstance(given, str))
        _refuse_more(key, value, getattr(getattr(owner, section), name), origin, file.path)
        values[key] = value
        origins[key] = origin
    return _cut_to_maxima(_assembled(values), origins).with_origins(origins)


def _cut_to_maxima(settings: Settings, origins: dict[str, str]) -> Settings:
    """What a run gets that asks for nothing is never more than what it could ask for."""
    cut: dict[str, float] = {}
    for name in type(settings.limits).model_fields:
        most = getattr(settings.maxima, name)
        if getattr(settings.limits, name) > most:
            cut[name] = most
            origins[f"limits.{name}"] = f"cut to maxima.{name}"
    return settings.model_copy(update={"limits": settings.limits.model_copy(update=cut)})


def _assembled(values: Mapping[str, Any]) -> Settings:
    tables: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        section, name = _KEYS[key]
        tables.setdefault(section, {})[name] = value
    return Settings.model_validate(tables)


def _from_environment(environ: Mapping[str, str]) -> Iterable[tuple[str, str, str]]:
    for variable in sorted(name for name in environ if name.startswith("KOWALSKI_")):
        if key := _VARIABLES.get(variable):
            value = environ[variable]
            if not value:
                # As Compose files and CI leave what is not set.
                continue
            if value != value.strip() or not value.isprintable():
                raise InvalidSettings(
                    f"The environment variable {variable} is {value!r}: it must not "
                    "hold surrounding blanks, line breaks or control characters. Unset it, or "
                    "give it a value."
                )
            yield key, value, f"environment {variable}"
        elif variable.startswith(_PREFIXES) or _is_slip(variable):
            raise InvalidSettings(
                f"The environment variable {variable} sets nothing that exists"
                f"{_closest(variable, _VARIABLES)}. Unset it, or correct its name."
            )


def _is_slip(variable: str) -> bool:
    """Whether a variable of another name is meant for a setting, by all appearance."""
    if variable in _OTHERS:
        return False
    # Only a variable that is no setting needs it.
    import difflib

    names = [name.removeprefix(_PREFIX) for name in _VARIABLES]
    close = difflib.get_close_matches(variable.removeprefix(_PREFIX), names, n=1, cutoff=_ALIKE)
    return bool(close)


def _from_flags(flags: Mapping[str, object]) -> Iterable[tuple[str, object, str]]:
    for key, value in flags.items():
        if key not in _KEYS:
            raise InvalidSettings(f"There is no setting {key!r}{_closest(key, _KEYS)}.")
        if value is not None:
            yield key, value, "flag"


def _validated(section: str, name: str, value: object, place: str, *, strict: bool) -> Any:
    try:
        table = _SECTIONS[section].model_validate({name: value}, strict=strict)
    except ValidationError as error:
        what = error.errors(include_url=False)[0]["msg"]
        if place.startswith(("environment", "flag")):
            place = f"{place}, key {section}.{name}"
        raise InvalidSettings(f"{place}: {what}, but it is {value!r}.") from error
    return getattr(table, name)


def _refuse_more(key: str, value: Any, owners: Any, origin: str, path: Path) -> None:
    """Only the file, which only the owner can change, may give anybody more than they have."""
    if key == "sandbox.minimum":
        more = value < owners
    elif key == "sandbox.allow_unsandboxed" or key.startswith("maxima."):
        more = value > owners
    elif key.startswith("mcp.allowed_"):
        more = not set(value) <= set(owners)
    else:
        return
    if more:
        section, _, name = key.partition(".")
        shown = str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')
        raise InvalidSettings(
            f"{origin}, key {key}: refused, because {value!r} would allow more than the "
            f"owner's {owners!r}. Only the owner's file may: write `{name} = {shown}` under "
            f"[{section}] in {path}."
        )


def _suggestion(section: str, name: str) -> str:
    elsewhere = [other for other, model in _SECTIONS.items() if name in model.model_fields]
    if elsewhere:
        return f" in [{section}]; it belongs to {' or '.join(f'[{other}]' for other in elsewhere)}"
    return f" in [{section}]{_closest(name, _SECTIONS[section].model_fields)}"


def _closest(name: str, known: Iterable[str]) -> str:
    # Only a mistake needs it, and every start-up would pay for it.
    import difflib

    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f" (did you mean {close[0]!r}?)" if close else f" (there are {', '.join(names)})"
