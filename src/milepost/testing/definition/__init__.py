"""A plain interpreter of definitions: the file read as text, members taken one by one.

It is what the real thing is compared with, so it shares no code with the compiler, with the tables
that are generated, or with what keeps jobs. `milepost.definition` reads the file and says what is
wrong with it; rows, roles and jobs are made of that here, once more.
"""

from __future__ import annotations

from milepost.testing.definition.expressions import NotUnderstood
from milepost.testing.definition.jobs import (
    Collection,
    Conflict,
    Definition,
    Event,
    Job,
    Member,
    Taken,
)
from milepost.testing.definition.tables import Field, Invalid, Invariant, Refused, Row, Table

__all__ = [
    "Collection",
    "Conflict",
    "Definition",
    "Event",
    "Field",
    "Invalid",
    "Invariant",
    "Job",
    "Member",
    "NotUnderstood",
    "Refused",
    "Row",
    "Table",
    "Taken",
]
