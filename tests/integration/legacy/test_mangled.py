"""Documents mangled at random: reading never fails, and what it gives can be imported."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost import ImportFailed
from milepost.legacy.prodigy import Code, ItemStatus, OldJob, read_home
from tests.integration.legacy.old_homes import (
    JOB,
    MadeItem,
    checkpoint,
    job_events,
    job_state,
    letter,
    lines_of,
    reduce_progress,
    text_of,
    write_archive,
    write_checkpoint,
    write_events,
    write_letter,
    write_mapping,
    write_reduce,
    write_state,
)
from tests.integration.legacy.test_import import opened

SOAK = int(os.environ.get("MILEPOST_SOAK", "1"))
ITEMS = [MadeItem(value={"n": n}, status=status, attempts=2) for n, status in enumerate(ItemStatus)]
Writer = Callable[[Path, str], Any]
DOCUMENTS: dict[str, tuple[Any, Writer]] = {
    "state": (
        job_state(
            ITEMS,
            reduce_phase_state={"started": True, "completed": False, "executed_commands": []},
            item_retry_counts={"item_3": 2},
        ),
        lambda home, text: write_state(home, job_state(ITEMS)).write_text(text),
    ),
    "checkpoint": (
        checkpoint(ITEMS, variant=None),
        lambda home, text: write_checkpoint(home, checkpoint(ITEMS), packing="json").write_text(
            text
        ),
    ),
    "letter": (
        letter("item_4", ITEMS[4]),
        lambda home, text: write_letter(home, letter("item_4", ITEMS[4])).write_text(text),
    ),
    "reduce": (
        reduce_progress(1, 2),
        lambda home, text: write_reduce(home, reduce_progress(1, 2)).write_text(text),
    ),
    "events": (
        job_events(ITEMS),
        lambda home, text: write_events(home, lines_of(json.loads(text))),
    ),
}
strange = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        2**64,
        2**70,
        1e300,
        "",
        "item_0",
        "item_99",
        "item-1",
        "\0\n\u202e",
        "Failed",
        "Complete",
        "../../x",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        [],
        {},
        [None],
        {"Failed": []},
        {"secs": 2**40, "nanos": 0},
        [2**40, 0],
    ]
)


def places(document: Any) -> list[tuple[Any, ...]]:
    """Every place in the document, as the keys that lead to it."""
    children = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    return [()] + [(key, *rest) for key, child in children for rest in places(child)]


def mangled(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy with `value` at `place`."""
    if not place:
        return value
    changed = copy.deepcopy(document)
    at = changed
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    return changed


def read(home: Path) -> list[OldJob]:
    jobs = list(read_home(home))
    for job in jobs:
        ids = [item.old_id for item in job.items]
        assert len(set(ids)) == len(ids)
        assert all(
            (item.result is not None) == (item.status is ItemStatus.DONE) for item in job.items
        )
        assert all(str(finding) for finding in job.report)
        hash(job.report)
    imported(home, jobs)
    return jobs


def imported(home: Path, jobs: list[OldJob]) -> None:
    """Each job of which anything can be read is a sound one here, whose items are all there."""
    with opened() as manager:
        done = manager.import_jobs(home)
        for one, old in zip(done.jobs, jobs, strict=True):
            if one.error is not None:
                assert isinstance(one.error, ImportFailed)
                assert not old.source
                continue
            state = manager.get_state(one.job_id)
            assert manager.verify(one.job_id)[0].sound
            assert state.progress.total == len(old.items)
            done_there = [item for item in old.items if item.status is ItemStatus.DONE]
            assert state.progress.done == len(done_there) == len(list(manager.results(state.id)))
            manager.apply(manager.recover_from_checkpoint(one.job_id))
        again = [one.outcome for one in manager.import_jobs(home).jobs]
        assert set(again) <= {"already-imported", "failed"}


@settings(max_examples=100 * SOAK, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(DOCUMENTS)), alone=st.booleans())
def test_a_value_replaced_by_any_other(data: st.DataObject, name: str, alone: bool) -> None:
    document, writer = DOCUMENTS[name]
    place = data.draw(st.sampled_from(places(document)))
    value = data.draw(strange)
    changed = mangled(document, place, value)
    if name == "events" and not (isinstance(changed, list)):
        return
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        if not alone:
            write_state(home, job_state(ITEMS, at=40))
            write_events(home, job_events(ITEMS), resumed=True)
            write_letter(home, letter("item_4", ITEMS[4]), depth="resume")
        writer(home, text_of(changed))
        read(home)


@settings(max_examples=30 * SOAK, deadline=None)
@given(times=st.lists(st.sampled_from(sorted(DOCUMENTS)), min_size=1, max_size=5), data=st.data())
def test_text_cut_anywhere(times: list[str], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        for name in times:
            document, writer = DOCUMENTS[name]
            if name == "events":
                text = lines_of(document)
                write_events(home, text[: data.draw(st.integers(0, len(text)))])
                continue
            text = text_of(document)
            writer(home, text[: data.draw(st.integers(0, len(text) - 1))])
        jobs = read(home)
        assert not any(
            finding.code is Code.CHOSEN and "checkpoint-v" in finding.path
            for job in jobs
            for finding in job.report
        )


@pytest.mark.parametrize("depth", [100, 400, 800, 950])
def test_values_nested_as_deeply_as_they_can_be_read(tmp_path: Path, depth: int) -> None:
    """The old tool itself reads no more than 128 levels."""
    text = text_of(job_state([MadeItem(value="deep"), MadeItem(value=2, status=ItemStatus.DONE)]))
    deep = "[" * depth + "]" * depth
    write_state(tmp_path, job_state([])).write_text(text.replace('"deep"', deep))
    write_letter(tmp_path, letter("item_0", MadeItem(value="deep")))
    path = write_letter(tmp_path, letter("item_0", MadeItem(value="deep")), depth="resume")
    path.write_text(path.read_text().replace('"deep"', deep))
    [job] = read(tmp_path)
    assert {Code.VALUE_DIFFERS, Code.BYTES_DAMAGED} & {finding.code for finding in job.report}
    if depth <= 128:
        assert job.items[1].status is ItemStatus.DONE


def test_the_control_nothing_mangled_is_a_whole_job(tmp_path: Path) -> None:
    for document, writer in DOCUMENTS.values():
        writer(tmp_path, text_of(document))
    write_mapping(tmp_path)
    write_archive(tmp_path, job_events(ITEMS, base=900))
    [job] = read(tmp_path)
    assert (job.job_id, [item.status for item in job.items]) == (JOB, list(ItemStatus))
