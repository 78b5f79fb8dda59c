"""Serve on a free port of the loopback and print the address as the first line."""

from __future__ import annotations

import socket
import sys

import uvicorn

from clients.conformance_app.server import build_app


def main() -> None:
    """Serve until SIGTERM."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp\n")
        sys.stdout.flush()
        server = uvicorn.Server(uvicorn.Config(build_app(), log_level="warning"))
        server.run(sockets=[listener])


if __name__ == "__main__":
    main()
