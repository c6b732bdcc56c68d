"""Roles as a definition says them: by key, in order, with what is inferred told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milepost.roles import NO_ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milepost.roles import (
        Allowance,
        Deferral,
        EventField,
        Failure,
        Note,
        Recovery,
        Redo,
        Roles,
    )
    from milepost_codegen.model import Json, Lifecycle, Machine

__all__ = ["Role", "document_of_roles", "flow", "role_values", "roles_of", "section", "summary"]

_WRITTEN: Final = ("kind", "details", "permanent")
"""The fields of a failure that nothing is inferred for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One role of a machine; `inferred` names the parts that nobody wrote, `""` for all of it."""

    name: str
    value: Json
    inferred: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """True if nobody wrote any of it."""
        parts = set(self.value) if isinstance(self.value, dict) else {""}
        return parts <= set(self.inferred)

    @property
    def note(self) -> str:
        """What is inferred of it, for people, or `""`."""
        if not self.inferred:
            return ""
        return "inferred" if self.whole else f"inferred: {', '.join(self.inferred)}"


def roles_of(machine: Machine) -> tuple[Role, ...]:
    """The roles of `machine` in the order of the language; none if it has none."""
    if machine.roles is None or machine.roles.roles == NO_ROLES:
        return ()
    values = role_values(machine.roles.roles)
    parts: dict[str, list[str]] = {}
    for name in sorted(machine.roles.inferred):
        role, _, part = name.partition(".")
        parts.setdefault(role, []).append(part)
    return tuple(
        Role(name=name, value=value, inferred=tuple(parts.get(name, ())))
        for name, value in values.items()
    )


def role_values(roles: Roles) -> dict[str, Json]:
    """What a definition with nothing inferred would say, by key; only what is not empty."""
    attempts = {"counts": roles.attempts, "most": roles.max_attempts}
    crashes = {"marks": roles.suspect, "counts": roles.crashes, "most": roles.max_crashes}
    values: dict[str, Json] = {
        "begin": roles.begin,
        "waiting": list(roles.waiting),
        "held": list(roles.held),
        "phases": {phase.state: phase.ends_by for phase in roles.phases},
        "result": _dotted(roles.result),
        "stored": _dotted(roles.stored),
        "done": list(roles.done),
        "failure": _failure(roles.failure),
        "failed": list(roles.failed),
        "release": roles.release,
        "lost": roles.lost,
        "crash": _dotted(roles.crash),
        "defer": _parts(roles.defer, "everyone", "message"),
        "note": _parts(roles.note),
        "retry": roles.retry,
        "give_up": roles.give_up,
        "dead": list(roles.dead),
        "requeue": roles.requeue,
        "redo": _parts(roles.redo, "reason"),
        "skip": roles.skip,
        "skipped": list(roles.skipped),
        "attempts": {key: name for key, name in attempts.items() if name},
        "crashes": {key: name for key, name in crashes.items() if name},
        "recover": _parts(roles.recover, "lost", "reason"),
        "pause": roles.pause,
        "paused": list(roles.paused),
        "resume": dict(roles.resume),
        "cancel": roles.cancel,
        "reopen": roles.reopen,
        "allow_dead": _parts(roles.allow_dead, "reason"),
        "variables": [_dotted(one) for one in roles.variables],
        "outcomes": {state: str(outcome) for state, outcome in roles.outcomes.items()},
    }
    return {key: value for key, value in values.items() if value}


def flow(value: Json) -> str:
    """A value as it stands in a definition, on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {flow(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    return "null" if value is None else str(value)


def section(lifecycle: Lifecycle) -> str:
    """The roles of a lifecycle as its definition could say them, what is inferred marked so."""
    return "".join(f"{line}\n" for line in _lines(lifecycle))


def document_of_roles(lifecycle: Lifecycle) -> list[Json]:
    """The roles of a lifecycle as plain data, one by one; `inferred` as in `Role`."""
    return [
        {
            "lifecycle": lifecycle.name,
            "version": lifecycle.version,
            "machine": machine.name,
            "role": role.name,
            "value": role.value,
            "inferred": list(role.inferred),
        }
        for machine in lifecycle.machines
        for role in roles_of(machine)
    ]


def summary(lifecycle: Lifecycle) -> tuple[str, ...]:
    """A line for each machine that has roles: how many, and how many of them nobody wrote."""
    told = ((machine.name, roles_of(machine)) for machine in lifecycle.machines)
    return tuple(
        f"{lifecycle.name}.{name}: {len(roles)} roles, {sum(role.whole for role in roles)} inferred"
        " (milepost compile --roles)"
        for name, roles in told
        if roles
    )


def _lines(lifecycle: Lifecycle) -> Iterator[str]:
    yield f"# {lifecycle.name}, version {lifecycle.version}"
    told = {machine.name: roles_of(machine) for machine in lifecycle.machines}
    if not any(told.values()):
        yield "# no roles"
        return
    yield "machines:"
    for machine in lifecycle.machines:
        if not told[machine.name]:
            continue
        yield f"  {machine.name}:"
        yield "    roles:"
        for role in told[machine.name]:
            note = f"  # {role.note}" if role.note else ""
            yield f"      {role.name}: {flow(role.value)}{note}"
        yield from (f"      # {line}" for line in _remarks(machine))


def _remarks(machine: Machine) -> Iterator[str]:
    """What follows from the roles and is no key: collections that phases work, states left out."""
    assert machine.roles is not None
    roles = machine.roles.roles
    for phase in roles.phases:
        if phase.works:
            yield f"{phase.state} works {', '.join(phase.works)}"
    if roles.set_variables:
        yield f"variables are set at any time by {_dotted(roles.set_variables)}"
    states = (*roles.waiting, *roles.held, *roles.done, *roles.failed, *roles.dead, *roles.skipped)
    if states:
        yield from _left("states without a role", machine, states)
    if roles.outcomes:
        final = [state.name for state in machine.states if not state.final]
        yield from _left("final states without an outcome", machine, (*roles.outcomes, *final))


def _left(what: str, machine: Machine, known: Sequence[str]) -> Iterator[str]:
    left = [state.name for state in machine.states if state.name not in known]
    if left:
        yield f"{what}: {', '.join(left)}"


def _dotted(one: EventField | None) -> str:
    return "" if one is None else ".".join(filter(None, one))


def _failure(one: Failure | None) -> dict[str, Json]:
    """The event, its fields and the causes; null for what there is not."""
    if one is None:
        return {}
    said: dict[str, Json] = {
        "event": one.event,
        "cause": one.cause or None,
        "message": one.message or None,
        **{key: name for key in _WRITTEN if (name := getattr(one, key))},
    }
    causes: dict[str, Json] = {
        key: getattr(one, key) or None for key in ("error", "timeout", "lost")
    }
    return {**said, "causes": causes} if one.cause else said


def _parts(
    one: Deferral | Note | Redo | Recovery | Allowance | None, *known: str
) -> dict[str, Json]:
    """The parts that there are, and null for those `known` that would be inferred otherwise."""
    found = {} if one is None else one._asdict()
    return {key: value or None for key, value in found.items() if value or key in known}
