"""A report as a JSON document, for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_codegen.prove.show.words import changes, event_of, fault, lemma_lines

if TYPE_CHECKING:
    from milepost_codegen.findings import Place
    from milepost_codegen.model import Json
    from milepost_codegen.prove.report import Lemma, Report, Result, Verdict
    from milepost_codegen.prove.system import Configuration, Run, Values

__all__ = ["SCHEMA", "document", "document_of_run"]

SCHEMA: Final = "milepost.check/1"
_VERDICTS: Final[tuple[Verdict, ...]] = ("proved", "refuted", "undetermined")


def document(report: Report) -> dict[str, Json]:
    """The report as plain data; within one version of the schema keys are only ever added."""
    lifecycle = report.lifecycle
    return {
        "lifecycle": lifecycle.name,
        "version": lifecycle.version,
        "digest": report.digest,
        "solver": report.solver,
        "verdict": report.verdict,
        "counts": {
            verdict: sum(one.verdict == verdict for one in report.results) for verdict in _VERDICTS
        },
        "results": [_result(report, one) for one in report.results],
    }


def _result(report: Report, one: Result) -> Json:
    about = one.obligation
    return {
        "key": about.key,
        "kind": about.kind,
        "machine": about.machine,
        "subject": about.subject,
        "claim": about.claim,
        "place": _place(about.place),
        "verdict": one.verdict,
        "method": one.method,
        "because": one.because,
        "shows": fault(report, one),
        "root": one.root,
        "run": None if one.run is None else document_of_run(one.run),
        "shortest": one.shortest if one.run is not None else None,
        "cycle": one.cycle,
        "asked": None
        if one.asked is None
        else {"event": one.asked.event, "payload": _values(one.asked.payload)},
        "lemmas": [_lemma(lemma) for lemma in one.lemmas],
    }


def document_of_run(run: Run) -> dict[str, Json]:
    """A run: where it starts, and for each step the event, its payload, and where it leads."""
    steps: list[Json] = []
    before = run.start
    for step in run.steps:
        steps.append(
            {
                "move": step.move.name,
                "event": step.move.event,
                "subject": step.move.subject,
                "transition": "" if step.move.transition is None else step.move.transition.id,
                "payload": _values(step.payload),
                "state": step.after.mode,
                "changed": _values(
                    {
                        name: value
                        for name, value in step.after.values.items()
                        if before.values[name] != value
                    }
                ),
                "text": " ".join(
                    part
                    for part in (
                        event_of(step),
                        f"-> {step.after.mode}",
                        changes(before, step.after),
                    )
                    if part
                ),
            }
        )
        before = step.after
    return {"start": _configuration(run.start), "steps": steps, "length": len(steps)}


def _configuration(at: Configuration) -> Json:
    return {"state": at.mode, "values": _values(at.values)}


def _values(values: Values) -> Json:
    return dict(values)


def _lemma(lemma: Lemma) -> Json:
    return {
        "machine": lemma.machine,
        "state": lemma.state,
        "holds": lemma.text,
        "line": lemma_lines((lemma,))[0],
    }


def _place(place: Place) -> Json:
    return {"file": place.file, "line": place.line, "column": place.column}
