"""Attempts: what begins can end, and what an executor held can be taken from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.checks.roles.subject import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.checks.roles.subject import Subject
    from milepost_codegen.model import Collection, Machine

__all__ = ["check_attempts", "check_recovery", "check_taken"]


def check_attempts(subject: Subject) -> None:
    """Report attempts that nothing can end, and held states that an executor's death does not."""
    roles = subject.roles
    if roles.begin:
        _check_ends(subject)
    held = set(roles.held)
    leaving = {
        "release": roles.release,
        "lost": roles.lost,
        "crash": subject.crash,
        "defer": subject.defer,
    }
    for role, event in leaving.items():
        if not event:
            continue
        without = [state for state in roles.held if not subject.of_pair(state, event)]
        if role == "lost":
            for state in without:
                subject.report(
                    "E706",
                    role,
                    f"'{state}' has no row for '{event}': what a dead executor held stays there",
                    "add a row that leads out of it",
                )
        elif held and len(without) == len(roles.held):
            subject.report(
                "E706",
                role,
                f"no member that an executor holds takes '{event}'",
                f"add a row from {listed(roles.held, word='or')}, or drop the role",
            )
        for state in roles.held:
            rows = subject.of_pair(state, event)
            if rows and all(row.target in held for row in rows):
                subject.report(
                    "E707",
                    role,
                    f"'{event}' in '{state}' leads to no state that is not held",
                    "lead it to a state in which the member waits or is decided about",
                )

    _check_note(subject)


def _check_note(subject: Subject) -> None:
    """A held member takes a note, and stays in the hands in which it is."""
    held = subject.roles.held
    if not subject.note or not held:
        return
    rows = [row for state in held for row in subject.of_pair(state, subject.note)]
    if not rows:
        subject.report(
            "E706",
            "note",
            f"no member that an executor holds takes '{subject.note}'",
            f"add a row from {listed(held, word='or')}, or drop the role",
        )
    for row in rows:
        if row.target not in held:
            subject.report(
                "E707",
                "note",
                f"'{subject.note}' in '{row.source}' leads to '{row.target}':"
                " a note leaves a member in the hands in which it is",
                f"lead the row to '{row.source}'",
            )


def _check_ends(subject: Subject) -> None:
    """Every held state has a way out by an event that ends an attempt."""
    roles = subject.roles
    endings = [
        event
        for event in (
            subject.result,
            subject.failure,
            roles.release,
            roles.lost,
            subject.crash,
            subject.defer,
        )
        if event
    ]
    if not endings:
        subject.report(
            "E705",
            "begin",
            f"'{roles.begin}' begins an attempt that no role ends",
            "name the event of 'result', 'failure', 'release' or 'lost'",
        )
        return
    held = set(roles.held)
    for state in roles.held:
        within = subject.reach([state], within=held)
        out = any(
            row.target not in held
            for one in within
            for event in endings
            for row in subject.of_pair(one, event)
        )
        if not out:
            subject.report(
                "E705",
                f"held.{state}" if subject.written("held") else "begin",
                f"an attempt cannot end in '{state}':"
                f" nothing leads out of it on {listed(dict.fromkeys(endings), word='or')}",
                "add a row for one of them, or name the states that follow under 'held' as well",
            )


def check_taken(subject: Subject, owners: Sequence[Machine]) -> None:
    """Report events of members that no owner ever accepts, and attempts that no phase works."""
    roles = subject.roles
    taken: set[str] = set()
    for owner in owners:
        for collection in _collections(owner, subject.machine.name):
            taken.update(event for _, events in collection.accepts for event in events)
            taken.update(
                sent.event
                for row in owner.transitions
                for sent in row.members
                if sent.collection == collection.name
            )
    named = {
        "begin": roles.begin,
        "result": subject.result,
        "failure": subject.failure,
        "release": roles.release,
        "lost": roles.lost,
        "crash": subject.crash,
        "defer": subject.defer,
        "note": subject.note,
        "retry": roles.retry,
        "give_up": roles.give_up,
        "requeue": roles.requeue,
        "redo": subject.redo,
        "skip": roles.skip,
    }
    for role, event in named.items():
        if event and event not in taken:
            subject.report(
                "E706",
                role,
                f"no state of {listed((owner.name for owner in owners), word='or')}"
                f" accepts '{event}'",
                "list it under 'accepts' of the collection",
            )
    phased = [owner for owner in owners if owner.roles and owner.roles.roles.phases]
    if not roles.begin or roles.begin not in taken or len(phased) != len(owners):
        return
    works = any(
        collection.name in phase.works
        for owner in phased
        if owner.roles
        for phase in owner.roles.roles.phases
        for collection in _collections(owner, subject.machine.name)
    )
    if not works:
        subject.report(
            "E706",
            "begin",
            f"no phase of {listed((owner.name for owner in owners), word='or')}"
            f" accepts '{roles.begin}'",
            "list it under 'accepts' in a phase, or name the phase under 'phases'",
        )


def _collections(owner: Machine, member: str) -> list[Collection]:
    return [one for one in owner.collections if one.machine == member]


def check_recovery(subject: Subject, subjects: Mapping[str, Subject]) -> None:
    """Report phases in which a recovery cannot take what is held from a dead executor."""
    event = subject.recover
    if not event:
        return
    collections = {one.name: one for one in subject.machine.collections}
    for phase in subject.roles.phases:
        rows = subject.of_pair(phase.state, event)
        if phase.works and not rows:
            subject.report(
                "E706",
                "recover",
                f"the phase '{phase.state}' has no row for '{event}',"
                f" and members of {listed(phase.works)} are worked on in it",
                f"add a row from '{phase.state}' to '{phase.state}'",
            )
        for row in rows:
            if row.target != phase.state:
                subject.report(
                    "E707",
                    "recover",
                    f"'{event}' in '{phase.state}' leads to '{row.target}':"
                    " a recovery leaves the phase as it is",
                    f"lead the row to '{phase.state}'",
                )
        for name in phase.works if rows else ():
            member = subjects.get(collections[name].machine)
            if member is not None:
                _check_hands(subject, phase.state, collections[name], member)


def _check_hands(subject: Subject, phase: str, collection: Collection, member: Subject) -> None:
    """Every held state of a member is left at a recovery in `phase`, with it or after it."""
    accepted = dict(collection.accepts).get(phase, ())
    after = [one for one in (member.roles.lost, member.roles.release) if one in accepted]
    sent = {
        one.state
        for row in subject.of_pair(phase, subject.recover)
        for one in row.members
        if one.collection == collection.name
    }
    for state in member.roles.held:
        if state not in sent and not any(member.of_pair(state, event) for event in after):
            subject.report(
                "E706",
                "recover",
                f"after '{subject.recover}' in '{phase}', members of '{collection.name}' in"
                f" '{state}' stay in the hands of an executor that is gone",
                "send them an event with 'members', or accept the event of 'lost' or 'release'",
            )
