"""A job's drawing under the renamed lifecycle is the original's, name for name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from milepost import ItemEvent, StateManager
from milepost.cli import main
from milepost.testing import FakeClock

from .spelling import Spelt, back, environment, renamed_lifecycle, respelt

SVG = "{http://www.w3.org/2000/svg}"


def tell(manager: Any) -> None:
    """A job that failed, was retried, paused and resumed, with items in every state."""
    manager.create_job([{"n": n} for n in range(6)], job_id="told", config={"max_dead": 1})
    keys = [manager.get_state("told").inputs.key(place) for place in range(6)]
    manager.fire("told", "start_map")
    manager.record("told", [ItemEvent(key, "start") for key in keys[:5]])
    manager.record(
        "told",
        [
            ItemEvent(keys[0], "succeed", {"result": 1}),
            *(ItemEvent(key, "fail", {"cause": "error", "message": "no"}) for key in keys[1:4]),
        ],
    )
    manager.record("told", [ItemEvent(keys[1], "retry"), ItemEvent(keys[2], "give_up")])
    manager.record("told", [ItemEvent(keys[5], "skip")])
    manager.fire("told", "pause")
    manager.fire("told", "resume")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same job twice: under the original lifecycle, and under the renamed one."""
    folder = tmp_path_factory.mktemp("drawn")
    original, other = folder / "original.db", folder / "other.db"
    with StateManager.open(original, clock=FakeClock()) as manager:
        tell(manager)
    with StateManager.open(other, clock=FakeClock(), lifecycle=renamed_lifecycle()) as manager:
        tell(Spelt(manager))
    return original, other


def asked(stores: tuple[Path, Path], *options: str) -> tuple[str, str]:
    """What `milepost diagram` answers of both, by the original names."""
    original, other = stores
    arguments = ["diagram", "told", *options]
    before = CliRunner().invoke(main, [*arguments, "--db", str(original)])
    after = CliRunner(env=environment()).invoke(main, [*respelt(arguments), "--db", str(other)])
    assert (before.exit_code, after.exit_code) == (0, 0), before.stderr + after.stderr
    assert after.stdout != before.stdout  # control: the names are others
    return before.stdout, back(after.stdout)


@pytest.mark.parametrize("machine", ["job", "item"])
@pytest.mark.parametrize("form", ["--mermaid", "--json"])
def test_the_texts_are_the_same(stores: tuple[Path, Path], machine: str, form: str) -> None:
    """Name for name, in Mermaid and as data."""
    before, after = asked(stores, "--machine", machine, form)
    assert (json.loads(after) == json.loads(before)) if form == "--json" else (after == before)


@pytest.mark.parametrize("machine", ["job", "item"])
def test_the_pictures_are_the_same(stores: tuple[Path, Path], machine: str) -> None:
    """Elements, marks, colours, signs and texts; only places depend on how wide letters are."""
    before, after = map(elements, asked(stores, "--machine", machine))
    assert len(before) > 100
    assert after == before


def elements(svg: str) -> list[tuple[str, ...]]:
    """What is drawn, in the order of the drawing, without where."""
    kept = ("id", "class", "fill", "stroke", f"{SVG}title")
    found = []
    for one in ET.fromstring(svg).iter():
        text = re.sub(r"\s+", " ", one.text or "")
        found.append((one.tag, text, *(one.get(name, "") for name in kept)))
    return sorted(found)
