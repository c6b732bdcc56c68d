"""Roles: what the definition names, what follows from the rows, and that no step depends on it."""

from __future__ import annotations

import pytest

from milepost.lifecycles import mapreduce, mapreduce_v1
from milepost.machine import Lifecycle, frozen
from milepost.roles import NO_ROLES, EventField, Failure, Outcome, Phase, Recovery, Roles
from milepost_codegen.compiler import compile_definition

from .lifecycles import FINDINGS


def test_the_digests_of_the_built_in_lifecycle_are_those_of_stored_jobs() -> None:
    """Roles are no part of them: jobs stored before there were any are read as ever."""
    assert mapreduce.LIFECYCLE.digest == "a2d0a9848714ad613794d3889288c85e"
    assert mapreduce_v1.LIFECYCLE.digest == "ada39182b8924169f9c6dd368a8263f6"


def test_the_tables_hold_what_is_written_and_what_follows() -> None:
    """States follow from the rows of the events that are named."""
    assert Roles(
        waiting=("pending",),
        held=("running",),
        done=("done",),
        failed=("failed",),
        dead=("dead",),
        skipped=("skipped",),
        begin="start",
        release="release",
        lost="interrupt",
        crash=EventField("crash", "message"),
        retry="retry",
        give_up="give_up",
        requeue="requeue",
        skip="skip",
        attempts="attempts",
        max_attempts="max_attempts",
        suspect="suspect",
        crashes="crashes",
        max_crashes="max_crashes",
        result=EventField("succeed", "result"),
        failure=Failure("fail", "cause", "message", "error", "timeout", "executor_lost"),
    ) == (mapreduce.ITEM.roles)
    assert Roles(
        result=EventField("finish_reduce", "result"),
        failure=Failure("fail", "cause", "message", "error", "timeout", "executor_lost"),
        phases=(
            Phase("setup", "start_map"),
            Phase("map", "finish_map", ("items",)),
            Phase("reduce", "finish_reduce"),
        ),
        recover=Recovery("recover", "lost", "reason"),
        pause="pause",
        cancel="cancel",
        paused=("paused",),
        resume={"paused": "resume", "failed": "retry"},
        variables=(
            EventField("start_map", "variables"),
            EventField("set_variables", "variables"),
        ),
        set_variables=EventField("set_variables", "variables"),
        outcomes={
            "failed": Outcome.FAILED,
            "completed": Outcome.SUCCEEDED,
            "cancelled": Outcome.CANCELLED,
        },
    ) == (mapreduce.JOB.roles)
    assert mapreduce.JOB.roles.working == ("setup", "map", "reduce")


def test_an_upgrade_knows_the_roles_of_the_earlier_version() -> None:
    """By its own names: facts that it wrote are read by them."""
    upgrade = mapreduce.LIFECYCLE.upgrades[mapreduce_v1.LIFECYCLE.digest]
    assert upgrade.machines["item"].roles == mapreduce_v1.ITEM.roles
    assert upgrade.machines["job"].roles == mapreduce_v1.JOB.roles
    assert mapreduce_v1.ITEM.roles.crash is None
    assert mapreduce_v1.JOB.roles.recover == Recovery("recover", "", "reason")


def test_the_root_is_the_one_machine_that_no_collection_is_of() -> None:
    """With two of them, or with none, there is no root, and no collection."""
    whole = mapreduce.LIFECYCLE
    assert whole.root == "job"
    assert whole.collections is mapreduce.JOB.collections

    def lifecycle(**machines: object) -> Lifecycle:
        return Lifecycle(
            name="some", version=1, digest="", doc="", enums={}, machines=frozen(machines)
        )

    alone = lifecycle(item=mapreduce.ITEM)
    assert (alone.root, alone.collections) == ("item", {})
    assert alone.machines["item"].roles != NO_ROLES
    two = lifecycle(item=mapreduce.ITEM, job=mapreduce.JOB, order=mapreduce.ITEM)
    assert (two.root, two.collections) == ("", {})


@pytest.mark.parametrize(
    ("enum", "failure", "found"),
    [
        ("[error, timeout]", "fail", ("error", "timeout", "")),
        ("[lost, late, error]", "fail", ("error", "", "lost")),
        ("[broken]", "fail", ("broken", "", "")),
        ("[broken, late]", "fail", ("", "", "")),
        ("[a, b, c]", "{event: fail, causes: {error: b, timeout: c, lost: a}}", ("b", "c", "a")),
        ("[error, timeout]", "{event: fail, causes: {timeout: null}}", ("error", "", "")),
        ("[error, timeout]", "{event: fail, cause: null}", ("", "", "")),
    ],
)
def test_causes_are_those_written_or_those_of_the_names(
    enum: str, failure: str, found: tuple[str, str, str]
) -> None:
    """The only member of an enum is the cause of errors; null says that there is none."""
    text = (FINDINGS / "E205_roles.yaml").read_text(encoding="utf-8")
    edits = {
        "counts: trys": "counts: tries",
        "Cause: [error, timeout]": f"Cause: {enum}",
        "failure: fail": f"failure: {failure}",
    }
    for old, new in edits.items():
        assert old in text
        text = text.replace(old, new, 1)
    machines = compile_definition(text.encode(), "f.yaml").lifecycle.machines
    roles = next(m.roles for m in machines if m.name == "task")
    assert roles is not None
    failing = roles.roles.failure
    assert failing is not None
    assert (failing.error, failing.timeout, failing.lost) == found
