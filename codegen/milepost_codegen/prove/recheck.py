"""A certificate checked without searching: digests fit, proofs are asked again, runs replayed.

Every proof is one induction: the lemmas hold at the start, every move keeps them, and what holds
in a state excludes each danger there. Each of these is one question, whoever found the lemmas.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from milepost_codegen.certificate import misfit
from milepost_codegen.model import machine_named
from milepost_codegen.prove.asking import Asking
from milepost_codegen.prove.build import build
from milepost_codegen.prove.certify import code_digests
from milepost_codegen.prove.decider import Undecided, decider
from milepost_codegen.prove.members import one_by_one
from milepost_codegen.prove.replay import Deviation, generated, replay
from milepost_codegen.prove.report import RANK, Asked, Result
from milepost_codegen.prove.retake import Unreadable, condition_of, run_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost.machine import Lifecycle as Tables
    from milepost_codegen.certificate import Certificate, Proved
    from milepost_codegen.expressions import Expression
    from milepost_codegen.model import Json, Lifecycle, Machine
    from milepost_codegen.prove.decider import Decider
    from milepost_codegen.prove.report import Obligation, Verdict
    from milepost_codegen.prove.system import System

__all__ = ["Recheck", "recheck"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """What is left of a certificate.

    `misfits` say why it is not of this definition, or not whole. `confirmed` are the keys whose
    verdicts were found again, by verdict; `lost` those that were not, each with the reason; `open`
    those of which nobody could say.
    """

    lifecycle: str
    version: int
    misfits: tuple[str, ...] = ()
    confirmed: Mapping[Verdict, tuple[str, ...]] = field(default_factory=dict)
    lost: tuple[tuple[str, str], ...] = ()
    open: tuple[tuple[str, str], ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Proved only if the certificate proves everything, and all of that was confirmed."""
        if self.misfits or self.lost or self.confirmed.get("refuted"):
            return "refuted"
        return "undetermined" if self.open or self.confirmed.get("undetermined") else "proved"

    def document(self) -> dict[str, Json]:
        """All of it as plain data."""
        return {
            "lifecycle": self.lifecycle,
            "version": self.version,
            "verdict": self.verdict,
            "misfits": list(self.misfits),
            "confirmed": {verdict: list(self.confirmed.get(verdict, ())) for verdict in RANK},
            "lost": [{"key": key, "because": why} for key, why in self.lost],
            "open": [{"key": key, "because": why} for key, why in self.open],
        }


def recheck(certificate: Certificate, lifecycle: Lifecycle, *, solver: bool = True) -> Recheck:
    """What of `certificate` holds of `lifecycle`, as its verdicts say.

    Cost: one question for each lemma and move, and for each danger; no search.
    """
    misfits = _misfits(certificate, lifecycle)
    if misfits:
        return Recheck(lifecycle=lifecycle.name, version=lifecycle.version, misfits=misfits)
    with generated(lifecycle) as tables:
        work = _Work(certificate, lifecycle, tables, decider(solver=solver))
        for machine in lifecycle.machines:
            work.machine(machine)
    given = [one.key for one in certificate.obligations]
    whole = [f"it says nothing of {key}" for key in work.expected if key not in given]
    known = set(work.expected)
    whole += [f"it tells of {key}, which is no obligation" for key in given if key not in known]
    whole += [f"it tells of {key} twice" for key in sorted(set(given)) if given.count(key) > 1]
    return Recheck(
        lifecycle=lifecycle.name,
        version=lifecycle.version,
        misfits=tuple(whole),
        confirmed={verdict: tuple(keys) for verdict, keys in work.confirmed.items()},
        lost=tuple(work.lost),
        open=tuple(work.open),
    )


def _misfits(certificate: Certificate, lifecycle: Lifecycle) -> tuple[str, ...]:
    """Why the certificate is not of this definition, or not of the code that it generates."""
    told = misfit(certificate, lifecycle)
    if told:
        return (f"it {told}",)
    return tuple(
        f"{name} is generated otherwise now" if name in certificate.code else f"it has no {name}"
        for name, digest in code_digests(lifecycle).items()
        if certificate.code.get(name) != digest
    )


class _Work:
    """The questions of one certificate, machine by machine, members before their owners."""

    def __init__(
        self, certificate: Certificate, lifecycle: Lifecycle, tables: Tables, decides: Decider
    ) -> None:
        self.lifecycle = lifecycle
        self.tables = tables
        self.decides = decides
        self.given = {one.key: one for one in certificate.obligations}
        self.lemmas = certificate.lemmas
        self.asked: dict[str, Asking] = {}
        self.expected: list[str] = []
        self.confirmed: dict[Verdict, list[str]] = defaultdict(list)
        self.lost: list[tuple[str, str]] = []
        self.open: list[tuple[str, str]] = []

    def machine(self, machine: Machine) -> None:
        """Ask again all that the certificate says of a machine, and of its members before."""
        if machine.name in self.asked:
            return
        for collection in machine.collections:
            self.machine(machine_named(self.lifecycle, collection.machine))
        asking = Asking(self.lifecycle, machine, self.decides, self.asked)
        self.asked[machine.name] = asking
        try:
            kept = asking.take(self._conditions(machine))
            problem = "" if kept else "the lemmas do not hold, or not after every move"
        except (Unreadable, Undecided) as error:
            problem = str(error)
        for obligation in asking.obligations():
            self.expected.append(obligation.key)
            if obligation.key in self.given:
                self._one(asking, obligation, self.given[obligation.key], problem)

    def _conditions(self, machine: Machine) -> dict[str, tuple[Expression, ...]]:
        """The lemmas of a machine, by state. Raises Unreadable."""
        found: dict[str, list[Expression]] = defaultdict(list)
        for one in self.lemmas:
            if one.machine == machine.name:
                found[one.state].append(condition_of(self.lifecycle, machine, one.holds))
        unknown = [state for state in found if state not in {one.name for one in machine.states}]
        if unknown:
            raise Unreadable(f"{machine.name} has no state '{unknown[0]}'")
        return {state: tuple(trees) for state, trees in found.items()}

    def _one(self, asking: Asking, about: Obligation, given: Proved, problem: str) -> None:
        key = about.key
        if given.verdict not in RANK:
            self.lost.append((key, f"'{given.verdict}' is no verdict"))
            return
        if given.verdict == "undetermined":
            self.confirmed["undetermined"].append(key)
            return
        try:
            if "run" in given.more:
                self._retake(asking.machine, about, given)
                why = ""
            elif problem:
                why = problem
            else:
                shown = asking.proved(key) if given.verdict == "proved" else asking.refuted(key)
                why = "" if shown else "what is known does not show it"
        except Undecided as error:
            self.open.append((key, str(error)))
            return
        except (Deviation, Unreadable) as error:
            why = str(error)
        if why:
            self.lost.append((key, why))
        else:
            verdict: Verdict = "proved" if given.verdict == "proved" else "refuted"
            self.confirmed[verdict].append(key)

    def _retake(self, machine: Machine, about: Obligation, given: Proved) -> None:
        """Take the run of an obligation again, on the generated code. Raises Deviation."""
        told: dict[str, Any] = dict(given.more)  # Any: JSON
        if given.verdict == "proved" and about.kind != "row":
            raise Unreadable("a run proves nothing but that a row is taken")
        system = self._system(machine, told["run"])
        run = run_of(system, told["run"])
        asked = told.get("asked")
        try:
            shown = None if asked is None else Asked(event=asked["event"], payload=asked["payload"])
        except (KeyError, TypeError) as problem:
            raise Unreadable("nobody says which event shows it") from problem
        replay(
            self.lifecycle,
            self.tables,
            Result(
                obligation=about,
                verdict="proved" if given.verdict == "proved" else "refuted",
                method="run",
                run=run,
                cycle=told.get("cycle"),
                asked=shown,
                system=system,
            ),
        )

    def _system(self, machine: Machine, document: object) -> System:
        """The system that a run is of: with as many members as it names one by one."""
        if not machine.collections:
            return build(self.lifecycle, machine)
        start = document.get("start") if isinstance(document, dict) else None
        names = start if isinstance(start, dict) else {}
        found = max(
            sum(name.startswith(f"{one.name}[") and name.endswith("].state") for name in names)
            for one in machine.collections
        )
        one = one_by_one(self.lifecycle, machine, found) if found else None
        if one is None:
            raise Unreadable("the run does not tell members one by one")
        return one.system
