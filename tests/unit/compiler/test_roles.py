"""Roles: what the definition names, what follows from the rows, and that no step depends on it."""

from __future__ import annotations

import itertools
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from milepost.lifecycles import mapreduce, mapreduce_v1, mapreduce_v2
from milepost.machine import Lifecycle, frozen
from milepost.roles import (
    NO_ROLES,
    Allowance,
    Deferral,
    EventField,
    Failure,
    Note,
    Outcome,
    Phase,
    Recovery,
    Redo,
    Roles,
)
from milepost_codegen.cli import compile_command
from milepost_codegen.compiler import compile_definition
from milepost_codegen.diff import compare
from milepost_codegen.findings import DefinitionError, Findings
from milepost_codegen.model import Lifecycle as Model
from milepost_codegen.model import Machine
from milepost_codegen.source import read_source

from .lifecycles import FINDINGS, ROOT

SOURCE = Path(__file__).with_name("roles_example.yaml")
EXAMPLE = SOURCE.read_text(encoding="utf-8")


def test_the_digests_of_the_built_in_lifecycle_are_those_of_stored_jobs() -> None:
    """Roles are no part of them: jobs stored before there were any are read as ever."""
    assert mapreduce.LIFECYCLE.digest == "f59dcd051fba807567b9165374089757"
    assert mapreduce_v2.LIFECYCLE.digest == "a2d0a9848714ad613794d3889288c85e"
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
        stored=EventField("succeed", "stored"),
        failure=Failure(
            "fail",
            "cause",
            "message",
            "error",
            "timeout",
            "executor_lost",
            "kind",
            "details",
            "permanent",
        ),
        defer=Deferral("defer", "until", "everyone", "message", "deferred"),
        note=Note("note", "note", "noted"),
        redo=Redo("redo", "redone", "reason"),
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
        reopen="reopen",
        allow_dead=Allowance("allow_dead", "more", "reason"),
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
    for earlier in (mapreduce_v1, mapreduce_v2):
        upgrade = mapreduce.LIFECYCLE.upgrades[earlier.LIFECYCLE.digest]
        assert upgrade.verdict == "migrated"
        assert upgrade.machines["item"].roles == earlier.ITEM.roles
        assert upgrade.machines["job"].roles == earlier.JOB.roles
    assert mapreduce_v2.ITEM.roles.redo is None
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


LEGAL: dict[str, dict[str, str]] = {
    name: dict(edits)
    for name, edits in yaml.safe_load(
        SOURCE.with_name("roles_legal.yaml").read_text(encoding="utf-8")
    ).items()
}


def edited(edits: Mapping[str, str]) -> str:
    text = EXAMPLE
    for old, new in edits.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("name", LEGAL)
def test_what_is_unusual_and_right_is_no_finding(name: str) -> None:
    """Findings and warnings about roles are never false."""
    assert compile_definition(edited(LEGAL[name]).encode(), "f.yaml").warnings == ()


def findings(text: str) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        compile_definition(text.encode(), "f.yaml")
    return [one.code for one in caught.value.findings]


def test_a_misspelt_role_has_no_consequences() -> None:
    """Neither where the name that is meant is near, nor where it is not."""
    for name in ("begn", "nonsense"):
        assert findings(edited({"begin: begin\n      result": f"begin: {name}\n      result"})) == [
            "E202"
        ]
    for name in ("opn", "nonsense"):
        roles = {"      attempts: {counts": f"      waiting: [{name}]\n      attempts: {{counts"}
        assert findings(edited(roles)) == ["E203"]


def test_a_misspelt_row_has_no_consequences_for_roles() -> None:
    """A row that is left out may be the one that a role needs."""
    assert findings(edited({"on: lose, to: open": "on: lose, to: nowhere"})) == ["E203"]
    assert findings(edited({"on: take, to: work": "on: take, to: nowhere"})) == ["E203"]


@pytest.mark.parametrize(
    "path", [ROOT / "statemachine.yaml", ROOT / "lifecycles" / "mapreduce-1.yaml", SOURCE],
    ids=lambda path: path.stem,
)  # fmt: skip
def test_what_compile_shows_may_stand_in_the_definition(path: Path) -> None:
    """The same roles come of it, and nothing is left to infer."""
    shown = CliRunner().invoke(compile_command, [str(path), "--roles"])
    assert (shown.exit_code, shown.stderr) == (0, "")
    told = read(shown.stdout)["machines"]
    whole = read(path.read_text(encoding="utf-8"))
    for name, machine in told.items():
        assert list(machine) == ["roles"]
        whole["machines"][name]["roles"] = machine["roles"]
    before = compile_definition(path.read_bytes(), "f.yaml").lifecycle
    after = compile_definition(json.dumps(whole).encode(), "f.yaml")
    assert after.warnings == ()
    for was, now in zip(before.machines, after.lifecycle.machines, strict=True):
        assert was.roles is not None
        assert now.roles is not None
        assert was.roles.roles == now.roles.roles
        assert was.roles.inferred
        assert now.roles.inferred <= {"set_variables"}  # which no key can say


def read(text: str) -> Any:
    source = read_source(text.encode(), "f.yaml", Findings())
    assert source is not None
    return source.data


def test_compile_shows_roles_and_writes_nothing(tmp_path: Path) -> None:
    """As YAML that tells what is inferred, what a phase works and which state has no role."""
    path = tmp_path / "small.yaml"
    path.write_text(edited(LEGAL["members that wait for another event first"]).replace(
        "      waiting: [new, open]\n", ""), encoding="utf-8")  # fmt: skip
    shown = CliRunner().invoke(compile_command, [str(path), "--roles"])
    assert "      waiting: [open]  # inferred\n" in shown.stdout
    assert "      result: end.total  # inferred: field\n" in shown.stdout
    assert "      # work works tasks\n" in shown.stdout
    assert "      # states without a role: new\n" in shown.stdout
    assert list(tmp_path.iterdir()) == [path]
    answer = CliRunner().invoke(compile_command, [str(path), "--roles", "--json"])
    said = json.loads(answer.stdout)
    assert (said["schema"], said["findings"]) == ("milepost.compile/1", [])
    assert {
        "lifecycle": "small",
        "version": 1,
        "machine": "batch",
        "role": "result",
        "value": "end.total",
        "inferred": ["field"],
    } in said["roles"]
    path.write_text(EXAMPLE.replace("begin: begin\n", "begin: begn\n"), encoding="utf-8")
    wrong = CliRunner().invoke(compile_command, [str(path), "--roles"])
    assert wrong.exit_code == 1
    assert "E202 unknown event 'begn'" in wrong.stderr


def test_compile_tells_how_many_roles_there_are(tmp_path: Path) -> None:
    """One line for each machine, after the files that it wrote."""
    done = CliRunner().invoke(compile_command, [str(SOURCE), "--out", str(tmp_path)])
    assert done.stderr.endswith(
        "small.task: 13 roles, 5 inferred (milepost compile --roles)\n"
        "small.batch: 9 roles, 2 inferred (milepost compile --roles)\n"
    )


def test_a_changed_role_is_told_and_breaks_no_stored_job() -> None:
    """Added, removed and changed; what only follows a renaming is no change."""
    new = edited(
        {
            "      lost: lose\n": "      lost: lose\n      skip: drop\n      done: [closed]\n",
            "why: {type: str}": "why: {type: str, default: none}",
            "recover: take": "recover: {event: take, lost: died, reason: null}",
            "      cancel: stop\n": "",
        }
    )
    old = EXAMPLE.replace("why: {type: str}", "why: {type: str, default: none}")
    report = compare(compiled(old), compiled(new))
    assert report.verdict == "compatible"
    assert [(one.part, one.kind, one.machine, one.name, one.text) for one in report.changes] == [
        ("role", "added", "task", "skip", "drop"),
        (
            *("role", "changed", "batch", "recover"),
            "{event: take, lost: died, reason: why} -> {event: take, lost: died, reason: null}",
        ),
        ("role", "removed", "batch", "cancel", "stop"),
        (
            *("role", "changed", "batch", "outcomes"),
            "{done: succeeded, stopped: cancelled} -> {done: succeeded}",
        ),
    ]
    assert all(one.verdict == "compatible" for one in report.changes)
    assert [one.new.line for one in report.changes if one.new] == [35, 62, 60]
    renamed = EXAMPLE.replace("busy", "held_up").replace("held_up: {}", "held_up: {was: busy}")
    told = compare(compiled(EXAMPLE), compiled(renamed))
    assert {one.part for one in told.changes} == {"state"}


def compiled(text: str) -> Model:
    return compile_definition(text.encode(), "f.yaml").lifecycle


def test_the_example_of_the_reference_is_as_it_says() -> None:
    """It compiles without a warning, and its comments are true."""
    page = (ROOT / "docs" / "reference" / "language.md").read_text(encoding="utf-8")
    text = page.split("\n## Roles\n")[1].split("```yaml\n")[1].split("```")[0]
    found = compile_definition(text.encode(), "orders.yaml")
    assert found.warnings == ()
    roles = [machine.roles.roles for machine in found.lifecycle.machines if machine.roles]
    assert roles == [
        Roles(
            waiting=("listed",),
            held=("in_hand",),
            done=("packed",),
            failed=("missing",),
            skipped=("struck",),
            begin="pick",
            lost="put_back",
            retry="look_again",
            skip="strike",
            result=EventField("pack", "place"),
            failure=Failure("miss", "trouble", "note"),
        ),
        Roles(
            phases=(Phase("collecting", "all_collected", ("lines",)), Phase("sealing", "send")),
            recover=Recovery("take_over"),
            cancel="drop",
            result=EventField("send", "parcel"),
            outcomes={"sent": Outcome.SUCCEEDED, "dropped": Outcome.CANCELLED},
        ),
    ]


PAIRS = {
    "members": (
        "begin",
        "result",
        "failure",
        "release",
        "lost",
        "retry",
        "give_up",
        "requeue",
        "skip",
    ),
    "owners": ("result", "failure", "recover", "pause", "cancel"),
}
TOGETHER = {
    frozenset(pair)
    for pair in (
        ("release", "lost"),
        ("failure", "lost"),
        ("retry", "requeue"),
        ("give_up", "skip"),
    )
}


@pytest.mark.parametrize("whose", PAIRS)
def test_an_event_has_one_role_unless_the_state_tells_which(whose: str) -> None:
    """Every two roles of an event, in both orders."""
    task, owner, _ = EXAMPLE.split("    roles:\n")
    batch = owner.split("  batch:\n")[1]
    event = "end" if whose == "owners" else "finish"
    for one, other in itertools.permutations(PAIRS[whose], 2):
        both = f"    roles: {{{one}: {event}, {other}: {event}}}\n"
        of_task, of_batch = (both, "") if whose == "members" else ("", both)
        text = f"{task}{of_task}  batch:\n{batch}{of_batch}"
        said = said_of(text)
        contradict = any(code == "E703" and "is the event of" in message for code, message in said)
        assert contradict != (frozenset((one, other)) in TOGETHER), (one, other, said)


def said_of(text: str) -> list[tuple[str, str]]:
    try:
        compile_definition(text.encode(), "f.yaml")
    except DefinitionError as problem:
        return [(one.code, one.message) for one in problem.findings]
    return []


def mutants() -> Iterator[tuple[str, str]]:
    """The example with one row led to another state of its machine, or left out."""
    states = {"task": ("open", "busy", "failed", "dead", "closed")}
    states["batch"] = ("setup", "work", "halted", "done", "stopped")
    machine = ""
    lines = EXAMPLE.splitlines(keepends=True)
    for index, line in enumerate(lines):
        named = re.match(r"  (\w+):$", line)
        machine = named[1] if named else machine
        row = re.match(r"      - \{from: .* to: (\w+)[,}]", line)
        if row is None:
            continue
        for state in states[machine]:
            if state != row[1]:
                changed = line.replace(f"to: {row[1]}", f"to: {state}", 1)
                yield (
                    f"{line.strip()} -> {state}",
                    "".join([*lines[:index], changed, *lines[index + 1 :]]),
                )
        yield f"{line.strip()} left out", "".join([*lines[:index], *lines[index + 1 :]])


def test_what_compiles_bears_its_roles() -> None:
    """Of all rows led elsewhere, those that compile still do what their roles say.

    This asks the runs of the machines and not the checks: how members and owners can go on.
    """
    compiled_ones = 0
    codes: set[str] = set()
    for name, text in mutants():
        try:
            lifecycle = compiled(text)
        except DefinitionError as problem:
            codes |= {one.code for one in problem.findings}
            continue
        compiled_ones += 1
        task, batch = lifecycle.machines
        member, owner = ways(task), ways(batch)
        assert ends(member, "busy"), name
        assert member["busy", "lose"], name
        assert "busy" not in member["busy", "lose"], name
        assert "open" in member["failed", "retry"], name
        assert "open" in member["dead", "revive"], name
        for phase, event in (("setup", "prepare"), ("work", "end")):
            assert any(to != phase for to in owner[phase, event]), name
        assert owner["work", "take"] == ["work"], name
        assert owner["work", "halt"] not in (["setup"], ["work"], ["done"]), name
        assert any(to not in ("halted", "done", "stopped") for to in owner["halted", "go_on"]), name
    assert compiled_ones > 5
    assert {"E703", "E706", "E707"} <= codes


def ways(machine: Machine) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in machine.transitions:
        found[row.source, row.event].append(row.target)
    return found


def ends(member: Mapping[tuple[str, str], list[str]], state: str) -> bool:
    return any(to != state for event in ("finish", "fail", "lose") for to in member[state, event])
