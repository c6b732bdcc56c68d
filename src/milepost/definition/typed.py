"""A part of an expression that was read: its value, its type, and what it is put together of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from milepost.definition.formulas import Worked

__all__ = ["Part", "decided", "made_of", "plain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of an expression, and which types it may have.

    It has several, and is not `certain`, as long as it is a member that stands in several enums:
    what stands beside it decides. `alone` is its type where nothing beside it has one: that of a
    member is its only enum, and empty if there are several. `text` is alike for parts that are.
    `truth` is the value of what is true, or false, whatever it reads.
    """

    value: Worked
    types: frozenset[str]
    alone: str
    text: str
    certain: bool = True
    reads: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    truth: bool | None = None
    size: int = 1
    depth: int = 1


def plain(value: Worked, kind: str, text: str) -> Part:
    """A part that has no others in it, and is of that type."""
    return Part(value=value, types=frozenset({kind}), alone=kind, text=text)


def made_of(value: Worked, kind: str, parts: Iterable[Part], *signs: str) -> Part:
    """What is made of `parts`, with `signs` before each of the last of them."""
    of = tuple(parts)
    first = len(of) - len(signs)
    told = [part.text for part in of[:first]]
    for sign, part in zip(signs, of[first:], strict=True):
        told += [sign, part.text]
    return Part(
        value=value,
        types=frozenset({kind}),
        alone=kind,
        text=f"({' '.join(told)})",
        reads=tuple(name for part in of for name in part.reads),
        conditions=tuple(dict.fromkeys(one for part in of for one in part.conditions)),
        size=1 + sum(part.size for part in of),
        depth=1 + max(part.depth for part in of),
    )


def decided(part: Part, truths: Iterable[bool | None], *, deciding: bool) -> Part:
    """`part`, which one of the `truths` decides by itself, or all of them together the other way.

    What is decided has no conditions.
    """
    found = tuple(truths)
    if deciding in found:
        return replace(part, truth=deciding, conditions=())
    if None not in found:
        return replace(part, truth=not deciding)
    return part
