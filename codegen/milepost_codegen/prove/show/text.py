"""A report as people read it: the verdict, then what is refuted with its run, root causes first."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from milepost.text.escapes import columns, printable
from milepost_codegen.prove.show.words import (
    ADVICE,
    changes,
    counted,
    event_of,
    fault,
    free_entries,
    lemma_lines,
    shown_start,
    tally,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from milepost_codegen.prove.report import Report, Result
    from milepost_codegen.prove.system import Run

__all__ = ["render_text", "run_lines"]


def render_text(report: Report, lines: Sequence[str], *, verbose: bool = False) -> str:
    """The report in lines that are safe to show; `lines` are those of the definition's file.

    What is proved is listed only with `verbose`, with its method and its lemmas.
    """
    return "".join(f"{line}\n" for line in _lines(report, lines, verbose=verbose))


def _lines(report: Report, source: Sequence[str], *, verbose: bool) -> Iterator[str]:
    lifecycle = report.lifecycle
    by = f" ({report.solver})" if report.solver else " (without a solver)"
    heading = f"{report.verdict}: {lifecycle.name}, version {lifecycle.version}"
    yield printable(f"{heading}: {tally(report.results)}{by}")
    refuted = [one for one in report.results if one.verdict == "refuted"]
    roots = {one.obligation.key: one.root for one in refuted}
    for one in refuted:
        if one.root not in roots:
            yield ""
            yield from _refuted(report, one, source)
            below = [other for other in refuted if _top(other, roots) == one.obligation.key]
            yield from _following(below)
    for one in report.results:
        if one.verdict == "undetermined":
            yield ""
            yield from _undetermined(one, source)
    if verbose:
        yield from _proved([one for one in report.results if one.verdict == "proved"])
    else:
        yield from _lemmas(report)


def _refuted(report: Report, one: Result, source: Sequence[str]) -> Iterator[str]:
    yield from _heading(one, source)
    yield from _run(one)
    said = fault(report, one) or one.because
    if said:
        yield printable(f"  {said}")
    yield printable(f"hint: {ADVICE[one.obligation.kind]}")


def _undetermined(one: Result, source: Sequence[str]) -> Iterator[str]:
    yield from _heading(one, source)
    yield printable(f"  {one.because or 'nothing decided it'}")


def _heading(one: Result, source: Sequence[str]) -> Iterator[str]:
    """Place, verdict and key; the claim; the line of the file with a caret."""
    place = one.obligation.place
    at = f"{place.file}:{place.line}:{place.column}"
    yield printable(f"{at}: {one.verdict} {one.obligation.key}: {one.obligation.claim}")
    if 1 <= place.line <= len(source):
        line = source[place.line - 1].replace("\t", " ").rstrip()
        before = columns(printable(line[: place.column - 1]))
        past_the_end = max(0, place.column - 1 - len(line))
        yield f"  {printable(line)}"
        yield f"  {' ' * (before + past_the_end)}^"


def _run(one: Result) -> Iterator[str]:
    run = one.run
    if run is None:
        return
    length = counted(len(run.steps), "step")
    kind = "the shortest run that shows it" if one.shortest else "a run that shows it"
    yield f"  {kind}, {length}{', * on the cycle' if one.cycle is not None else ''}:"
    yield from run_lines(run, shown_start(run, free_entries(one)), cycle=one.cycle)


def run_lines(run: Run, start: str, *, cycle: int | None = None) -> Iterator[str]:
    """The run as a table: what happened, the state that it led to, what changed.

    `start` says what is there when it begins; steps after the first `cycle` have a mark.
    """
    rows = [("", "created", run.start.mode, start)]
    before = run.start
    for number, step in enumerate(run.steps, start=1):
        mark = "*" if cycle is not None and number > cycle else ""
        changed = changes(before, step.after)
        rows.append((f"{number}{mark}", event_of(step), step.after.mode, changed))
        before = step.after
    told = [tuple(printable(cell) for cell in row) for row in rows]
    widths = [max(columns(row[part]) for row in told) for part in range(3)]
    for row in told:
        count, event, state = (_padded(row[part], widths[part]) for part in range(3))
        yield f"    {count}  {event}  -> {state}  {row[3]}".rstrip()


def _padded(text: str, width: int) -> str:
    return text + " " * (width - columns(text))


def _top(one: Result, roots: Mapping[str, str]) -> str:
    """The first cause of what is refuted, `""` if it is one itself."""
    root = one.root if one.root in roots else ""
    seen = {root}
    while root and roots[root] in roots and roots[root] not in seen:
        root = roots[root]
        seen.add(root)
    return root


def _following(below: Sequence[Result]) -> Iterator[str]:
    """What would not be refuted but for a root cause, each on a line."""
    if below:
        yield "  follows from it:"
        for one in below:
            place = one.obligation.place
            told = f"{one.obligation.key} ({place.file}:{place.line}): {one.obligation.claim}"
            yield printable(f"    {told}")


def _lemmas(report: Report) -> Iterator[str]:
    """What was found to hold besides, as lines for the definition."""
    needed = any(one.lemmas for one in report.results if one.verdict == "proved")
    ordered = sorted(report.lemmas if needed else (), key=lambda one: one.machine)
    if ordered:
        yield ""
        yield "found to hold, and needed by proofs; the definition may say it:"
    for machine, lemmas in groupby(ordered, key=lambda one: one.machine):
        yield printable(f"  {machine}:")
        for line in lemma_lines(lemmas):
            yield printable(f"    {line}")


def _proved(proved: Sequence[Result]) -> Iterator[str]:
    if proved:
        yield ""
    for one in proved:
        how = f"by {one.method}"
        if one.method == "run" and one.run is not None:
            how += f" of {counted(len(one.run.steps), 'step')}"
        yield printable(f"proved {one.obligation.key}: {one.obligation.claim} ({how})")
        for line in lemma_lines(one.lemmas):
            yield printable(f"  needs {line}")
