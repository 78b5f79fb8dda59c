"""Terminal transcripts: commands behind `$ ` prompts, and what they printed."""

from __future__ import annotations

from typing import Final

from kowalski.documents.command import Command

_PROMPT: Final = "$"
_CONTINUATION: Final = ">"


def commands(transcript: str) -> str | None:
    """The commands of `transcript`, each in its own line, with empty lines where output stood.

    A line without a prompt belongs to a command only where the shell would still have asked for
    more. None where there is no prompt at all.
    """
    command: Command | None = None
    lines: list[str] = []
    for line in transcript.split("\n")[:-1]:
        typed = _after(_PROMPT, line)
        if typed is not None:
            command = Command()
        elif command is not None and command.open:
            continued = _after(_CONTINUATION, line)
            typed = line if continued is None else continued
        if command is None or typed is None:
            lines.append("")
        else:
            command.feed(typed)
            lines.append(typed)
    return None if command is None else "".join(f"{line}\n" for line in lines)


def _after(prompt: str, line: str) -> str | None:
    """What is typed behind `prompt`; None where the line has none."""
    if line.startswith(f"{prompt} "):
        return line[len(prompt) + 1 :]
    return "" if line.rstrip() == prompt else None
