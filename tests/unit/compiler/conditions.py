"""Random conditions as text: every form of the language, from flags to systems of equations."""

from __future__ import annotations

from random import Random

from milepost_codegen.expressions import BOOL, INT, Expression, Scope, Type, read_expression
from milepost_codegen.expressions.tree import GuardUse, Logic

COLOR = Type(name="Color", members=("red", "green", "blue"))
SHADE = Type(name="Shade", members=("red", "green", "blue"))
NUMBERS = ("x", "y", "z", "w", "event.n")
FLAGS = ("p", "q", "r", "event.b", "few")
_FEW = read_expression("0 <= x < 3", BOOL, Scope(entries={"x": INT}))
SCOPE = Scope(
    entries={
        **dict.fromkeys("xyzw", INT),
        **dict.fromkeys("pqr", BOOL),
        "c": COLOR,
        "d": COLOR,
        "s": SHADE,
    },
    guards={"few": GuardUse(name="few", body=_FEW)},
    enums=(COLOR, SHADE),
    fields={"n": INT, "b": BOOL, "c": COLOR},
)
_OF_ENUMS = (
    "c == red",
    "c != d",
    "d == event.c",
    "s == green",
    "(c if p else d) == blue",
    "c == d == event.c",
    "s != (red if q else blue)",
)
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


def read(text: str) -> Expression:
    """The tree of a condition."""
    return read_expression(text, BOOL, SCOPE)


def condition(chance: Random) -> Expression:
    """A condition of any form, of up to some hundred nodes."""
    depth = chance.choice((1, 2, 2, 3, 3))
    size = chance.choice((3, 10, 1000))
    parts = [read(_flag(chance, depth, size)) for _ in range(chance.choice((1, 2, 3, 4, 6)))]
    return Logic(operator="and", operands=tuple(parts))


def system(chance: Random) -> Expression:
    """A system of linear equations and inequalities."""
    names = NUMBERS[: chance.randint(1, 4)]
    size = chance.choice((2, 5, 12))
    parts: list[str] = []
    for _ in range(chance.randint(2, 6)):
        chosen = chance.sample(names, chance.randint(1, len(names)))
        total = " + ".join(f"{chance.randint(-size, size)} * {name}" for name in chosen)
        sign = chance.choice(_COMPARISONS)
        parts.append(f"{total} {sign} {chance.randint(-3 * size, 3 * size)}")
    return read(" and ".join(parts))


def _number(chance: Random, depth: int, size: int) -> str:
    kind = chance.random()
    if depth <= 0 or kind < 0.35:
        literals = (str(chance.randint(-size, size)), str(chance.randint(-9, 9)))
        return chance.choice((*NUMBERS, *literals))

    def part() -> str:
        return _number(chance, depth - 1, size)

    if kind < 0.6:
        return f"{part()} {chance.choice('+-')} ({part()})"
    if kind < 0.85:
        return f"{chance.choice((2, 3, 4, 5, 6, 7, -2, -3, -5, 11))} * ({part()})"
    if kind < 0.9:
        return f"-({part()})"
    return f"({part()} if ({_flag(chance, depth - 1, size)}) else {part()})"


def _flag(chance: Random, depth: int, size: int) -> str:
    kind = chance.random()
    if depth <= 0 or kind < 0.1:
        return chance.choice((*FLAGS, "true", "false"))

    def part() -> str:
        return f"({_flag(chance, depth - 1, size)})"

    if kind < 0.5:
        text = f"({_number(chance, depth - 1, size)})"
        for _ in range(chance.choice((1, 1, 1, 2))):
            text += f" {chance.choice(_COMPARISONS)} ({_number(chance, depth - 1, size)})"
        return f"({text})"
    if kind < 0.6:
        return chance.choice(_OF_ENUMS)
    if kind < 0.66:
        return f"{part()} {chance.choice(('==', '!='))} {part()}"
    if kind < 0.88:
        operator = chance.choice((" and ", " or "))
        return operator.join(part() for _ in range(chance.choice((2, 2, 3, 4))))
    if kind < 0.92:
        return f"not {part()}"
    if kind < 0.96:
        return f"{part()} implies {part()}"
    return f"{part()} if {part()} else {part()}"
