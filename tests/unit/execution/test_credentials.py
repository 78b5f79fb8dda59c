"""Well-known files of credentials in a workspace are found, so that code never reads them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.execution.credentials import in_credentials_folder, search

SECRET_FILES = [
    ".env",
    ".env.local",
    ".ENV.Production",
    ".envrc",
    "prod.env",
    "prod.env.local",
    "terraform.tfvars",
    "prod.auto.tfvars",
    "prod.tfvars.json",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".htpasswd",
    ".vault-token",
    "id_rsa",
    "id_ed25519",
    "server.key",
    "cert.p12",
    "cert.pfx",
    "app.keystore",
    "credentials.json",
    "service-account.json",
    "service-account-prod.json",
    ".docker/config.json",
    ".cargo/credentials.toml",
    ".streamlit/secrets.toml",
]
SECRET_FOLDERS = [".aws", ".ssh", ".gnupg", ".kube", ".terraform.d", ".config/gh"]
ORDINARY = [
    ".env.example",
    ".env.sample",
    "example.env",
    "prod.template.env",
    "example.tfvars",
    "environment.env.ts",
    "environment.py",
    "id_rsa.pub",
    "keys.py",
    "key",
    "config.json",
    ".docker/Dockerfile",
    ".cargo/config.toml",
    "secrets.md",
    ".gitignore",
    "credentials.json.md",
]


def put(path: Path, content: str | bytes = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def found(root: Path) -> set[str]:
    return {str(Path(path).relative_to(root.resolve())) for path in search(str(root)).hidden}


def test_other_names_of_a_hidden_file_are_hidden_too(tmp_path: Path) -> None:
    secret, plain = put(tmp_path / "deep/er/.env"), put(tmp_path / "plain")
    (tmp_path / "a").hardlink_to(secret)
    (tmp_path / "deep/notes.txt").hardlink_to(secret)
    (tmp_path / "same").hardlink_to(plain)
    assert found(tmp_path) == {"deep/er/.env", "a", "deep/notes.txt"}


def test_repositories_are_found_by_their_names_and_by_what_is_in_them(tmp_path: Path) -> None:
    for name in (".git/config", "sub/.git", "deep/er/.HG/hgrc", "node_modules/x/.git/config"):
        put(tmp_path / name)
    for name in ("bare/HEAD", "bare/objects/x", "bare/refs/x", "half/HEAD", "half/refs/x"):
        put(tmp_path / name)
    top = tmp_path.resolve()
    assert search(str(tmp_path)).repositories == tuple(
        str(top / name) for name in (".git", "bare", "deep/er/.HG", "sub/.git")
    )


@pytest.mark.parametrize("below", ["", "services/api"])
def test_files_of_credentials_are_found_at_any_depth(tmp_path: Path, below: str) -> None:
    for name in (*SECRET_FILES, *ORDINARY):
        put(tmp_path / below / name)
    assert found(tmp_path) == {str(Path(below) / name) for name in SECRET_FILES}


def test_folders_of_credentials_are_hidden_whole(tmp_path: Path) -> None:
    for name in SECRET_FOLDERS:
        put(tmp_path / "sub" / name / "deep" / "id_rsa")
    assert found(tmp_path) == {f"sub/{name}" for name in SECRET_FOLDERS}


def test_installed_packages_and_git_objects_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path / "node_modules/x/server.key")
    put(tmp_path / ".venv/lib/server.key")
    put(tmp_path / ".git/objects/server.key")
    put(tmp_path / "env39/pyvenv.cfg")
    put(tmp_path / "env39/lib/server.key")
    assert found(tmp_path) == set()


@pytest.mark.parametrize(
    "content",
    [
        '[remote "origin"]\n\turl = https://ada:s3cret@example.org/x.git\n',
        '[remote "origin"]\n\turl = https://:s3cret@example.org/x.git\n',
        f'[remote "origin"]\n\turl = https://ghp_{"a" * 36}@github.com/x.git\n',
        '[http "https://github.com/"]\n\textraheader = AUTHORIZATION: basic eA==\n',
        "[http]\n\tproxy = http://u:p@proxy:3128\n",
        "[github]\n  oauth_token = abc\n",
        "[sendemail]\n\tsmtpPass=abc\n",
    ],
)
def test_a_git_configuration_with_a_credential_is_hidden(tmp_path: Path, content: str) -> None:
    put(tmp_path / "a/.git/config", content)
    put(tmp_path / "a/.git/modules/libs/x/config", content)
    put(tmp_path / "a/.git/HEAD", content)
    assert found(tmp_path) == {"a/.git/config", "a/.git/modules/libs/x/config"}


def test_a_git_configuration_without_one_stays(tmp_path: Path) -> None:
    urls = "git@github.com:a/b.git", "ssh://git@host/x", "https://ada@dev.azure.com/x"
    remotes = "".join(f'[remote "r{n}"]\n\turl = {url}\n' for n, url in enumerate(urls))
    put(tmp_path / ".git/config", f"[core]\n\tbare = false\n{remotes}")
    assert found(tmp_path) == set()


def test_a_pem_file_is_hidden_if_it_may_hold_a_key(tmp_path: Path) -> None:
    put(tmp_path / "ca.pem", "-----BEGIN CERTIFICATE-----\n")
    put(tmp_path / "both.pem", "-----BEGIN CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----\n")
    put(tmp_path / "huge.pem", b"a" * (1 << 21))
    os.mkfifo(tmp_path / "pipe.pem")
    assert found(tmp_path) == {"both.pem", "huge.pem", "pipe.pem"}


def test_links_are_never_followed_out_of_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    put(tmp_path / "outside/.env")
    put(tmp_path / "outside/id_rsa")
    (root / "link").symlink_to(tmp_path / "outside")
    (root / ".env").symlink_to(tmp_path / "outside/.env")
    (root / ".ssh").symlink_to(tmp_path / "outside")
    (root / "id_rsa").symlink_to(root / "missing")
    (root / ".aws").symlink_to(root)
    (root / ".kube").symlink_to("..")
    (root / "loop").symlink_to("loop")
    assert found(root) == set()


def test_what_a_credentials_link_points_to_within_the_folder_is_hidden(tmp_path: Path) -> None:
    put(tmp_path / "settings/prod")
    (tmp_path / "app").mkdir()
    (tmp_path / "app/.env").symlink_to("../settings/prod")
    assert found(tmp_path) == {"settings/prod"}


def test_a_root_behind_a_link_gives_real_paths(tmp_path: Path) -> None:
    real = put(tmp_path / "real/.env")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert search(str(tmp_path / "link")).hidden == (str(real.resolve()),)


def test_a_search_that_ends_early_says_so_and_has_seen_the_top(tmp_path: Path) -> None:
    put(tmp_path / ".env")
    for number in range(50):
        put(tmp_path / f"a/b/{number}")
    put(tmp_path / "a/b/c/.env")
    short = search(str(tmp_path), most_entries=20)
    assert short.hidden == (str(tmp_path.resolve() / ".env"),)
    assert not short.complete
    whole = search(str(tmp_path))
    assert whole.complete
    assert len(whole.hidden) == 2


def test_a_folder_with_exactly_as_many_entries_is_seen_whole(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / str(number))
    assert search(str(tmp_path), most_entries=3).complete
    assert not search(str(tmp_path), most_entries=2).complete


def test_what_is_no_folder_hides_nothing(tmp_path: Path) -> None:
    assert search(str(tmp_path / "missing")).hidden == ()
    assert search(str(put(tmp_path / "file"))).hidden == ()


@given(
    st.lists(
        st.lists(st.sampled_from(["a", "b", ".env", "x.key", ".ssh", "notes"]), min_size=1),
        max_size=8,
    )
)
def test_no_credential_stays_readable_and_nothing_else_is_hidden(trees: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as base:
        root = Path(base).resolve()
        for parts in trees:
            path = root.joinpath(*parts[:6])
            if not any(p.is_file() for p in (path, *path.parents)) and not path.exists():
                put(path)
        hidden = search(base).hidden
        assert list(hidden) == sorted(hidden, key=lambda path: path.split("/"))
        for file in (path for path in root.rglob("*") if path.is_file()):
            parents = file.relative_to(root).parts[:-1]
            secret = file.name in (".env", "x.key", ".ssh") or ".ssh" in parents
            covered = any(f"{file}/".startswith(f"{path}/") for path in hidden)
            assert covered == secret


def test_paths_in_folders_of_credentials_are_told_by_their_name() -> None:
    assert in_credentials_folder("/home/ada/.ssh/config")
    assert in_credentials_folder("/home/ada/.config/gh")
    assert not in_credentials_folder("/x/.env")
    assert not in_credentials_folder("/home/ada/.config/nvim")
    assert not in_credentials_folder("/home/ada/ssh/notes")
