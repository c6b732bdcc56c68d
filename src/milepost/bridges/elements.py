"""A tree of XML elements and its text: the same bytes for the same tree, always well-formed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias
from xml.sax.saxutils import quoteattr

from milepost.text.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Comment", "Element", "to_text"]


@dataclass(frozen=True, slots=True)
class Comment:
    """A remark for readers."""

    text: str


@dataclass(frozen=True, slots=True)
class Element:
    """An element; attributes without a value are left out, the others keep their order."""

    name: str
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    children: Sequence[Node] = ()


Node: TypeAlias = Element | Comment


def to_text(root: Element) -> str:
    """The document of `root`, a line for each element, ending in a line end."""
    return "\n".join(('<?xml version="1.0" encoding="UTF-8"?>', *_lines(root, ""), ""))


def _lines(node: Node, indent: str) -> Iterator[str]:
    if isinstance(node, Comment):
        yield f"{indent}<!-- {_harmless(node.text)} -->"
        return
    given = ((name, value) for name, value in node.attributes.items() if value is not None)
    tag = " ".join((node.name, *(f"{name}={quoteattr(printable(value))}" for name, value in given)))
    if not node.children:
        yield f"{indent}<{tag}/>"
        return
    yield f"{indent}<{tag}>"
    for child in node.children:
        yield from _lines(child, f"{indent}  ")
    yield f"{indent}</{node.name}>"


def _harmless(text: str) -> str:
    """`text` with no two hyphens in a row, which would end a comment."""
    joined = printable(" ".join(text.split()))
    while "--" in joined:
        joined = joined.replace("--", "- -")
    return joined
