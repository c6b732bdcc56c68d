"""Everything that was read of one job, source by source, and which of them counts first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from milepost.legacy.prodigy.accounts import Account
from milepost.legacy.prodigy.checkpoint_items import account_of_checkpoint
from milepost.legacy.prodigy.checkpoints import Checkpoint, choose_checkpoint
from milepost.legacy.prodigy.dead_letters import account_of_dead_letters
from milepost.legacy.prodigy.files import FileKind, Limits, OldFile
from milepost.legacy.prodigy.find import OldJobFiles
from milepost.legacy.prodigy.reduces import choose_reduce, reduce_of
from milepost.legacy.prodigy.replay import JobEvents, replay
from milepost.legacy.prodigy.report import Code, Report
from milepost.legacy.prodigy.states import JobState, account_of_state, choose_state
from milepost.legacy.prodigy.values import OldReduce

__all__ = ["Sources", "read_sources"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What was read. `accounts` are in the order in which they count, snapshots newest first.

    `state` and `checkpoint` are None where there is none that can be read.
    """

    state: JobState | None
    checkpoint: Checkpoint | None
    reduce: OldReduce | None
    events: JobEvents
    accounts: tuple[Account, ...]

    @property
    def state_counts_first(self) -> bool:
        """Whether the old state is to be believed before the newer checkpoint."""
        if self.state is None or self.checkpoint is None:
            return self.state is not None
        return self.state.updated_at >= self.checkpoint.metadata.created_at


def read_sources(files: OldJobFiles, events: JobEvents, limits: Limits, report: Report) -> Sources:
    """Read the files of a job; `events` holds what archives told of it, and takes the rest."""
    states = _read_states(files, limits, report)
    kinds = FileKind.CHECKPOINT, FileKind.CHECKPOINT_TEMPORARY
    checkpoint = choose_checkpoint(files.of(*kinds), limits, report)
    snapshots: list[tuple[datetime, Account]] = [
        (state.updated_at, account_of_state(file, state, report)) for file, state in states
    ]
    if checkpoint is not None:
        file, read = checkpoint
        snapshots.append((read.metadata.created_at, account_of_checkpoint(file, read, report)))
    snapshots.sort(key=lambda entry: entry[0], reverse=True)  # stable: states before checkpoints
    for number, (at, account) in enumerate(snapshots):
        if number == 0:
            message = f"the {account.kind} of {at:%FT%TZ}, the newest that can be relied on"
        else:
            message = f"the {account.kind} of {at:%FT%TZ} is older: it fills in what is missing"
        report.add(Code.CHOSEN, account.source, message)
    replay(files.of(FileKind.EVENTS), files.job_id, events, limits, report)
    _report_events(events, report)
    letters = account_of_dead_letters(files.of(FileKind.DEAD_LETTER), limits, report)
    progress = choose_reduce(files.of(FileKind.REDUCE), limits, report)
    others = [account for account in (events.account(), letters) if account is not None]
    return Sources(
        state=states[0][1] if states else None,
        checkpoint=checkpoint[1] if checkpoint else None,
        reduce=reduce_of(*progress) if progress else None,
        events=events,
        accounts=(*(account for _, account in snapshots), *others),
    )


def _read_states(
    files: OldJobFiles, limits: Limits, report: Report
) -> list[tuple[OldFile, JobState]]:
    """The state of each directory that has one, newest first."""
    places: dict[str, list[OldFile]] = {}
    kinds = FileKind.STATE, FileKind.STATE_TEMPORARY, FileKind.METADATA
    for file in files.of(*kinds):
        places.setdefault(file.place, []).append(file)
    chosen = (choose_state(of, files.job_id, limits, report) for of in places.values())
    states = [state for state in chosen if state is not None]
    return sorted(states, key=lambda entry: entry[1].updated_at, reverse=True)


def _report_events(events: JobEvents, report: Report) -> None:
    if events.unlinked:
        message = f"{events.unlinked} events are of agents whose beginning is not in the log"
        report.add(Code.EVENTS_UNLINKED, events.source, message)
    if events.repeated:
        message = f"{events.repeated} events are there more than once: each counts once"
        report.add(Code.EVENTS_REPEATED, events.source, message)
