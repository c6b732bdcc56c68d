"""The page on changing a lifecycle: its call opens a store of orders, and they go on."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from milepost import StateManager, TransitionRefused
from milepost.errors import LifecycleChanged
from tests.contract.lifecycles.compiling import ROOT, lifecycle_of

PAGE = (ROOT / "docs" / "how-to" / "change-a-lifecycle.md").read_text(encoding="utf-8")
FOLDER = ROOT / "tests" / "integration" / "diff" / "orders"
FIRST = (FOLDER / "released.yaml").read_text(encoding="utf-8")
SECOND = (FOLDER / "final.yaml").read_text(encoding="utf-8")


def opened_as_the_page_says() -> StateManager:
    """What the page's call gives, in the current folder."""
    (call,) = re.findall(r"`(StateManager\.open\([^`]*earlier[^`]*\))`", PAGE)
    known = {
        "StateManager": StateManager,
        "orders": SimpleNamespace(LIFECYCLE=lifecycle_of(SECOND, FIRST)),
        "orders_v1": SimpleNamespace(LIFECYCLE=lifecycle_of(FIRST)),
    }
    manager = eval(call, known)  # noqa: S307 the project's own page
    assert isinstance(manager, StateManager)
    return manager


def test_orders_of_the_first_version_go_on_under_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One was held and is `checking` now, one was packed and is `ready`; looking writes nothing."""
    monkeypatch.chdir(tmp_path)
    with StateManager.open("jobs.db", lifecycle=lifecycle_of(FIRST)) as manager:
        for job_id in ("held", "packed"):
            manager.create_job(job_id=job_id)
            manager.fire(job_id, "pack")
        before = manager.fire("held", "hold", {"reason": "who is that?"})
    with opened_as_the_page_says() as manager:
        held, packed = manager.get_state("held"), manager.get_state("packed")
        assert (held.phase, packed.phase, held.seq) == ("checking", "ready", before.seq)
        assert held.context["checks"] == 0
        with pytest.raises(TransitionRefused):
            manager.fire("held", "send")
        assert manager.fire("held", "pass").phase == "ready"
        assert manager.fire("held", "send").phase == "sent"
        events = [event.event for event in manager.get_state_history("held")]
        assert events[-3:] == ["migrated", "pass", "send"]
        assert manager.create_job(job_id="new").lifecycle.version == 2
        assert [one.sound for one in manager.verify()] == [True] * 3
    with (
        StateManager.open("jobs.db", lifecycle=lifecycle_of(FIRST)) as manager,
        pytest.raises(LifecycleChanged),
    ):
        manager.get_state("held")
