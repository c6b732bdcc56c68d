"""Statements around expressions, long ones taken apart so that each is laid out one way only."""

from __future__ import annotations

from milepost_codegen.layout import Code, Joined, Parenthesised, lay_out

__all__ = ["statement"]


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
