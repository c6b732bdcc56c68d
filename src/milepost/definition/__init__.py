"""A plain interpreter of lifecycle definitions: the file as text, one step at a time.

It shares no code with the compiler, with `milepost.machine` or with generated modules, so that what
they do can be held against it. It reads YAML, and needs the extra `compile` for that alone.
`source` is the file as data, `shape` says which keys it may have, `names` with `rows`, `roles` and
`earlier` what they may name, `usage` what nothing uses, `notation` what is written short.
`formulas` are expressions, which `parsing` reads part by part (`typed`); `machines` takes steps, by
`parts` that `building` makes; `reading` makes all of a file, `migrating` leads from an earlier
version. A file that the compiler refuses is refused here, but for what it would take a proof, a run
or the meaning of roles to see.
"""

from milepost.definition.machines import Machine
from milepost.definition.migrating import MachineMigration
from milepost.definition.parts import (
    NONE_ALLOWED,
    Allowed,
    BadParameter,
    Collection,
    Field,
    Invariant,
    Refused,
    Row,
    Taken,
    Tried,
    Variable,
)
from milepost.definition.problems import NotUnderstood
from milepost.definition.reading import Definition, Unreadable, definition_of, read_definition

__all__ = [
    "NONE_ALLOWED",
    "Allowed",
    "BadParameter",
    "Collection",
    "Definition",
    "Field",
    "Invariant",
    "Machine",
    "MachineMigration",
    "NotUnderstood",
    "Refused",
    "Row",
    "Taken",
    "Tried",
    "Unreadable",
    "Variable",
    "definition_of",
    "read_definition",
]
