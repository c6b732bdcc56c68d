"""What a store holds, by the public surface, and whether that is what it may hold after a cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import NamedTuple

from milepost import StateManager
from milepost.errors import StateError, StoreUnreadable

PASSED_OVER = "commits in its -wal file are passed over"


class JobHeld(NamedTuple):
    """One job as it stands: `digest` attests its whole log, `content` is what is read of it.

    `beside` is what no log attests: the lease, how long it is kept. `trouble` is the code of the
    error that reading it ended in.
    """

    seq: int = 0
    digest: str = ""
    content: str = ""
    beside: str = ""
    checkpoints: frozenset[int] = frozenset()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A store as it stands: its jobs by id, and what is wrong with it."""

    jobs: Mapping[str, JobHeld]
    problems: frozenset[str] = frozenset()
    by_digest: bool = True

    def without_problems(self, kind: str) -> Held:
        """The same without problems that say so."""
        problems = frozenset(problem for problem in self.problems if kind not in problem)
        return replace(self, problems=problems)

    def without_digests(self) -> Held:
        """The same, to be compared by what is read alone: where things are stored may differ."""
        jobs = {job_id: job._replace(digest="") for job_id, job in self.jobs.items()}
        return Held(jobs, self.problems, by_digest=False)


NOTHING = Held({})
Chains = dict[str, dict[int, str]]
"""Of each job the digest of every commit that there was, by seq."""


def look(manager: StateManager) -> Held:
    """What the store of a manager holds; everything in it is read and verified."""
    problems = list(manager.check_store())
    jobs: dict[str, JobHeld] = {}
    for job_id in manager.stored_ids():
        try:
            found, promises = _job(manager, job_id), list(_promises(manager, job_id))
        except StateError as error:
            jobs[job_id] = JobHeld(trouble=error.code)
            continue
        jobs[job_id] = found
        problems += [f"{job_id}: {problem}" for problem in promises]
    for verification in manager.verify():
        problems += [f"{verification.job_id}: {p.message}" for p in verification.problems]
    return Held(jobs, frozenset(problems))


def _job(manager: StateManager, job_id: str) -> JobHeld:
    state = manager.get_state(job_id)
    results = list(manager.results(job_id))
    content = repr((state.phase, state.tally, dict(state.variables), state.fingerprint, results))
    kept = manager.kept(job_id)
    return JobHeld(
        seq=state.seq,
        digest=state.digest.hex(),
        content=blake2b(content.encode(), digest_size=12).hexdigest(),
        beside=repr((manager.lease_expires_at(job_id), kept and (kept.for_, kept.reason))),
        checkpoints=frozenset(found.seq for found in manager.list_checkpoints(job_id)),
    )


def _promises(manager: StateManager, job_id: str) -> Iterable[str]:
    """What of the promises about one job is not so: a plan is a partition, a result is there once.

    After a rewind an item may have been recorded again.
    """
    state = manager.get_state(job_id)
    plan = manager.recover_from_checkpoint(job_id)
    planned = [key for keys in plan.parts.values() for key in keys]
    if not len(planned) == len(set(planned)) == state.items.count:
        yield "the plan is no partition of the items"
    times = Counter(
        key
        for event in manager.get_state_history(job_id)
        if event.kind == "items" and event.event == "succeed"
        for key in event.items
    )
    if not state.rewinds and set(times.values()) - {1}:
        yield "an item was recorded twice"
    if not state.rewinds and times.keys() != dict(manager.results(job_id)).keys():
        yield "the results are not those that were recorded"


def chains_of(helds: Iterable[Held], manager: StateManager | None = None) -> Chains:
    """Every commit that is known of: of the jobs of `helds`, and, by `manager`, those between."""
    chains: Chains = {}
    for held in helds:
        for job_id, job in held.jobs.items():
            if not job.trouble:
                chains.setdefault(job_id, {})[job.seq] = job.digest
    for job_id in manager.job_ids() if manager else ():
        chain = chains.setdefault(job_id, {})
        for seq in range(1, manager.get_state(job_id).seq + 1) if manager else ():
            try:
                chain.setdefault(seq, manager.state_at(job_id, seq).digest.hex())  # type: ignore[union-attr]
            except StoreUnreadable:  # it was set aside by a repair
                continue
    return chains


def complaints(found: Held, before: Held, after: Held, chains: Chains) -> list[str]:
    """What of `found` is neither as `before`, nor as `after`, nor on the way from one to the other.

    `before` is what was acknowledged, `after` what the call under way was to make of it.
    """
    wrong = [f"a problem: {problem}" for problem in found.problems - before.problems]
    for job_id in sorted({*found.jobs, *before.jobs, *after.jobs}):
        here, had, will = (held.jobs.get(job_id) for held in (found, before, after))
        wrong += [f"{job_id}: {what}" for what in _job_complaints(here, had, will, chains, job_id)]
    return wrong


def _job_complaints(
    here: JobHeld | None, had: JobHeld | None, will: JobHeld | None, chains: Chains, job_id: str
) -> Iterable[str]:
    if here in (had, will):
        return
    if here is None:
        yield "it was acknowledged and is not there"
        return
    known = [job for job in (had, will) if job is not None]
    if not known:
        yield "it is there and nobody began it"
        return
    if here.trouble or any(job.trouble for job in known):
        yield f"it is neither as it was nor as it was to be ({here.trouble or 'readable'})"
        return
    low = had.seq if had is not None else 1
    high = max(job.seq for job in known)
    if not low <= here.seq <= high:
        yield f"it stands at commit {here.seq}, not at one from {low} to {high}"
    if here.digest and chains.get(job_id, {}).get(here.seq) != here.digest:
        yield f"its commit {here.seq} is none that was ever made"
    alike = [job for job in known if job.digest == here.digest]
    if alike and here.content not in [job.content for job in alike]:
        yield "its log is as it was and what is read of it is not"
    if here.beside not in [job.beside for job in known] and had is not None:
        yield "its lease, or how long it is kept, is neither the old nor the new"
    kept = frozenset.intersection(*(job.checkpoints for job in known)) if had else frozenset()
    if not kept <= here.checkpoints <= frozenset.union(*(job.checkpoints for job in known)):
        yield "its checkpoints are neither the old nor the new"
