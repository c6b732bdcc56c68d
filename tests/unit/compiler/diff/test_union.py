"""Two versions laid over each other: every row of both is there, with its status."""

import pytest

from milepost_codegen.drawings.diff import emit_diff
from milepost_codegen.drawings.union import Union, unions
from tests.unit.compiler.diff.versions import BASE, Data, Edit, compiled, edited


def union_of(*edits: Edit) -> Union:
    pair = compiled(BASE), compiled(edited(*edits))
    assert emit_diff(*pair).isascii()
    return next(one for one in unions(*pair) if one.name == "job")


def rows(union: Union, status: str) -> set[str]:
    layers = dict(union.layers)
    return {f"{one.source} {one.event} {one.target}" for one in layers[status].transitions}  # type: ignore[index]


def test_the_same_twice_is_unchanged() -> None:
    union = union_of()
    assert set(union.states.values()) == {"unchanged"}
    assert not rows(union, "added") | rows(union, "removed") | rows(union, "changed")
    (_, job) = compiled(BASE).machines
    assert len(union.layers["unchanged"].transitions) == len(job.transitions)


def test_a_moved_row_is_drawn_twice() -> None:
    """Red where it led, amber where it leads; the rest of the old picture is kept."""

    def edit(job: Data) -> None:
        job["transitions"][6]["to"] = "failed"
        job["initial"] = "work"
        job["transitions"].append({"from": "work", "on": "begin", "to": "setup"})

    union = union_of(edit)
    assert rows(union, "changed") == {"work finish failed"}
    assert rows(union, "removed") == {"work finish done"}
    assert rows(union, "added") == {"work begin setup"}
    assert (union.initial, union.old_initial) == ("work", "setup")


def test_a_name_that_went_to_another_state_is_kept_apart() -> None:
    """What is gone and what took its name are two boxes."""

    def edit(job: Data) -> None:
        job["states"] = {
            "setup": {},
            "paused": {"was": "work"},
            "failed": {"perpetual": True},
            "done": {"final": True},
        }
        job["groups"]["active"] = ["setup", "paused"]
        job["collections"]["items"]["accepts"] = {"paused": ["take", "end"]}
        for row in job["transitions"]:
            for key in ("from", "to"):
                row[key] = "paused" if row[key] == "work" else row[key]
        job["transitions"][4:6] = [{"from": "setup", "on": "pause", "to": "done"}]
        job["ignored"] = [{"in": "done", "on": ["resume"]}]
        del job["groups"]

    union = union_of(edit)
    assert union.states["paused"] == "changed"
    assert union.notes["paused"] == "was work"
    assert union.states["paused_old"] == "removed"
    assert "paused pause paused_old" in rows(union, "removed")


@pytest.mark.parametrize("gone", ["item", "job"])
def test_machines_that_only_one_version_has(gone: str) -> None:
    """They are drawn whole, all green or all red."""
    only = "job" if gone == "item" else "item"
    machine = {**BASE["machines"][only]}
    if only == "job":
        machine.pop("collections")
        machine["transitions"] = [
            {**row, "when": "tries == 0"} if row["on"] == "finish" else row
            for row in machine["transitions"]
        ]
        less = {**BASE, "machines": {"job": machine}}
    else:
        less = {key: value for key, value in BASE.items() if key != "enums"}
        less["machines"] = {"item": machine}
    statuses = {
        one.name: set(one.states.values()) for one in unions(compiled(BASE), compiled(less))
    }
    assert statuses[gone] == {"removed"}
    statuses = {
        one.name: set(one.states.values()) for one in unions(compiled(less), compiled(BASE))
    }
    assert statuses[gone] == {"added"}
