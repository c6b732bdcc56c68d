"""Whether conditions can hold, decided without a solver and with bounded work.

`satisfy` finds values under which a condition holds, or shows that there are none; `implies` asks
whether one condition holds wherever another does. Conditions are those of the expression language:
truth values, enums, and linear arithmetic over integers without bounds, all of which is decided
exactly. What bounds the work is a count of steps, so that the answer is the same on every machine;
a question that needs more raises `Undecided`.
"""

from milepost_codegen.logic.satisfy import DEFAULT_WORK, implies, satisfy
from milepost_codegen.logic.substitution import substituted
from milepost_codegen.logic.work import Undecided, Work

__all__ = [
    "DEFAULT_WORK",
    "Undecided",
    "Work",
    "implies",
    "satisfy",
    "substituted",
]
