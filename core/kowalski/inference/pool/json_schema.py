"""A JSON schema that answers must satisfy; nothing is ever fetched for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema.exceptions import SchemaError, best_match
from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from kowalski.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAX_PROBLEM_CHARACTERS = 500
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


class JsonSchema:
    """A schema that was checked.

    Raises, when it is made:
        InvalidRequest: it is no valid schema, or refers to something outside of itself.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        schema = dict(schema)
        kind = validator_for(schema, default=Draft202012Validator)
        # An empty registry, which fetches nothing; the default of jsonschema would.
        registry: Registry[Any] = Registry()
        try:
            kind.check_schema(schema)
            resource = Resource.from_contents(schema, default_specification=DRAFT202012)
            resolver = registry.resolver_with_root(resource)
            for reference in _references(schema):
                if not reference.startswith("#"):
                    raise InvalidRequest(
                        f"The JSON schema refers to {reference!r}, and nothing is fetched. Put "
                        "what it refers to under `$defs`, and refer to `#/$defs/...`."
                    )
                resolver.lookup(reference)
        except SchemaError as error:
            raise InvalidRequest(
                f"This is no valid JSON schema: {_at(error.path)}{_cut(error.message)}."
            ) from error
        except Unresolvable as error:
            raise InvalidRequest(
                f"The JSON schema refers to {error.ref!r}, which it does not have."
            ) from error
        except RecursionError as error:
            raise InvalidRequest("The JSON schema is nested too deeply.") from error
        self._validator = kind(schema, registry=registry)

    def problem(self, value: Any) -> str | None:
        """Why `value` does not satisfy it; None if it does.

        Raises:
            InvalidRequest: the schema refers to itself without end.
        """
        try:
            error = best_match(self._validator.iter_errors(value))
        except RecursionError as reason:
            raise InvalidRequest("The JSON schema refers to itself without end.") from reason
        return None if error is None else f"{_at(error.absolute_path)}{_cut(error.message)}"


def _references(schema: object) -> Iterator[str]:
    pending = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield from (node[k] for k in _REFERENCES if isinstance(node.get(k), str))
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)


def _at(path: Any) -> str:
    place = "".join(f"[{part!r}]" for part in path)
    return f"at {place}: " if place else ""


def _cut(message: str) -> str:
    return message[:_MAX_PROBLEM_CHARACTERS].rstrip(".")
