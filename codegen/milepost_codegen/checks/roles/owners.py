"""Owners: phases that follow each other, events of an operator, and outcomes of what has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.checks.roles.subject import listed
from milepost_codegen.resolve.inference import ends

if TYPE_CHECKING:
    from milepost_codegen.checks.roles.subject import Subject

__all__ = ["check_owner"]


def check_owner(subject: Subject) -> None:
    """Report phases that cannot end or follow, and pauses and outcomes that the rows deny."""
    _check_phases(subject)
    _check_order(subject)
    _check_rest(subject)
    _check_pause(subject)
    _check_resume(subject)
    _check_reopen(subject)
    _check_allow_dead(subject)
    _check_outcomes(subject)


def _check_phases(subject: Subject) -> None:
    for phase in subject.roles.phases:
        rows = subject.of_pair(phase.state, phase.ends_by)
        if not rows:
            takes = sorted(
                {one.event for one in subject.machine.transitions if one.source == phase.state}
            )
            subject.report(
                "E706",
                f"phases.{phase.state}",
                f"'{phase.state}' has no row for '{phase.ends_by}'",
                f"it takes: {', '.join(takes)}" if takes else "it takes none",
            )
        elif all(row.target == phase.state for row in rows):
            subject.report(
                "E707",
                f"phases.{phase.state}",
                f"'{phase.ends_by}' does not end '{phase.state}': all its rows lead back to it",
            )


def _check_order(subject: Subject) -> None:
    """No phase is listed before another without which it cannot be reached.

    Ways through a pause, a resumption and a history are left out: they lead anywhere.
    """
    roles, machine = subject.roles, subject.machine
    aside = {roles.pause, *roles.resume.values()}
    rows = [one for one in machine.transitions if not one.history and one.event not in aside]
    states = [phase.state for phase in roles.phases]
    ways = subject.reach([machine.initial], rows=rows)
    everything = {state.name for state in machine.states}
    for index, state in enumerate(states):
        later = set(states[index + 1 :]) - {state}
        reached = subject.reach([machine.initial], within=everything - later, rows=rows)
        if state in ways and state not in reached:
            subject.report(
                "E708",
                f"phases.{state}",
                f"every way to '{state}' leads through"
                f" {listed((one for one in states if one in later), word='or')},"
                " which is listed after it",
                "list the phases in the order in which they are worked in",
                key=True,
            )


def _check_rest(subject: Subject) -> None:
    """States in which the job rests are no phases, and not the end."""
    roles = subject.roles
    phases = {phase.state for phase in roles.phases}
    written = subject.written("paused")
    for state in roles.paused:
        if state in phases:
            subject.report(
                "E703", f"paused.{state}", f"'{state}' is paused and a phase that is worked in"
            )
        elif state in subject.machine.final:
            subject.report(
                "E704" if written else "E707",
                f"paused.{state}" if written else "pause",
                f"'{state}' is paused and final: what is paused can go on",
                "name the event under 'cancel' if it is for good",
            )


def _check_pause(subject: Subject) -> None:
    """A pause leads from a phase to where the job rests, and to nowhere else."""
    roles = subject.roles
    if not roles.pause:
        return
    phases = {phase.state for phase in roles.phases}
    targets = subject.rows.targets(roles.pause)
    if subject.written("paused"):
        for state in targets:
            if state not in roles.paused and state not in phases:
                subject.report(
                    "E704",
                    "paused",
                    f"'{roles.pause}' leads to '{state}', which is not among the states that are"
                    " paused",
                    "add it",
                )
        reached = subject.reach(targets)
        for state in roles.paused:
            if state not in reached:
                subject.report(
                    "E704",
                    f"paused.{state}",
                    f"'{state}' cannot be paused: no run leads to it after '{roles.pause}'",
                )
    for phase in roles.phases:
        for row in subject.of_pair(phase.state, roles.pause):
            if row.target in phases:
                subject.report(
                    "E707",
                    "pause",
                    f"'{roles.pause}' leads from '{phase.state}' to '{row.target}',"
                    " a phase that is worked in",
                    "lead it to a state in which the job rests",
                )
    if phases and not phases & set(subject.rows.sources(roles.pause)):
        subject.report("E706", "pause", f"no phase takes '{roles.pause}'", "add a row from one")


def _check_resume(subject: Subject) -> None:
    roles, machine = subject.roles, subject.machine
    phases = {phase.state for phase in roles.phases}
    for state, event in roles.resume.items():
        part = f"resume.{state}"
        rows = subject.of_pair(state, event)
        if state in phases:
            subject.report(
                "E703", part, f"'{state}' is a phase that is worked in and rests", key=True
            )
        elif state in machine.final:
            subject.report("E704", part, f"'{state}' is final: nothing resumes it", key=True)
        elif not rows:
            subject.report(
                "E706",
                part,
                f"'{state}' has no row for '{event}'",
                "add one that leads to where the work goes on",
            )
        elif all(row.target == state or row.target in machine.final for row in rows):
            subject.report(
                "E707", part, f"'{event}' does not lead from '{state}' to where work can go on"
            )


def _check_reopen(subject: Subject) -> None:
    """A phase is left for another one that works members."""
    roles = subject.roles
    event = roles.reopen
    if not event:
        return
    working = [phase.state for phase in roles.phases if phase.works]
    working = working or [phase.state for phase in roles.phases]  # nobody begins, or it is unknown
    rows = [row for phase in roles.phases for row in subject.of_pair(phase.state, event)]
    if not rows:
        subject.report("E706", "reopen", f"no phase takes '{event}'", "add a row from one")
    for row in rows:
        if row.target not in working or row.target == row.source:
            hint = f"lead it to {listed(working, word='or')}" if working else "drop the role"
            subject.report(
                "E707",
                "reopen",
                f"'{event}' leads from '{row.source}' to '{row.target}',"
                " and not back to a phase that works members",
                hint,
            )


def _check_allow_dead(subject: Subject) -> None:
    """More dead members are allowed where the job is, and something remembers it."""
    event = subject.allow_dead
    if not event:
        return
    rows = [one for one in subject.machine.transitions if one.event == event and not one.ignored]
    if not rows:
        subject.report("E706", "allow_dead", f"no state takes '{event}'", "add a row from one")
    for row in rows:
        if row.target != row.source:
            subject.report(
                "E707",
                "allow_dead",
                f"'{event}' leads from '{row.source}' to '{row.target}':"
                " an allowance leaves the job where it is",
                f"lead the row to '{row.source}'",
            )
    if rows and not any(row.assignments for row in rows):
        subject.report(
            "E712",
            "allow_dead",
            f"no row of '{event}' sets anything",
            "let a variable remember how many more are allowed",
        )


def _check_outcomes(subject: Subject) -> None:
    roles, machine = subject.roles, subject.machine
    written = subject.written("outcomes")
    for state in roles.outcomes:
        if f"outcomes.{state}" in subject.found.inferred:
            continue
        part = f"outcomes.{state}"
        if state in roles.paused:
            subject.report("E703", part, f"'{state}' is paused and has an outcome", key=True)
        elif state not in machine.final and state not in roles.resume:
            subject.report(
                "E709",
                part,
                f"'{state}' is not the end: it is not final, and 'resume' does not name it",
                "name a final state, or say how the job goes on from there",
                key=True,
            )
    for state, outcomes in ends(roles, machine, subject.rows).items():
        if len(outcomes) > 1 and state not in roles.outcomes:
            said = " and ".join(f"{outcome} by '{event}'" for outcome, event in outcomes.items())
            subject.report(
                "E709",
                "outcomes" if written else "",
                f"'{state}' would be {said}",
                f"say which with 'outcomes: {{{state}: {next(iter(outcomes))}}}',"
                " or give the two states of their own",
            )
    if not written:
        return
    for state in machine.final:
        if state not in roles.outcomes:
            subject.report(
                "E709",
                "outcomes",
                f"the final state '{state}' has no outcome",
                "say how a job that ends in it has ended",
                key=True,
            )
