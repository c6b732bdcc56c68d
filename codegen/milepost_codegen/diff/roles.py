"""How the roles of a machine changed: they decide what is read of a job, and none of its steps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from milepost.roles import NO_ROLES, Allowance, Deferral, Note, Redo
from milepost_codegen.diff.report import Change
from milepost_codegen.roles_text import flow, role_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost.roles import EventField, Failure, Recovery, Roles
    from milepost_codegen.diff.names import MachineNames
    from milepost_codegen.findings import Place
    from milepost_codegen.model import Machine

__all__ = ["role_changes"]


def role_changes(old: Machine, new: Machine, names: MachineNames) -> Iterator[Change]:
    """Roles added, removed and changed; what only follows a renaming is no change.

    Stored jobs survive all of them: facts are read by the roles of the version that wrote them.
    """
    before = role_values(_renamed(old.roles.roles, names) if old.roles else NO_ROLES)
    after = role_values(new.roles.roles if new.roles else NO_ROLES)
    for name in dict.fromkeys((*before, *after)):
        was, now = before.get(name), after.get(name)
        texts = [flow(value) for value in (was, now) if value is not None]
        if len(texts) > len(set(texts)):
            continue
        yield Change(
            part="role",
            kind="added" if was is None else "removed" if now is None else "changed",
            machine=new.name,
            name=name,
            text=" -> ".join(texts),
            old=None if was is None else _place(old, name),
            new=None if now is None else _place(new, name),
        )


def _place(machine: Machine, name: str) -> Place | None:
    """Where the role is written, or the roles that it follows from."""
    return machine.roles.keys.get(name, machine.roles.place) if machine.roles else None


def _renamed(roles: Roles, names: MachineNames) -> Roles:
    """OLD's roles by the names of NEW; what has none there keeps its own."""

    def states(found: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names.states.get(one, one) for one in found)

    def event(one: str) -> str:
        return names.events.get(one, one)

    def variable(one: str) -> str:
        return names.variables.get(one, one)

    def field(of: str, one: str) -> str:
        return names.fields.get(of, {}).get(one, one)

    def dotted(one: EventField | None) -> EventField | None:
        return one and one._replace(event=event(one.event), field=field(one.event, one.field))

    def failure(one: Failure | None) -> Failure | None:
        return one and one._replace(
            event=event(one.event),
            cause=field(one.event, one.cause),
            message=field(one.event, one.message),
            kind=field(one.event, one.kind),
            details=field(one.event, one.details),
            permanent=field(one.event, one.permanent),
        )

    def deferral(one: Deferral | None) -> Deferral | None:
        return one and Deferral(
            event=event(one.event),
            until=field(one.event, one.until),
            everyone=field(one.event, one.everyone),
            message=field(one.event, one.message),
            marks=variable(one.marks),
        )

    def note(one: Note | None) -> Note | None:
        return one and Note(
            event=event(one.event),
            note=field(one.event, one.note),
            marks=variable(one.marks),
        )

    def redo(one: Redo | None) -> Redo | None:
        return one and Redo(
            event=event(one.event),
            counts=variable(one.counts),
            reason=field(one.event, one.reason),
        )

    def allowance(one: Allowance | None) -> Allowance | None:
        return one and Allowance(
            event=event(one.event),
            more=field(one.event, one.more),
            reason=field(one.event, one.reason),
        )

    def recovery(one: Recovery | None) -> Recovery | None:
        return one and one._replace(
            event=event(one.event),
            lost=field(one.event, one.lost),
            reason=field(one.event, one.reason),
        )

    return replace(
        roles,
        waiting=states(roles.waiting),
        held=states(roles.held),
        done=states(roles.done),
        failed=states(roles.failed),
        dead=states(roles.dead),
        skipped=states(roles.skipped),
        begin=event(roles.begin),
        release=event(roles.release),
        lost=event(roles.lost),
        crash=dotted(roles.crash),
        defer=deferral(roles.defer),
        note=note(roles.note),
        retry=event(roles.retry),
        give_up=event(roles.give_up),
        requeue=event(roles.requeue),
        redo=redo(roles.redo),
        skip=event(roles.skip),
        attempts=variable(roles.attempts),
        max_attempts=variable(roles.max_attempts),
        suspect=variable(roles.suspect),
        crashes=variable(roles.crashes),
        max_crashes=variable(roles.max_crashes),
        result=dotted(roles.result),
        stored=dotted(roles.stored),
        failure=failure(roles.failure),
        phases=tuple(
            one._replace(state=names.states.get(one.state, one.state), ends_by=event(one.ends_by))
            for one in roles.phases
        ),
        recover=recovery(roles.recover),
        pause=event(roles.pause),
        cancel=event(roles.cancel),
        reopen=event(roles.reopen),
        allow_dead=allowance(roles.allow_dead),
        paused=states(roles.paused),
        resume={names.states.get(one, one): event(on) for one, on in roles.resume.items()},
        variables=tuple(one for one in map(dotted, roles.variables) if one is not None),
        outcomes={names.states.get(one, one): how for one, how in roles.outcomes.items()},
    )
