"""Homes made at random in every format come back as they were meant."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from milepost.legacy.prodigy import (
    AttemptOutcome,
    Code,
    ItemStatus,
    OldItem,
    OldJob,
    OldPhase,
    Severity,
    SourceKind,
    read_home,
)
from tests.integration.legacy.old_homes import (
    JOB,
    REPO,
    MadeItem,
    Packing,
    checkpoint,
    instant,
    job_events,
    job_state,
    letter,
    write_checkpoint,
    write_events,
    write_letter,
    write_state,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
items_of_any_status = st.lists(
    st.builds(
        MadeItem,
        value=values,
        status=st.sampled_from(ItemStatus),
        output=st.none() | texts,
        message=texts.filter(lambda text: text != "Agent execution timed out"),
        attempts=st.integers(1, 4),
        timed_out=st.booleans(),
    ),
    max_size=8,
)
random = settings(max_examples=50 * int(os.environ.get("MILEPOST_SOAK", "1")), deadline=None)
packings: st.SearchStrategy[Packing] = st.sampled_from(("gz", "json", "zst", "lz4"))
NO_RESULT = {ItemStatus.IN_FLIGHT: ItemStatus.PENDING, ItemStatus.DEAD: ItemStatus.FAILED}


@contextmanager
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


def only(root: Path) -> OldJob:
    [job] = read_home(root)
    assert (job.job_id, job.repo) == (JOB, REPO)
    return job


def shape(job: OldJob) -> list[tuple[str, Any, ItemStatus, str | None]]:
    return [
        (item.old_id, item.value, item.status, item.result.output if item.result else None)
        for item in job.items
    ]


def meant(
    items: list[MadeItem], seen: dict[ItemStatus, ItemStatus]
) -> list[tuple[str, Any, ItemStatus, str | None]]:
    return [
        (
            f"item_{n}",
            item.value,
            seen.get(item.status, item.status),
            item.output if item.status is ItemStatus.DONE else None,
        )
        for n, item in enumerate(items)
    ]


def failures(item: OldItem) -> list[tuple[AttemptOutcome, str]]:
    succeeded = {AttemptOutcome.SUCCEEDED, AttemptOutcome.UNFINISHED}
    return [(a.outcome, a.message) for a in item.history if a.outcome not in succeeded]


@random
@given(items=items_of_any_status)
@example(items=[MadeItem(value=1), MadeItem(value=True), MadeItem(value="1")])
def test_an_old_state(items: list[MadeItem]) -> None:
    """It knows neither who is at work nor who is dead; all else comes back, in order."""
    with home() as root:
        write_state(root, job_state(items, version=7))
        job = only(root)
    assert shape(job) == meant(items, NO_RESULT)
    assert (job.source_kind, job.started_at, job.updated_at) == (
        SourceKind.STATE,
        instant(0),
        instant(60).replace(microsecond=0),
    )
    assert job.setup.variables == {"region": "north"}
    assert job.leftovers["reduce_commands"]
    assert all(finding.severity is Severity.NOTE for finding in job.report)
    for made, item in zip(items, job.items, strict=True):
        if item.status is ItemStatus.FAILED:
            assert item.attempts == made.attempts
            said = "Agent execution timed out" if made.timed_out else made.message
            how = AttemptOutcome.TIMED_OUT if made.timed_out else AttemptOutcome.FAILED
            assert failures(item) == [(how, said)]
            assert item.history[0].ended_at == instant(50)


@random
@given(items=items_of_any_status, packing=packings, variant=st.sampled_from(("A", "B", None)))
def test_a_newer_checkpoint(items: list[MadeItem], packing: Packing, variant: Any) -> None:
    with home() as root:
        write_checkpoint(root, checkpoint(items, variant=variant), packing=packing)
        job = only(root)
    assert shape(job) == meant(items, {})
    assert job.source_kind is SourceKind.CHECKPOINT
    codes = {finding.code for finding in job.report}
    assert codes == {Code.CHOSEN, Code.HASH_MATCHED if variant else Code.HASH_ABSENT}
    for item in job.items:
        if item.status is ItemStatus.IN_FLIGHT:
            assert item.history[0].started_at == instant(55)
        if item.result is not None:
            assert item.result.ended_at == instant(40)


@random
@given(items=items_of_any_status)
def test_a_log_of_events(items: list[MadeItem]) -> None:
    """It knows no values, and of items only those that were begun."""
    with home() as root:
        write_events(root, job_events(items))
        job = only(root)
    begun = [
        (f"item_{n}", item) for n, item in enumerate(items) if item.status is not ItemStatus.PENDING
    ]
    assert [(i.old_id, i.status) for i in job.items] == [(n, i.status) for n, i in begun]
    assert not any(item.value_known for item in job.items)
    assert job.total_items == len(items)
    for (_, made), item in zip(begun, job.items, strict=True):
        if made.status in {ItemStatus.FAILED, ItemStatus.DEAD}:
            assert [message for _, message in failures(item)] == [made.message] * made.attempts
            assert item.attempts == made.attempts
        if made.status is ItemStatus.DONE:
            assert item.result is not None
            assert not item.result.complete
            assert item.result.commits == ("c0ffee",)


@random
@given(
    items=items_of_any_status,
    depths=st.sets(st.sampled_from(("normal", "shallow", "middle", "resume")), min_size=1),
)
def test_a_queue_of_dead_letters(items: list[MadeItem], depths: set[str]) -> None:
    """Wherever it lies, and however often: each item once, with all of its failures."""
    if not items:
        return
    with home() as root:
        for depth in depths:
            for n, item in enumerate(items):
                write_letter(root, letter(f"item_{n}", item), depth=depth)
        job = only(root)
    assert [(i.old_id, i.value, i.status) for i in job.items] == [
        (f"item_{n}", item.value, ItemStatus.DEAD) for n, item in enumerate(items)
    ]
    assert job.phase is None
    for made, item in zip(items, job.items, strict=True):
        how = AttemptOutcome.TIMED_OUT if made.timed_out else AttemptOutcome.FAILED
        assert failures(item) == [(how, made.message)] * made.attempts
        assert item.attempts == made.attempts
        assert item.dead_letter is not None
        assert item.dead_letter.last_attempt_at == instant(55)


@random
@given(items=items_of_any_status, packing=packings, state_is_newer=st.booleans())
def test_all_of_them_together(
    items: list[MadeItem], packing: Packing, state_is_newer: bool
) -> None:
    """What agrees is brought together; nothing done is undone, and no attempt is counted twice."""
    with home() as root:
        write_state(root, job_state(items, at=70 if state_is_newer else 50))
        write_checkpoint(root, checkpoint(items), packing=packing)
        write_events(root, job_events(items))
        for n, item in enumerate(items):
            if item.status is ItemStatus.DEAD:
                write_letter(root, letter(f"item_{n}", item))
        job = only(root)
    assert shape(job) == meant(items, {})
    assert job.source_kind is (SourceKind.STATE if state_is_newer else SourceKind.CHECKPOINT)
    assert job.setup.variables == {"region": "north" if state_is_newer else "south"}
    for made, item in zip(items, job.items, strict=True):
        if item.status in {ItemStatus.FAILED, ItemStatus.DEAD}:
            assert (item.attempts, len(failures(item))) == (made.attempts, made.attempts)


@random
@given(done=st.lists(st.booleans(), min_size=1, max_size=6), data=st.data())
def test_a_success_anywhere_is_never_undone(done: list[bool], data: st.DataObject) -> None:
    """Each source knows of some successes; the others say that the item failed, or say nothing."""
    some = st.lists(st.booleans(), min_size=len(done), max_size=len(done))

    def as_seen_by(knows: list[bool]) -> list[MadeItem]:
        other = data.draw(st.sampled_from((ItemStatus.PENDING, ItemStatus.FAILED)))
        return [
            MadeItem(value=n, status=ItemStatus.DONE if finished and known else other)
            for n, (finished, known) in enumerate(zip(done, knows, strict=True))
        ]

    by_state, by_checkpoint, by_events = data.draw(some), data.draw(some), data.draw(some)
    with home() as root:
        write_state(root, job_state(as_seen_by(by_state), at=data.draw(st.integers(20, 90))))
        write_checkpoint(root, checkpoint(as_seen_by(by_checkpoint)))
        write_events(root, job_events(as_seen_by(by_events)))
        for n in range(len(done)):
            write_letter(root, letter(f"item_{n}", MadeItem(value=n)))
        job = only(root)
    anywhere = zip(by_state, by_checkpoint, by_events, strict=True)
    expected = [finished and any(known) for finished, known in zip(done, anywhere, strict=True)]
    assert [item.status is ItemStatus.DONE for item in job.items] == expected
    assert any(expected) == any(f.code is Code.SUCCESS_WINS for f in job.report)
    assert all(
        (item.result is not None) == it for item, it in zip(job.items, expected, strict=True)
    )


@pytest.mark.parametrize("status", ItemStatus)
def test_the_control_one_changed_item_is_seen(tmp_path: Path, status: ItemStatus) -> None:
    items = [MadeItem(value=1, status=status), MadeItem(value=2)]
    write_checkpoint(tmp_path, checkpoint(items))
    changed = [items[0], replace(items[1], value=3)]
    assert shape(only(tmp_path)) != meant(changed, {})
    assert only(tmp_path).phase in {OldPhase.MAP, OldPhase.MAP_FINISHED}
