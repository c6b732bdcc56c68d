"""A comparison as people read it: the verdict first, then one line for each change."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from milepost_codegen.diff.report import (
        Change,
        Effect,
        LostArc,
        Question,
        Report,
        Unmet,
        Verdict,
    )
    from milepost_codegen.diff.witness import Outcome, StoredJob

__all__ = ["render_text"]

_MARKS: Final[Mapping[Verdict, str]] = {"compatible": " ", "migrated": "~", "breaking": "!"}
_WHY: Final[Mapping[str, str]] = {
    "removed": "is not allowed any more",
    "elsewhere": "leads elsewhere",
    "narrowed": "is allowed in fewer cases",
    "moved": "leads elsewhere in some cases",
    "values": "gives other values",
    "members": "sends other events",
    "changed": "may not be allowed as it was: that cannot be told",
}


def render_text(report: Report) -> str:
    """The report in lines; `!` marks what breaks stored jobs, `~` what a migration answers."""
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    versions = f"version {report.old_version} -> {report.new_version}"
    if not report.changes:
        yield f"{report.verdict}: {report.lifecycle}, {versions}: no change"
    else:
        count = len(report.changes)
        counted = f"{count} change{'' if count == 1 else 's'}"
        listed = [
            f"{report.count(verdict)} {verdict}"
            for verdict in ("breaking", "migrated", "compatible")
            if report.count(verdict)
        ]
        yield f"{report.verdict}: {report.lifecycle}, {versions}: {counted}, {', '.join(listed)}"
    for note in report.notes:
        yield f"note: {note}"
    for machine, changes in groupby(report.changes, key=lambda one: one.machine):
        yield ""
        yield f"machine {machine}" if machine else "the file"
        yield from _table(list(changes))
    for effect in report.effects:
        yield from _effect(effect)
    yield from _skeleton(report)


def _table(changes: Sequence[Change]) -> Iterator[str]:
    cells = [
        (f"{one.part} {one.name}", f"{one.aspect} {one.kind}".strip(), _detail(one), _where(one))
        for one in changes
    ]
    first = max(len(cell[0]) for cell in cells)
    second = max(len(cell[1]) for cell in cells)
    for one, (name, kind, detail, where) in zip(changes, cells, strict=True):
        line = f"  {_MARKS[one.verdict]} {name:<{first}}  {kind:<{second}}  {detail}".rstrip()
        yield f"{line}  ({where})" if where else line


def _detail(one: Change) -> str:
    because = one.because if one.verdict == "breaking" else ""
    return "; ".join(part for part in (one.text, because) if part)


def _where(one: Change) -> str:
    places = [f"{place.file}:{place.line}" for place in (one.old, one.new) if place]
    return " -> ".join(places)


def _effect(effect: Effect) -> Iterator[str]:
    if not (effect.stranded or effect.lost or effect.lacking or effect.unmet):
        return
    yield ""
    yield f"stored jobs, machine {effect.machine}"
    for one in effect.stranded:
        answer = f", goes to {one.target}" if one.target else ""
        yield f"  {_MARKS[one.verdict]} stranded in {one.state}{answer}"
    for lack in effect.lacking:
        yield f"  {_MARKS[lack.verdict]} no value that fits for {lack.part} {lack.name}"
    for claim in effect.unmet:
        yield f"  {_MARKS[claim.verdict]} {_unmet(claim)}"
        if claim.witness is not None:
            yield f"      {_job(claim.witness)}"
    for arc in effect.lost:
        yield f"  {_MARKS[arc.verdict]} {_arc(arc)}"
        if arc.witness is not None:
            yield f"      {_job(arc.witness)}: {_step(arc.witness)}"


def _arc(arc: LostArc) -> str:
    where = f"{arc.place.file}:{arc.place.line}"
    path = f"{arc.source} -> {arc.target} on {arc.event}"
    return f"history {path} ({', '.join(arc.ids)}) {_WHY[arc.why]}  ({where})"


def _unmet(claim: Unmet) -> str:
    what = "the condition on parameter" if claim.part == "parameter" else "invariant"
    if claim.witness is None:
        return f"{what} {claim.name}: whether stored jobs satisfy it cannot be told"
    return f"{what} {claim.name} refuses stored jobs"


def _job(job: StoredJob) -> str:
    """A stored job in words: where it is and what it holds."""
    held = ", ".join(f"{name}={_value(value)}" for name, value in job.context.items())
    return f"a job in {job.state}" + (f" with {held}" if held else "")


def _step(job: StoredJob) -> str:
    """What its event led to, and what it leads to now."""
    given = ", ".join(f"{name}={_value(value)}" for name, value in (job.payload or {}).items())
    event = f"{job.event}({given})" if given else job.event
    then = "" if job.then is None else _outcome(job.then)
    now = "it is refused" if job.now is None else f"it leads to {_outcome(job.now)}"
    since = ", ".join(f"{name}={_value(value)}" for name, value in job.since.items())
    return f"{event} led to {then}; now{f', with {since},' if since else ''} {now}"


def _outcome(outcome: Outcome) -> str:
    sets = [f"{name}={_value(value)}" for name, value in outcome.values.items()]
    sends = [f"{one}" for one in outcome.members]
    return " with ".join((outcome.state, *([", ".join((*sets, *sends))] if sets or sends else [])))


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _skeleton(report: Report) -> Iterator[str]:
    """The migration that is still to be written, as YAML to fill in."""
    open_ones = [one for effect in report.effects for one in effect.questions if not one.answer]
    if not open_ones:
        return
    yield ""
    yield "a migration must answer:"
    yield "  migrations:"
    yield f"    - from: {report.old_version}"
    for section in ("states", "context", "events"):
        asked = [one for one in open_ones if one.section == section]
        if asked:
            yield f"      {section}:"
        for machine, questions in groupby(asked, key=lambda one: one.machine):
            yield f"        {machine}: {{{', '.join(_asked(one) for one in questions)}}}"


def _asked(one: Question) -> str:
    return f"{one.name}: ?"
