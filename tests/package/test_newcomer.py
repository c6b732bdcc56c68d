"""README and the tutorial, done in a fresh environment from the built wheel, with a kill."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Final

import pytest

from .conftest import ROOT, Distributions
from .newcomer import Newcomer
from .pythons import wanted

README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
TUTORIAL: Final = (ROOT / "docs" / "tutorial" / "first-job.md").read_text(encoding="utf-8")
BLOCK: Final = re.compile(r"(?ms)^```python\n(.*?)^```")
INSTALLS: Final = re.findall(r"(?m)^pip install '?milepost.*$", README)
COMMANDS: Final = re.findall(r"(?m)^milepost \w+.*--db jobs\.db.*$", README)
CALLED: Final = """
from pathlib import Path
from threading import Event

def work(item):
    with open("calls", "a") as calls:
        calls.write(item.key + "\\n")
    if item.key == "b.txt" and not Path("killed").exists():
        Event().wait()
    return len(item.value.split())

"""
"""README's function, which notes its calls, and in its first process never ends for b.txt."""
NOT_OF_THE_CORE: Final = ("jinja2", "graphviz", "graphviz_pure", "pydantic", "yaml", "starlette")


@pytest.mark.parametrize("version", wanted())
def test_from_an_empty_folder_to_a_killed_and_resumed_job(
    version: str, distributions: Distributions, tmp_path: Path
) -> None:
    """First with the core alone, then with the compiler, then without what draws SVG."""
    newcomer = Newcomer.of(wanted()[version], distributions.wheel, tmp_path)
    core, compiling = INSTALLS
    newcomer.install(core)
    assert_alone(newcomer)
    assert_killed_and_resumed(newcomer)
    assert_looked_at(newcomer)
    (newcomer.folder / "tutorial.py").write_text("\n\n".join(BLOCK.findall(TUTORIAL)))
    newcomer.typed("exec python -W error tutorial.py")
    newcomer.install(compiling)
    assert newcomer.typed(COMMANDS[-1]).stdout.lstrip().startswith("<")
    assert_compiled(newcomer)


def assert_alone(newcomer: Newcomer) -> None:
    """Control: the package is that of the wheel, and what the core has no use for is not there."""
    where = newcomer.typed("python -c 'import milepost; print(milepost.__file__)'").stdout
    assert Path(where.strip()).is_relative_to(newcomer.environment)
    for module in NOT_OF_THE_CORE:
        newcomer.typed(f"python -c 'import {module}' 2>/dev/null", returns=1)


def assert_killed_and_resumed(newcomer: Newcomer) -> None:
    """SIGKILL while one item is done and the other runs: the first is not called again."""
    (block,) = BLOCK.findall(README)
    program = block.replace("lambda item: len(item.value.split())", "work")
    assert program != block
    (newcomer.folder / "words.py").write_text(CALLED + program)
    running = newcomer.started("exec python words.py")
    try:
        while (done := progress(newcomer).get("done")) != 1:
            assert running.poll() is None, running.communicate()
            assert done in (None, 0)
    finally:
        running.kill()
    running.communicate()
    assert running.returncode == -signal.SIGKILL
    (newcomer.folder / "killed").touch()
    assert newcomer.typed("exec python words.py").stdout == "10\n"
    calls = (newcomer.folder / "calls").read_text().split()
    assert sorted(calls) == ["a.txt", "b.txt", "b.txt"]
    (newcomer.folder / "words.py").write_text(block)
    assert newcomer.typed("exec python words.py").stdout == "10\n"


def progress(newcomer: Newcomer) -> dict[str, int]:
    """How far README's job is; nothing where it is not there yet."""
    if not (newcomer.folder / "jobs.db").exists():
        return {}
    process = newcomer.started("milepost show words --db jobs.db --json")
    told, _ = process.communicate(timeout=60)
    return {} if process.returncode else json.loads(told)["progress"]


def assert_looked_at(newcomer: Newcomer) -> None:
    """README's commands have answers; the one that the core cannot give names what it lacks."""
    assert len(COMMANDS) >= 7
    for line in COMMANDS[:-1]:
        assert newcomer.typed(line).stdout, line
    assert COMMANDS[-1].startswith("milepost diagram")
    lacking = newcomer.typed(COMMANDS[-1], returns=2)
    assert lacking.stderr.rstrip().endswith("pip install 'milepost[compile]'")
    assert newcomer.typed(f"{COMMANDS[-1].split('#')[0]} --mermaid").stdout.startswith("%%")


def assert_compiled(newcomer: Newcomer) -> None:
    """All files of a lifecycle; without graphviz-pure all but SVG, which is said."""
    source = ROOT / "examples" / "orders" / "orders.yaml"
    (newcomer.folder / "orders.yaml").write_bytes(source.read_bytes())
    newcomer.typed("milepost compile orders.yaml --out whole")
    newcomer.typed("pip uninstall --yes graphviz-pure")
    told = newcomer.typed("milepost compile orders.yaml --out bare")
    assert "SVG not written" in told.stderr
    whole, bare = (
        {path.name: path.read_bytes() for path in (newcomer.folder / name).iterdir()}
        for name in ("whole", "bare")
    )
    drawings = {name for name in whole if name.endswith(".svg")}
    assert drawings
    assert bare == {name: text for name, text in whole.items() if name not in drawings}
    newcomer.typed("milepost compile orders.yaml --out whole --check")
