"""Logs to check: healthy ones, and the same with one fact replaced, chained as if it were so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import msgspec

from milepost import ItemEvent, StateManager
from milepost.conformance.walking import Conformance, walked
from milepost.definition import Definition, definition_of
from milepost.errors import TransitionRefused
from milepost.job.fold import advance
from milepost.job.invariants import breaks
from milepost.job.state import JobState
from milepost.job.versions import Catalogue
from milepost.log.codec import chain_start, encode_row
from milepost.log.facts import Commit, Draft, Fact
from milepost.log.rows import Row
from milepost.machine import Lifecycle
from milepost.state.reading.loading import JobLog, Loader
from milepost.stores.protocol import StateStore
from milepost.testing import FakeClock
from tests.conformance.definitions import ROOT

__all__ = [
    "BUILT_IN",
    "JOB",
    "Commits",
    "checked",
    "commits_of",
    "definitions",
    "first_objection",
    "of_store",
    "replanted",
    "tell",
]

JOB: Final = "job"
BUILT_IN: Final = (ROOT / "statemachine.yaml").read_text(encoding="utf-8")


@cache
def definitions(*texts: str) -> dict[tuple[str, int], Definition]:
    """Definitions by lifecycle and version."""
    found = [definition_of(text, "given.yaml") for text in texts]
    return {(one.name, one.version): one for one in found}


def of_store(
    store: StateStore,
    given: Mapping[tuple[str, int], Definition],
    *,
    tables: Iterable[Lifecycle] | None = (),
) -> dict[str, Conformance]:
    """What comes of each job of a store; held against no tables where `tables` is None."""
    loader = Loader(store, Catalogue.of(tables or ()))
    with store.reading() as reader:
        ids = [entry.job_id for entry in reader.entries()]
        held = tables is not None
        return {one: walked(loader.log(reader, one), given, tables=held) for one in ids}


def tell(manager: StateManager, clock: FakeClock, job_id: str = JOB) -> None:
    """Everything that happens to a job of the built-in lifecycle, one thing after the other."""

    def record(*asked: tuple[str, str, dict[str, Any]]) -> None:
        clock.advance(1)
        manager.record(job_id, [ItemEvent(key, event, payload) for key, event, payload in asked])

    error = {"cause": "error", "message": "HTTP 500"}
    manager.create_job(list("abcdef"), job_id=job_id, config={"max_attempts": 2, "max_dead": 1})
    with manager.lease(job_id, "first", renewed=False):
        manager.fire(job_id, "start_map", {"variables": {"day": "monday"}})
        record(*((key, "start", {}) for key in "abcd"))
        record(("a", "succeed", {"result": 1}), ("b", "fail", error))
        record(("b", "retry", {}), ("b", "start", {}), ("b", "fail", error))
        record(("b", "give_up", {}))
        record(("c", "note", {"note": {"began": 1}}))
        record(("c", "defer", {"until": 5, "everyone": False}))
        manager.create_checkpoint(job_id)
        manager.add_items(job_id, ["g", "h"])
        manager.fire(job_id, "pause")
        record(("d", "succeed", {"result": 2}))
        manager.fire(job_id, "resume")
    with manager.lease(job_id, "second", renewed=False):
        record(("e", "start", {}), ("f", "start", {}))
        manager.fire(job_id, "recover", {"lost": True})
        record(("e", "start", {}), ("e", "crash", {"message": "signal 9"}))
        record(("g", "skip", {}), ("h", "skip", {}))
        manager.apply(manager.plan_rewind(job_id, manager.get_state(job_id).seq - 1))
        record(("g", "skip", {}), ("h", "start", {}))
        record(("h", "fail", {**error, "permanent": True}))
        manager.create_checkpoint(job_id)
        record(("h", "give_up", {}), ("f", "start", {}), ("c", "start", {}), ("e", "start", {}))
        record(("f", "succeed", {"result": 3}), ("c", "succeed", {"result": 4}))
        record(("e", "succeed", {"result": 5}))
        record(("h", "requeue", {}))
        record(("h", "start", {}), ("h", "succeed", {"result": 6}))
        record(("a", "redo", {}), ("a", "start", {}), ("a", "succeed", {"result": 7}))
        manager.fire(job_id, "finish_map")
        manager.fire(job_id, "reopen")
        manager.fire(job_id, "finish_map")
        manager.fire(job_id, "finish_reduce", {"result": "whole"})


@dataclass(frozen=True)
class Commits:
    """A log as a list of commits with their tallies, that can be written otherwise."""

    loader: Loader
    log: JobLog
    commits: tuple[tuple[Commit, Row], ...]

    def seq_of(self, wanted: Callable[[Fact], bool]) -> int:
        """The first commit that has such a fact."""
        return next(one.seq for one, _ in self.commits if any(map(wanted, one.facts)))


def commits_of(store: StateStore, job_id: str = JOB, *tables: Lifecycle) -> Commits:
    """The log of a job that is whole."""
    loader = Loader(store, Catalogue.of(tables))
    with store.reading() as reader:
        log = loader.log(reader, job_id)
        previous, found = chain_start(job_id), []
        for row in log.rows(bodies=True):
            found.append((log.commit(row, previous), row))
            previous = row.digest
    return Commits(loader, log, tuple(found))


class _Altered:
    """What reads a job, with other rows than are stored, and no state beside them."""

    def __init__(self, reader: Any, rows: Sequence[Row], *, beside: bool) -> None:
        self._reader = reader
        self._rows = rows
        self._beside = beside

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def rows(self, job: int, after: int, upto: int | None, *, bodies: bool) -> Iterator[Row]:
        last = self._rows[-1].seq if upto is None else upto
        return iter([row for row in self._rows if after < row.seq <= last])

    def newest(self, job: int) -> tuple[int, bytes]:
        return self._rows[-1].seq, self._rows[-1].digest

    def checkpoints(self, job: int) -> Iterator[Any]:
        return self._reader.checkpoints(job) if self._beside else iter(())

    def state_ends(self, job: int) -> list[int]:
        return self._reader.state_ends(job) if self._beside else []


def replanted(
    whole: Commits, plant: Callable[[Commit], Commit | None], *, beside: bool = False
) -> JobLog:
    """The log with each commit as `plant` gives it, chained anew; None keeps it as it is.

    Checkpoints and states along the log are there only with `beside`.
    """
    previous, rows = chain_start(whole.log.job_id), []
    for commit, row in whole.commits:
        after = plant(commit) or commit
        made = encode_row(
            previous,
            seq=after.seq,
            fence=after.fence,
            at_us=after.at_us,
            drafts=[Draft(fact=fact) for fact in after.facts],
            tally=whole.log.tally(row),
            count=row.count,
        )
        rows.append(made)
        previous = made.digest
    altered: Any = _Altered(whole.log.reader, rows, beside=beside)
    return msgspec.structs.replace(whole.log, reader=altered)


def checked(log: JobLog, *texts: str, tables: bool = False) -> Conformance:
    """What comes of a log by definitions in these texts."""
    return walked(log, definitions(*(texts or (BUILT_IN,))), tables=tables)


def first_objection(log: JobLog) -> int:
    """The first commit that the tables refuse, or whose tally they do not bear out; 0 if none."""
    state: JobState = log.origin()
    for row in log.rows():
        commit = log.commit(row, state.digest)
        before = state
        try:
            state = advance(state, commit)
        except (TransitionRefused, ValueError, KeyError):
            return row.seq
        if log.tally(row) != state.tally or next(
            breaks(before if row.seq > 1 else None, state), None
        ):
            return row.seq
    return 0
