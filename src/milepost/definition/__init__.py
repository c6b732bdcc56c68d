"""A plain interpreter of lifecycle definitions: the file as text, one step at a time.

It shares no code with the compiler, with `milepost.machine` or with generated modules, so that what
they do can be held against it. It reads YAML, and needs the extra `compile` for that alone.
`formulas` are expressions, `machines` takes steps, `reading` makes both of a file, `migrating`
leads from an earlier version. A file that the compiler refuses may be read here: nothing is checked
but what a step needs.
"""

from milepost.definition.formulas import NotUnderstood
from milepost.definition.machines import (
    BadParameter,
    Collection,
    Field,
    Invariant,
    Machine,
    Refused,
    Taken,
    Tried,
    Variable,
)
from milepost.definition.migrating import MachineMigration
from milepost.definition.reading import Definition, Unreadable, definition_of, read_definition

__all__ = [
    "BadParameter",
    "Collection",
    "Definition",
    "Field",
    "Invariant",
    "Machine",
    "MachineMigration",
    "NotUnderstood",
    "Refused",
    "Taken",
    "Tried",
    "Unreadable",
    "Variable",
    "definition_of",
    "read_definition",
]
