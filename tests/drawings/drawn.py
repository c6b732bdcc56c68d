"""Drawings of every kind: committed ones, of jobs, of two versions, of runs to a fault."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from milepost import ItemEvent, StateManager
from milepost.drawings.svg import render_svg
from milepost.inspect.diagram import svg
from milepost.inspect.path import path
from milepost.testing import FakeClock
from milepost_codegen.compiler import compile_definition
from milepost_codegen.drawings.diff import emit_diff
from milepost_codegen.model import Lifecycle
from milepost_codegen.prove.show.picture import pictures
from tests.integration.check.making import orders, report_of

__all__ = ["ALL", "COMMITTED", "drawn"]

ROOT: Final = Path(__file__).parents[2]
_FOLDERS: Final = ("diagrams", "examples/*/diagrams", "tests/golden")
_FIRST, _SECOND = "lifecycles/mapreduce-1.yaml", "lifecycles/mapreduce-2.yaml"
_THIRD: Final = "statemachine.yaml"
COMMITTED: Final = {
    file.stem: file for folder in _FOLDERS for file in sorted(ROOT.glob(f"{folder}/*.svg"))
}


def _job(machine: str, *, tried: bool) -> str:
    """A job that has begun, or one that was paused and resumed and has items in every state."""
    with StateManager.open("memory:", clock=FakeClock()) as manager:
        manager.create_job([{"n": n} for n in range(6)], job_id="nightly", config={"max_dead": 1})
        if tried:
            _tell(manager)
        lifecycle = manager.get_state("nightly").lifecycle
        return svg(path(manager, "nightly", machine=machine), lifecycle)


def _tell(manager: StateManager) -> None:
    inputs = manager.get_state("nightly").inputs
    keys = [inputs.key(place) for place in range(6)]
    failed = {"cause": "error", "message": "no"}
    manager.fire("nightly", "start_map")
    manager.record("nightly", [ItemEvent(key, "start") for key in keys[:5]])
    manager.record(
        "nightly",
        [
            ItemEvent(keys[0], "succeed", {"result": 1}),
            *(ItemEvent(key, "fail", failed) for key in keys[1:4]),
        ],
    )
    manager.record("nightly", [ItemEvent(keys[1], "retry"), ItemEvent(keys[2], "give_up")])
    manager.record("nightly", [ItemEvent(keys[5], "skip")])
    manager.fire("nightly", "pause")
    manager.fire("nightly", "resume")


def _versions(old: str, new: str) -> str:
    return render_svg(emit_diff(_lifecycle(old), _lifecycle(new)))


def _lifecycle(name: str) -> Lifecycle:
    return compile_definition((ROOT / name).read_bytes(), name).lifecycle


def _run(obligation: str) -> str:
    lifecycle, found = orders()
    one = found[obligation]
    (graph,) = pictures(report_of(lifecycle, one), one).values()
    return render_svg(graph)


_MADE: Final[dict[str, Callable[[], str]]] = {
    "a job that has begun": lambda: _job("job", tried=False),
    "a job that went on": lambda: _job("job", tried=True),
    "items that wait": lambda: _job("item", tried=False),
    "items in every state": lambda: _job("item", tried=True),
    "versions 1 and 3": lambda: _versions(_FIRST, _THIRD),
    "versions 2 and 3": lambda: _versions(_SECOND, _THIRD),
    "versions 3 and 1": lambda: _versions(_THIRD, _FIRST),
    "a run to a broken invariant": lambda: _run("invariant"),
    "a run in a circle": lambda: _run("progress"),
}
ALL: Final = (*COMMITTED, *_MADE)


@cache
def drawn(name: str) -> str:
    """The drawing of a name in `ALL`, the same every time."""
    if name in COMMITTED:
        return COMMITTED[name].read_text(encoding="utf-8")
    return _MADE[name]()
