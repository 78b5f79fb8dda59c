"""What a block of Rust asks cargo for."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.execution.kernels.rust_manifest import embedded, named, without_front_matter

PLACE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20)


@pytest.mark.parametrize(
    ("code", "crates"),
    [
        ("fn main() {}", None),
        ("//! Text.\nfn main() {}", None),
        ("---\n[dependencies]\nrand = '1'\n", None),
        ("---\n[package]\nedition = '2024'\n---\nfn main() {}", {}),
        (
            "---cargo\n[dependencies]\nrand = '1'\nserde.version = '1'\n---\n",
            {"rand": 3, "serde": 4},
        ),
        ("#!/usr/bin/env x\n---\n[dependencies.rand]\nversion = '1'\n---\n", {"rand": 3}),
        ("//! ```cargo\n//! [dependencies]\n//! time = '0.3'\n//! ```\n", {"time": 3}),
    ],
    ids=["none", "text", "open", "no-crates", "fenced", "table", "comment"],
)
def test_a_manifest_names_crates_with_their_lines(code: str, crates: dict[str, int] | None) -> None:
    found = embedded(code)
    assert (found and found.crates) == crates


@pytest.mark.parametrize("code", ["fn main() {}", "#!/x\n---\n[dependencies]\n---\nlet x;\n"])
def test_without_its_manifest_the_code_stays_on_its_lines(code: str) -> None:
    plain = without_front_matter(code)
    assert plain.count("\n") == code.count("\n")
    assert plain.split("\n")[-2:] == code.split("\n")[-2:]
    assert "---" not in plain


@given(PLACE, PLACE.filter(lambda text: "'" not in text))
def test_paths_count_from_where_the_code_starts(folder: str, name: str) -> None:
    manifest = embedded(f"---\n[dependencies]\na = {{ path = 'x{name}' }}\n---\n")
    assert manifest is not None
    package = tomllib.loads(manifest.package(f"/{folder}", "2021"))
    assert package["dependencies"]["a"]["path"] == f"/{folder}/x{name}"


def test_a_path_from_the_root_stays() -> None:
    manifest = embedded('---\n[dependencies.a]\npath = "/else/where"\n---\n')
    assert manifest is not None
    package = tomllib.loads(manifest.package("/here", "2021"))
    assert package["dependencies"]["a"]["path"] == "/else/where"


def test_what_a_manifest_says_of_the_package_counts() -> None:
    head = '[package]\nedition = "2018"\nname = "mine"\n[dependencies]\na = "1"\n[workspace]\n'
    manifest = embedded(f"---\n{head}---\n")
    assert manifest is not None
    package = tomllib.loads(manifest.package("/", "2021"))
    assert package["package"] == {"name": "mine", "version": "0.0.0", "edition": "2018"}
    assert package["dependencies"] == {"a": "1"}


@pytest.mark.parametrize(
    "given",
    [
        'package.edition = "2018"\n[dependencies]\na = "1"\n',
        '[dependencies]\na = "1"\n[package]\nedition = "2018"\n',
        'package = { edition = "2018" }\n[dependencies]\na = "1"\n',
        'dependencies.a = "1"\npackage . edition = "2018"\n[package.metadata]\n',
        'package = {edition="2018"}\ndependencies = { a = "1" }\n',
    ],
)
def test_a_package_may_be_told_of_in_every_way_of_toml(given: str) -> None:
    manifest = embedded(f"---\n{given}---\n")
    assert manifest is not None
    package = tomllib.loads(manifest.package("/", "2021"))
    told = {name: package["package"][name] for name in ("name", "version", "edition")}
    assert told == {"name": "code", "version": "0.0.0", "edition": "2018"}
    assert package["dependencies"] == {"a": "1"}


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("---\n[dependencies]\nwrong = 5\n---\n", (3, 9)),
        ('---\n[package]\nedition = "2018"\n[dependencies]\nwrong = 5\n---\n', (5, 9)),
        ("---\n[dependencies]\nwrong = 5\n[package]\n---\n", (3, 9)),
        ("---\npackage = { }\n[dependencies]\nwrong = 5\n---\n", (4, 9)),
        ("//! ```cargo\n//! [dependencies]\n//! wrong = 5\n//! ```\n", (3, 13)),
        ("//! ```cargo\n//! [dependencies]\n//!wrong = 5\n//! ```\n", (3, 12)),
        ("\n" * 12 + "---\n[dependencies]\nwrong = 5\n---\n", (15, 9)),
    ],
)
def test_what_cargo_says_has_the_places_of_the_block(code: str, place: tuple[int, int]) -> None:
    manifest = embedded(code)
    assert manifest is not None
    lines = manifest.package("/", "2021").split("\n")
    at = lines.index("wrong = 5") + 1
    column = lines[at - 1].index("5") + 1
    margin = " " * len(str(at))
    said = f"error: no\n{margin}--> Cargo.toml:{at}:{column}\n{margin} |\n{at} | wrong = 5\n"
    line = place[0]
    margin = " " * len(str(line))
    assert manifest.line_of(said) == line
    assert manifest.told(said, "<code>") == (
        f"error: no\n{margin}--> <code>:{line}:{place[1]}\n{margin} |\n{line} | wrong = 5\n"
    )


def test_places_of_what_the_block_has_not_are_not_told() -> None:
    manifest = named({"rand": 7})
    said = "error: no\n --> Cargo.toml:5:1\n"
    assert manifest.told(said, "<code>") == "error: no\n"
    assert manifest.line_of(said) == 7


def test_crates_that_code_names_may_have_any_version() -> None:
    manifest = named({"rand": 7, "serde": 3})
    package = tomllib.loads(manifest.package("/", "2021"))
    assert package["dependencies"] == {"rand": "*", "serde": "*"}
    assert package["package"]["edition"] == "2021"
    assert package["workspace"] == {}
    assert manifest.line_of("no matching package named `rand` found") == 7
    assert manifest.line_of("it went wrong") == 3
