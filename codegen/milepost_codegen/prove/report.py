"""What a check has to say: obligations with their verdicts, proofs, and runs that break them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.expressions import Expression
    from milepost_codegen.findings import Place
    from milepost_codegen.model import Lifecycle
    from milepost_codegen.prove.system import Run, System, Values

__all__ = ["RANK", "Asked", "Kind", "Lemma", "Method", "Obligation", "Report", "Result", "Verdict"]

Verdict: TypeAlias = Literal["proved", "refuted", "undetermined"]

Kind: TypeAlias = Literal[
    "parameters",  # some parameters satisfy every `where`
    "invariant",  # it holds at the start and after every step
    "deterministic",  # of the rows of a pair at most one is enabled
    "row",  # some run takes the row
    "guard",  # some run meets the guard where it says no
    "gap",  # the guards of a pair leave no case open
    "deadlock",  # something can happen in every state that is no end
    "members",  # no member refuses what its owner's row sends it
    "bounded",  # the measures of progress never fall below zero
    "progress",  # the measures of progress fall on every cycle
]

Method: TypeAlias = Literal[
    "induction",  # holds at the start, and every move keeps it, with the lemmas
    "run",  # the run shows it
    "none",  # nothing decided it
]

RANK: Final[Mapping[Verdict, int]] = {"refuted": 0, "undetermined": 1, "proved": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lemma:
    """What was found to hold in a state, and helps to prove more: text in the file's own syntax."""

    machine: str
    state: str
    holds: Expression
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """One thing to be proved.

    `key` is unique in the lifecycle and stable: `MACHINE.KIND.SUBJECT`. `subject` is what it is
    about: an invariant's name, a row's id, a state, or `STATE.EVENT`. `claim` is a sentence.
    """

    key: str
    kind: Kind
    machine: str
    subject: str
    claim: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An event that is asked for where a run ends, with the fields of its payload that are read."""

    event: str
    payload: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was found of one obligation.

    `run` is the shortest run that refutes it; of a row that is proved to be taken, the run that
    takes it. Of a refuted cycle, `cycle` is the index of the step at which it begins. `asked` is
    the event that shows the fault where the run ends: of an overlap the one that two rows take, of
    a gap the one that no row takes, of members the owner's that a member refuses. `shortest` is
    False where a shorter run was not excluded. `system` is what the run is of.
    `lemmas` are those that the proof needs. `because` says in a sentence what the run shows, why
    nothing was decided, or is `""`. `root` is the key of the refuted obligation without which
    this one would not be, or `""`.
    """

    obligation: Obligation
    verdict: Verdict
    method: Method
    because: str = ""
    run: Run | None = None
    cycle: int | None = None
    asked: Asked | None = None
    shortest: bool = True
    system: System | None = None
    lemmas: tuple[Lemma, ...] = ()
    root: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All results of one lifecycle: refuted ones first, root causes before what follows from them.

    `digest` is of the definition's meaning. `solver` is the name and version of the solver that
    was used, or `""`. `lemmas` are all that proofs rest on: with the invariants they hold at the
    start, and every move keeps them.
    """

    lifecycle: Lifecycle
    digest: str
    results: tuple[Result, ...]
    solver: str = ""
    lemmas: tuple[Lemma, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all."""
        verdicts: set[Verdict] = {one.verdict for one in self.results}
        return min(verdicts or {"proved"}, key=RANK.__getitem__)
