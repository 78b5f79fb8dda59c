"""Draw docs/images/run.svg: what `kowalski run examples/tour.md` shows in a terminal."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
COMMAND = ("kowalski", "run", "examples/tour.md")
COLUMNS = 80
# Whatever monospaced font the reader has: the picture loads nothing from anywhere.
FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def main() -> None:
    """Run the tour, and write its screen as a picture."""
    env = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)}
    env.pop("NO_COLOR", None)
    ran = subprocess.run(COMMAND, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    with Path(os.devnull).open("w") as nothing:
        console = Console(record=True, width=COLUMNS, file=nothing, force_terminal=True)
        console.print(Text.assemble(("$ ", "bold green"), (" ".join(COMMAND), "bold")))
        console.print(Text.from_ansi(ran.stdout))
        picture = ROOT / "docs" / "images" / "run.svg"
        picture.parent.mkdir(exist_ok=True)
        console.save_svg(str(picture), title="kowalski", code_format=FORMAT)


if __name__ == "__main__":
    main()
