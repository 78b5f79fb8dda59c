"""What a node says of its computer."""

from __future__ import annotations

from kowalski.inference.exo.node import read_names, read_nodes

LOUD = "studio\x1b[31m\u202e\n" + "x" * 100
SHOWN = "studio [31m " + "x" * 27 + "…"


def test_a_nodes_name_is_for_a_line_of_a_terminal() -> None:
    told = {"n1": {"friendlyName": LOUD}, "n2": {"friendlyName": "  "}}
    assert read_names(told) == {"n1": SHOWN}
    nodes = read_nodes(["n1", "n2"], told, None, None)
    assert [node.name for node in nodes.values()] == [SHOWN, "n2"]
    assert len(SHOWN) == 40
