"""The content of a picture of a machine: boxes, clusters and arrows, with all their texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from milepost.drawings.looks import Look, Meaning, look

__all__ = ["Arrow", "Box", "Cluster", "Drawing", "Exit", "Kind", "Label", "Members"]

Kind: TypeAlias = Literal["initial", "active", "final", "failed"]


class Label(NamedTuple):
    """An event with its guard, and the ids of the transitions that it stands for where it is.

    `roles` are those of the event.
    """

    text: str
    rows: tuple[str, ...]
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A state; `internal` has a label for each event that stays in it.

    `exits` are the events, with their guards, that lead to states to which no arrow is drawn,
    and `entries` the states from which none is drawn to this one. `roles` are said in words.
    """

    state: str
    doc: str
    kind: Kind
    meaning: Meaning
    roles: tuple[str, ...]
    final: bool
    internal: tuple[Label, ...]
    exits: tuple[Exit, ...]
    entries: tuple[str, ...]
    classes: tuple[str, ...]
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """The ways from a box to `target` that have no arrow: a label for each event and guard."""

    target: str
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """A collection that the machine owns, with the events that it accepts in each of its states.

    States that accept the same stand together. `grows` are the states in which members may be
    added, none where the tables do not tell.
    """

    name: str
    machine: str
    accepts: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    grows: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A group with the boxes that lie in no cluster within it."""

    group: str
    boxes: tuple[str, ...]
    clusters: tuple[Cluster, ...]

    @property
    def states(self) -> tuple[str, ...]:
        """All states within."""
        inner = (state for cluster in self.clusters for state in cluster.states)
        return (*self.boxes, *inner)

    @property
    def groups(self) -> tuple[str, ...]:
        """Its own group and all within."""
        return (self.group, *(group for cluster in self.clusters for group in cluster.groups))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """An arrow between states or clusters, with a label for each event and guard.

    `id` is no other element's. `classes` has a name `t-STATE-EVENT` for each pair that the arrow
    stands for; `details` says what its transitions assign and send, each on a line.
    """

    id: str
    source: str
    target: str
    labels: tuple[Label, ...]
    classes: tuple[str, ...]
    details: tuple[str, ...]
    remembered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A picture of one machine; `boxes` and `arrows` are in definition order."""

    machine: str
    doc: str
    initial: str
    boxes: tuple[Box, ...]
    clusters: tuple[Cluster, ...]
    arrows: tuple[Arrow, ...]
    members: tuple[Members, ...]

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels of all arrows and boxes."""
        found = [label for arrow in self.arrows for label in arrow.labels]
        for box in self.boxes:
            found += box.internal
            found += (label for one in box.exits for label in one.labels)
        return tuple(found)

    @property
    def signs(self) -> dict[Look, str]:
        """The looks of states that have a role, each with the role that is first met so."""
        found: dict[Look, str] = {}
        for box in self.boxes:
            if box.roles:
                found.setdefault(look(box.meaning), box.roles[0])
        return found
