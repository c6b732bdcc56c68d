"""What a compatible verdict promises: every history of the old version replays under the new."""

import os
import random
from typing import TypeAlias

from hypothesis import event, given, settings
from hypothesis import strategies as st

from milepost_codegen.diff import compare
from milepost_codegen.expressions import evaluate
from milepost_codegen.model import Machine
from tests.unit.compiler.diff.test_properties import versions
from tests.unit.compiler.diff.versions import Data, compiled

SOAK = int(os.environ.get("MILEPOST_SOAK", "1"))

Values: TypeAlias = dict[str, int | bool | str]


def begin(machine: Machine, limit: int) -> Values:
    """The context of a job without items."""
    context: Values = {
        one.name: one.initial for one in machine.variables if one.initial is not None
    }
    context |= {history.entry: history.initial for history in machine.histories}
    context |= {entry: 0 for one in machine.collections for entry in one.entries}
    return {**context, "limit": limit}


def step(
    machine: Machine, state: str, name: str, context: Values, payload: Values
) -> tuple[str, Values] | None:
    """The state and context after an event, or None where it is refused."""
    for one in machine.pairs.get((state, name), ()):
        if one.guard is None or evaluate(one.guard, context, payload):
            after = {part.name: evaluate(part.value, context, payload) for part in one.assignments}
            return one.target, {**context, **after}
    return None


def breaks(old: Machine, new: Machine, seed: int) -> str:
    """A step of a random run of OLD that NEW takes otherwise, or `""`."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    limit = chance.randint(1, 6)
    state, context = old.initial, begin(old, limit)
    where, values = new.initial, begin(new, limit)
    for _ in range(60):
        name = chance.choice([one.name for one in old.events])
        payload: Values = {"cause": chance.choice(["none", "error", "timeout"]), "text": ""}
        taken = step(old, state, name, context, payload)
        if taken is None:
            continue
        again = step(new, where, name, values, payload)
        shared = set(taken[1]) & set(values)
        same = again is not None and again[0] == taken[0]
        if not same or any(taken[1][one] != again[1][one] for one in shared if again):
            return f"{state} {name}: {taken} {again}"
        (state, context), (where, values) = taken, again or taken
    return ""


@given(versions(), versions(), st.integers(0, 10**6))
@settings(max_examples=50 * SOAK, deadline=None)
def test_compatible_versions_replay(first: Data, second: Data, seed: int) -> None:
    """No run refutes the verdict; NEW gets what it lacks of OLD, so that many pairs are legal."""
    job = second["machines"]["job"]
    for key in ("states", "events", "context", "invariants"):
        job[key] |= first["machines"]["job"][key]
    pairs = {(str(row["from"]), row["on"]) for row in job["transitions"]}
    for row in first["machines"]["job"]["transitions"]:
        if (str(row["from"]), row["on"]) not in pairs:
            job["transitions"].append(row)
    old, new = compiled(first), compiled(second)
    told = compare(old, new)
    for before, after in zip(old.machines, new.machines, strict=True):
        lost = [one for effect in told.effects for one in effect.lost]
        event("lost" if lost else "legal")
        if before.name == "job" and not lost:
            assert not any(breaks(before, after, seed + run) for run in range(5))


def test_the_replay_can_fail() -> None:
    """A control: a version that loses an arc is caught by some run."""
    from tests.unit.compiler.diff.versions import BASE, edited

    def edit(job: Data) -> None:
        job["transitions"][1]["to"] = "paused"
        job["transitions"].append({"from": "work", "on": "resume", "to": "failed"})

    old, new = compiled(BASE).machines[1], compiled(edited(edit)).machines[1]
    assert any(breaks(old, new, seed) for seed in range(20))
    assert not any(breaks(old, old, seed) for seed in range(20))
