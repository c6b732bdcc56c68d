"""`milepost traces`: what is covered, what is proved impossible, and what nobody knows."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from milepost_codegen.compiler import compile_definition
from milepost_codegen.tracing import traces_command

CORPUS: Final = Path(__file__).parents[2] / "prove" / "corpus"
MEMBERS: Final = CORPUS / "members_handed_back.yaml"
PARITY: Final = CORPUS / "row_dead_by_parity.yaml"
GUARDED: Final = """\
lifecycle: doors
version: 1
machines:
  door:
    initial: shut
    states: {shut: {}, open: {}, gone: {final: true}}
    context:
      turns: {type: int, initial: 0}
      most:  {type: int, param: true, where: "1 <= most", default: 3}
    events: {push: {payload: {force: {type: int}}}, pull: {}, burn: {}}
    transitions:
      - from: shut
        on: push
        to: open
        when: event.force > 10 and (turns < most or event.force > 100)
        partial: true
        set: {turns: turns + 1}
      - {from: open, on: pull, to: shut}
      - {from: [shut, open], on: burn, to: gone}
"""


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(traces_command, [str(arg) for arg in args])


def traces(path: Path, code: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is said of the lifecycle in a file, and its traces by key."""
    result = run(path, "--json")
    assert result.exit_code == code, result.output
    answer = json.loads(result.stdout)
    assert answer["schema"] == "milepost.traces/1"
    (lifecycle,) = answer["lifecycles"]
    return lifecycle, {one["key"]: one for one in lifecycle["traces"]}


def test_everything_of_an_owner_and_its_members_is_covered() -> None:
    lifecycle, found = traces(MEMBERS)
    nothing = {"impossible": 0, "unknown": 0}
    assert lifecycle["counts"] == {
        "row": {"covered": 5, **nothing},
        "pair": {"covered": 5, **nothing},
        "condition": {"covered": 2, **nothing},
    }
    compiled = compile_definition(MEMBERS.read_bytes(), "it").lifecycle
    assert all(one["shortest"] for one in found.values())
    rows = {f"{one.name}.row.{row.id}" for one in compiled.machines for row in one.transitions}
    assert rows == {key for key in found if ".row." in key}
    busy = found["job.condition.open.close.1.false"]
    assert busy["start"] == {"items[1].state": "pending"}
    (step,) = busy["steps"]
    assert (step["subject"], step["event"], step["state"]) == ("items[1]", "start", "open")
    assert step["changed"] == {"items[1].state": "running"}
    assert busy["asked"] == {"event": "close", "payload": {}, "takes": "", "alone": True}
    assert found["job.condition.open.close.1.true"]["asked"]["takes"] == "open.close"


def test_what_no_run_does_is_proved_impossible() -> None:
    dead = {"m.row.a.go", "m.pair.a.tick+a.go", "m.condition.a.go.1.true"}
    _, found = traces(PARITY)
    assert {key for key, one in found.items() if one["outcome"] == "impossible"} == dead
    assert all("steps" not in found[key] for key in dead)


def test_what_only_a_broken_invariant_allows_is_impossible() -> None:
    lifecycle, found = traces(CORPUS / "overlap_behind_broken_invariant.yaml")
    assert lifecycle["counts"]["pair"] == {"covered": 10, "impossible": 6, "unknown": 0}
    assert found["m.pair.a.first+a.second"]["outcome"] == "impossible"
    assert found["m.pair.a.first+a.clear"]["outcome"] == "covered"


def test_a_row_whose_event_nobody_lets_come() -> None:
    _, found = traces(CORPUS / "member_event_that_nobody_lets_come.yaml")
    assert {key for key, one in found.items() if one["outcome"] == "impossible"} == {
        "item.row.running.release",
        "item.pair.pending.start+running.release",
        "item.pair.running.release+pending.start",
    }


def test_without_the_solver_what_needs_it_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    path = CORPUS / "overlap_excluded_by_parameters.yaml"
    lifecycle, _ = traces(path)
    assert lifecycle["solver"] is True
    monkeypatch.setitem(sys.modules, "z3", None)
    lifecycle, found = traces(path, 3)
    assert lifecycle["solver"] is False
    assert found["m.row.a.go.1"]["outcome"] == "unknown"
    assert found["m.row.a.go.2"]["outcome"] == "covered"
    told = run(path)
    assert "unknown m.row.a.go.1" in told.stdout
    assert "pip install 'milepost[prove]'" in told.stderr


def test_a_row_that_can_be_taken_is_not_called_impossible(tmp_path: Path) -> None:
    """The same definition with an odd step: the negative control of the proof."""
    path = tmp_path / "odd.yaml"
    path.write_text(PARITY.read_text().replace("x + 2", "x + 7"))
    _, found = traces(path)
    assert {one["outcome"] for one in found.values()} == {"covered"}
    assert [one["event"] for one in found["m.row.a.go"]["steps"]] == ["tick", "go"]


def test_what_is_too_far_to_be_found_is_not_called_impossible(tmp_path: Path) -> None:
    """The counter is even before and after each step, which is no reason against a row."""
    path = tmp_path / "far.yaml"
    path.write_text(PARITY.read_text().replace("x == 7", "x == 100000"))
    _, found = traces(path, 3)
    unknown = {key for key, one in found.items() if one["outcome"] == "unknown"}
    assert unknown == {"m.row.a.go", "m.pair.a.tick+a.go", "m.condition.a.go.1.true"}
    assert "no run was found" in found["m.row.a.go"]["because"]


def test_a_row_is_not_taken_where_an_earlier_one_is(tmp_path: Path) -> None:
    """The overlap is too far for a compile to find; the generated code takes the first row."""
    path = tmp_path / "overlap.yaml"
    row = "      - {from: a, on: go, to: z, when: x == 7, partial: true}\n"
    rows = row.replace("x == 7, partial: true", "x >= 0") + row.replace("x == 7", "x == 100000")
    path.write_text(PARITY.read_text().replace(row, rows))
    _, found = traces(path, 3)  # whether its condition is ever true is not known
    assert found["m.row.a.go.1"]["outcome"] == "covered"
    assert found["m.row.a.go.2"]["outcome"] == "impossible"


def test_each_condition_decides_alone(tmp_path: Path) -> None:
    """Both values of each condition, with the others such that the guard says what it says."""
    path = tmp_path / "doors.yaml"
    path.write_text(GUARDED)
    _, found = traces(path)
    values = {
        1: lambda force, _turns, _most: force > 10,
        2: lambda _force, turns, most: turns < most,
        3: lambda force, _turns, _most: force > 100,
    }
    for number, holds in values.items():
        for value in (True, False):
            one = found[f"door.condition.shut.push.{number}.{str(value).lower()}"]
            force, most = one["asked"]["payload"]["force"], one["start"]["most"]
            turns = next(
                (step["changed"]["turns"] for step in one["steps"][::-1] if step["changed"]), 0
            )
            assert holds(force, turns, most) is value
            assert one["asked"]["alone"]
            assert one["asked"]["takes"] == ("shut.push" if value else "")


def test_the_text_has_the_counts_and_each_run() -> None:
    told = run(PARITY)
    assert told.exit_code == 0
    lines = told.stdout.splitlines()
    assert lines[:4] == [
        "traces of row_dead_by_parity, version 1",
        "  rows: 2 covered, 1 impossible, 0 unknown",
        "  pairs: 2 covered, 1 impossible, 0 unknown",
        "  conditions: 1 covered, 1 impossible, 0 unknown",
    ]
    at = lines.index("impossible m.row.a.go: 'go' leads from 'a' to 'z'")
    assert lines[at + 1] == "  it is proved that no run does"
    assert "    2  tick     -> a  x 2 -> 4" in lines


def test_the_same_bytes_each_time() -> None:
    assert run(MEMBERS, "--json").stdout == run(MEMBERS, "--json").stdout


def test_trouble(tmp_path: Path) -> None:
    absent = run(tmp_path / "absent.yaml")
    assert (absent.exit_code, absent.stdout) == (2, "")
    assert "absent.yaml" in absent.stderr
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(GUARDED.replace("initial: shut", "initial: shot"))
    told = run(wrong)
    assert told.exit_code == 2
    assert "shot" in told.stderr
    found = json.loads(run(wrong, "--json").stdout)
    assert found["findings"]
    assert found["lifecycles"] == []
    assert run("--sarif").exit_code == 2
