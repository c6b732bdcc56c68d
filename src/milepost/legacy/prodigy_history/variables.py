"""The variables of an old job here: its own, and under `prodigy.` what no part of a job is for.

The values of environment variables are never among them, since they may be secrets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from milepost.errors import ValueInvalid
from milepost.legacy.prodigy import OldJob
from milepost.legacy.telling.notes import Note, Notes
from milepost.legacy.telling.storable import (
    MAX_VALUE_BYTES,
    encoded,
    item_key,
    without_environment,
)

__all__ = ["NAMESPACE", "first_variables", "reduce_variables"]

NAMESPACE: Final = "prodigy."
"""What the names of the variables begin with that the old job did not have as such."""

_ENVIRONMENT: Final = "environment_variables"
_STEPS: Final = ("agent_template", "reduce_commands")


def first_variables(old: OldJob, notes: Notes) -> dict[str, Any]:  # Any: JSON
    """The variables that the job begins with: those of its setup, and what is left over."""
    names: set[str] = set(old.leftovers.get(_ENVIRONMENT) or ())
    kept: dict[str, Any] = {
        "config": dataclasses.asdict(old.config) if old.config else None,
        "setup_output": old.setup.output,
        "total_items": old.total_items,
        "dead_letters": _dead_letters(old),
    }
    for name, value in old.leftovers.items():
        if name in _STEPS:
            try:
                kept[name] = without_environment(value, names)
            except RecursionError:
                notes.add(Note.VALUE_NOT_STORED, f"{name}: is nested too deeply")
        elif name != _ENVIRONMENT:
            kept[name] = value
    if not old.items and old.reduce.map_results is not None:
        kept["map_results"] = list(old.reduce.map_results)
    notes.some(
        Note.ENVIRONMENT_LEFT_OUT,
        sorted(names),
        "environment variables are known by name only: their values may be secrets",
    )
    named = {f"{NAMESPACE}{name}": value for name, value in kept.items() if value is not None}
    return _storable({**old.setup.variables, **named}, notes)


def reduce_variables(old: OldJob, notes: Notes) -> dict[str, Any]:  # Any: JSON
    """What is known of steps of the reduce phase; empty where nothing is."""
    reduce = old.reduce
    kept: dict[str, Any] = {}
    if reduce.steps:
        kept["reduce_steps"] = [
            {
                "index": step.index,
                "success": step.success,
                "output": step.output,
                "error": step.error,
                "duration_s": step.duration.total_seconds(),
            }
            for step in reduce.steps
        ]
    if reduce.variables:
        kept["reduce_variables"] = dict(reduce.variables)
    if reduce.total_steps is not None:
        kept["reduce_next_step"], kept["reduce_total_steps"] = reduce.next_step, reduce.total_steps
    if reduce.output is not None:
        kept["reduce_output"] = reduce.output
    if reduce.error is not None:
        kept["reduce_error"] = reduce.error
    return _storable({f"{NAMESPACE}{name}": value for name, value in kept.items()}, notes)


def _dead_letters(old: OldJob) -> dict[str, Any] | None:
    """By item, what the dead letter queue says that an item here has no place for."""
    letters = {
        item_key(item.old_id): {
            "failure_count": item.dead_letter.failure_count,
            "signature": item.dead_letter.signature,
            "reprocess_eligible": item.dead_letter.reprocess_eligible,
            "manual_review_required": item.dead_letter.manual_review_required,
            "worktree_artifacts": item.dead_letter.worktree_artifacts,
        }
        for item in old.items
        if item.dead_letter is not None
    }
    return letters or None


def _fits_a_checkpoint(value: object) -> bool:
    """Whether the value can be put aside: its integers take 64 bits at most."""
    try:
        msgspec.msgpack.encode(value)
    except OverflowError:
        return False
    return True


def _storable(values: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """The values as they come back from the store; those that cannot be stored are reported."""
    kept: dict[str, Any] = {}
    left = MAX_VALUE_BYTES
    for name, value in values.items():
        raw = encoded({name: value}, f"variable {name!r}")
        if isinstance(raw, ValueInvalid):
            notes.add(Note.VALUE_NOT_STORED, str(raw))
        elif not _fits_a_checkpoint(value):
            message = f"variable {name!r}: holds a number too great for a checkpoint"
            notes.add(Note.VALUE_NOT_STORED, message)
        elif len(bytes(raw)) > left:
            problem = f"variable {name!r}: with it the variables take more than {MAX_VALUE_BYTES:,}"
            notes.add(Note.VALUE_NOT_STORED, f"{problem} bytes")
        else:
            left -= len(bytes(raw))
            kept.update(msgspec.json.decode(raw))
    return kept
