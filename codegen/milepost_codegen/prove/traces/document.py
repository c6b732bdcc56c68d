"""Traces as a JSON document, for programs and for tests that are kept in a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from milepost_codegen.prove.traces.coverage import KINDS, OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milepost_codegen.model import Json
    from milepost_codegen.prove.system import Configuration, Run
    from milepost_codegen.prove.traces.coverage import Coverage
    from milepost_codegen.prove.traces.search import Trace

__all__ = ["SCHEMA", "laid_out"]

SCHEMA: Final = "milepost.traces/1"


def laid_out(coverages: Sequence[Coverage], findings: Sequence[Json]) -> str:
    """The document as text, with each trace on a line of its own, so that changes can be read.

    It does not say which version of a solver was asked: what was found is the same with each.
    """
    return "".join(f"{line}\n" for line in _lines(coverages, findings))


def _lines(coverages: Sequence[Coverage], findings: Sequence[Json]) -> Iterator[str]:
    yield f'{{"schema": {_text(SCHEMA)},'
    yield f'"findings": {_text(list(findings))},'
    yield '"lifecycles": ['
    for index, one in enumerate(coverages):
        traces = [_trace(name, each) for name, found in one.traces.items() for each in found]
        about = _text(_about(one))
        yield f'{about[:-1]}, "traces": ['
        for number, trace in enumerate(traces, start=1):
            yield _text(trace) + ("," if number < len(traces) else "")
        yield "]}" + ("," if index + 1 < len(coverages) else "")
    yield "]}"


def _text(value: Json) -> str:
    """JSON that is ASCII, and DEL, which `json` leaves as it is, an escape too."""
    return json.dumps(value).replace("\x7f", "\\u007f")


def _about(one: Coverage) -> dict[str, Json]:
    return {
        "lifecycle": one.lifecycle.name,
        "version": one.lifecycle.version,
        "digest": one.digest,
        "solver": one.solved,
        "counts": {
            kind: {outcome: one.count(kind, outcome) for outcome in OUTCOMES} for kind in KINDS
        },
    }


def _trace(machine: str, one: Trace) -> dict[str, Json]:
    goal = one.goal
    found: dict[str, Json] = {
        "key": goal.key,
        "machine": machine,
        "kind": goal.kind,
        "about": goal.about,
        "row": goal.row,
        "first": goal.first,
        "outcome": one.outcome,
        "because": one.because,
    }
    if one.run is not None:
        found["start"] = {name: one.run.start.values[name] for name in one.free}
        found["steps"] = _steps(one.run)
        found["shortest"] = one.shortest
        if goal.kind == "condition":
            asked: dict[str, Json] = {
                "event": goal.danger.event,
                "payload": dict(one.payload),
                "takes": one.takes,
                "alone": one.alone,
            }
            found["asked"] = asked
    return found


def _steps(run: Run) -> list[Json]:
    found: list[Json] = []
    before: Configuration = run.start
    for step in run.steps:
        was, now = before.values, step.after.values
        found.append(
            {
                "subject": step.move.subject,
                "event": step.move.event,
                "payload": dict(step.payload),
                "row": "" if step.move.transition is None else step.move.transition.id,
                "state": step.after.mode,
                "changed": {name: value for name, value in now.items() if was[name] != value},
            }
        )
        before = step.after
    return found
