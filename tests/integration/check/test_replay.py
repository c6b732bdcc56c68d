"""Runs on the generated code: true ones are shown, what the code does not do never is."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from milepost_codegen.prove.replay import replayed
from milepost_codegen.prove.report import Asked, Kind, Result
from milepost_codegen.prove.show.snippet import snippet
from milepost_codegen.prove.system import Configuration, Run, RunStep
from milepost_codegen.python import emit_python
from tests.integration.check.making import orders, report_of

KINDS: tuple[Kind, ...] = ("invariant", "deterministic", "gap", "deadlock", "bounded", "progress")


def told(result: Result) -> Result:
    """What becomes of a result when its run is replayed."""
    (found,) = replayed(report_of(orders()[0], result)).results
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_the_code_takes_is_kept(kind: Kind) -> None:
    result = orders()[1][kind]
    assert told(result) == result


def other_value(run: Run) -> Run:
    *most, last = run.steps
    values = {**last.after.values, "tries": 77}
    return replace(run, steps=(*most, replace(last, after=replace(last.after, values=values))))


def other_state(run: Run) -> Run:
    *most, last = run.steps
    return replace(run, steps=(*most, replace(last, after=replace(last.after, mode="held"))))


def other_row(run: Run) -> Run:
    """The second row of a pair, where the code takes the first."""
    *most, last = run.steps
    assert last.move.transition is not None
    row = replace(last.move.transition, id="packed.another")
    return replace(run, steps=(*most, replace(last, move=replace(last.move, transition=row))))


def other_start(run: Run) -> Run:
    return replace(run, start=replace(run.start, values={**run.start.values, "limit": 0}))


def too_short(run: Run) -> Run:
    return replace(run, steps=run.steps[:-1])


def too_large(run: Run) -> Run:
    return replace(run, start=replace(run.start, values={**run.start.values, "limit": 2**65}))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (other_value, "tries is 2, and 77 in the run"),
        (other_state, "the code is in sent, and the run in held"),
        (other_row, "the code takes packed.send, and the run packed.another"),
        (other_start, "0 does not satisfy 1 <= limit"),
        (too_short, "few holds by the code"),
        (too_large, "beyond the 64 bits"),
    ],
)
def test_a_run_that_the_code_does_not_take_is_never_shown(change, why) -> None:  # type: ignore[no-untyped-def]
    result = orders()[1]["invariant"]
    assert result.run is not None
    found = told(replace(result, run=change(result.run)))
    assert (found.verdict, found.run) == ("undetermined", None)
    assert "a defect of milepost" in found.because
    assert why in found.because


def test_a_run_through_a_broken_invariant_shows_nothing_else() -> None:
    """The step that breaks it would be refused, so what comes after never happens."""
    found = orders()[1]
    longer = found["invariant"].run
    result = replace(found["deterministic"], run=longer, asked=Asked(event="hold", payload={}))
    assert told(result).verdict == "undetermined"


@pytest.mark.parametrize(
    ("kind", "change", "why"),
    [
        ("deterministic", {"asked": Asked(event="lose", payload={})}, "taken by sent.lose there"),
        ("gap", {"asked": Asked(event="wait", payload={})}, "the code takes packed.wait"),
        ("gap", {"asked": None}, "nobody says which event"),
        ("progress", {"cycle": 0}, "is no cycle"),
        ("progress", {"cycle": None}, "nobody says where the cycle begins"),
    ],
)
def test_a_fault_that_the_code_does_not_show_is_none(
    kind: Kind, change: dict[str, object], why: str
) -> None:
    result = orders()[1][kind]
    if change.get("cycle") == 0:
        assert result.run is not None
        change = {**change, "run": replace(result.run, steps=result.run.steps[:1])}
    found = told(replace(result, **change))  # type: ignore[arg-type]
    assert found.verdict == "undetermined"
    assert why in found.because


def test_a_state_in_which_something_can_happen_is_no_deadlock() -> None:
    result = orders()[1]["deadlock"]
    assert result.run is not None
    found = told(replace(result, run=replace(result.run, steps=result.run.steps[:1])))
    assert "the code takes sent.lose on 'lose'" in found.because


def test_a_measure_that_is_not_below_zero_is_fine() -> None:
    result = orders()[1]["bounded"]
    assert result.run is not None
    found = told(replace(result, run=replace(result.run, steps=())))
    assert "the measure is not below zero" in found.because


def test_a_row_is_taken_by_the_run_that_is_said_to_take_it() -> None:
    """What is proved by a run is replayed as well."""
    taken = orders()[1]["deadlock"]
    named = replace(
        taken.obligation, kind="row", subject="sent.hold.1", key="order.row.sent.hold.1"
    )
    proved = replace(taken, verdict="proved", obligation=named)
    assert told(proved) == proved
    other = replace(proved, obligation=replace(named, subject="sent.hold.2"))
    assert "does not end with sent.hold.2" in told(other).because


@pytest.mark.parametrize("kind", KINDS)
def test_a_snippet_runs_beside_the_generated_module(kind: Kind, tmp_path: Path) -> None:
    """It prints every step; with another run of the same kind its last assertion fails."""
    lifecycle, found = orders()
    (tmp_path / "orders.py").write_text(emit_python(lifecycle), encoding="utf-8")
    result = found[kind]
    assert result.run is not None

    def done(one: Result) -> subprocess.CompletedProcess[str]:
        program = tmp_path / "shows.py"
        program.write_text(snippet(report_of(lifecycle, one), one), encoding="utf-8")
        return subprocess.run(
            [sys.executable, program], capture_output=True, text=True, check=False
        )

    fine = done(result)
    assert (fine.returncode, fine.stderr) == (0, "")
    assert fine.stdout.count(" -> ") >= len(result.run.steps)
    fair = Configuration(mode="packed", values={"tries": 0, "limit": 3})
    move = next(step.move for step in found["deadlock"].run.steps if step.move.event == "send")  # type: ignore[union-attr]
    sent = Configuration(mode="sent", values={"tries": 1, "limit": 3})
    step = RunStep(move=move, payload={"number": 1}, after=sent)
    without = replace(
        result,
        run=Run(start=fair, steps=(step,)),
        asked=result.asked and Asked(event="lose", payload={}),
        cycle=0 if result.cycle is not None else None,
    )
    if kind != "progress":
        wrong = done(without)
        assert wrong.returncode == 1
        assert "AssertionError" in wrong.stderr
