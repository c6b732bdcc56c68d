"""Old jobs told in words of no tool, and the logs that are made of them.

A reader of another tool's files gives a `ToldJob`: its items with what is known of each, in order,
and what the job did beside. `history.log_of` makes a whole log of it, of facts that are legal
one after the other. Nothing is read from a disk or written to one. An `Importer` opens the folders
of one tool.
"""

from typing import TYPE_CHECKING

from milepost.lazy import loaded_when_used

if TYPE_CHECKING:
    from milepost.legacy.telling.attempts import ToldAttempt, moves_of
    from milepost.legacy.telling.door import Importer, OldHome
    from milepost.legacy.telling.history import items_of
    from milepost.legacy.telling.names import Named, names_of
    from milepost.legacy.telling.notes import Note, Notes
    from milepost.legacy.telling.values import Act, Move, ToldItem, ToldJob

__all__ = [
    "Act",
    "Importer",
    "Move",
    "Named",
    "Note",
    "Notes",
    "OldHome",
    "ToldAttempt",
    "ToldItem",
    "ToldJob",
    "items_of",
    "moves_of",
    "names_of",
]

__getattr__, __dir__ = loaded_when_used(
    __name__,
    {
        "Act": "milepost.legacy.telling.values",
        "Importer": "milepost.legacy.telling.door",
        "Move": "milepost.legacy.telling.values",
        "Named": "milepost.legacy.telling.names",
        "Note": "milepost.legacy.telling.notes",
        "Notes": "milepost.legacy.telling.notes",
        "OldHome": "milepost.legacy.telling.door",
        "ToldAttempt": "milepost.legacy.telling.attempts",
        "ToldItem": "milepost.legacy.telling.values",
        "ToldJob": "milepost.legacy.telling.values",
        "items_of": "milepost.legacy.telling.history",
        "moves_of": "milepost.legacy.telling.attempts",
        "names_of": "milepost.legacy.telling.names",
    },
)
