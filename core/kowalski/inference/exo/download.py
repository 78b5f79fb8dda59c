"""How much of a model a node has on its disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from kowalski.inference.exo.fields import member, members, size, tagged, text

_PREFIX: Final = "Download"
_LONGEST_MODEL: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One model on one node.

    `state` is exo's name for it without `Download`: Pending, Ongoing, Completed, Failed.
    """

    node: str
    model: str
    state: str
    downloaded_bytes: int = 0
    total_bytes: int = 0
    message: str = ""


def read_downloads(value: Any) -> tuple[Download, ...]:
    """The downloads in the JSON of `/state/downloads`."""
    downloads = [
        _download(node, *found)
        for node, entries in members(value).items()
        for entry in (entries if isinstance(entries, list) else [])
        if (found := tagged(entry)) is not None
    ]
    return tuple(download for download in downloads if download.model)


def _download(node: str, tag: str, held: Any) -> Download:
    shard = tagged(member(held, "shardMetadata"))
    card = member(shard[1], "modelCard") if shard else None
    progress = member(held, "downloadProgress") or held
    return Download(
        node=node,
        model=text(member(card, "modelId"), _LONGEST_MODEL),
        state=tag.removeprefix(_PREFIX),
        downloaded_bytes=size(member(progress, "downloaded")) or 0,
        total_bytes=size(member(progress, "total")) or 0,
        message=text(member(held, "errorMessage")),
    )
