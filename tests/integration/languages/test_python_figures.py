"""The Python kernel: pictures become artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from integration.languages.kernel_process import KernelProcess, Told

from integration.languages.python_process import start

_PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def plotting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelProcess]:
    process = start(tmp_path_factory.mktemp("plotting"))
    assert process.run("import matplotlib.pyplot as plt").errors == []
    yield process
    process.close()


def _pictures(told: Told) -> list[str]:
    assert told.errors == []
    assert all(a.text(1) == "image/png" and a.fields[2].startswith(_PNG) for a in told.artifacts)
    return [artifact.text(0) for artifact in told.artifacts]


def test_open_figures_are_emitted_when_the_run_ends(plotting: KernelProcess) -> None:
    told = plotting.run("plt.plot([1, 2])\nplt.figure()\nplt.title('ä');")
    assert _pictures(told) == ["figure-1.png", "figure-2.png"]
    assert _pictures(plotting.run("1")) == []


def test_show_emits_at_once(plotting: KernelProcess) -> None:
    code = "for n in range(3):\n    plt.plot([n])\n    plt.show()\nplt.get_fignums()"
    told = plotting.run(code)
    assert _pictures(told) == ["figure-1.png", "figure-2.png", "figure-3.png"]
    assert (told.value, told.stderr) == ("[]", "")


def test_figures_of_a_run_are_counted_from_one_however_they_are_shown(
    plotting: KernelProcess,
) -> None:
    code = "plt.figure(7).show()\nplt.plot([1])\nplt.show()\nplt.plot([2]);"
    for _ in range(2):
        assert _pictures(plotting.run(code)) == ["figure-1.png", "figure-2.png", "figure-3.png"]


def test_figures_are_emitted_also_when_the_run_fails(plotting: KernelProcess) -> None:
    told = plotting.run("plt.plot([1])\n1 / 0")
    assert told.error_type == "ZeroDivisionError"
    assert len(told.artifacts) == 1


def test_a_program_may_choose_a_backend_of_its_own(plotting: KernelProcess) -> None:
    told = plotting.run("plt.switch_backend('agg')\nplt.plot([1]);")
    assert _pictures(told) == ["figure-1.png"]
    plotting.run("plt.switch_backend('module://kowalski_figures')")


def test_a_figure_that_cannot_be_drawn_is_an_error_of_the_program(plotting: KernelProcess) -> None:
    told = plotting.run("plt.title('$\\\\notatexcommand{$');")
    assert (told.exit_code, told.error_type) == (1, "ValueError")
    assert _pictures(plotting.run("plt.plot([1]);")) == ["figure-1.png"]


def test_a_value_with_a_picture_is_shown_and_emitted(plotting: KernelProcess) -> None:
    told = plotting.run("from PIL import Image\nImage.new('RGB', (4, 4))")
    assert _pictures(told) == ["image.png"]
    assert told.value is not None
    assert "size=4x4" in told.value


def test_a_child_process_is_not_told_of_the_kernels_backend(plotting: KernelProcess) -> None:
    code = (
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'import matplotlib.pyplot as p; p.plot([1])'],"
        " check=True).returncode"
    )
    assert plotting.run(code).value == "0"
