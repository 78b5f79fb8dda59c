"""Endpoints: URLs as people write them, and keys that never show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.errors import InvalidSettings
from kowalski.inference.completions.endpoint import ApiKey, Endpoint, canonical_url, public_url

KEY = ApiKey("sk-very-secret", "the environment variable LLM_KEY")


@pytest.mark.parametrize(
    ("url", "root", "api"),
    [
        ("http://pi:8080", "http://pi:8080", "http://pi:8080/v1"),
        ("http://pi:8080/", "http://pi:8080", "http://pi:8080/v1"),
        ("http://pi:8080/v1", "http://pi:8080", "http://pi:8080/v1"),
        (" http://pi:8080/v1/ ", "http://pi:8080", "http://pi:8080/v1"),
        ("192.168.1.20:8080", "http://192.168.1.20:8080", "http://192.168.1.20:8080/v1"),
        ("[::1]:8080", "http://[::1]:8080", "http://[::1]:8080/v1"),
        ("https://a.example/llm", "https://a.example/llm", "https://a.example/llm/v1"),
        ("https://a.example/paas/v4", "https://a.example/paas", "https://a.example/paas/v4"),
    ],
)
def test_a_url_may_have_its_version_or_not(url: str, root: str, api: str) -> None:
    endpoint = Endpoint.at(url)
    assert (endpoint.root, endpoint.api) == (root, api)


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("http://pi:8080", "http://pi:8080/v1"),
        ("http://pi:8080/v1/", "pi:8080"),
        ("http://PI:8080", "HTTP://pi:8080/"),
        ("http://pi.:8080", "http://pi:8080"),
        ("http://pi", "http://pi:80"),
        ("https://pi", "https://pi:443/v1"),
        ("http://127.0.0.1:1", "http://localhost:1"),
        ("http://[::1]:1", "http://localhost:1"),
        ("http://[fd00::0:1]:1", "http://[fd00::1]:1"),
    ],
)
def test_two_ways_to_write_a_servers_url_mean_one(url: str, other: str) -> None:
    assert canonical_url(url) == canonical_url(other)


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("http://pi:8080", "https://pi:8080"),
        ("http://pi:8080", "http://pi:8081"),
        ("http://pi:8080", "http://pie:8080"),
        ("http://pi/a", "http://pi/b"),
        ("http://pi/v1", "http://pi/v2"),
        ("http://127.0.0.1:1", "http://127.0.0.2:1"),
    ],
)
def test_urls_of_different_servers_stay_different(url: str, other: str) -> None:
    assert canonical_url(url) != canonical_url(other)


@given(st.text())
def test_what_is_no_url_has_no_other_way(url: str) -> None:
    try:
        Endpoint.at(url)
    except InvalidSettings:
        assert canonical_url(url) == url
    else:
        assert canonical_url(canonical_url(url)) == canonical_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        "ftp://pi",
        "http://pi:99999",
        "http://pi:x",
        "http://[::1",
        "pi:0",
        "not a url",
        "http://pi$:1",
    ],
)
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings):
        Endpoint.at(url)


@pytest.mark.parametrize("url", ["http://me:hunter2@pi", "http://me:hunter2@pi:x", "me:hunter2@pi"])
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        Endpoint.at(url)
    assert "hunter2" not in str(refused.value)


@given(st.text())
def test_any_text_makes_an_endpoint_or_a_known_error(url: str) -> None:
    try:
        endpoint = Endpoint.at(url)
    except InvalidSettings:
        return
    assert endpoint.api.startswith(endpoint.root)


@pytest.mark.parametrize("secret", ["", " ", "a b", "a\n", "a\r\nX-Other: b", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(InvalidSettings, match="LLM_KEY") as refused:
        ApiKey(secret, "LLM_KEY")
    assert not secret.strip() or secret not in str(refused.value)


def test_a_key_does_not_show_in_what_is_printed() -> None:
    assert "secret" not in repr(Endpoint.at("http://pi", key=KEY))


def test_what_a_server_says_is_quoted_on_one_line_without_the_key() -> None:
    endpoint = Endpoint.at("http://pi", key=KEY)
    assert endpoint.quote("bad key\n sk-very-secret\x1b[31m") == "bad key [the API key] [31m"
    assert len(endpoint.quote("x" * 10_000)) == 300


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:s3cret@host:8000/v1", "http://host:8000/v1"),
        ("http://host/v1?key=s3cret", "http://host/v1"),
        ("http://host/v1#s3cret", "http://host/v1"),
        ("user:s3cret@host:8000", "host:8000"),
        ("http://host:8000/v1", "http://host:8000/v1"),
        ("http://host/@path", "http://host/@path"),
        ("http://user:s3/cret@host/v1", "http://host/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("http://host?key=s3cret", "http://host"),
    ],
)
def test_nothing_secret_of_a_url_is_shown(url: str, shown: str) -> None:
    assert public_url(url) == shown
