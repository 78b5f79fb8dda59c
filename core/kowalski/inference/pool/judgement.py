"""The program that judges answers by JSON schemas, in a process of its own: see `JsonJudge`.

A pattern of a schema may take for ever over a text, and nothing in the interpreter runs meanwhile.
So the system ends this process once a judgement has taken as many seconds of computing as its
question allows, also when nobody is left who waits for it.

A question and its verdict are JSON, each after its length in four bytes.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NoReturn

from kowalski.errors import InvalidRequest

if TYPE_CHECKING:
    from typing import BinaryIO

    from kowalski.inference.pool.json_schema import JsonSchema

LENGTH: Final = struct.Struct("!I")

_FENCE: Final = "```"
_NICENESS: Final = 10


def verdict(schema: str, text: str | None) -> dict[str, Any]:
    """What there is to say of the answer `text`, or of the schema alone.

    Either `refused`, why the schema is none; or `text`, the JSON within the answer, and `problem`,
    what is wrong with it.
    """
    try:
        checked = _checked(schema)
        if text is None:
            return {"text": "", "problem": None}
        found, problem = judged(checked, text)
    except InvalidRequest as error:
        return {"refused": error.user_message}
    return {"text": found, "problem": problem}


def judged(schema: JsonSchema, text: str) -> tuple[str, str | None]:
    """The JSON within an answer, and what is wrong with it.

    Raises:
        InvalidRequest: the schema refers to itself without end.
    """
    problem = ""
    for candidate in (text.strip(), _unfenced(text)):
        if candidate is None:
            continue
        try:
            value = json.loads(candidate, parse_constant=_refuse_constant)
        except RecursionError:
            problem = problem or "it is nested too deeply"
        except ValueError as error:
            problem = problem or f"it is no JSON: {error}"
        else:
            return candidate, schema.problem(value)
    return text, problem


def _unfenced(text: str) -> str | None:
    """What stands between the first fence and the last; None if there are no two."""
    _, opening, rest = text.partition(_FENCE)
    inside, closing, _ = rest.rpartition(_FENCE)
    if not (opening and closing):
        return None
    kind, _, body = inside.partition("\n")
    return body.strip() if kind.strip().replace("-", "").isalnum() or not kind.strip() else None


@lru_cache(maxsize=16)
def _checked(schema: str) -> JsonSchema:
    # What validates takes a fifth of a second to load, which whoever asks need not pay for too.
    from kowalski.inference.pool.json_schema import JsonSchema

    return JsonSchema(json.loads(schema))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is none of its numbers")


def _serve(questions: BinaryIO, verdicts: BinaryIO) -> None:
    """Judge one after the other, until nobody asks any more."""
    while len(head := questions.read(LENGTH.size)) == LENGTH.size:
        question = json.loads(questions.read(LENGTH.unpack(head)[0]))
        signal.setitimer(signal.ITIMER_PROF, question["within_s"])
        told = json.dumps(verdict(question["schema"], question["text"])).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        verdicts.write(LENGTH.pack(len(told)) + told)
        verdicts.flush()


if __name__ == "__main__":
    # Ctrl-C is for whoever asks; and what judges makes way for what answers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    os.nice(_NICENESS)
    _serve(sys.stdin.buffer, sys.stdout.buffer)
