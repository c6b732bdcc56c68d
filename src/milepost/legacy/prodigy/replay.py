"""Event logs replayed: what they say of a job and its items, in the order of the lines.

Logs are JSONL, `events-{start}.jsonl`, rotated to `events-{start}.{end}.jsonl.gz`, whose bytes are
plain text. They were buffered and never synced: the tail is often lost or torn. Lines have no
numbers; their order within a file is all there is, and files are in the order of the times in
their names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from milepost.legacy.prodigy.accounts import Account, Claim
from milepost.legacy.prodigy.events import (
    AgentCompleted,
    AgentFailed,
    AgentRetrying,
    AgentStarted,
    DeadLetterAdded,
    DeadLetterRemoved,
    Event,
    JobCompleted,
    JobFailed,
    JobPaused,
    JobResumed,
    JobStarted,
    read_event,
    repeated_key,
)
from milepost.legacy.prodigy.files import FileKind, Limits, OldFile, lines
from milepost.legacy.prodigy.report import Code, Report
from milepost.legacy.prodigy.values import (
    AttemptOutcome,
    ItemStatus,
    JobOutcome,
    OldAttempt,
    OldConfig,
    OldResult,
    OutcomeKind,
    SourceKind,
)
from milepost.legacy.prodigy.wire import config_of

__all__ = ["JobEvents", "in_order", "replay", "replay_archives"]

_NAME: Final = re.compile(
    r"events(?:_archive)?[-_](\d{8}_\d{6})(?:\.(\d{8}_\d{6}))?\.jsonl(?:\.gz)?"
)


@dataclass(slots=True, kw_only=True)
class _Item:
    attempts: list[OldAttempt] = field(default_factory=list)
    result: OldResult | None = None
    dead_at: datetime | None = None
    claim: Claim | None = None
    counted: int = 0


class JobEvents:
    """What the events of one job said, filled line by line; `account` and the rest read it."""

    def __init__(self) -> None:
        self.source = ""
        self.started_at: datetime | None = None
        self.last_at: datetime | None = None
        self.config: OldConfig | None = None
        self.total_items: int | None = None
        self.outcome: JobOutcome | None = None
        self.unlinked = 0
        self.repeated = 0
        self._agents: dict[str, str] = {}
        self._items: dict[str, _Item] = {}
        self._seen: set[str] = set()

    def take(self, event: Event, source: str) -> None:
        """Replay one event. The same event again, by its id, is left out."""
        if event.id in self._seen:
            self.repeated += 1
            return
        self._seen.add(event.id)
        self.source = self.source or source
        self.last_at = event.at if self.last_at is None else max(self.last_at, event.at)
        match event.body:
            case JobStarted() as body:
                self.started_at = self.started_at or body.timestamp
                self.config, self.total_items = config_of(body.config), body.total_items
            case JobCompleted():
                self.outcome = JobOutcome(kind=OutcomeKind.COMPLETED, at=event.at)
            case JobFailed() as body:
                kind = OutcomeKind.FAILED
                self.outcome = JobOutcome(kind=kind, at=event.at, message=body.error)
            case JobPaused():
                self.outcome = JobOutcome(kind=OutcomeKind.PAUSED, at=event.at)
            case JobResumed():
                self.outcome = None
            case AgentStarted() as body:
                self._start(body, event.at, source)
            case AgentCompleted() | AgentFailed() | AgentRetrying() as body:
                self._follow(body, event.at, source)
            case DeadLetterAdded() as body:
                item = self._items.setdefault(body.item_id, _Item())
                item.claim = Claim(status=ItemStatus.DEAD, source=source, at=event.at)
                item.counted = max(item.counted, body.failure_count)
            case DeadLetterRemoved() as body:
                item = self._items.setdefault(body.item_id, _Item())
                item.claim = Claim(status=ItemStatus.PENDING, source=source, at=event.at)
            case _:
                pass  # nothing of items or outcomes

    def _start(self, body: AgentStarted, at: datetime, source: str) -> None:
        self._agents[body.agent_id] = body.item_id
        item = self._items.setdefault(body.item_id, _Item())
        attempt = OldAttempt(
            outcome=AttemptOutcome.UNFINISHED,
            number=body.attempt,
            started_at=at,
            agent_id=body.agent_id,
            sources=(source,),
        )
        item.attempts.append(attempt)
        item.claim = Claim(status=ItemStatus.IN_FLIGHT, source=source, at=at)

    def _follow(
        self, body: AgentCompleted | AgentFailed | AgentRetrying, at: datetime, source: str
    ) -> None:
        item_id = self._agents.get(body.agent_id)
        if item_id is None:
            self.unlinked += 1
            return
        item = self._items[item_id]
        match body:
            case AgentCompleted():
                item.result = item.result or _result(body, at, source)
                outcome, message = AttemptOutcome.SUCCEEDED, ""
                status = ItemStatus.DONE
            case AgentFailed():
                outcome, message, status = AttemptOutcome.FAILED, body.error, ItemStatus.FAILED
            case AgentRetrying():
                item.counted = max(item.counted, body.attempt)
                item.claim = Claim(status=ItemStatus.PENDING, source=source, at=at)
                return
        duration = body.duration if isinstance(body, AgentCompleted) else None
        ended = {"outcome": outcome, "message": message, "ended_at": at, "duration": duration}
        self._end(item, body.agent_id, source, ended)
        item.claim = Claim(status=status, source=source, at=at, result=item.result)

    def _end(self, item: _Item, agent_id: str, source: str, ended: Mapping[str, Any]) -> None:
        """Complete the attempt that the agent has open, or add one whose beginning is not known."""
        for number in reversed(range(len(item.attempts))):
            attempt = item.attempts[number]
            if attempt.agent_id == agent_id and attempt.outcome is AttemptOutcome.UNFINISHED:
                item.attempts[number] = replace(attempt, **ended)
                return
        item.attempts.append(OldAttempt(agent_id=agent_id, sources=(source,), **ended))

    def account(self) -> Account | None:
        """What was said of items; None where nothing was said of the job at all."""
        if not self._seen:
            return None
        account = Account(
            kind=SourceKind.EVENTS,
            source=self.source,
            at=self.last_at,
            total_items=self.total_items,
        )
        for item_id, item in self._items.items():
            for attempt in item.attempts:
                account.attempt(item_id, attempt)
            if item.claim is not None and item.claim.result is None and item.result is not None:
                done = item.result
                account.claim(
                    item_id,
                    Claim(
                        status=ItemStatus.DONE, source=done.source, at=done.ended_at, result=done
                    ),
                )
            if item.claim is not None:
                account.claim(item_id, item.claim)
            account.count(item_id, item.counted)
        return account


def _result(body: AgentCompleted, at: datetime, source: str) -> OldResult:
    record: dict[str, Any] = {"commits": body.commits}
    if body.json_log_location is not None:
        record["json_log_location"] = body.json_log_location
    return OldResult(
        commits=tuple(body.commits),
        duration=body.duration,
        ended_at=at,
        complete=False,
        record=record,
        source=source,
    )


def in_order(files: Iterable[OldFile]) -> list[OldFile]:
    """Event files, oldest first by name; a rotated one before what follows it, resume's last."""

    def rank(file: OldFile) -> tuple[str, str, str]:
        found = _NAME.fullmatch(file.name)
        return (found[1], found[2] or "~", file.shown) if found else ("~", "~", file.shown)

    return sorted(files, key=rank)


def replay(
    files: Iterable[OldFile], job_id: str, into: JobEvents, limits: Limits, report: Report
) -> None:
    """Replay the events of one job that `files` hold into `into`, and report what they do not."""
    for file in in_order(files):
        foreign = 0
        for event in _events(file, limits, report):
            if event.job_id in {None, job_id}:
                into.take(event, file.shown)
            else:
                foreign += 1
        if foreign:
            message = f"{foreign} events are of other jobs than {job_id!r}: left out"
            report.add(Code.EVENTS_FOREIGN, file.shown, message)


def replay_archives(
    files: Iterable[OldFile], limits: Limits, report: Report, job_id: str | None = None
) -> dict[str, JobEvents]:
    """The events of all jobs in `files`, or of one, by job id: archives hold many jobs' events."""
    found: dict[str, JobEvents] = {}
    for file in in_order(files):
        for event in _events(file, limits, report):
            if event.job_id is not None and job_id in {None, event.job_id}:
                found.setdefault(event.job_id, JobEvents()).take(event, file.shown)
    return found


def _events(file: OldFile, limits: Limits, report: Report) -> Iterable[Event]:
    """The events of a file; at its end the report says what could not be read."""
    assert file.kind in {FileKind.EVENTS, FileKind.ARCHIVE}
    total, skipped, first, torn, twice = 0, 0, 0, False, ""
    unknown: Counter[str] = Counter()
    for line in lines(file, limits, report):
        if not line.strip():
            continue
        total += 1
        event = read_event(line)
        if event is None:
            skipped += 1
            first = first or total
            torn = not line.endswith(b"\n")
            if not twice and (key := repeated_key(line)) is not None:
                twice = f"; line {total} has an object with the key {key[:40]!r} twice"
            continue
        if event.body is None:
            unknown[event.tag] += 1
        yield event
    if skipped:
        message = f"{skipped} of {total} lines could not be read, the first is line {first}"
        message += twice + ("; the last was torn off" if torn else "")
        report.add(Code.LINES_SKIPPED, file.shown, message)
    if unknown:
        said = ", ".join(f"{tag[:40]!r}: {count}" for tag, count in unknown.most_common(5))
        message = f"{unknown.total()} events of unknown kinds were left out ({said})"
        report.add(Code.EVENTS_UNKNOWN, file.shown, message)
