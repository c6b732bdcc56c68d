"""What the prover says of a lifecycle, held against what every run shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from milepost_codegen.prove.report import Report, Result
from milepost_codegen.prove.system import Value
from tests.prove.brute import Finding

__all__ = ["Difference", "differences"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where they do not agree: `missed` is what the prover did not see, else it sees too much."""

    key: str
    missed: bool
    what: str


def differences(
    report: Report, found: dict[str, Finding], numbers: tuple[int, ...]
) -> Iterator[Difference]:
    """Every obligation of which prover and runs do not say the same.

    What the runs refute is refuted. What they do not refute may still be, by a run with numbers
    or steps that were not tried: such a run has to say so itself, or the difference is told.
    """
    results = {one.obligation.key: one for one in report.results}
    for key in found.keys() - results.keys():
        yield Difference(key=key, missed=True, what="the prover has no such obligation")
    for key in results.keys() - found.keys():
        yield Difference(key=key, missed=False, what="there is no such obligation")
    for key in sorted(found.keys() & results.keys()):
        truth, said = found[key], results[key]
        if said.verdict == "undetermined":
            continue
        kind = said.obligation.kind
        refuted = said.verdict == "refuted"
        if kind in ("row", "guard", "parameters"):
            # Runs show that it can be; that it cannot be is certain only as far as they went.
            if refuted and not truth.refuted:
                yield Difference(key=key, missed=False, what="refuted, but a run shows it")
            sampled = kind == "guard"  # by a few numbers: with others it may say no
            if (
                not refuted
                and truth.refuted
                and truth.certain
                and not (sampled or beyond(said, numbers))
            ):
                yield Difference(key=key, missed=True, what="proved, but no run shows it")
            continue
        if truth.refuted and not refuted:
            yield Difference(key=key, missed=True, what=f"proved, but refuted in {truth.length}")
        elif refuted and not truth.refuted and truth.certain and not beyond(said, numbers):
            yield Difference(key=key, missed=False, what="refuted, but no run shows it")
        elif refuted and truth.refuted:
            yield from lengths(said, truth, numbers)


def lengths(said: Result, truth: Finding, numbers: tuple[int, ...]) -> Iterator[Difference]:
    """The shortest run is as long as the shortest of all; a shorter one has numbers beyond."""
    assert said.run is not None
    assert truth.length is not None
    key, length = said.obligation.key, len(said.run.steps)
    if length > truth.length and said.shortest:
        what = f"{length} steps said to be fewest, but {truth.length} are enough"
        yield Difference(key=key, missed=True, what=what)
    if length < truth.length and truth.certain and not beyond(said, numbers):
        what = f"{length} steps, but no run of fewer than {truth.length} shows it"
        yield Difference(key=key, missed=False, what=what)


def beyond(said: Result, numbers: tuple[int, ...]) -> bool:
    """True if the run uses numbers or members that were not tried."""
    if said.run is None:
        return False
    values: list[Value] = [*said.run.start.values.values()]
    for step in said.run.steps:
        values += step.payload.values()
    if said.asked is not None:
        values += said.asked.payload.values()
    ints = [one for one in values if isinstance(one, int) and not isinstance(one, bool)]
    return any(one not in numbers for one in ints)
