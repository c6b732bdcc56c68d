"""Several accounts of one item brought together: events, dead letters, states, checkpoints."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from milepost.legacy.prodigy import (
    AttemptOutcome,
    Code,
    ItemStatus,
    OldItem,
    OldJob,
    OldPhase,
    OutcomeKind,
    Severity,
    read_home,
)
from tests.integration.legacy.old_homes import (
    CONFIG,
    JOB,
    MadeItem,
    checkpoint,
    event,
    instant,
    job_events,
    job_state,
    letter,
    stamp,
    write_archive,
    write_checkpoint,
    write_events,
    write_letter,
    write_mapping,
    write_state,
)

PENDING = MadeItem(value="a")
DONE = MadeItem(value="a", status=ItemStatus.DONE)
FAILED = MadeItem(value="a", status=ItemStatus.FAILED)


def only(home: Path) -> OldJob:
    [job] = read_home(home)
    return job


def codes(job: OldJob) -> list[Code]:
    return [finding.code for finding in job.report]


def events(*told: tuple[str, dict[str, Any]], start: float = 0) -> list[dict[str, Any]]:
    """Events a second apart, all of the job."""
    return [
        event(tag, start + number, number, job_id=JOB, **fields)
        for number, (tag, fields) in enumerate(told)
    ]


def started(agent: str, item: str = "item_0", attempt: int = 1) -> tuple[str, dict[str, Any]]:
    return "agent_started", {
        "agent_id": agent,
        "item_id": item,
        "worktree": "w",
        "attempt": attempt,
    }


def failed(agent: str, error: str = "boom") -> tuple[str, dict[str, Any]]:
    return "agent_failed", {"agent_id": agent, "error": error, "retry_eligible": True}


def completed(agent: str, duration: list[int] | None = None) -> tuple[str, dict[str, Any]]:
    return "agent_completed", {
        "agent_id": agent,
        "duration": duration or [1, 0],
        "commits": ["c1"],
        "json_log_location": None,
    }


# What the old tool got wrong on resuming


def test_a_fully_attempted_job_with_a_failure_is_no_corruption(tmp_path: Path) -> None:
    """Its `completed_agents` and `failed_agents` together count more than there are items."""
    write_state(tmp_path, job_state([DONE, FAILED, FAILED]))
    job = only(tmp_path)
    assert job.phase is OldPhase.MAP_FINISHED
    assert {finding.severity for finding in job.report} == {Severity.NOTE}


@pytest.mark.parametrize("values", [["a", "a"], [1, 2], [None, None], [[], {}], [{"x": 1}, "a"]])
def test_items_without_ids_and_equal_ones_are_all_kept(tmp_path: Path, values: list[Any]) -> None:
    write_state(tmp_path, job_state([MadeItem(value=value) for value in values]))
    assert [(item.old_id, item.value) for item in only(tmp_path).items] == [
        ("item_0", values[0]),
        ("item_1", values[1]),
    ]


def test_counts_of_events_are_not_counts_of_items(tmp_path: Path) -> None:
    state = job_state([DONE], successful_count=1, failed_count=2)
    state["item_retry_counts"] = {"item_0": 3}
    write_state(tmp_path, state)
    job = only(tmp_path)
    assert Code.COUNTS_DIFFER in codes(job)
    assert (job.items[0].status, job.items[0].attempts) == (ItemStatus.DONE, 3)


def test_an_item_that_is_failed_and_done_in_one_state_is_done(tmp_path: Path) -> None:
    state = job_state([DONE, FAILED])
    state["failed_agents"]["item_0"] = state["failed_agents"]["item_1"] | {"item_id": "item_0"}
    write_state(tmp_path, state)
    job = only(tmp_path)
    assert job.items[0].status is ItemStatus.DONE
    assert Code.SUCCESS_WINS in codes(job)


def test_a_failure_without_a_result_and_a_result_without_a_failure(tmp_path: Path) -> None:
    state = job_state([FAILED, FAILED])
    del state["agent_results"]["item_0"]
    del state["failed_agents"]["item_1"]
    write_state(tmp_path, state)
    first, second = only(tmp_path).items
    assert first.status is second.status is ItemStatus.FAILED
    assert first.history[0].message == second.history[0].message == "boom"


@pytest.mark.parametrize(
    ("status", "read"),
    [
        ("Pending", ItemStatus.PENDING),
        ("Running", ItemStatus.IN_FLIGHT),
        ({"Retrying": 2}, ItemStatus.PENDING),
        ({"Failed": "no"}, ItemStatus.FAILED),
        ("Timeout", ItemStatus.FAILED),
        ("Hibernating", ItemStatus.PENDING),
    ],
)
def test_every_status_of_a_result(tmp_path: Path, status: Any, read: ItemStatus) -> None:
    """All of them are in `completed_agents`, which is not believed."""
    state = job_state([DONE])
    state["agent_results"]["item_0"]["status"] = status
    write_state(tmp_path, state)
    [item] = only(tmp_path).items
    assert item.status is read
    assert item.result is None
    assert item.attempts == {"Pending": 0, "Hibernating": 0}.get(str(status), 1) + (
        status == {"Retrying": 2}
    )


def test_an_item_in_two_lists_of_a_checkpoint(tmp_path: Path) -> None:
    document = checkpoint([DONE, FAILED])
    lists = document["work_item_state"]
    lists["pending_items"] = [{"id": "item_0", "data": "a"}, {"id": "item_1", "data": "a"}]
    write_checkpoint(tmp_path, document)
    job = only(tmp_path)
    assert job.items[0].status is ItemStatus.DONE
    assert job.items[1].status is ItemStatus.PENDING
    assert job.items[1].attempts == 1
    assert codes(job).count(Code.ITEM_DUPLICATE) == 2


def test_what_timed_out_goes_back_to_pending_in_a_checkpoint(tmp_path: Path) -> None:
    """Its result by agent stays; the list counts, and the attempt too."""
    document = checkpoint([PENDING])
    timed_out = checkpoint([FAILED])["agent_state"]["agent_results"]["item_0"]
    document["agent_state"]["agent_results"] = {"item_0": timed_out | {"status": "Timeout"}}
    write_checkpoint(tmp_path, document)
    [item] = only(tmp_path).items
    assert (item.status, item.attempts) == (ItemStatus.PENDING, 1)
    assert item.history[0].outcome is AttemptOutcome.TIMED_OUT


# Success, wherever it is


def test_an_event_tells_of_a_success_that_the_state_never_saw(tmp_path: Path) -> None:
    """What it gave is not known, and that it was done is."""
    write_state(tmp_path, job_state([PENDING], at=10))
    write_events(tmp_path, events(started("x"), completed("x", [-2, 500_000_000]), start=20))
    job = only(tmp_path)
    result = job.items[0].result
    assert result is not None
    assert (result.complete, result.commits, result.ended_at) == (False, ("c1",), instant(21))
    assert result.duration == timedelta(seconds=-1.5)
    assert Code.SUCCESS_WINS in codes(job)


def test_a_complete_result_is_preferred_and_takes_its_time_from_the_event(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([DONE]))
    write_events(tmp_path, job_events([DONE]))
    [item] = only(tmp_path).items
    assert item.result is not None
    assert (item.result.output, item.result.complete) == ("fine", True)
    assert item.result.ended_at == instant(2)
    assert item.result.record["worktree_path"] == "/trees/item_0"
    assert len(item.history) == item.attempts == 1


def test_a_success_after_failures_is_no_disagreement(tmp_path: Path) -> None:
    told = events(started("x"), failed("x"), started("y", attempt=2), completed("y"))
    write_state(tmp_path, job_state([DONE]))
    write_events(tmp_path, told)
    job = only(tmp_path)
    assert Code.SUCCESS_WINS not in codes(job)
    outcomes = [attempt.outcome for attempt in job.items[0].history]
    assert outcomes == [AttemptOutcome.FAILED, AttemptOutcome.SUCCEEDED]


def test_a_success_of_another_value_is_not_taken_over(tmp_path: Path) -> None:
    """Two jobs may share an id; then an id of an item says nothing."""
    write_state(tmp_path, job_state([MadeItem(value=1)], at=70))
    other = MadeItem(value=True, status=ItemStatus.DONE)
    write_checkpoint(tmp_path, checkpoint([other], at=60))
    job = only(tmp_path)
    assert (job.items[0].value, job.items[0].status) == (1, ItemStatus.PENDING)
    assert Code.VALUE_DIFFERS in codes(job)


# Dead letters


def test_a_dead_letter_makes_a_failed_or_a_pending_item_dead(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([FAILED, PENDING]))
    write_letter(tmp_path, letter("item_0", FAILED))
    write_letter(tmp_path, letter("item_1", PENDING))
    assert [item.status for item in only(tmp_path).items] == [ItemStatus.DEAD] * 2


@pytest.mark.parametrize("at", [50, 60])
def test_a_dead_item_that_was_taken_up_again_is_in_flight(tmp_path: Path, at: int) -> None:
    held = MadeItem(value="a", status=ItemStatus.IN_FLIGHT)
    write_checkpoint(tmp_path, checkpoint([held], at=60))  # begun at 55
    write_letter(tmp_path, letter("item_0", held, at=at))
    expected = ItemStatus.IN_FLIGHT if at < 55 else ItemStatus.DEAD
    assert only(tmp_path).items[0].status is expected


def test_an_item_refused_before_the_run_is_the_item_of_that_position(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([DONE, MadeItem(value="bad")]))
    write_letter(tmp_path, letter("item-1", MadeItem(value="bad"), agent="validation-1"))
    first, second = only(tmp_path).items
    assert first.status is ItemStatus.DONE
    assert (second.old_id, second.status) == ("item_1", ItemStatus.DEAD)
    assert second.history[0].agent_id == "validation-1"


def test_an_item_refused_before_the_run_that_is_in_no_list_is_kept(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([DONE, PENDING]))
    write_letter(tmp_path, letter("item-1", MadeItem(value="bad")))
    job = only(tmp_path)
    assert [(item.old_id, item.value) for item in job.items] == [
        ("item_0", "a"),
        ("item_1", "a"),
        ("item-1", "bad"),
    ]
    assert Code.ITEM_UNLISTED in codes(job)


def test_both_spellings_alone_in_a_queue(tmp_path: Path) -> None:
    write_letter(tmp_path, letter("item_3", MadeItem(value="x", attempts=2)))
    write_letter(tmp_path, letter("item-3", MadeItem(value="x", message="refused"), at=5))
    write_letter(tmp_path, letter("item-4", MadeItem(value="y")))
    items = only(tmp_path).items
    assert [(item.old_id, len(item.history)) for item in items] == [("item_3", 3), ("item-4", 1)]


@pytest.mark.parametrize(("first", "second"), [("resume", "normal"), ("normal", "resume")])
def test_the_later_of_two_letters_counts_and_the_history_of_both(
    tmp_path: Path, first: str, second: str
) -> None:
    old = letter("item_0", MadeItem(value="a", message="first", attempts=2), at=10)
    new = letter("item_0", MadeItem(value="a", message="again"), at=90, agent="z")
    write_letter(tmp_path, old, depth=first)
    write_letter(tmp_path, new, depth=second)
    [item] = only(tmp_path).items
    assert [attempt.message for attempt in item.history] == ["first", "first", "again"]
    assert item.dead_letter is not None
    assert (item.dead_letter.failure_count, item.attempts) == (1, 3)


def test_what_a_letter_keeps_of_a_failure(tmp_path: Path) -> None:
    write_letter(tmp_path, letter("item_0", MadeItem(value={"n": 1}), manual_review_required=True))
    [item] = only(tmp_path).items
    [attempt] = item.history
    assert (attempt.cause, attempt.step, attempt.duration) == (
        "CommandFailed",
        "work",
        timedelta(seconds=1.5),
    )
    assert attempt.details == {"error_content": {"exit_code": 127}}
    assert item.dead_letter is not None
    assert item.dead_letter.manual_review_required


# Events


@pytest.mark.parametrize("prefix", ["dlq", "d_l_q"])
def test_both_spellings_of_dead_letter_events(tmp_path: Path, prefix: str) -> None:
    given = {"item_id": "item_0", "error_signature": "s", "failure_count": 3}
    added, removed = (f"{prefix}_item_added", given), (f"{prefix}_item_removed", given)
    told = events(started("x"), failed("x"), added)
    write_events(tmp_path, told)
    [item] = only(tmp_path).items
    assert (item.status, item.attempts) == (ItemStatus.DEAD, 3)
    write_events(tmp_path, events(started("x"), failed("x"), added, removed))
    assert only(tmp_path).items[0].status is ItemStatus.PENDING


def test_an_agent_that_works_on_one_item_after_another(tmp_path: Path) -> None:
    told = events(
        started("x", "item_0"),
        completed("x"),
        started("x", "item_1"),
        failed("x"),
        started("x", "item_2"),
    )
    write_events(tmp_path, told)
    assert [item.status for item in only(tmp_path).items] == [
        ItemStatus.DONE,
        ItemStatus.FAILED,
        ItemStatus.IN_FLIGHT,
    ]


def test_an_attempt_that_will_be_made_again_is_pending(tmp_path: Path) -> None:
    again = ("agent_retrying", {"agent_id": "x", "attempt": 2, "backoff_ms": 100})
    write_events(tmp_path, events(started("x"), failed("x"), again))
    [item] = only(tmp_path).items
    assert (item.status, item.attempts) == (ItemStatus.PENDING, 2)


def test_files_are_replayed_in_the_order_of_their_names(tmp_path: Path) -> None:
    """Rotated, then current, then that of resuming; and what an archive has of before."""
    told = events(started("x"), failed("x"), started("y", attempt=2), failed("y"), started("z"))
    start = events(("job_started", {"config": CONFIG, "total_items": 1, "timestamp": stamp()}))
    start[0]["id"] = "first"
    write_archive(tmp_path, [*start, *told[:1]])
    write_events(tmp_path, told[1:2], name="events-20260301_120000.20260301_120001.jsonl.gz")
    write_events(tmp_path, told[2:4], name="events-20260301_120000.jsonl")
    write_events(tmp_path, told[4:], resumed=True)
    job = only(tmp_path)
    [item] = job.items
    assert [attempt.agent_id for attempt in item.history] == ["x", "y", "z"]
    assert item.status is ItemStatus.IN_FLIGHT
    assert Code.EVENTS_UNLINKED not in codes(job)
    assert (job.total_items, job.started_at) == (1, instant(0))


def test_the_same_log_twice_counts_once(tmp_path: Path) -> None:
    told = events(started("x"), failed("x"))
    write_events(tmp_path, told)
    write_events(tmp_path, told, resumed=True)
    job = only(tmp_path)
    assert job.items[0].attempts == 1
    assert Code.EVENTS_REPEATED in codes(job)


def test_a_reading_may_be_read_twice(tmp_path: Path) -> None:
    write_archive(tmp_path, job_events([DONE, FAILED]))
    write_events(tmp_path, job_events([DONE, FAILED], base=100, start=100))
    reading = read_home(tmp_path)
    assert list(reading) == list(reading)
    assert [item.attempts for job in reading for item in job.items] == [2, 2]


@pytest.mark.parametrize(
    ("last", "kind", "message"),
    [
        (
            ("job_completed", {"duration": [9, 0], "success_count": 1, "failure_count": 0}),
            OutcomeKind.COMPLETED,
            "",
        ),
        (("job_failed", {"error": "no", "partial_results": 1}), OutcomeKind.FAILED, "no"),
        (("job_paused", {"checkpoint_version": 3}), OutcomeKind.PAUSED, ""),
        (("job_resumed", {"checkpoint_version": 3, "pending_items": 1}), None, ""),
    ],
)
def test_how_a_job_ended(
    tmp_path: Path, last: tuple[str, dict[str, Any]], kind: OutcomeKind | None, message: str
) -> None:
    write_state(tmp_path, job_state([DONE]))
    paused = ("job_paused", {"checkpoint_version": 2})
    write_events(tmp_path, events(started("x"), completed("x"), paused, last))
    job = only(tmp_path)
    if kind is None:
        assert job.outcome is None
    else:
        assert job.outcome is not None
        assert (job.outcome.kind, job.outcome.message) == (kind, message)
        assert job.outcome.at == instant(3)
    assert (job.phase is OldPhase.DONE) == (kind is OutcomeKind.COMPLETED)


def test_events_that_say_nothing_of_items_are_known(tmp_path: Path) -> None:
    tool = {"agent_id": "x", "tool_name": "t", "tool_id": "1", "parameters": {}}
    of_model = event("claude_tool_invoked", 3, 3, **tool, timestamp=stamp(3))
    queue = ("queue_depth_changed", {"pending": 1, "active": 0, "completed": 0})
    write_events(tmp_path, [*events(started("x"), queue), of_model])
    job = only(tmp_path)
    assert job.items[0].status is ItemStatus.IN_FLIGHT
    assert not {Code.EVENTS_UNKNOWN, Code.EVENTS_FOREIGN, Code.LINES_SKIPPED} & set(codes(job))


# Attempts


def test_one_failure_told_by_every_source_is_one_attempt(tmp_path: Path) -> None:
    item = MadeItem(value="a", status=ItemStatus.FAILED, message="boom")
    write_state(tmp_path, job_state([item], at=60))
    write_checkpoint(tmp_path, checkpoint([item], at=60))
    told = events(started("agent-item_0-1"), failed("agent-item_0-1"), start=48)
    write_events(tmp_path, told)
    write_letter(tmp_path, letter("item_0", item, at=49))
    [read] = only(tmp_path).items
    [attempt] = read.history
    assert read.attempts == 1
    assert (attempt.started_at, attempt.ended_at) == (instant(48), instant(49))
    assert (attempt.cause, attempt.step) == ("CommandFailed", "work")
    assert len(attempt.sources) == 4


def test_attempts_that_only_a_count_tells_of_are_counted(tmp_path: Path) -> None:
    item = MadeItem(value="a", status=ItemStatus.FAILED, attempts=5)
    write_state(tmp_path, job_state([item]))
    [read] = only(tmp_path).items
    assert (read.attempts, len(read.history)) == (5, 1)


def test_attempts_of_different_agents_stay_apart(tmp_path: Path) -> None:
    item: OldItem
    write_events(tmp_path, events(started("x"), failed("x"), started("y"), failed("y")))
    write_letter(tmp_path, letter("item_0", MadeItem(value="a"), at=3, agent="z"))
    [item] = only(tmp_path).items
    assert [attempt.agent_id for attempt in item.history] == ["x", "y", "z"]


def test_one_log_tells_of_each_attempt_once(tmp_path: Path) -> None:
    """The same agent, the same words, a second later: two attempts all the same."""
    write_events(tmp_path, events(started("x"), failed("x"), started("x"), failed("x")))
    [item] = only(tmp_path).items
    assert (item.attempts, len(item.history)) == (2, 2)


def test_a_failure_without_words_is_not_the_success_after_it(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([DONE]))
    write_events(tmp_path, events(started("x"), failed("x", "")))
    [item] = only(tmp_path).items
    assert {attempt.outcome for attempt in item.history} == {
        AttemptOutcome.FAILED,
        AttemptOutcome.SUCCEEDED,
    }


def test_an_item_that_was_tried_all_day(tmp_path: Path) -> None:
    told = [step for n in range(1500) for step in (started("x", attempt=n), failed("x", f"{n}"))]
    write_events(tmp_path, events(*told))
    write_letter(
        tmp_path, letter("item_0", MadeItem(value="a", message="1499"), at=2999, agent="x")
    )
    [item] = only(tmp_path).items
    assert (item.attempts, len(item.history)) == (1500, 1500)
    assert item.history[-1].cause == "CommandFailed"


def test_two_agents_at_one_item_end_each_its_own_attempt(tmp_path: Path) -> None:
    write_events(tmp_path, events(started("x"), started("y"), failed("x")))
    [item] = only(tmp_path).items
    assert [(attempt.agent_id, attempt.outcome) for attempt in item.history] == [
        ("y", AttemptOutcome.UNFINISHED),
        ("x", AttemptOutcome.FAILED),
    ]


# What is carried beside the items


def test_sessions_and_what_no_field_is_for(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([DONE]))
    write_mapping(tmp_path)
    write_mapping(tmp_path, session="session-2")
    job = only(tmp_path)
    sessions = [session["session_id"] for session in job.leftovers["sessions"]]
    assert sorted(sessions) == ["session-1", "session-2"]
    assert job.leftovers["agent_template"][0]["claude"] == "/work ${item}"
    assert job.config is not None
    assert job.config.agent_timeout_s == 300
