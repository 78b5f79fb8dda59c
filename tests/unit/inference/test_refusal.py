"""Refusals: from the words of many makes of servers to the errors that callers know."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.errors import (
    ContextTooLarge,
    KowalskiError,
    ModelUnavailable,
    RequestRefused,
    ServerUnavailable,
)
from kowalski.inference.completions.endpoint import ApiKey, Endpoint
from kowalski.inference.completions.refusal import (
    Complaint,
    OptionRefused,
    refusal,
    seconds_of,
)
from kowalski.inference.model_server import AccessRefused, Overloaded

KEY = ApiKey("sk-very-secret", "the environment variable LLM_KEY")


def refused(status: int, value: Any, key: ApiKey | None = None) -> KowalskiError:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    endpoint = Endpoint.at("http://pi:8080", name="pi", key=key)
    return refusal(endpoint, Complaint.of_body(body, status), model="llama")


@pytest.mark.parametrize(
    ("status", "value", "limit"),
    [
        (
            400,
            {
                "error": {
                    "message": "This model's maximum context length is 8192 tokens. However, your "
                    "messages resulted in 9000 tokens.",
                    "code": "context_length_exceeded",
                }
            },
            8192,
        ),
        (
            400,
            {
                "error": {
                    "code": 400,
                    "message": "the request exceeds the available context size",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": 1407,
                    "n_ctx": 256,
                }
            },
            256,
        ),
        (500, {"error": {"type": "exceed_context_size_error", "n_ctx": 512}}, 512),
        (
            400,
            {
                "object": "error",
                "message": "This model's maximum context length is 4096 tokens. However, you "
                "requested 5000 tokens (4000 in the messages, 1000 in the completion).",
                "type": "BadRequestError",
                "code": 400,
            },
            4096,
        ),
        (
            400,
            {"error": "The decoder prompt is longer than the maximum model length of 2048"},
            2048,
        ),
        (
            400,
            {
                "error": "The number of tokens to keep from the initial prompt is greater than the "
                "context length (n_keep: 13055>= n_ctx: 4096)."
            },
            4096,
        ),
        (400, {"error": {"message": "prompt too long; exceeded max context length"}}, None),
        (400, {"error": {"message": "input length exceeds the context length"}}, None),
        (500, {"error": {"message": "Requested tokens (516) exceed context window of 512"}}, 512),
        (413, b"<html>Request Entity Too Large</html>", None),
    ],
)
def test_a_prompt_that_is_too_long_is_told_with_the_limit(
    status: int, value: Any, limit: int | None
) -> None:
    error = refused(status, value)
    assert isinstance(error, ContextTooLarge)
    assert error.limit_tokens == limit
    assert str(limit or "pi") in error.user_message


@pytest.mark.parametrize("limit", [0, -1, 127, 10**12, True, 4096.5, "4096", None, [4096]])
def test_a_limit_that_no_model_has_is_not_believed(limit: object) -> None:
    error = refused(400, {"error": {"type": "exceed_context_size_error", "n_ctx": limit}})
    assert isinstance(error, ContextTooLarge)
    assert error.limit_tokens is None


def test_neither_is_one_in_words() -> None:
    error = refused(400, {"error": "This model's maximum context length is 12 tokens."})
    assert isinstance(error, ContextTooLarge)
    assert error.limit_tokens is None


@pytest.mark.parametrize(
    ("status", "value"),
    [
        (404, {"error": {"message": "The model `llama` does not exist.", "code": 404}}),
        (404, {"error": {"message": 'model "llama" not found, try pulling it first'}}),
        (404, {"error": {"message": "No instance found for model llama", "code": 404}}),
        (400, {"error": {"message": "Invalid", "code": "model_not_found"}}),
        (400, {"error": "No models loaded. Please load a model in the developer page."}),
        (400, {"error": {"message": "The model `llama` does not exist or is not yours."}}),
        (400, {"error": {"message": "Model llama is not currently loaded"}}),
        (400, {"error": {"message": "model 'llama:latest' was not found"}}),
        (422, {"detail": "Model not found: llama"}),
        (400, {"error": {"message": "Invalid model: 'llama'"}}),
        (400, {"error": {"message": "unknown model llama"}}),
        (400, {"error": {"message": "No instance found for model llama"}}),
    ],
)
def test_a_model_that_is_not_there_is_told(status: int, value: Any) -> None:
    assert isinstance(refused(status, value), ModelUnavailable)


@pytest.mark.parametrize(
    "said",
    [
        "For this model, the option 'logprobs' is not available.",
        "With the model llama, tools are not available",
        "the model's template does not exist for tools: llama",
        "model llama-vision is not loaded with images for llama",
        "no model takes both of temperature and top_p",
        "There is no instance in this request: the model llama wants one",
    ],
)
def test_an_error_that_speaks_of_the_model_and_of_something_missing_is_about_the_request(
    said: str,
) -> None:
    assert isinstance(refused(400, {"error": {"message": said}}), RequestRefused)


@pytest.mark.parametrize("status", [401, 403])
def test_a_missing_key_and_a_wrong_one_are_told_apart(status: int) -> None:
    missing = refused(status, {"error": "no"})
    wrong = refused(status, {"error": "key sk-very-secret is wrong"}, KEY)
    assert isinstance(missing, AccessRefused)
    assert isinstance(wrong, AccessRefused)
    assert "settings" in missing.user_message
    assert "LLM_KEY" in wrong.user_message
    assert "sk-very-secret" not in wrong.user_message


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_makes_the_server_unavailable(status: int) -> None:
    assert isinstance(refused(status, {"error": {"message": "Loading"}}), ServerUnavailable)


@pytest.mark.parametrize("status", [400, 409, 422, 501])
def test_what_would_be_refused_again_is_told_as_that(status: int) -> None:
    error = refused(status, {"error": {"message": "temperature must be positive"}})
    assert isinstance(error, RequestRefused)
    assert "temperature must be positive" in error.user_message


def test_a_path_that_is_not_there_points_to_the_url() -> None:
    error = refused(404, {"detail": "Not Found"})
    assert isinstance(error, ServerUnavailable)
    assert "http://pi:8080/v1" in error.user_message


def test_faults_are_told_without_the_input_that_they_repeat() -> None:
    detail = [{"loc": ["body", "stop"], "msg": "too many", "input": "a private prompt"}]
    error = refused(422, {"detail": detail})
    assert "body.stop: too many" in error.user_message
    assert "private" not in error.user_message


@pytest.mark.parametrize(
    "value",
    [
        {"error": {"message": "property 'stream_options' is unsupported"}},
        {"error": {"message": "Unrecognized request argument supplied: stream_options"}},
        {"error": {"message": "stream_options are not supported by this model"}},
        {"message": {"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs"}]}},
    ],
)
def test_a_server_that_will_not_count_tokens_is_known(value: Any) -> None:
    error = refused(422, value)
    assert isinstance(error, OptionRefused)
    assert error.option == "stream_options"


def test_an_error_that_merely_repeats_the_request_is_no_word_against_counting_tokens() -> None:
    said = "Too many stop sequences in {'stop': ['a'], 'stream_options': {'include_usage': true}}"
    error = refused(400, {"error": {"message": said}})
    assert isinstance(error, RequestRefused)
    assert not isinstance(error, OptionRefused)


@pytest.mark.parametrize(
    "said",
    [
        "This response_format type is unavailable now",
        "'response_format.type' must be 'text'",
        "Failed to parse grammar",
        "JSON schema conversion failed: unrecognized schema",
        "json_schema is not supported",
    ],
)
def test_a_schema_that_is_not_wanted_is_told(said: str) -> None:
    error = refused(400, {"error": {"message": said}})
    assert isinstance(error, OptionRefused)
    assert error.option == "response_format"


@given(st.integers(400, 599), st.binary() | st.text().map(str.encode))
def test_any_body_makes_a_known_error(status: int, body: bytes) -> None:
    error = refused(status, body)
    assert len(error.user_message) < 1000
    assert error.user_message.isprintable()


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["error", "message", "detail", "code", "type", "loc", "msg", "n_ctx"]
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_any_json_makes_a_known_error(value: Any) -> None:
    assert refused(400, value).user_message


def test_seconds_to_wait_come_as_a_number_or_a_date() -> None:
    assert seconds_of("7") == 7
    assert seconds_of(" 1.5 ") == 1.5
    assert seconds_of("9" * 400) == 3600
    assert seconds_of(None) is None
    assert seconds_of("soon") is None
    assert seconds_of("-3") is None
    assert seconds_of("²") is None
    later = seconds_of(format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True))
    assert later is not None
    assert 0 < later <= 100
    assert seconds_of("Fri, 20 Nov 2015 23:44:43 GMT") == 0
    assert seconds_of("Fri, 20 Nov 2015 23:44:43 -0000") == 0


@given(st.text(max_size=40))
def test_any_text_is_seconds_or_nothing(text: str) -> None:
    seconds = seconds_of(text)
    assert seconds is None or 0 <= seconds <= 3600


@pytest.mark.parametrize(
    ("status", "said", "is_load"),
    [
        (429, "", True),
        (529, "Overloaded", True),
        (503, "server busy, please try again. maximum pending requests exceeded", True),
        (503, "Too many concurrent requests", True),
        (503, "Loading model", False),
        (503, "Service Unavailable", False),
        (500, "Too many open files", False),
    ],
)
def test_too_much_at_once_is_told_from_a_failure(status: int, said: str, is_load: bool) -> None:
    error = refused(status, {"error": {"message": said}})
    assert isinstance(error, ServerUnavailable)
    assert isinstance(error, Overloaded) is is_load


def test_the_pause_that_a_server_asks_for_is_told() -> None:
    endpoint = Endpoint.at("http://pi:8080", name="pi")
    error = refusal(
        endpoint, Complaint(message="Slow down", status=429), model="m", retry_after="3600"
    )
    assert "It asks to be left alone for 3600 s." in error.user_message
