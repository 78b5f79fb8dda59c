#!/usr/bin/env bash
# Make dist/kowalski.mcpb, which Claude Desktop installs with a double click. Needs `make setup`.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly tools=$PWD/tests/clients/node_modules/.bin
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT

# Only what Git knows: whatever else lies about here belongs to nobody but its owner.
git ls-files -z -- pyproject.toml uv.lock README.md LICENSE core mcp_server cli |
    tar --null -T - -cf - | tar -xf - -C "$staging"
cp mcp_server/bundle/manifest.json "$staging/"
mkdir -p dist
"$tools/mcpb" validate "$staging/manifest.json"
"$tools/mcpb" pack "$staging" "${1:-dist/kowalski.mcpb}"
