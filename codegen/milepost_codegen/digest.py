"""Digests: of a lifecycle's meaning, and of texts."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from milepost_codegen.expressions import to_text

if TYPE_CHECKING:
    from milepost_codegen.model import Json, Lifecycle, Machine, Transition, Variable

__all__ = ["digest_of_growth", "digest_of_meaning", "digest_of_text"]


def digest_of_text(content: bytes) -> str:
    """A digest of `content`, the same for both kinds of line ends: 24 hexadecimal digits."""
    return hashlib.blake2b(content.replace(b"\r\n", b"\n"), digest_size=12).hexdigest()


def digest_of_meaning(lifecycle: Lifecycle) -> str:
    """A digest of all that decides how jobs run: 32 hexadecimal digits.

    Docs, layout and what only directs checks (`partial`, `perpetual`, `progress`) do not count;
    the order of states and events does, since stored facts may refer to it.
    """
    meaning: Json = {
        "lifecycle": lifecycle.name,
        "version": lifecycle.version,
        "enums": {enum.type.name: list(enum.type.members) for enum in lifecycle.enums},
        "machines": {machine.name: _machine(machine) for machine in lifecycle.machines},
    }
    canonical = json.dumps(meaning, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


def digest_of_growth(lifecycle: Lifecycle) -> str:
    """A digest of where members may be added: no step depends on it, but proofs of owners do."""
    grows: Json = {
        f"{machine.name}.{one.name}": list(one.grows)
        for machine in lifecycle.machines
        for one in machine.collections
    }
    canonical = json.dumps(grows, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


def _machine(machine: Machine) -> Json:
    return {
        "initial": machine.initial,
        "states": [[state.name, state.final] for state in machine.states],
        "events": [
            [
                event.name,
                [
                    [field.name, field.type.name, field.required, field.default]
                    for field in event.fields
                ],
            ]
            for event in machine.events
        ],
        "context": [_variable(variable) for variable in machine.variables],
        "guards": {guard.name: to_text(guard.body) for guard in machine.guards},
        "history": {history.group: history.initial for history in machine.histories},
        "collections": {
            collection.name: [
                collection.machine,
                {state: list(events) for state, events in collection.accepts},
            ]
            for collection in machine.collections
        },
        "transitions": [_transition(transition) for transition in machine.transitions],
        "invariants": {
            invariant.name: [
                None if invariant.states is None else list(invariant.states),
                to_text(invariant.holds),
            ]
            for invariant in machine.invariants
        },
    }


def _variable(variable: Variable) -> Json:
    where = "" if variable.where is None else to_text(variable.where)
    return [variable.name, variable.type.name, variable.param, variable.initial, where]


def _transition(transition: Transition) -> Json:
    return [
        transition.id,
        transition.source,
        transition.event,
        transition.target,
        "" if transition.guard is None else to_text(transition.guard),
        [[one.name, to_text(one.value)] for one in transition.assignments],
        [[one.collection, one.state, one.event] for one in transition.members],
        transition.ignored,
    ]
