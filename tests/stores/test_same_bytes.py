"""What is written for a job with one collection: byte for byte as before there were others."""

from __future__ import annotations

from milepost import ItemEvent, StateManager
from milepost.lifecycles import mapreduce_v2
from milepost.log.codec import digest_of, unpack
from milepost.state.persistence import open_store
from milepost.testing import FakeClock

LOG = "520f0e1799917cb5391c0293f64e60da0df3826def4333bd7df34406c33fb8d1"
SNAPSHOT = "5ee4e28c8f7514b4ec2d06cdb07d1ae4"


def test_a_job_with_one_collection_is_stored_as_ever() -> None:
    """The chain of its log and the bytes of its checkpoint: pinned from before roles were asked."""
    clock = FakeClock()
    manager = StateManager(
        open_store("memory:"), clock=clock, lifecycle=mapreduce_v2.LIFECYCLE
    )  # of that time
    manager.create_job(
        {"a": 1, "b": [2], "c": {"d": 3}, "e": None},
        job_id="job",
        config={"max_attempts": 2, "max_dead": 1},
        variables={"v": [1, {"w": "x"}]},
    )
    manager.create_job([], job_id="empty")
    clock.advance(1)
    manager.fire("job", "start_map", {"variables": {"u": 1.5}})
    manager.add_items("job", ["f", "g"])
    manager.record("job", [ItemEvent(n, "start") for n in range(5)])
    clock.advance(2)
    manager.record(
        "job",
        [
            ItemEvent("a", "succeed", {"result": {"r": 1}}),
            ItemEvent("b", "fail", {"cause": "timeout", "message": "m"}),
            ItemEvent("c", "release"),
        ],
    )
    with manager.lease("job", "somebody"):
        manager.fire("job", "recover", {"lost": True, "reason": "why"})
        manager.record("job", [ItemEvent("b", "retry"), ItemEvent("g", "skip")])
    manager.fire("job", "set_variables", {"variables": {"v": 2}})
    manager.create_checkpoint("job")
    state = manager.fire("job", "pause")
    snapshot = state.snapshot()
    assert (state.digest + manager.get_state("empty").digest).hex() == LOG
    assert digest_of(unpack(snapshot[:1].decode(), snapshot[1:])).hex() == SNAPSHOT
