"""How strong an enclosure is."""

from __future__ import annotations

from typing import Literal, TypeAlias

Level: TypeAlias = Literal["L0", "L1", "L2", "L3"]
"""From none at all (`L0`) upwards; docs/security.md says what each promises."""
