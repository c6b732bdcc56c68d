"""The check of a whole lifecycle: each machine's obligations, members before their owners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.digest import digest_of_meaning
from milepost_codegen.expressions import to_text
from milepost_codegen.prove.build import machine_named
from milepost_codegen.prove.decider import decider
from milepost_codegen.prove.report import RANK, Lemma, Report
from milepost_codegen.prove.roots import rooted
from milepost_codegen.prove.verdicts import MachineCheck

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milepost_codegen.model import Lifecycle, Machine
    from milepost_codegen.prove.judge import Judge
    from milepost_codegen.prove.report import Result

__all__ = ["check_lifecycle"]


def check_lifecycle(lifecycle: Lifecycle, *, solver: bool = True) -> Report:
    """Every obligation of `lifecycle` with its verdict.

    Without z3, or where `solver` is False, less is decided: what is refuted then is, and what
    would need a proof for all runs is undetermined.
    """
    decides = decider(solver=solver)
    judges: dict[str, Judge] = {}
    results: list[Result] = []
    for machine in _members_first(lifecycle):
        one = MachineCheck(lifecycle, machine, decides, judges)
        judges[machine.name] = one.judge
        results += one.results()
    order = {machine.name: index for index, machine in enumerate(lifecycle.machines)}
    results.sort(key=lambda one: order[one.obligation.machine])  # stable: each in its own order
    found = rooted(lifecycle, results)
    found.sort(key=lambda one: (RANK[one.verdict], bool(one.root)))
    return Report(
        lifecycle=lifecycle,
        digest=digest_of_meaning(lifecycle),
        results=tuple(found),
        solver=decides.name,
        lemmas=tuple(_lemmas(lifecycle, judges)),
    )


def _lemmas(lifecycle: Lifecycle, judges: Mapping[str, Judge]) -> Iterator[Lemma]:
    """All lemmas that were found, machine by machine."""
    for machine in lifecycle.machines:
        for state, found in judges[machine.name].lemmas.items():
            for holds in found:
                text = to_text(holds)
                yield Lemma(machine=machine.name, state=state, holds=holds, text=text)


def _members_first(lifecycle: Lifecycle) -> list[Machine]:
    done: list[Machine] = []

    def add(machine: Machine) -> None:
        for collection in machine.collections:
            add(machine_named(lifecycle, collection.machine))
        if machine not in done:
            done.append(machine)

    for machine in lifecycle.machines:
        add(machine)
    return done
