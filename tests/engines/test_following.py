"""How many calls a cluster runs at once: what it says now, as long as it answers."""

from __future__ import annotations

import threading

import pytest

from milepost.executors.engines import following
from milepost.executors.engines.following import Followed


class Cluster:
    """It has `slots`, and answers once it `may`."""

    def __init__(self) -> None:
        self.slots = 1
        self.now_s = 0.0
        self.may = threading.Event()
        self.may.set()

    def ask(self) -> int:
        self.may.wait(60)
        return self.slots

    def followed(self) -> Followed:
        return Followed(self.ask, lambda: self.now_s)


def test_a_worker_that_came_counts_the_next_time_that_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not the time after that, which for a run that has nothing to do is a second later."""
    monkeypatch.setattr(following, "_PATIENCE_S", 60, raising=False)
    cluster = Cluster()
    followed = cluster.followed()
    cluster.slots, cluster.now_s = 2, 5.0
    assert followed.value() == 2
    cluster.slots, cluster.now_s = 3, 5.9
    assert followed.value() == 2, "it was asked a moment ago"


def test_a_cluster_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_PATIENCE_S", 0.001)
    cluster = Cluster()
    followed = cluster.followed()
    cluster.may.clear()
    cluster.slots, cluster.now_s = 2, 5.0
    assert followed.value() == 1
    cluster.now_s = 10.0
    monkeypatch.setattr(following, "_PATIENCE_S", 60)
    assert followed.value() == 1, "the same question is open still, and nobody waits for it again"
    cluster.may.set()
