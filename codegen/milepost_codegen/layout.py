"""Lays Python expressions out in lines, exactly as `ruff format` leaves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from milepost.text.escapes import as_python, columns, escaped

__all__ = [
    "WIDTH",
    "Bracketed",
    "Code",
    "Joined",
    "Parenthesised",
    "Prefixed",
    "Text",
    "lay_out",
    "literal",
]

WIDTH: Final = 100
_STEP: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracketed:
    """A call or a collection: on one line, or each item on its own with a comma after it."""

    opening: str
    items: tuple[Code, ...]
    closing: str
    comma: bool = False  # even after a single item on one line, as tuples need it


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Operands with operators between them; on many lines each operator begins one."""

    operands: tuple[Code, ...]
    operators: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parenthesised:
    """An expression whose parentheses are needed."""

    inner: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefixed:
    """Something right after a prefix: a keyword argument, a key's value, a negation."""

    prefix: str
    inner: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A string literal, which may be split between words."""

    value: str


Code: TypeAlias = str | Bracketed | Joined | Parenthesised | Prefixed | Text


def lay_out(code: Code, *, before: str = "", after: str = "", indent: int = 0) -> str:
    """`before`, `code` and `after` as one statement, indented by `indent` columns.

    Operators are wrapped in parentheses where they need more than one line.
    """
    before = " " * indent + before
    if isinstance(code, Joined) and columns(before) + columns(_flat(code)) + len(after) > WIDTH:
        code = Parenthesised(inner=code)
    return f"{before}{_wrapped(code, indent, columns(before), len(after))}{after}"


def literal(value: str) -> str:
    """A string literal with the quotes that need fewer escapes, double ones if in doubt."""
    quote = "'" if value.count('"') > value.count("'") else '"'
    text = value.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    return f"{quote}{escaped(text, as_python)}{quote}"


def _flat(code: Code) -> str:
    match code:
        case str():
            return code
        case Text(value=value):
            return literal(value)
        case Prefixed(prefix=prefix, inner=inner):
            return prefix + _flat(inner)
        case Parenthesised(inner=inner):
            return f"({_flat(inner)})"
        case Joined(operands=operands, operators=operators):
            text = _flat(operands[0])
            for operator, operand in zip(operators, operands[1:], strict=True):
                text += f" {operator} {_flat(operand)}"
            return text
        case Bracketed(opening=opening, items=items, closing=closing, comma=comma):
            inner = ", ".join(_flat(item) for item in items)
            tail = "," if comma and len(items) == 1 else ""
            return f"{opening}{inner}{tail}{closing}"


def _wrapped(code: Code, indent: int, used: int, after: int) -> str:
    """`code` from column `used` of a line indented by `indent`, with `after` columns to follow."""
    flat = _flat(code)
    if used + columns(flat) + after <= WIDTH:
        return flat
    pad = " " * (indent + _STEP)
    match code:
        case str():
            return code
        case Prefixed(prefix=prefix, inner=inner):
            return prefix + _wrapped(inner, indent, used + columns(prefix), after)
        case Parenthesised(inner=inner):
            body = _wrapped(inner, indent + _STEP, indent + _STEP, 0)
            return f"(\n{pad}{body}\n{' ' * indent})"
        case Joined(operands=operands, operators=operators):
            lines = [_wrapped(operands[0], indent, used, 0)]
            for operator, operand in zip(operators, operands[1:], strict=True):
                begin = indent + len(operator) + 1
                lines.append(f"{operator} {_wrapped(operand, indent, begin, 0)}")
            return f"\n{' ' * indent}".join(lines)
        case Bracketed(opening=opening, items=items, closing=closing):
            lines = [_wrapped(item, indent + _STEP, indent + _STEP, 1) for item in items]
            inner = "".join(f"{pad}{line},\n" for line in lines)
            return f"{opening}\n{inner}{' ' * indent}{closing}"
        case Text(value=value):
            pieces = _split(value, WIDTH - indent - _STEP - 2)
            if len(pieces) == 1:
                return flat
            inner = "".join(f"{pad}{literal(piece)}\n" for piece in pieces)
            return f"(\n{inner}{' ' * indent})"


def _split(value: str, room: int) -> list[str]:
    """`value` in pieces of at most `room` characters as written, broken after spaces."""
    pieces: list[str] = []
    line = ""
    for word in value.replace(" ", " \0").split("\0"):
        if line and columns(literal(line + word)) - 2 > room:
            pieces.append(line)
            line = ""
        line += word
    return [*pieces, line]
