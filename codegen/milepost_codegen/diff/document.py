"""A comparison as a JSON document, for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from milepost_codegen.diff.report import Change, Effect, LostArc, Report, Unmet
    from milepost_codegen.diff.witness import Outcome, StoredJob
    from milepost_codegen.findings import Place
    from milepost_codegen.model import Json

__all__ = ["SCHEMA", "document"]

SCHEMA: Final = "milepost.diff/1"


def document(report: Report) -> dict[str, Json]:
    """The report as plain data; `schema` names its form, to which keys are only ever added."""
    return {
        "schema": SCHEMA,
        "verdict": report.verdict,
        "lifecycle": report.lifecycle,
        "versions": {"old": report.old_version, "new": report.new_version},
        "counts": {
            "breaking": report.count("breaking"),
            "migrated": report.count("migrated"),
            "compatible": report.count("compatible"),
        },
        "changes": [_change(one) for one in report.changes],
        "effects": [_effect(one) for one in report.effects],
        "notes": list(report.notes),
    }


def _change(one: Change) -> Json:
    return {
        "part": one.part,
        "kind": one.kind,
        "machine": one.machine,
        "name": one.name,
        "aspect": one.aspect,
        "text": one.text,
        "verdict": one.verdict,
        "because": one.because,
        "old": _place(one.old),
        "new": _place(one.new),
    }


def _effect(one: Effect) -> Json:
    return {
        "machine": one.machine,
        "stranded": [asdict(part) for part in one.stranded],
        "lost": [_arc(part) for part in one.lost],
        "lacking": [asdict(part) for part in one.lacking],
        "questions": [asdict(part) for part in one.questions],
        "unmet": [_unmet(part) for part in one.unmet],
    }


def _arc(one: LostArc) -> Json:
    return {
        "source": one.source,
        "event": one.event,
        "target": one.target,
        "ids": list(one.ids),
        "why": one.why,
        "verdict": one.verdict,
        "because": one.because,
        "old": _place(one.place),
        "witness": _job(one.witness),
    }


def _unmet(one: Unmet) -> Json:
    return {
        "name": one.name,
        "part": one.part,
        "verdict": one.verdict,
        "witness": _job(one.witness),
    }


def _job(job: StoredJob | None) -> Json:
    if job is None:
        return None
    return {
        "state": job.state,
        "context": dict(job.context),
        "event": job.event,
        "payload": dict(job.payload or {}),
        "then": _outcome(job.then),
        "now": _outcome(job.now),
        "since": dict(job.since),
    }


def _outcome(outcome: Outcome | None) -> Json:
    if outcome is None:
        return None
    return {
        "state": outcome.state,
        "values": dict(outcome.values),
        "members": list(outcome.members),
    }


def _place(place: Place | None) -> Json:
    if place is None:
        return None
    return {"file": place.file, "line": place.line, "column": place.column}
