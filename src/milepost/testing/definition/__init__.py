"""A job of a definition as a plain value, which takes its members one by one.

It is what the real thing is compared with, so it shares no code with the compiler, with the tables
that are generated, or with what keeps jobs. `milepost.definition` reads the file and takes each
step; `steps` asks it as a store is asked, and `jobs` makes jobs and their members of that.
"""

from __future__ import annotations

from milepost.testing.definition.jobs import (
    Collection,
    Conflict,
    Definition,
    Event,
    Job,
    Member,
    Taken,
)
from milepost.testing.definition.steps import Invalid, Refused

__all__ = [
    "Collection",
    "Conflict",
    "Definition",
    "Event",
    "Invalid",
    "Job",
    "Member",
    "Refused",
    "Taken",
]
