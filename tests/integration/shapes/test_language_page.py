"""The examples of the language page compile, and what it says of them happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from milepost import ItemEvent, StateManager, TransitionRefused
from milepost.machine import Lifecycle
from tests.contract.lifecycles.compiling import ROOT, at_once

PAGE = (ROOT / "docs" / "reference" / "language.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def block(beginning: str) -> str:
    (found,) = (one for one in BLOCKS if one.startswith(beginning))
    return found


def machine(fragment: str, *more: str) -> str:
    """A definition of one machine from a part of it that the page shows."""
    lines = [*fragment.splitlines(), *more]
    return "lifecycle: shown\nversion: 1\nmachines:\n  job:\n" + "\n".join(
        f"    {line}" for line in lines
    )


def mended() -> str:
    """The first example, with the rows that the page shows beside it."""
    rows = block("      - {from: running, on: interrupt, to: pending, when: attempts < max")
    blocked = block("lifecycle: jobs")
    (first,) = (line for line in blocked.splitlines() if "on: interrupt" in line)
    return blocked.replace(f"{first}\n", rows)


def job(lifecycle: Lifecycle, folder: Path) -> StateManager:
    """A job with an item in hand that has used its only attempt, and one that waits."""
    manager = StateManager.open(folder / "jobs.db", lifecycle=lifecycle)
    manager.create_job(["a", "b"], job_id="j", config={"max_attempts": 1})
    manager.record("j", [ItemEvent("a", "start")])
    return manager


def test_one_member_refuses_the_step_of_its_owner(tmp_path: Path) -> None:
    """Nothing happens to any; it is named, and so is its guard."""
    with job(at_once(block("lifecycle: jobs")), tmp_path) as manager:
        before = manager.get_state("j")
        with pytest.raises(TransitionRefused, match=r"item 'a'.*attempts < max_attempts"):
            manager.fire("j", "recover")
        assert manager.get_state("j") == before


def test_a_row_for_the_case_left_open_mends_it(tmp_path: Path) -> None:
    """The page's two rows instead of its one."""
    with job(at_once(mended()), tmp_path) as manager:
        after = manager.fire("j", "recover")
        assert [after.item(key)[0] for key in "ab"] == ["failed", "pending"]


@pytest.mark.parametrize(
    ("beginning", "more"),
    [
        (
            "states: {waiting: {}, running: {}, over",
            ("initial: waiting", "events: {start: {}, fail: {}, release: {}, end: {}}"),
        ),
        (
            "states: {waiting: {}, done",
            (
                "initial: waiting",
                "context: {ready: {type: bool, param: true}}",
                "events: {finish: {}, poke: {}}",
            ),
        ),
    ],
)
def test_the_other_examples_compile(beginning: str, more: tuple[str, ...]) -> None:
    """With what is left out of them on the page."""
    assert at_once(machine(block(beginning), *more)).root == "job"


def test_a_counting_owner_and_its_members_compile() -> None:
    """The example of who waits for whom."""
    members = block("lifecycle: jobs").split("  job:\n")[0].replace("succeed", "finish")
    owner = at_once(members + block("  job:\n    initial: open"))
    assert owner.collections["items"].grows == ()
