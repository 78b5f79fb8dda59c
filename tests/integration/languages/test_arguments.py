"""What code knows of itself as a program, asked for as faces ask: its arguments, name and file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kowalski.engine import Engine
from kowalski.model.run import Origin, RunRequest, Workspace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_WORDS = ("--year", "2026", "two words", "", "*", "$HOME", "a\nb\n", "ü→")
_TELLING = {
    "python": "import sys\nfor word in sys.argv[1:]: print(word, end='|')",
    "javascript": "for (const word of process.argv.slice(2)) process.stdout.write(word + '|')",
    "bash": "if (($#)); then printf '%s|' \"$@\"; fi",
    "rust": 'for word in std::env::args().skip(1) { print!("{word}|"); }',
}


@pytest.fixture(scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with Engine(embedded=True, home=tmp_path_factory.mktemp("home")) as engine:
        yield engine


@pytest.mark.parametrize("language", _TELLING)
async def test_a_program_has_the_arguments_of_its_own_run_alone(
    engine: Engine, language: str
) -> None:
    async def told(*words: str) -> str:
        request = RunRequest(language=language, code=_TELLING[language], session="args", args=words)
        result = await engine.run(request)
        assert (result.status, result.stderr) == ("ok", "")
        return result.stdout

    assert await told(*_WORDS) == "".join(f"{word}|" for word in _WORDS)
    assert await told() == ""


_FILES: dict[str, tuple[str, dict[str, str]]] = {
    "python": (
        "import json, sys, near\nprint(json.dumps([*sys.argv, __file__, near.said]))",
        {"near.py": "said = 'near'"},
    ),
    "javascript": (
        "const [, path, word] = process.argv\n"
        "const { said } = await import('./near.mjs')\n"
        "console.log(JSON.stringify([path, word, __filename, said]))\n"
        "if (import.meta.filename !== path) throw new Error(import.meta.filename)\n"
        "if (require('./near.cjs').said !== said) throw new Error('another')",
        {"near.cjs": "exports.said = 'near'", "near.mjs": "export const said = 'near'"},
    ),
    "bash": (
        'here=$(cd "$(dirname "$0")" && pwd)\n'
        'printf \'["%s", "%s", "%s", "%s"]\' "$0" "$1" "$here/tool" "$(source "$here/near")"',
        {"near": "echo near"},
    ),
}
_NAMELESS = {
    "python": ("import sys; [sys.argv, sys.path[0], '__file__' in globals()]", "[[''], '', False]"),
    "javascript": (
        "[process.argv[1], __filename].every((one) => one.endsWith('/block.js'))",
        "true",
    ),
    "bash": ("[[ $0 == bash && $* == own ]]", None),
}


@pytest.mark.parametrize("language", _FILES)
async def test_a_file_knows_its_name_and_what_lies_beside_it_and_the_next_block_does_not(
    engine: Engine, tmp_path: Path, language: str
) -> None:
    code, beside = _FILES[language]
    path = tmp_path / "tools" / "tool"
    path.parent.mkdir()
    for name, content in beside.items():
        (path.parent / name).write_text(content)
    workspace = Workspace(str(tmp_path))
    session = f"files-{language}"
    if language == "bash":
        own = RunRequest(language="bash", code="set -- own", session=session, workspace=workspace)
        await engine.run(own)
    request = RunRequest(
        language=language,
        code=code,
        session=session,
        workspace=workspace,
        origin=Origin(str(path), name="tools/tool"),
        args=("word",),
    )

    result = await engine.run(request)

    assert (result.status, result.stderr) == ("ok", "")
    name = str(path) if language == "javascript" else "tools/tool"
    assert json.loads(result.stdout) == [name, "word", str(path), "near"]
    code, value = _NAMELESS[language]
    after = await engine.run(
        RunRequest(language=language, code=code, session=session, workspace=workspace)
    )
    assert (after.status, after.value) == ("ok", value)


@pytest.mark.parametrize("ending", ["set -u; echo $absent", "set -- other; break", "exit 1"])
async def test_a_shells_own_parameters_are_back_however_a_program_ended(
    engine: Engine, ending: str
) -> None:
    async def told(code: str, *words: str) -> str:
        request = RunRequest(language="bash", code=code, session="endings", args=words)
        return (await engine.run(request)).stdout

    await told("set -- own")
    assert await told(f'echo "$*"; {ending}', "given") == "given\n"
    assert await told('set +u; echo "$*"') == "own\n"


async def test_processes_that_a_python_program_starts_find_its_functions_and_arguments(
    engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "program.py"
    path.write_text(
        "import multiprocessing, sys\n"
        "def tell(pipe): pipe.send(sys.argv[1:])\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    ours, theirs = context.Pipe()\n"
        "    process = context.Process(target=tell, args=(theirs,))\n"
        "    process.start(); process.join()\n"
        "    print(ours.recv() if ours.poll() else 'nothing')\n"
    )
    request = RunRequest(
        language="python",
        code=path.read_text(),
        workspace=Workspace(str(tmp_path)),
        origin=Origin(str(path), name="program.py"),
        args=("word",),
    )

    result = await engine.run(request)

    assert (result.stdout, result.stderr) == ("['word']\n", "")
