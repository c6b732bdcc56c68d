"""The controls of an import: a log that is not legal, or not whole, leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from milepost.errors import ImportFailed
from milepost.job.versions import Catalogue
from milepost.legacy.prodigy_history import PRODIGY
from milepost.legacy.telling import names_of
from milepost.legacy.telling.history import log_of
from milepost.lifecycles.mapreduce import LIFECYCLE
from milepost.log.drafts import CommitDraft, LogDraft
from milepost.log.facts import Draft, ItemsFired, JobFired
from milepost.metrics import Metrics
from milepost.state.keeping import importing
from milepost.state.reading.loading import Loader
from milepost.stores.memory import MemoryStore
from tests.integration.legacy.old_homes import MadeItem, job_state, write_state
from tests.integration.legacy.test_import import AFTER_US


@pytest.fixture
def draft(tmp_path: Path) -> LogDraft:
    write_state(tmp_path, job_state([MadeItem(value=n) for n in range(3)]))
    home = PRODIGY.open(tmp_path)
    [name] = home.names
    return log_of(home.tell(name), name, lifecycle=LIFECYCLE, now_us=AFTER_US)


def loader() -> Loader:
    return Loader(MemoryStore(), Catalogue.of([LIFECYCLE]), Metrics())


def stored(loader: Loader, draft: LogDraft) -> list[str]:
    """The jobs of the store after an import that failed, or did not."""
    try:
        with loader.store.writing() as writer:
            importing.store(loader, writer, draft)
    except ImportFailed:
        pass
    with loader.store.reading() as reader:
        return reader.job_ids("")


def test_a_legal_log_is_stored(draft: LogDraft) -> None:
    assert stored(loader(), draft) == [draft.job_id]


@pytest.mark.parametrize(
    "fact",
    [
        ItemsFired("succeed", [0]),  # nobody had begun it
        ItemsFired("start", [3]),  # there are three
        JobFired("finish_map", {}),  # items are left
        JobFired("explode", {}),
    ],
    ids=str,
)
def test_a_fact_that_is_not_legal_stores_nothing(
    draft: LogDraft, fact: ItemsFired | JobFired
) -> None:
    """INV-LEGAL: whatever made the log, the tables decide."""
    wrong = CommitDraft(draft.commits[-1].at_us, [Draft(fact=fact)])
    assert stored(loader(), replace(draft, commits=(*draft.commits, wrong))) == []


def test_a_time_that_falls_stores_nothing(draft: LogDraft) -> None:
    early = CommitDraft(draft.created_at_us - 1, [Draft(fact=JobFired("pause", {}))])
    assert stored(loader(), replace(draft, commits=(*draft.commits, early))) == []


def test_items_that_are_missing_are_found_before_the_end(draft: LogDraft) -> None:
    """What was written is read back: a block that is not there fails the whole import."""
    assert stored(loader(), replace(draft, blocks=())) == []


def test_a_lifecycle_without_the_events_is_said(draft: LogDraft) -> None:
    fact = JobFired("explode", {})
    wrong = replace(draft, commits=(CommitDraft(draft.created_at_us, [Draft(fact=fact)]),))
    with pytest.raises(ImportFailed, match=r"its commit 2 cannot be made .*explode"):
        importing.fold_of(wrong, Catalogue.of([LIFECYCLE]))


def test_ids_never_collide() -> None:
    """A repo and an id that read alike are told apart by a digest, the same each time."""

    jobs = [
        ("a", "b.c"),
        ("a.b", "c"),
        ("x", "b.c"),
        ("x", "c"),
        ("", "a.b.c"),
        ("é", "?"),
        ("è", "?"),
        ("a", "k" * 200),
    ]
    names = [name.job_id for name in names_of(jobs)]
    assert len(set(names)) == len(jobs)
    assert names == [name.job_id for name in names_of(jobs)]
    assert names[2:4] == ["x.b.c", "x.c"]
    assert max(map(len, names)) <= 128
