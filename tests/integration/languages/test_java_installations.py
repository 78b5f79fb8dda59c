"""Which JDK is found, and what is said where there is none."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from kowalski.errors import LanguageUnavailable
from kowalski.execution.languages.java import Java
from kowalski.model.run import Toolchain

MB = 2**20


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the kernels of these tests would be made; the user is one without a JDK."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SDKMAN_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return tmp_path / "caches"


def _jdk(home: Path, version: str, *, compiler: bool = True) -> Path:
    """A folder that looks like a JDK's; running what is in it would fail. Its programs' folder."""
    programs = home / "bin"
    programs.mkdir(parents=True)
    (home / "lib").mkdir()
    (home / "lib" / "modules").write_bytes(b"modules")
    (home / "release").write_text(f'IMPLEMENTOR="X"\nJAVA_VERSION="{version}"\n')
    for name in ("java", "javac") if compiler else ("java",):
        (programs / name).write_bytes(b"\x7fELF")
        (programs / name).chmod(0o755)
    return programs


def test_the_jdk_of_the_first_javac_on_path_is_taken_by_its_real_folder(tmp_path: Path) -> None:
    programs = _jdk(tmp_path / "jdk-21", "21.0.2")
    _jdk(tmp_path / "jdk-25", "25")
    links = tmp_path / "links"
    links.mkdir()
    (links / "javac").symlink_to(programs / "javac")
    found = Java().locate(Toolchain(f"{links}:{tmp_path}/jdk-25/bin"), None)
    assert found.path == str(programs / "java")
    assert found.prefixes[0] == str(tmp_path / "jdk-21")
    assert found.env["JAVA_HOME"] == str(tmp_path / "jdk-21")


def test_a_jdk_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    old, new = _jdk(tmp_path / "old", "11.0.1"), _jdk(tmp_path / "new", "17.0.1")
    assert Java().locate(Toolchain(f"{old}:{new}"), None).path == str(new / "java")


def test_sdkman_s_current_jdk_is_found_without_path(tmp_path: Path) -> None:
    programs = _jdk(tmp_path / "home" / ".sdkman" / "candidates" / "java" / "current", "21")
    found = Java().locate(Toolchain("/nowhere"), None)
    assert (found.path, found.source) == (str(programs / "java"), "SDKMAN")


def test_a_jdk_whose_folder_is_the_user_s_home_is_shown_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "wide"
    programs, narrow = _jdk(home, "21"), _jdk(tmp_path / "narrow", "17")
    monkeypatch.setenv("HOME", str(home))
    assert Java().locate(Toolchain(f"{programs}:{narrow}"), None).path == str(narrow / "java")


def test_a_runtime_without_a_compiler_is_told_apart_from_none(tmp_path: Path) -> None:
    programs = _jdk(tmp_path / "jre", "21", compiler=False)
    with pytest.raises(LanguageUnavailable, match=r"cannot compile.*default-jdk-headless"):
        Java(installed=()).locate(Toolchain(str(programs)), None)


def test_the_newest_of_the_system_s_jdks_is_taken_where_path_has_none(tmp_path: Path) -> None:
    for version in ("17.0.1", "25", "9"):
        _jdk(tmp_path / "jvm" / version, version)
    found = Java(installed=(f"{tmp_path}/jvm/*",)).locate(Toolchain("/nowhere"), None)
    assert found.env["JAVA_HOME"] == str(tmp_path / "jvm" / "25")


def test_each_jdk_has_a_kernel_of_its_own_that_only_its_user_can_change(
    tmp_path: Path, caches: Path
) -> None:
    made = []
    for name in ("one", "two"):
        programs = _jdk(tmp_path / name, "21")
        found = Java().locate(Toolchain(str(programs)), None)
        assert Java().locate(Toolchain(str(programs)), None) == found
        made.append(Path(found.prefixes[-1]))
    assert made[0] != made[1]
    for folder in made:
        assert folder.is_relative_to(caches.resolve())
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(("memory_mb", "heap_mb"), [(2048, 1536), (300, 140), (64, 48)])
def test_the_heap_is_full_before_the_sandbox_is(
    tmp_path: Path, memory_mb: int, heap_mb: int
) -> None:
    found = Java().locate(Toolchain(str(_jdk(tmp_path / "jdk", "21"))), None)
    assert f"-Xmx{heap_mb}m" in Java().program(found, memory_mb * MB).argv
