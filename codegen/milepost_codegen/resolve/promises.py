"""What a machine promises, as written to resolved: invariants, and the measures of progress."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from milepost_codegen.expressions import BOOL, INT
from milepost_codegen.model import Invariant, Progress
from milepost_codegen.resolve.outline import expand, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.definition import MachineFile
    from milepost_codegen.expressions import Expression, Scope
    from milepost_codegen.model import History
    from milepost_codegen.resolve.outline import Outline
    from milepost_codegen.resolve.reporter import Reporter

__all__ = ["promises", "unread_histories"]


def unread_histories(own: Outline, why: str) -> Mapping[str, str]:
    """The histories that a machine could have, each with the reason why it is not read."""
    return {f"history.{group.name}": why for group in own.groups}


def promises(
    machine: str,
    written: MachineFile,
    own: Outline,
    histories: Sequence[History],
    scope: Scope,
    reporter: Reporter,
) -> tuple[tuple[Invariant, ...], Progress | None]:
    """The invariants and the progress of a machine, which read its histories too.

    `scope` is that of its rows.
    """
    seen = _with_histories(scope, own, histories, reporter)
    return (
        _invariants(machine, written, own, seen, reporter),
        _progress(machine, written, own, seen, reporter),
    )


def _with_histories(
    scope: Scope, own: Outline, histories: Sequence[History], reporter: Reporter
) -> Scope:
    """The scope with the history of each group that some row leads back to."""
    entries = {history.entry: history.type for history in histories}
    others = [group.name for group in own.groups if f"history.{group.name}" not in entries]
    unread = {name for name in others if name in reporter.doubts.mentions}
    return replace(
        scope,
        entries={**scope.entries, **entries},
        broken=scope.broken | {f"history.{name}" for name in unread},
        hidden={
            f"history.{name}": f"is not remembered: no row leads to {{history: {name}}}"
            for name in others
        },
    )


def _invariants(
    machine: str, written: MachineFile, own: Outline, scope: Scope, reporter: Reporter
) -> tuple[Invariant, ...]:
    found: list[Invariant] = []
    for name, part in written.invariants.items():
        path = ("machines", machine, "invariants", name)
        states = None
        if part.states is not None:
            states = expand(part.states, own.state_sets, reporter, *path, "in")
        holds = reporter.expression(part.holds, BOOL, scope, *path, "holds")
        if holds is not None:
            found.append(
                Invariant(
                    name=name,
                    states=states,
                    holds=holds,
                    doc=one_line(part.doc),
                    place=reporter.source.key_at(*path),
                )
            )
    return tuple(found)


def _progress(
    machine: str, written: MachineFile, own: Outline, scope: Scope, reporter: Reporter
) -> Progress | None:
    part = written.progress
    if part is None:
        return None
    path = ("machines", machine, "progress")
    measures: list[Expression] = []
    for index, text in enumerate(part.decreases):
        tree = reporter.expression(text, INT, scope, *path, "decreases", index)
        if tree is not None:
            measures.append(tree)
    excepted = [
        reporter.lookup("event", event, own.event_names, reporter.source.at(*path, "except", index))
        for index, event in enumerate(part.excepted)
    ]
    return Progress(
        decreases=tuple(measures),
        excepted=tuple(event for event in excepted if event),
        place=reporter.source.key_at(*path),
    )
