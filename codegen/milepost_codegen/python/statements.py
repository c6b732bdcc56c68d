"""Statements around expressions, long ones taken apart so that each is laid out one way only."""

from __future__ import annotations

from milepost_codegen.layout import Bracketed, Code, Joined, Parenthesised, lay_out

__all__ = ["signature", "statement", "union"]


def statement(code: Code, *, before: str, after: str = "", part: str = "part") -> str:
    """Lines of a function's body: `before`, `code` and `after`, with `code`'s parts before it.

    Where a formatter would have to choose at which of several brackets to break a long line, the
    operands get names of their own. Expressions are total, so the order does not matter.
    """
    text = lay_out(code, before=before, after=after, indent=4)
    single = isinstance(code, Joined) and (len(code.operators) == 1 or code.operators[0] == "if")
    if "\n" not in text or not isinstance(code, Joined) or not single:
        return text
    lines: list[str] = []
    operands: list[Code] = []
    for index, operand in enumerate(code.operands):
        if isinstance(operand, str):
            operands.append(operand)
            continue
        inner = operand.inner if isinstance(operand, Parenthesised) else operand
        name = f"{part}_{index}"
        lines.append(statement(inner, before=f"{name} = ", part=name))
        operands.append(name)
    short = Joined(operands=tuple(operands), operators=code.operators)
    return "\n".join((*lines, lay_out(short, before=before, after=after, indent=4)))


def signature(name: str, parameters: tuple[Code, ...], returns: str, *, indent: int = 0) -> str:
    """A `def`; one parameter a line where it does not fit on one."""
    call = Bracketed(opening=f"{name}(", items=parameters, closing=")")
    return lay_out(call, before="def ", after=f" -> {returns}:", indent=indent)


def union(name: str, members: tuple[str, ...]) -> str:
    """An alias for a union of types."""
    code: Code = members[0]
    if len(members) > 1:
        code = Joined(operands=members, operators=("|",) * (len(members) - 1))
    return lay_out(code, before=f"{name}: TypeAlias = ")
