"""An approval that times out and is asked for again; its worker is killed, and another goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from milepost import StateManager, TransitionRefused
from milepost.testing import FakeClock
from tests.integration.examples.programs import EXAMPLES, imported, killed_once

PROGRAM = str(EXAMPLES / "approval" / "desk.py")
DAY_S = 86400


@pytest.fixture
def desk() -> Iterator[Any]:
    with imported("approval", "desk") as module:
        yield module


class Place:
    """A desk whose clock is the test's, and what its mail and bank have done."""

    def __init__(self, desk: Any, folder: Path) -> None:
        self.clock = FakeClock()
        self.file = folder / "outside.txt"
        self.outside = desk.Outside(self.file)
        self.manager = StateManager.open(
            folder / "approval.db", lifecycle=desk.LIFECYCLE, clock=self.clock
        )
        self.desk = desk.Desk(self.manager)

    def work(self) -> float | None:
        left_s: float | None = self.desk.work("anna", self.outside)
        return left_s

    def phase(self) -> str:
        return self.manager.get_state("rent").phase

    def done(self) -> list[str]:
        return self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []


@pytest.fixture
def place(desk: Any, tmp_path: Path) -> Iterator[Place]:
    place = Place(desk, tmp_path)
    with place.manager:
        yield place


def test_who_does_not_answer_is_asked_again_and_older_answers_are_refused(
    desk: Any, place: Place
) -> None:
    """Time comes to its end by the lifecycle alone, and the newest question is the one."""
    place.desk.want("rent", 950, patience_s=DAY_S, most_questions=3)
    assert place.work() == desk.LOOK_S
    assert (place.phase(), place.done()) == ("waiting", ["mail rent/1"])
    with pytest.raises(TransitionRefused, match="until"):
        place.desk.takes("rent", desk.TransferTimeOut(at=place.manager.now_us()))

    place.clock.advance(DAY_S - 0.5)
    assert place.work() == pytest.approx(0.5)
    place.clock.advance(0.5)
    place.work()
    assert (place.phase(), place.done()) == ("waiting", ["mail rent/1", "mail rent/2"])

    with pytest.raises(TransitionRefused, match="question"):
        place.desk.takes("rent", desk.TransferApprove(question=1))
    place.desk.takes("rent", desk.TransferApprove(question=2, answer={"by": "eve"}))
    assert place.work() is None
    assert (place.phase(), place.done()[2:]) == ("paid", ["bank rent"])
    assert place.manager.result("rent") == "bank rent"
    assert place.manager.get_state("rent").variables == {"euros": 950, "by": "eve"}
    assert [report.sound for report in place.manager.verify()] == [True]


def test_it_lapses_after_the_last_question(desk: Any, place: Place) -> None:
    """And then nothing is asked, and no answer is taken any more."""
    place.desk.want("rent", 950, patience_s=60, most_questions=2)
    for _ in range(2):
        place.work()
        place.clock.advance(60)
    assert place.work() is None
    assert (place.phase(), place.done()) == ("lapsed", ["mail rent/1", "mail rent/2"])
    with pytest.raises(TransitionRefused):
        place.desk.takes("rent", desk.TransferApprove(question=2))


@pytest.mark.parametrize(("event", "phase"), [("refuse", "refused"), ("withdraw", "withdrawn")])
def test_a_no_and_a_withdrawal_end_it(
    desk: Any, place: Place, event: str, phase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bank hears of neither."""
    place.desk.want("rent", 950, patience_s=60, most_questions=2)
    place.work()
    number = ["1"] if event == "refuse" else []
    store = place.manager.url.removeprefix("sqlite:///")
    assert desk.main(["--db", store, event, "rent", *number]) == 0
    assert f"is {phase}" in capsys.readouterr().out
    assert place.work() is None
    assert (place.phase(), place.done()) == (phase, ["mail rent/1"])
    assert desk.main(["--db", store, event, "rent", *number]) == 1
    assert f"not allowed in '{phase}'" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["mail rent/1", "bank rent"])
def test_a_killed_worker_is_replaced_and_nothing_is_done_twice(
    desk: Any, tmp_path: Path, what: str
) -> None:
    """It dies after mail or bank did what it asked for, and before that is recorded."""
    place = Place(desk, tmp_path)
    with place.manager:
        place.desk.want("rent", 950, patience_s=DAY_S, most_questions=3)
        before = "asking"
        if what == "bank rent":
            place.work()
            place.desk.takes("rent", desk.TransferApprove(question=1))
            before = "paying"
        command = [PROGRAM, "--db", "approval.db", "work", "--takes-s", "60"]
        killed_once(command, tmp_path, lambda: what in place.done())
        assert place.phase() == before, "what was done outside is not recorded"

        place.work()
        assert place.phase() == {"asking": "waiting", "paying": "paid"}[before]
        assert place.done().count(what) == 1
        events = [one.event for one in place.manager.get_state_history("rent")]
        assert "take_over" in events
        assert [report.sound for report in place.manager.verify()] == [True]
