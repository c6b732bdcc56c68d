"""What a comparison found: changes, their effect on stored jobs, and what must be answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milepost_codegen.diff.witness import StoredJob
    from milepost_codegen.findings import Place

__all__ = [
    "Change",
    "Direction",
    "Effect",
    "Kind",
    "Lacking",
    "LostArc",
    "Part",
    "Question",
    "Report",
    "Section",
    "Stranded",
    "Unmet",
    "Verdict",
    "Why",
    "covered",
    "worst",
]

Verdict: TypeAlias = Literal["compatible", "migrated", "breaking"]
Direction: TypeAlias = Literal["same", "narrowed", "widened", "changed"]
Kind: TypeAlias = Literal[
    "added", "removed", "renamed", "moved", "narrowed", "widened", "changed", "unmatched"
]
Part: TypeAlias = Literal[
    "lifecycle",
    "enum",
    "machine",
    "state",
    "group",
    "variable",
    "parameter",
    "history",
    "event",
    "field",
    "guard",
    "collection",
    "accepts",
    "grows",
    "transition",
    "ignored",
    "invariant",
    "role",
]
Why: TypeAlias = Literal[
    "removed", "elsewhere", "narrowed", "moved", "values", "members", "changed"
]
Section: TypeAlias = Literal["states", "context", "events"]
_ORDER: Final[tuple[Verdict, ...]] = ("compatible", "migrated", "breaking")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change: of what, how, and whether stored jobs survive it.

    `name` is that of NEW, or of OLD for what is removed; for transitions the id. `aspect` is
    what of the part changed, or `""` for all of it. `because` says why the verdict is not
    `compatible`. `old` and `new` are the places in the two files.
    """

    part: Part
    kind: Kind
    machine: str
    name: str
    aspect: str = ""
    text: str = ""
    verdict: Verdict = "compatible"
    because: str = ""
    old: Place | None = None
    new: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranded:
    """A state that stored jobs may be in and that NEW does not have; `target` is the answer."""

    state: str
    target: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class LostArc:
    """An arc that recorded histories may hold and that NEW does not allow as OLD did.

    `ids` are OLD's transitions, all names are OLD's; `why` is how NEW treats it: `removed`,
    `elsewhere` (the pair has rows, but none to the target), `narrowed` (some cases are refused),
    `moved` (some cases lead elsewhere), `values` or `members` (other values are set, other events
    sent), or `changed` where it cannot be told. `witness` is a stored job that shows it.
    """

    source: str
    event: str
    target: str
    ids: tuple[str, ...]
    why: Why
    verdict: Verdict
    because: str
    place: Place
    witness: StoredJob | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    """A parameter's `where` or an invariant of NEW that stored jobs may not satisfy.

    `witness` is such a job; None where it could not be told whether there is one.
    """

    name: str
    part: Literal["parameter", "invariant"]
    verdict: Verdict
    witness: StoredJob | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """A parameter, variable or history of NEW for which stored jobs have no value that fits."""

    name: str
    part: Part
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a migration must say: for states and events by old name, for context by new name."""

    section: Section
    machine: str
    name: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What the changes do to what is stored of one machine."""

    machine: str
    stranded: tuple[Stranded, ...]
    lost: tuple[LostArc, ...]
    lacking: tuple[Lacking, ...]
    questions: tuple[Question, ...]
    unmet: tuple[Unmet, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole comparison; `changes` are in the order of the files, file-wide ones first."""

    lifecycle: str
    old_version: int
    new_version: int
    changes: tuple[Change, ...]
    effects: tuple[Effect, ...]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all verdicts."""
        found: list[Verdict] = [change.verdict for change in self.changes]
        for effect in self.effects:
            found.extend(one.verdict for one in effect.stranded)
            found.extend(one.verdict for one in effect.lost)
            found.extend(one.verdict for one in effect.lacking)
            found.extend(one.verdict for one in effect.unmet)
        return worst(found)

    def count(self, verdict: Verdict) -> int:
        """The number of changes with that verdict."""
        return sum(change.verdict == verdict for change in self.changes)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of `verdicts`; `compatible` if there are none."""
    found = frozenset(verdicts)
    for verdict in reversed(_ORDER):
        if verdict in found:
            return verdict
    return "compatible"


def covered(*, by_migration: bool) -> Verdict:
    """The verdict on what breaks stored jobs unless a migration answers for it."""
    return "migrated" if by_migration else "breaking"
