"""Outputs that are compared with those in a document."""

from __future__ import annotations

from dataclasses import replace

from kowalski.documents.document import parse
from kowalski.documents.outcome import Outcome
from kowalski.model.event import Artifact, Event, Finished
from kowalski_cli.document.check import DocumentCheck
from kowalski_cli.document.story import BlockDiffers, DocumentChecked

_IMAGE = Artifact(seq=1, id="r-1", sha256="1" * 64, name="a", media_type="image/png", size=1)
_END = Finished(seq=2, run_id="r", status="ok")


class _Heard(list[object]):
    async def hear(self, told: object) -> None:
        self.append(told)


async def _checked(text: str, images: list[Artifact], end: Finished = _END) -> tuple[_Heard, int]:
    document, heard, outcome = parse(text, "notes.md"), _Heard(), Outcome()
    events: list[Event] = [*images, end]
    for event in events:
        outcome.hear(event)
    check = DocumentCheck(document, heard)
    await check.take(document.blocks[0], outcome)
    await check.finish()
    return heard, check.exit_code


def _shown(info: str, *links: str) -> str:
    lines = "".join(f"![]({link})\n" for link in links)
    return f"```{info}\n1\n```\n<!-- kowalski:output -->\n{lines}<!-- /kowalski:output -->\n"


async def test_an_image_may_have_other_bytes() -> None:
    heard, exit_code = await _checked(_shown("js", "f/a-0.png"), [_IMAGE])

    assert heard == [DocumentChecked(document="notes.md", same=1, differing=0)]
    assert exit_code == 0


async def test_as_many_images_as_shown_are_wanted() -> None:
    heard, exit_code = await _checked(_shown("js", "f/a-0.png"), [_IMAGE, _IMAGE])

    assert isinstance(heard[0], BlockDiffers)
    assert heard[0].diff.endswith("\n-(1 image)\n+(2 images)\n")
    assert exit_code == 1


async def test_an_output_that_no_longer_comes_differs() -> None:
    text = _shown("js").replace("-->\n<", "-->\n```text\n42\n```\n<")

    assert (await _checked(text, []))[1] == 1
    assert (await _checked(text, [], replace(_END, value="42")))[1] == 0


async def test_what_may_vary_is_not_compared() -> None:
    for check in ("exit", "ignore"):
        heard, exit_code = await _checked(_shown(f"js {{check={check}}}"), [_IMAGE])

        assert heard == [DocumentChecked(document="notes.md", same=0, differing=0)]
        assert exit_code == 0
