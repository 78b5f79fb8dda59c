"""`python -m kowalski_mcp`: serve MCP over standard input and output, or over HTTP."""

from __future__ import annotations

import argparse
import math
import os
import sys
from typing import TYPE_CHECKING

from kowalski import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski_mcp.scope import Scope
    from kowalski_mcp.server import Level


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until the client goes, or over HTTP until a signal.

    Exits with 2 for flags, a folder, a token or an address that cannot be used.
    """
    parser = _parser()
    if "_ARGCOMPLETE" in os.environ:
        # A shell asks what could be typed.
        import argcomplete

        argcomplete.autocomplete(parser, always_complete_options=False)
    arguments = parser.parse_args(argv)
    if not arguments.http and (arguments.host, arguments.port) != (None, None):
        parser.error("--host and --port go with --http")
    # What the flags do not need is imported after them: half a second.
    from kowalski.errors import KowalskiError
    from kowalski_mcp.log import keep_log
    from kowalski_mcp.serve import scope_of, serve

    try:
        if arguments.new_token:
            from kowalski_mcp.http.renewal import renew

            renew()
            return
        scope: Scope = scope_of(
            folder=arguments.folder,
            no_folder=arguments.no_folder,
            write=arguments.write == "true",
            network=arguments.network,
            answer_after_s=arguments.answer_after,
            progress_every_s=arguments.progress_every,
        )
        level: Level = arguments.log_level.upper()
        keep_log(level)
        if arguments.http:
            from kowalski_mcp.http.serve import PORT, serve_http

            port = PORT if arguments.port is None else arguments.port
            serve_http(scope, arguments.host or "127.0.0.1", port, level)
            return
    except KowalskiError as error:
        # How flags are used is no help with what is not about flags.
        parser.exit(2, f"{parser.prog}: error: {error.user_message}\n")
    try:
        serve(scope, level)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kowalski mcp",
        description="Serve MCP tools that run code, over standard input and output, or over HTTP.",
        epilog="example: claude mcp add kowalski -- kowalski mcp --folder ~/projects/notes",
    )
    parser.add_argument("--version", action="version", version=f"kowalski {__version__}")
    folder = parser.add_mutually_exclusive_group()
    folder.add_argument(
        "--folder",
        metavar="DIR",
        help="the folder that code sees, read-only (default: the current one, if it may be seen)",
    )
    folder.add_argument("--no-folder", action="store_true", help="let code see no folder")
    parser.add_argument(
        "--write",
        nargs="?",
        choices=("true", "false"),
        const="true",
        default="false",
        help="let code change the folder, if the owner has granted it: kowalski allow DIR --write",
    )
    parser.add_argument(
        "--no-net",
        dest="network",
        action="store_false",
        help="no network, even where the owner of this device has granted it",
    )
    parser.add_argument(
        "--http",
        action="store_true",
        help="serve over HTTP, on this device alone, whoever shows the token",
    )
    parser.add_argument(
        "--port", type=_port, help="where, with --http (default: 7435; 0: any that is free)"
    )
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        help="the IP address to listen at, with --http (default: 127.0.0.1); others than the "
        "loopback's need [mcp] allowed_hosts and allowed_origins in the settings",
    )
    parser.add_argument(
        "--new-token",
        action="store_true",
        help="put another token in the place of the one for --http, and end; the old one counts "
        "no more",
    )
    parser.add_argument(
        "--answer-after",
        metavar="SECONDS",
        type=_seconds,
        default=45.0,
        help="answer with a handle where code takes longer (default: 45; some clients give up "
        "after 60)",
    )
    parser.add_argument(
        "--progress-every",
        metavar="SECONDS",
        type=_seconds,
        default=10.0,
        help="note progress that often (default: 10)",
    )
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error", "critical"),
        default="warning",
        help="what goes to stderr (default: warning)",
    )
    return parser


def _port(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: give seconds, such as 45 or 0.5")
    return value


if __name__ == "__main__":
    main()
