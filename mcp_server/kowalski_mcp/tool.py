"""How a function becomes a tool: exact arguments, small schemas, errors that help."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Self

from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from kowalski.errors import KowalskiError
from kowalski_mcp.failure import told, told_arguments, told_unknown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp.server.mcpserver import Context
    from mcp.types import CallToolResult, ToolAnnotations


class ExactTool(Tool):
    """A tool that takes what its schema says and nothing else, and answers as its function does.

    The SDK's own takes any string that is JSON for what it means, and passes over arguments that
    it does not know: code for stdin would arrive changed, and a wish for less safety unheard.
    """

    private: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        function: Callable[..., Awaitable[CallToolResult]],
        *,
        title: str,
        annotations: ToolAnnotations,
        private: tuple[str, ...],
        structured: bool = True,
    ) -> Self:
        """The tool of a function, whose docstring is what a model reads about it."""
        tool = cls.from_function(
            function,
            title=title,
            description=inspect.cleandoc(function.__doc__ or ""),
            annotations=annotations,
            structured_output=structured,
        )
        assert isinstance(tool, cls)  # noqa: S101 - for the type checker
        tool.private = private
        tool.parameters = {**_slim(tool.parameters), "additionalProperties": False}
        if tool.fn_metadata.output_schema is not None:
            tool.fn_metadata.output_schema = _slim(tool.fn_metadata.output_schema)
        return tool

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> CallToolResult:
        """Call the function.

        Raises:
            ToolError: the arguments are not what the schema says, or Kowalski refused.
            UnexpectedToolError: the function failed.
        """
        known = self.parameters["properties"]
        if unknown := arguments.keys() - known.keys():
            raise ToolError(told_unknown(unknown, known))
        try:
            given = self.fn_metadata.arg_model.model_validate(arguments).model_dump_one_level()
        except ValidationError as error:
            raise ToolError(told_arguments(error)) from error
        if self.context_kwarg is not None:
            given[self.context_kwarg] = context
        try:
            result: CallToolResult = await self.fn(**given)
        except KowalskiError as error:
            raise ToolError(told(error, self.private)) from error
        except (ToolError, MCPError):
            raise
        except Exception as error:
            raise UnexpectedToolError(
                f"{self.name} failed inside Kowalski. Its server's log has more."
            ) from error
        return result


def _slim(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without what no model needs.

    That is generated titles, what a whole object is besides its fields, null for a default, and
    null where a field may as well be left out.
    """
    if len(choice := _real_choices(schema)) == 1:
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return _slim(choice[0] | rest)
    slim: dict[str, Any] = {}
    for key, value in schema.items():
        if isinstance(value, str) and (
            key == "title" or (key == "description" and "properties" in schema)
        ):
            continue
        if key == "default" and value is None:
            continue
        if isinstance(value, dict):
            slim[key] = _slim(value)
        elif isinstance(value, list):
            slim[key] = [_slim(one) if isinstance(one, dict) else one for one in value]
        else:
            slim[key] = value
    return slim


def _real_choices(schema: dict[str, Any]) -> list[dict[str, Any]]:
    choices = schema.get("anyOf")
    if not isinstance(choices, list):
        return []
    return [one for one in choices if one != {"type": "null"}]
