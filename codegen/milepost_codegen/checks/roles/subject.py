"""A machine and its roles as the checks ask about them: rows, ways, and places of findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_codegen.resolve.inference import Rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from milepost.roles import Roles
    from milepost_codegen.findings import Findings, Place
    from milepost_codegen.model import Machine, MachineRoles, Transition

__all__ = ["Subject", "listed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One machine with roles, all of which could be read."""

    machine: Machine
    found: MachineRoles
    rows: Rows
    findings: Findings

    @classmethod
    def of(cls, machine: Machine, found: MachineRoles, findings: Findings) -> Subject:
        """The subject that `machine` is."""
        return cls(machine=machine, found=found, rows=Rows(machine), findings=findings)

    @property
    def roles(self) -> Roles:
        """The roles, inferred ones too."""
        return self.found.roles

    @property
    def result(self) -> str:
        """The event of the result, or `""`."""
        return self.roles.result.event if self.roles.result else ""

    @property
    def failure(self) -> str:
        """The event of a failure, or `""`."""
        return self.roles.failure.event if self.roles.failure else ""

    @property
    def crash(self) -> str:
        """The event of a crash, or `""`."""
        return self.roles.crash.event if self.roles.crash else ""

    @property
    def defer(self) -> str:
        """The event of a deferral, or `""`."""
        return self.roles.defer.event if self.roles.defer else ""

    @property
    def note(self) -> str:
        """The event of a note, or `""`."""
        return self.roles.note.event if self.roles.note else ""

    @property
    def redo(self) -> str:
        """The event by which what is done waits again, or `""`."""
        return self.roles.redo.event if self.roles.redo else ""

    @property
    def allow_dead(self) -> str:
        """The event by which more dead members are allowed, or `""`."""
        return self.roles.allow_dead.event if self.roles.allow_dead else ""

    @property
    def recover(self) -> str:
        """The event of a recovery, or `""`."""
        return self.roles.recover.event if self.roles.recover else ""

    def written(self, role: str) -> bool:
        """True if the definition itself gives the states of `role`, or some of them."""
        inferred = self.found.inferred
        return role not in inferred and any(
            f"{role}.{state}" not in inferred for state in getattr(self.roles, role)
        )

    def of_pair(self, state: str, event: str) -> list[Transition]:
        """The rows of a pair; what is ignored has none."""
        return [one for one in self.machine.pairs.get((state, event), ()) if not one.ignored]

    def reach(
        self,
        start: Iterable[str],
        *,
        within: Iterable[str] | None = None,
        rows: Sequence[Transition] | None = None,
    ) -> set[str]:
        """The states that can be reached from `start`, itself included, through those `within`."""
        allowed = None if within is None else set(within)
        reached = {state for state in start if allowed is None or state in allowed}
        pending = list(reached)
        after: dict[str, set[str]] = {}
        for one in self.machine.transitions if rows is None else rows:
            after.setdefault(one.source, set()).add(one.target)
        while pending:
            for target in after.get(pending.pop(), ()):
                if target not in reached and (allowed is None or target in allowed):
                    reached.add(target)
                    pending.append(target)
        return reached

    def report(
        self, code: str, part: str, message: str, hint: str = "", *, key: bool = False
    ) -> None:
        """Report a finding at the value of `part`, with `key` at its key, or the nearest part."""
        places = self.found.keys if key else self.found.places
        place: Place | None = None
        while part and (place := places.get(part)) is None:
            part = part.rpartition(".")[0]
        self.findings.report(code, place or self.found.place, message, hint)


def listed(names: Iterable[str], *, word: str = "and") -> str:
    """The names in quotes, with a word before the last."""
    quoted = [f"'{name}'" for name in names]
    return " ".join(filter(None, (", ".join(quoted[:-1]), word if quoted[1:] else "", quoted[-1])))
