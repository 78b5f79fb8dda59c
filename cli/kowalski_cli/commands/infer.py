"""`kowalski infer`: ask a language model."""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import AgentUnavailable, InvalidRequest
from kowalski.model.chat import Done, Reasoning, Text
from kowalski_cli import exit_codes
from kowalski_cli.arguments import with_examples, with_json
from kowalski_cli.interruption import interruptible
from kowalski_cli.models.answer import Answer
from kowalski_cli.models.explanation import explain
from kowalski_cli.models.prompt import pattern_of, prompt_of, with_prompt_options
from kowalski_cli.models.prompt_batch import PromptBatch
from kowalski_cli.screen.event_lines import EventLines
from kowalski_cli.screen.live_screen import LiveScreen
from kowalski_cli.screen.screen import Screen, note
from kowalski_cli.talk import talk

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Awaitable, Callable

    from kowalski.engine import Engine
    from kowalski.model.chat import ChatEvent, ChatRequest
    from kowalski_cli.models.outcome_file import Older

_TIDYING_S: Final = 1.0


def declare(parser: ArgumentParser) -> None:
    """Say which arguments there are."""
    parser.add_argument("prompt", nargs="?", help="what to ask; by default stdin")
    parser.add_argument("--file", metavar="FILE", help="text to put behind it; - for stdin")
    with_prompt_options(parser)
    parser.add_argument(
        "--no-reasoning", action="store_true", help="do not show what the model thinks first"
    )
    parser.add_argument(
        "--explain", action="store_true", help="show first how servers would be chosen from"
    )
    parser.add_argument(
        "--batch", metavar="FILE", help="ask many prompts, a line of JSON each; - for stdin"
    )
    parser.add_argument(
        "--out", metavar="FILE", help="where what becomes of them is written; - for stdout"
    )
    parser.add_argument("--force", action="store_true", help="replace that file if it is there")
    parser.add_argument(
        "--resume", action="store_true", help="ask only what that file has no answer for"
    )
    with_json(parser, "print each event as a line of JSON")
    with_examples(
        parser,
        ("kowalski infer 'Name three colours.'", "the model that is loaded answers"),
        ("kowalski infer 'Sum up:' --file notes.md", "ask about a file"),
        ("git --version | kowalski infer 'What is this?' --file -", "or about a pipe"),
        ("kowalski infer --batch prompts.jsonl --out answers.jsonl", "many prompts at once"),
    )


def perform(arguments: Namespace) -> int:
    """Ask, and print the answer."""
    if arguments.batch is not None:
        return talk(partial(_ask_all, prompts=_batch(arguments), as_json=arguments.json))
    if arguments.out is not None or arguments.force or arguments.resume:
        raise InvalidRequest(
            "--out, --force and --resume are for many prompts: say which with --batch FILE"
        )
    request = prompt_of(arguments)
    return talk(partial(_ask, request=request, arguments=arguments))


def _batch(arguments: Namespace) -> PromptBatch:
    if arguments.prompt is not None or arguments.file is not None:
        raise InvalidRequest("With --batch the prompts are in its file: give no other.")
    if arguments.explain:
        raise InvalidRequest("--explain is for one prompt: a batch asks all servers.")
    if arguments.out is None:
        raise InvalidRequest("Where to write what becomes of them? For example: --out out.jsonl")
    if arguments.out == "-" and (arguments.resume or arguments.json):
        raise InvalidRequest(
            "With --out - the answers are on stdout: --resume needs a file, and --json would print "
            "its numbers among them."
        )
    if arguments.force and arguments.resume:
        raise InvalidRequest("Either --force, which begins anew, or --resume: not both.")
    older: Older = "replace" if arguments.force else "keep out"
    return PromptBatch(
        Path("/dev/stdin" if arguments.batch == "-" else arguments.batch),
        None if arguments.out == "-" else Path(arguments.out),
        pattern_of(arguments),
        "resume" if arguments.resume else older,
    )


def _rest(prompts: PromptBatch) -> str:
    """How to take up again what this command leaves."""
    if not prompts.keeps:
        return "With a file for --out, --resume asks what has no answer."
    kept = [word for word in sys.argv[1:] if word not in ("--force", "--resume")]
    return f"To ask what has no answer: {shlex.join(['kowalski', *kept, '--resume'])}"


async def _ask_all(engine: Engine, prompts: PromptBatch, *, as_json: bool) -> int:
    live = LiveScreen(Screen())
    async with interruptible() as interruption:
        try:
            tally, code = await prompts.run(engine, live, interruption)
        except AgentUnavailable:
            await live.call(partial(note, _rest(prompts)))
            raise
        if as_json:
            await EventLines(live).hear(tally.value())
        else:
            await live.call(partial(note, tally.sentence()))
            if tally.answered < tally.total:
                await live.call(partial(note, _rest(prompts)))
        return code
    return exit_codes.CANCELLED


async def _ask(engine: Engine, request: ChatRequest, arguments: Namespace) -> int:
    live = LiveScreen(Screen())
    async with interruptible():
        if arguments.explain:
            await explain(engine, request.model, live, as_json=arguments.json)
        if arguments.json:
            await _follow(engine, request, EventLines(live).hear)
        else:
            await _print(engine, request, live, reasoning=not arguments.no_reasoning)
        return exit_codes.OK
    return exit_codes.CANCELLED


async def _print(
    engine: Engine, request: ChatRequest, live: LiveScreen, *, reasoning: bool
) -> None:
    async with anyio.create_task_group() as tasks:
        answer = Answer(live, tasks, reasoning=reasoning)
        answer.begin()
        try:
            server = await _follow(engine, request, answer.hear)
        finally:
            with anyio.move_on_after(_TIDYING_S, shield=True):
                await answer.end()
        await answer.summarise(server)


async def _follow(
    engine: Engine, request: ChatRequest, hear: Callable[[ChatEvent], Awaitable[None]]
) -> str | None:
    """Ask, with `hear` told of every event. Returns the server's name where it is known."""
    if request.json_schema is None:
        server = None
        async with engine.infer(request) as chat:
            async for event in chat.events():
                await hear(event)
                if event.type == "done":
                    server = event.served_by
        return server
    # Only a whole answer can be checked, and asked for again.
    result = await engine.complete(request)
    if result.reasoning:
        await hear(Reasoning(text=result.reasoning))
    await hear(Text(text=result.text))
    if result.usage:
        await hear(result.usage)
    await hear(
        Done(
            finish_reason=result.finish_reason,
            served_by=result.served_by,
            input_truncated=result.input_truncated,
        )
    )
    return result.served_by
