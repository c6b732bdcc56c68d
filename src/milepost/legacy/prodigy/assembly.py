"""One `OldJob` from the sources of a job: how far it had come, what is left over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from milepost.legacy.prodigy.checkpoints import Checkpoint
from milepost.legacy.prodigy.find import OldJobFiles
from milepost.legacy.prodigy.mappings import Mapping as SessionMapping
from milepost.legacy.prodigy.merging import merge_items
from milepost.legacy.prodigy.report import Code, Report
from milepost.legacy.prodigy.sources import Sources
from milepost.legacy.prodigy.states import JobState
from milepost.legacy.prodigy.values import (
    ItemStatus,
    JobOutcome,
    OldItem,
    OldJob,
    OldPhase,
    OldReduce,
    OldSetup,
    OutcomeKind,
    SourceKind,
)
from milepost.legacy.prodigy.wire import config_of

__all__ = ["assemble"]

_PHASES = {"Setup", "Map", "Reduce", "Complete"}


def assemble(
    files: OldJobFiles, sources: Sources, sessions: tuple[SessionMapping, ...], report: Report
) -> OldJob:
    """The job as a whole, with all that was reported of it."""
    items = merge_items(sources.accounts, report) if sources.accounts else ()
    source, kind = _first_source(sources)
    totals = [a.total_items for a in sources.accounts if a.total_items is not None]
    total = totals[0] if totals else None
    place = source or (files.files[0].place if files.files else "")
    _report_gaps(place, sources, items, total, report)
    phase = _phase(sources, items, total)
    _report_phase(place, phase, items, sources, report)
    state, config = sources.state, sources.events.config
    started_at, updated_at = _times(sources)
    return OldJob(
        job_id=files.job_id,
        repo=files.repo,
        source=source,
        source_kind=kind,
        started_at=started_at,
        updated_at=updated_at,
        config=config_of(state.config) if state is not None else config,
        phase=phase,
        outcome=_outcome(sources, phase),
        setup=_setup(sources, phase),
        reduce=_reduce(sources),
        has_reduce=_has_reduce(sources),
        items=items,
        total_items=total,
        leftovers=_leftovers(sources, sessions),
        report=report.findings(),
    )


def _first_source(sources: Sources) -> tuple[str, SourceKind | None]:
    if sources.accounts:
        return sources.accounts[0].source, sources.accounts[0].kind
    if sources.reduce is not None:
        return sources.reduce.source, SourceKind.REDUCE
    return "", None


def _report_gaps(
    place: str,
    sources: Sources,
    items: tuple[OldItem, ...],
    total: int | None,
    report: Report,
) -> None:
    """Say what no file that could be read tells of."""
    if total is not None and total > len(items):
        message = f"{total} items are counted and {len(items)} are known: the rest is lost"
        report.add(Code.ITEMS_MISSING, place, message)
    if sources.state is None and sources.checkpoint is None:
        kinds = ", ".join(account.kind for account in sources.accounts) or "nothing"
        message = f"no state or checkpoint can be read; read were: {kinds}"
        if sources.accounts and total is None:
            message += ". How many items there were besides these is not known"
        report.add(Code.PARTIAL_SOURCE, place, message)


def _times(sources: Sources) -> tuple[datetime | None, datetime | None]:
    state, events, accounts = sources.state, sources.events, sources.accounts
    first = [letter.first_attempt_at for a in accounts for letter in a.dead_letters.values()]
    begun = [attempt.at for a in accounts for told in a.attempts.values() for attempt in told]
    starts = [at for at in (state and state.started_at, events.started_at) if at]
    starts = starts or [at for at in (*first, *begun) if at]
    ends = [account.at for account in accounts if account.at]
    if sources.reduce is not None and sources.reduce.saved_at is not None:
        ends.append(sources.reduce.saved_at)
    return min(starts, default=None), max(ends, default=None)


def _checkpoint_phase(checkpoint: Checkpoint | None) -> str:
    return checkpoint.metadata.phase if checkpoint is not None else ""


def _phase(sources: Sources, items: tuple[OldItem, ...], total: int | None) -> OldPhase | None:
    """How far any source says that the job had come: no phase is gone through again."""
    state, said = sources.state, _checkpoint_phase(sources.checkpoint)
    outcome = sources.events.outcome
    if (
        (state is not None and state.is_complete)
        or said == "Complete"
        or (outcome is not None and outcome.kind is OutcomeKind.COMPLETED)
    ):
        return OldPhase.DONE
    if _reduce(sources).started or said == "Reduce":
        return OldPhase.REDUCE
    if total is None:
        return None  # nothing but dead letters: the other items are not known
    waiting = {ItemStatus.PENDING, ItemStatus.IN_FLIGHT}
    settled = len(items) >= total and not any(item.status in waiting for item in items)
    begun = any(item.status is not ItemStatus.PENDING or item.attempts for item in items)
    set_up = (state is not None and state.setup_completed) or said == "Map"
    if settled and (begun or set_up):
        return OldPhase.MAP_FINISHED
    return OldPhase.MAP if begun or set_up else OldPhase.SETUP


def _report_phase(
    place: str,
    phase: OldPhase | None,
    items: tuple[OldItem, ...],
    sources: Sources,
    report: Report,
) -> None:
    said = _checkpoint_phase(sources.checkpoint)
    if said and said not in _PHASES:
        message = f"the phase {said!r} is not known: its items tell how far it had come"
        report.add(Code.INCONSISTENT, place, message)
    waiting = [i for i in items if i.status in {ItemStatus.PENDING, ItemStatus.IN_FLIGHT}]
    if phase in {OldPhase.REDUCE, OldPhase.DONE} and waiting:
        message = f"is in phase {phase} with {len(waiting)} items without an outcome"
        report.add(Code.INCONSISTENT, place, message)


def _outcome(sources: Sources, phase: OldPhase | None) -> JobOutcome | None:
    said = sources.events.outcome
    if phase is not OldPhase.DONE:
        return said
    if said is not None and said.kind is OutcomeKind.COMPLETED:
        return said
    state, checkpoint = sources.state, sources.checkpoint
    complete_at = None
    if state is not None and state.is_complete:
        complete_at = state.updated_at
    elif checkpoint is not None:
        complete_at = checkpoint.metadata.created_at
    return JobOutcome(kind=OutcomeKind.COMPLETED, at=complete_at)


def _setup(sources: Sources, phase: OldPhase | None) -> OldSetup:
    state, checkpoint = sources.state, sources.checkpoint
    completed = phase not in {None, OldPhase.SETUP} or (state is not None and state.setup_completed)
    variables: list[Mapping[str, Any]] = []
    output: str | None = None
    if checkpoint is not None:
        execution = checkpoint.execution_state
        given = checkpoint.variable_state.workflow_variables
        variables.append({**execution.workflow_variables, **given})
        results = execution.setup_results
        output = "\n".join(results.outputs) if results else None
        completed = completed or bool(results and results.success)
    if state is not None:
        variables.insert(0 if sources.state_counts_first else len(variables), state.variables)
        if sources.state_counts_first or output is None:
            output = output if state.setup_output is None else state.setup_output
    said = next((some for some in variables if some), {})
    return OldSetup(completed=completed, output=output, variables=said)


def _reduce(sources: Sources) -> OldReduce:
    """The progress that was kept, and what state and checkpoint say of the phase as a whole."""
    reduce = sources.reduce or OldReduce()
    said = sources.state.reduce_phase_state if sources.state is not None else None
    if said is not None:
        reduce = replace(
            reduce,
            started=reduce.started or said.started,
            completed=reduce.completed or said.completed,
            started_at=said.started_at,
            completed_at=said.completed_at,
            output=said.output,
            error=said.error,
        )
    if sources.checkpoint is not None:
        results = sources.checkpoint.execution_state.reduce_results
        phase = _checkpoint_phase(sources.checkpoint)
        reduce = replace(
            reduce,
            started=reduce.started or results is not None or phase == "Reduce",
            completed=reduce.completed or bool(results and results.success),
            output="\n".join(results.outputs)
            if results is not None and reduce.output is None
            else reduce.output,
        )
    return reduce


def _has_reduce(sources: Sources) -> bool | None:
    if _reduce(sources).started:
        return True
    return sources.state.reduce_commands is not None if sources.state is not None else None


def _leftovers(sources: Sources, sessions: tuple[SessionMapping, ...]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if sources.state is not None:
        kept.update(_of_state(sources.state))
    if sources.checkpoint is not None:
        kept.update(_of_checkpoint(sources.checkpoint))
    if sessions:
        kept["sessions"] = [session.model_dump(mode="json") for session in sessions]
    return {name: value for name, value in kept.items() if value is not None}


def _of_state(state: JobState) -> dict[str, Any]:
    return {
        "agent_template": state.agent_template,
        "reduce_commands": state.reduce_commands,
        "parent_worktree": state.parent_worktree,
    }


def _of_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    variables = checkpoint.variable_state
    execution = checkpoint.execution_state
    return {
        "captured_outputs": variables.captured_outputs or None,
        "environment_variables": variables.environment_variables or None,
        "item_variables": variables.item_variables or None,
        "resource_state": checkpoint.resource_state.model_dump(mode="json"),
        "map_results": execution.map_results.model_dump(mode="json")
        if execution.map_results
        else None,
        "last_error": checkpoint.error_state.last_error,
    }
