"""From an error as a server of language models tells it to the error that callers know."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from kowalski.errors import (
    ContextTooLarge,
    KowalskiError,
    ModelUnavailable,
    RequestRefused,
    ServerUnavailable,
)
from kowalski.inference.completions.completion_request import RESPONSE_FORMAT, STREAM_OPTIONS
from kowalski.inference.completions.http_client import read_beginning
from kowalski.inference.completions.missing_model import is_missing
from kowalski.inference.model_server import AccessRefused, Overloaded, ServerFault

if TYPE_CHECKING:
    import httpx2

    from kowalski.inference.completions.endpoint import Endpoint

MAX_ERROR_BYTES: Final = 64 * 1024

_SMALLEST_CONTEXT: Final = 128
_LARGEST_CONTEXT: Final = 10**9
_LONGEST_WAIT_S: Final = 3600.0
_CONTEXT_CODES: Final = ("context_length_exceeded", "exceed_context_size_error")
_CONTEXT_WORDS: Final = re.compile(
    r"context (length|size|window)|maximum (model|prompt|input) length|prompt (is )?too long"
    r"|exceeds? the (maximum|available) (context|length)|exceeds the maximum allowed length"
    r"|when context the overflows",
    re.IGNORECASE,
)
_CONTEXT_LIMIT: Final = re.compile(
    r"(?:context (?:length|size|window)(?: (?:is|of)(?: only)?)? ?\(?|model length of "
    r"|allowed length \(|n_ctx: ?)(\d{2,9})",
    re.IGNORECASE,
)
_OVERLOADED: Final = (429, 529)
_LOAD_WORDS: Final = re.compile(
    r"overload|too many|capacity|\bbusy\b|queue|rate.?limit|concurren|\bslots?\b", re.IGNORECASE
)
_PASSING: Final = (429, 502, 503, 529)
"""With these, a server says that it may answer the same request a moment later."""

_OBJECTION: Final = (
    r"(?:\bunknown|\bunsupported|\bunrecogni[sz]ed|\bunexpected|\bextra|\badditional|\binvalid"
    r"|(?:\bnot|n't) (?:support|allow|permit|accept|recogni[sz]e|know|implement))"
)
_OPTIONS: Final = {
    STREAM_OPTIONS: re.compile(
        rf"{_OBJECTION}[^.;\n]{{0,60}}stream_options|stream_options[^.;\n]{{0,60}}{_OBJECTION}",
        re.IGNORECASE,
    ),
    RESPONSE_FORMAT: re.compile(
        r"response[_ ]format|json[_ ]?schema|json_object|grammar|structured output", re.IGNORECASE
    ),
}


class OptionRefused(RequestRefused):
    """The server does not want to be asked for `option`; without it, it may answer."""

    def __init__(self, user_message: str, option: str) -> None:
        super().__init__(user_message)
        self.option = option


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What a server said was wrong. `status` is the HTTP status, or one that it names itself."""

    message: str
    code: str = ""
    status: int | None = None
    limit_tokens: int | None = None

    @classmethod
    def of_body(cls, body: bytes, status: int) -> Complaint:
        """From the body of an answer with an error's status, whatever it is."""
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            # No JSON: a page for people, a proxy's word, or cut.
            text = body.decode("utf-8", "replace")
            return cls(message="" if "<" in text[:200] else text, status=status)
        return cls.of_value(value, status)

    @classmethod
    def of_value(cls, value: Any, status: int | None = None) -> Complaint:
        """From a JSON value: `{"error": ...}`, `{"detail": ...}`, or the error by itself."""
        if isinstance(value, dict) and value.get("error"):
            value = value["error"]
        if not isinstance(value, dict):
            return cls(message=value if isinstance(value, str) else "", status=status)
        own = value.get("code")
        named = own if isinstance(own, int) and 400 <= own <= 599 else None
        codes = (value.get("code"), value.get("type"))
        return cls(
            message=_message(value),
            code=" ".join(code for code in codes if isinstance(code, str)),
            status=status or named,
            limit_tokens=_credible(value.get("n_ctx")),
        )


def refusal(
    endpoint: Endpoint,
    complaint: Complaint,
    *,
    model: str | None,
    retry_after: str | None = None,
) -> KowalskiError:
    """The error for callers. `retry_after` is the header of that name, `model` what was asked for.

    An error that a stream carries has no status of its own; without any it is the server's fault.
    """
    status = complaint.status or 500
    said = endpoint.quote(complaint.message) or f"HTTP status {status}"
    if _is_about_context(complaint, status):
        return _too_large(endpoint, complaint, model, said)
    if status in (401, 403):
        return AccessRefused(_about_key(endpoint, status, said))
    if status < 500 and is_missing(model, complaint.message, complaint.code, status):
        return ModelUnavailable(f"{endpoint.name} does not have the model {model!r}: {said}")
    if status in (404, 405):
        return ServerUnavailable(
            f"{endpoint.name} has no OpenAI-compatible API at {endpoint.api}. Check the URL of "
            f"that server. It says: {said}"
        )
    if status in (408, 425, 429) or (status >= 500 and status != 501):
        wait_s = seconds_of(retry_after)
        asks = f" It asks to be left alone for {wait_s:g} s." if wait_s else ""
        kind = Overloaded if _is_about_load(complaint, status) else ServerUnavailable
        return kind(f"{endpoint.name} cannot answer now ({status}): {said}{asks}", wait_s)
    if status in (400, 422):
        for option, words in _OPTIONS.items():
            if words.search(complaint.message):
                return OptionRefused(f"{endpoint.name} refuses {option}: {said}", option)
    return RequestRefused(
        f"{endpoint.name} refuses the request ({status}): {said}. Change it, or ask another server."
    )


async def refusal_of(
    response: httpx2.Response, endpoint: Endpoint, *, model: str | None, within_s: float
) -> KowalskiError:
    """The error for callers that an answer without success means.

    Of its body what comes within `within_s` is read; `model` is what was asked for.
    """
    status = response.status_code
    if 300 <= status < 400:
        return _redirected(endpoint, response.headers.get("location", ""))
    said = await read_beginning(response, MAX_ERROR_BYTES, within_s)
    complaint = Complaint.of_body(said, status)
    retry_after = response.headers.get("retry-after")
    error = refusal(endpoint, complaint, model=model, retry_after=retry_after)
    if isinstance(error, ServerUnavailable) and status not in _PASSING:
        return ServerFault(error.user_message, error.retry_after_s)
    return error


def _redirected(endpoint: Endpoint, location: str) -> ServerUnavailable:
    where = endpoint.quote(location.partition("?")[0].rpartition("@")[2])
    return ServerUnavailable(
        f"{endpoint.name} at {endpoint.api} points to {where or 'nowhere'}, and no key and no "
        "prompt follows it there. If that is where it should be, set that as the server's URL."
    )


def seconds_of(retry_after: str | None) -> float | None:
    """The seconds of a Retry-After header, which has them or a date; at most an hour."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return min(float(text), _LONGEST_WAIT_S)
    try:
        when = parsedate_to_datetime(text)
        ahead = when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)
    except (ValueError, OverflowError):
        # Neither, or a date that no calendar has: as if it had said nothing.
        return None
    return min(max(ahead.total_seconds(), 0.0), _LONGEST_WAIT_S)


def _message(value: dict[str, Any]) -> str:
    for name in ("message", "detail"):
        said = value.get(name)
        if isinstance(said, dict):
            said = said.get("message") or said.get("detail")
        if isinstance(said, list):
            return "; ".join(_place_and_reason(entry) for entry in said[:5])
        if isinstance(said, str) and said:
            return said
    return ""


def _place_and_reason(entry: object) -> str:
    """One entry of a list of faults, without the input that it may repeat: that is a prompt."""
    if not isinstance(entry, dict):
        return ""
    place = entry.get("loc")
    parts = [str(part) for part in place] if isinstance(place, list) else []
    return f"{'.'.join(parts)}: {entry.get('msg', '')}"


def _is_about_context(complaint: Complaint, status: int) -> bool:
    if status in (401, 403, 404, 429):
        return False
    if any(code in complaint.code for code in _CONTEXT_CODES):
        return True
    return status == 413 or _CONTEXT_WORDS.search(complaint.message) is not None


def _is_about_load(complaint: Complaint, status: int) -> bool:
    if status in _OVERLOADED:
        return True
    return status == 503 and _LOAD_WORDS.search(complaint.message[:2000]) is not None


def _too_large(
    endpoint: Endpoint, complaint: Complaint, model: str | None, said: str
) -> ContextTooLarge:
    limit = complaint.limit_tokens
    if limit is None and (found := _CONTEXT_LIMIT.search(complaint.message)):
        limit = _credible(int(found[1]))
    reads = f", which reads {limit} tokens at most" if limit else ""
    return ContextTooLarge(
        f"The prompt is too long for {model!r} at {endpoint.name}{reads}. Shorten it, or use a "
        f"model with a larger context. The server says: {said}",
        limit,
    )


def _credible(limit: object) -> int | None:
    """`limit` if a model can have it: what is believed too small keeps prompts away."""
    if not isinstance(limit, int) or isinstance(limit, bool):
        return None
    return limit if _SMALLEST_CONTEXT <= limit <= _LARGEST_CONTEXT else None


def _about_key(endpoint: Endpoint, status: int, said: str) -> str:
    if endpoint.key is None:
        return (
            f"{endpoint.name} wants an API key ({status}: {said}). Give this server one in the "
            "settings."
        )
    return (
        f"{endpoint.name} does not accept the API key from {endpoint.key.source} ({status}: "
        f"{said}). Put a valid one there."
    )
