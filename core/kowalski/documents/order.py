"""The order in which blocks run: what a block needs comes before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kowalski.model.block import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kowalski.model.block import CodeBlock

_MAX_SHOWN: Final = 8

Names = dict[str, list["CodeBlock"]]


def by_name(blocks: Iterable[CodeBlock]) -> Names:
    """The blocks of each name, in the document's order."""
    names: Names = {}
    for block in blocks:
        if block.name is not None:
            names.setdefault(block.name, []).append(block)
    return names


def in_order(
    targets: Iterable[CodeBlock], names: Mapping[str, Sequence[CodeBlock]]
) -> tuple[list[CodeBlock], list[Diagnostic]]:
    """`targets` and all that they need, each once, every block after those that it needs.

    The faults tell where that is impossible: unknown and ambiguous names, blocks that cannot run,
    and circles. Both are as long as the blocks are many; nothing here recurses.
    """
    order: list[CodeBlock] = []
    faults: list[Diagnostic] = []
    done: set[int] = set()
    for target in targets:
        path: list[CodeBlock] = []
        places: dict[int, int] = {}
        pending: list[Iterator[str]] = []
        entering: CodeBlock | None = target
        while entering is not None or path:
            if entering is not None:
                if entering.index in done:
                    entering = None
                elif entering.index in places:
                    faults.append(_circle(path, places[entering.index]))
                    entering = None
                else:
                    places[entering.index] = len(path)
                    path.append(entering)
                    pending.append(iter(entering.attributes.needs))
                    entering = None
                continue
            needed = next(pending[-1], None)
            if needed is None:
                block = path.pop()
                pending.pop()
                del places[block.index]
                done.add(block.index)
                order.append(block)
                continue
            found = _find(path[-1], needed, names)
            if isinstance(found, Diagnostic):
                faults.append(found)
            else:
                entering = found
    return order, faults


def _find(
    block: CodeBlock, needed: str, names: Mapping[str, Sequence[CodeBlock]]
) -> CodeBlock | Diagnostic:
    found = names.get(needed, ())
    if not found:
        return _fault(block, f"it needs `{needed}`, and no block has that name")
    if len(found) > 1:
        lines = " and ".join(str(other.start_line) for other in found[:_MAX_SHOWN])
        return _fault(block, f"it needs `{needed}`, a name that the blocks in lines {lines} share")
    if not found[0].runnable:
        return _fault(block, f"it needs `{needed}`, which cannot run: {found[0].problem}")
    return found[0]


def _circle(path: Sequence[CodeBlock], start: int) -> Diagnostic:
    names = [str(block.name) for block in path[start : start + _MAX_SHOWN]]
    more = ["…"] if len(path) - start > _MAX_SHOWN else []
    circle = " → ".join([*names, *more, names[0]])
    return _fault(path[start], f"what it needs goes in a circle: {circle}")


def _fault(block: CodeBlock, message: str) -> Diagnostic:
    return Diagnostic(block.start_line, block.column, message, "error")
