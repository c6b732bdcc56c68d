"""An invariant that reads what was left last is enforced as any other is."""

from __future__ import annotations

from pathlib import Path

import pytest

from milepost import InvariantBroken, StateManager
from tests.contract.lifecycles.compiling import lifecycle_of

RESTING = """\
lifecycle: resting
version: 1
machines:
  job:
    initial: setup
    states: {setup: {}, map: {}, paused: {}, over: {final: true}}
    groups: {active: [setup, map]}
    context: {mapped: {type: bool, initial: false}}
    events: {map: {}, jump: {}, pause: {}, resume: {}, end: {}}
    transitions:
      - {from: setup, on: map, to: map, set: {mapped: true}}
      - {from: setup, on: jump, to: map}
      - {from: active, on: pause, to: paused}
      - {from: paused, on: resume, to: {history: active}}
      - {from: map, on: end, to: over}
    invariants:
      rested: {in: paused, holds: history.active == map implies mapped}
"""


def test_a_step_that_would_remember_what_may_not_be_is_refused(tmp_path: Path) -> None:
    """With what it would remember; on another way to the same state it is taken."""
    with StateManager.open(tmp_path / "jobs.db", lifecycle=lifecycle_of(RESTING)) as manager:
        for job, way in (("good", "map"), ("bad", "jump")):
            manager.create_job(job_id=job)
            manager.fire(job, "pause")  # 'setup' was left
            manager.fire(job, "resume")
            manager.fire(job, way)
        assert manager.fire("good", "pause").context["history.active"] == "map"
        before = manager.get_state("bad")
        with pytest.raises(InvariantBroken) as refused:
            manager.fire("bad", "pause")
        assert refused.value.values == {"history.active": "map", "mapped": False}
        assert "history.active == map implies mapped" in str(refused.value)
        assert manager.get_state("bad") == before
        assert all(one.sound for one in manager.verify())
