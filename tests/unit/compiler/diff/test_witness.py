"""What breaks is shown by a stored job, which both versions really take otherwise."""

from __future__ import annotations

from typing import Any

from milepost_codegen.diff import compare
from milepost_codegen.diff.document import document
from milepost_codegen.diff.text import render_text
from milepost_codegen.model import Machine
from tests.prove.formulas import function_of
from tests.unit.compiler.diff.edits import edited_definitions
from tests.unit.compiler.diff.versions import BASE, Data, compiled, edited, found, report


def test_every_lost_arc_has_a_job_that_shows_it() -> None:
    """OLD takes the event to the arc's target; NEW, in the same context, does what is said."""
    shown = 0
    for pair in edited_definitions(100, seed=7):
        if pair.edit == "rename_variable":
            continue
        for effect, old, new in zip(
            compare(pair.old, pair.new).effects, pair.old.machines, pair.new.machines, strict=True
        ):
            for arc in effect.lost:
                job = arc.witness
                assert job is not None, arc
                context, payload = dict(job.context), dict(job.payload or {})
                row = _row(old, job.state, job.event, context, payload)
                assert job.then is not None
                assert row == job.then.state == arc.target
                now = _row(new, job.state, job.event, context, payload)
                assert now == (None if job.now is None else job.now.state)
                shown += 1
    assert shown > 12


def _row(machine: Machine, state: str, event: str, context: Any, payload: Any) -> str | None:
    for one in machine.pairs.get((state, event), ()):
        if one.guard is None or function_of(one.guard)(context, payload):
            return one.target
    return None


def test_the_text_and_the_document_have_it() -> None:
    def edit(job: Data) -> None:
        job["transitions"][1]["set"]["tries"] = "tries + 2"

    told = report(edit)
    assert "fail(cause=none) led to failed with tries=1, cause=none" in render_text(told)
    lost = [arc for effect in document(told)["effects"] for arc in effect["lost"]]  # type: ignore[union-attr, index, call-overload]
    (job,) = [arc["witness"] for arc in lost]  # type: ignore[index, call-overload]
    assert (job["then"]["values"]["tries"], job["now"]["values"]["tries"]) == (1, 2)  # type: ignore[index, call-overload]


def test_a_wider_invariant_is_compatible_and_a_stricter_one_is_not() -> None:
    def bound(text: str, *, other: str = "tries >= 0") -> Data:
        data = edited(lambda job: job["invariants"].update(bounded={"holds": other}))
        data["machines"]["job"]["invariants"]["few"] = {"holds": text}
        return data

    def told(old: str, new: str) -> str:
        return compare(compiled(bound(old)), compiled(bound(new))).verdict

    assert told("tries <= 5", "tries <= 6") == "compatible"
    assert told("tries <= 5", "tries < 6") == "compatible"
    assert told("tries <= 6", "tries <= 5") == "breaking"
    assert told("tries <= 6", "tries <= 6 and tries >= -3") == "compatible"


def test_an_invariant_that_every_old_step_keeps_is_compatible() -> None:
    """It is not implied by what OLD asks for, but every run has it."""
    claims = {"holds": "items.ended >= 0 and (cause == none or tries >= 1)"}
    told = report(lambda job: job["invariants"].update(more=claims))
    assert told.verdict == "compatible"
    wrong = report(lambda job: job["invariants"].update(more={"holds": "items.total <= 3"}))
    assert found(wrong)["more", "added"].verdict == "breaking"
    (claim,) = [one for effect in wrong.effects for one in effect.unmet]
    assert claim.witness is not None
    assert int(claim.witness.context["items.total"]) > 3


def test_the_base_breaks_nothing_of_itself() -> None:
    assert not any(one.unmet or one.lost for one in compare(compiled(BASE), compiled(BASE)).effects)
