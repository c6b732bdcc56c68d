"""A state and a plan in a notebook: the words of `show` and `plan`, as a small piece of HTML.

The piece has no colours, scripts or styles of a page: it takes the notebook's own, light or dark.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from milepost.inspect.advice import next_steps
from milepost.inspect.allowed import allowed, allowed_table
from milepost.inspect.checkpoint import checkpoint_line
from milepost.inspect.counts import counts_in, counts_of
from milepost.inspect.page import Block, Cell, Fields, Lines, Note, Page, Table
from milepost.inspect.plan import plan_page, plan_view
from milepost.inspect.standing import NO_EVENT, dead_line, far, newest_checkpoint, next_table
from milepost.inspect.states import phase_of
from milepost.inspect.words import stamp
from milepost.job.dead_limit import dead_allowed
from milepost.job.state import JobState
from milepost.state.recovery import RecoveryPlan
from milepost.text.escapes import encodable, printable
from milepost.text.wording import bounded

__all__ = ["page_html", "plan_html", "state_html"]

_MOST_CELL: Final = 300
_KEYS: Final = 5
_CELL: Final = "text-align:left;vertical-align:top;padding:.1em .8em .1em 0"
_NUMBER: Final = "text-align:right;vertical-align:top;padding:.1em .8em .1em 0"


def state_html(state: JobState) -> str:
    """A job as of one commit: where it is, how far, what it takes, and what comes next.

    Nothing is read from the store. Cost: O(cells), and the guards of its phase.
    """
    phase = phase_of(state)
    return page_html(
        f"job {state.id}: {phase}",
        (
            Fields(entries=tuple(_about(state))),
            next_table(tuple(next_steps(state, dead_allowed(state)))),
            allowed_table(phase, tuple(allowed(state))),
        ),
    )


def plan_html(plan: RecoveryPlan) -> str:
    """A recovery plan with the first keys of each part. Cost: O(cells)."""
    title = f"plan for {plan.job_id} at seq {plan.seq}"
    return page_html(title, plan_page(plan_view(plan, keys=_KEYS)))


def page_html(title: str, page: Page) -> str:
    """`page` as HTML under its `title`, every text escaped, long cells cut."""
    inner = "".join(map(_block, page))
    told = _text(title)
    return f'<section aria-label="{told}"><p><strong>{told}</strong></p>{inner}</section>'


def _about(state: JobState) -> Iterator[tuple[str, Cell]]:
    yield "job", state.id
    yield "phase", phase_of(state)
    if doc := state.machine.state_specs[state.phase].doc:
        yield "", doc
    ledgers = state.ledgers
    if len(ledgers) == 1:
        yield from far("", counts_of(state))
    elif ledgers:
        for name, ledger in ledgers.items():
            yield from far(f"{name} ", counts_in(ledger))
    if state.progress.dead:
        yield "dead", dead_line(counts_of(state), dead_allowed(state))
    yield "lease", "nobody holds it" if state.owner is None else state.owner
    yield "fence", str(state.fence)
    newest = None if state.checkpoint is None else checkpoint_line(state.checkpoint)
    yield "checkpoint", newest_checkpoint(newest, state.seq)
    yield "created", stamp(state.created_at)
    yield "updated", f"{stamp(state.updated_at)}, seq {state.seq}"
    if len(ledgers) == 1:
        yield "items take", ", ".join(state.accepted) or NO_EVENT
    elif ledgers:
        for name in ledgers:
            yield f"{name} take", ", ".join(state.accepted_of(name)) or NO_EVENT


def _block(block: Block) -> str:
    match block:
        case Note():
            return f"<p>{_text(block.text)}</p>"
        case Lines():
            lines = "\n".join(map(_text, block.lines))
            return f"{_heading(block.title)}<pre>{lines}</pre>" if lines else ""
        case Fields():
            rows = [
                f'<tr><th scope="row" style="{_CELL}">{_text(name)}</th>'
                f'<td style="{_CELL}">{_text(cell)}</td></tr>'
                for name, cell in block.entries
            ]
            return _table(block.title, rows)
        case Table():
            return _rows(block)


def _rows(table: Table) -> str:
    if not table.rows:
        return f"<p>{_text(table.empty)}</p>" if table.empty else ""
    styles = [_NUMBER if column.numeric else _CELL for column in table.columns]
    names = zip(table.columns, styles, strict=True)
    head = "".join(
        f'<th scope="col" style="{style}">{_text(column.name)}</th>' for column, style in names
    )
    rows = [
        "".join(
            f'<td style="{style}">{_text(cell)}</td>'
            for cell, style in zip(row, styles, strict=True)
        )
        for row in table.rows
    ]
    return _table(table.title, [f"<tr>{row}</tr>" for row in (head, *rows)])


def _table(title: str, rows: list[str]) -> str:
    caption = f'<caption style="{_CELL}">{_text(title)}</caption>' if title else ""
    return f"<table>{caption}{''.join(rows)}</table>" if rows else ""


def _heading(title: str) -> str:
    return f"<p>{_text(title)}</p>" if title else ""


def _text(text: str) -> str:
    return escape(encodable(printable(bounded(text, _MOST_CELL)), "utf-8"))
