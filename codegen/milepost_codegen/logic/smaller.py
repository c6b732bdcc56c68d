"""Models with smaller values: what people are shown should have nothing large in it by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions import evaluate
from milepost_codegen.expressions.tree import Number, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milepost_codegen.expressions import Expression
    from milepost_codegen.logic.clauses import Unknown

__all__ = ["holds", "smaller"]

_ROUNDS: Final = 4
_NEAR: Final = 16  # integers up to here are all tried
_MAX_TRIES: Final = 400


def holds(tree: Expression, model: Mapping[str, int | bool | str]) -> bool:
    """True if `tree` holds under the values of a model, which has fields as `event.NAME`."""
    payload = {
        key.removeprefix("event."): value
        for key, value in model.items()
        if key.startswith("event.")
    }
    return bool(evaluate(tree, model, payload))


def smaller(
    tree: Expression, model: Mapping[str, int | bool | str], unknowns: Mapping[str, Unknown]
) -> dict[str, int | bool | str]:
    """A model of `tree` in which no value can be replaced by a smaller one that is worth a try."""
    found = dict(model)
    numbers = sorted({abs(node.value) for node in walk(tree) if isinstance(node, Number)})
    tries = 0
    for _ in range(_ROUNDS):
        before = dict(found)
        for key, unknown in unknowns.items():
            for value in _below(found[key], unknown, numbers):
                tries += 1
                if tries > _MAX_TRIES:
                    return found
                if holds(tree, {**found, key: value}):
                    found[key] = value
                    break
        if found == before:
            break
    return found


def _below(
    value: int | bool | str,  # noqa: FBT001  # a value of the language
    unknown: Unknown,
    numbers: list[int],
) -> Iterator[int | bool | str]:
    """Values that are smaller, the smallest first."""
    if isinstance(value, str):
        yield from unknown.members[: unknown.members.index(value)]
    elif isinstance(value, bool):
        if value:
            yield False
    else:
        size = abs(value)
        near = {*range(min(size, _NEAR) + 1), *(n + d for n in numbers for d in (-1, 0, 1))}
        for candidate in sorted(one for one in near if 0 <= one <= size):
            for signed in (candidate, -candidate) if candidate else (0,):
                if signed == value:
                    return
                yield signed
