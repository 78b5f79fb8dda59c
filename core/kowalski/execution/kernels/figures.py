"""The matplotlib backend of the Python kernel: every open figure becomes a PNG.

Found as `module://kowalski_figures`. `show` emits at once, the end of a run what is left.
"""

from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING, Any

from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure


emit: Callable[[str, str, bytes], None]
"""Hands an artifact to the agent: its name, its media type, its bytes. The kernel puts it here."""

_numbers = itertools.count(1)


class FigureManager(FigureManagerBase):
    """Shows its figure by emitting it."""

    def show(self) -> None:
        """Emit and close this figure."""
        emit_figure(self.canvas.figure)
        Gcf.destroy(self)


class FigureCanvas(FigureCanvasAgg):
    """Draws into memory."""

    manager_class = FigureManager


def show(*_: Any, **__: Any) -> None:
    """Emit and close all open figures, as `matplotlib.pyplot.show` displays them."""
    flush()


def flush() -> None:
    """Emit and close all open figures."""
    try:
        for manager in Gcf.get_all_fig_managers():
            emit_figure(manager.canvas.figure)
    finally:
        Gcf.destroy_all()


def finish() -> None:
    """At the end of a run: emit what is open. The next run's figures are counted anew."""
    global _numbers
    try:
        flush()
    finally:
        _numbers = itertools.count(1)


def emit_figure(figure: Figure) -> None:
    """Emit one figure as a PNG, named by its number in the run."""
    data = io.BytesIO()
    figure.savefig(data, format="png", bbox_inches="tight")
    emit(f"figure-{next(_numbers)}.png", "image/png", data.getvalue())  # noqa: F821 - put here
