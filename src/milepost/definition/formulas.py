"""Expressions of a definition: read by precedence, and worked out as they stand."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

__all__ = ["Formula", "NotUnderstood", "Values", "formula"]

Values: TypeAlias = Mapping[str, Any]
"""Values by name: int, bool, or the name of a member or state. Fields are `event.NAME`."""

_Worked: TypeAlias = Callable[[Values], Any]

_TOKEN: Final = re.compile(
    r"\s*([0-9]+|[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?|[=!<>]=|.)"
)
_COMPARED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_WORDS: Final = frozenset({"and", "or", "not", "if", "else", "implies", "true", "false"})


_DOT: Final = re.compile(r"\s*\.\s*")  # spaces may stand around it


class NotUnderstood(ValueError):
    """The text is no expression."""


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression: its text, what it reads, and its value for given names.

    A name that has no value there stands for itself, as members of enums and states do.
    """

    text: str
    reads: tuple[str, ...]
    value: _Worked

    def read(self, names: Values) -> dict[str, Any]:
        """The values that it reads, of those that are there."""
        return {name: names[name] for name in self.reads if name in names}


def formula(text: str, guards: Mapping[str, str] | None = None) -> Formula:
    """The expression of `text`; names of `guards` stand for theirs. Raises NotUnderstood."""
    parser = _Parser(_DOT.sub(".", text), guards or {})
    value = parser.choice()
    if parser.now:
        raise NotUnderstood(f"{text!r}: {parser.now!r} cannot follow")
    return Formula(text, tuple(dict.fromkeys(parser.reads)), _whole(text, value))


def _whole(text: str, value: _Worked) -> _Worked:
    """`value`, and NotUnderstood where the text means nothing: a name that there is not, say."""

    def worked(names: Values) -> Any:
        try:
            return value(names)
        except TypeError as error:
            raise NotUnderstood(f"{text!r} cannot be worked out: {error}") from error

    return worked


class _Parser:
    """Recursive descent, a method a precedence, the loosest first."""

    def __init__(self, text: str, guards: Mapping[str, str]) -> None:
        self._text = text
        self._guards = guards
        self._tokens = [found for found in _TOKEN.findall(text) if found.strip()]
        self._at = 0
        self.reads: list[str] = []

    @property
    def now(self) -> str:
        """The token that is next, empty at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str:
        found = self.now
        if found not in wanted:
            return ""
        self._at += 1
        return found

    def choice(self) -> _Worked:
        """`A if C else B`, to the right."""
        then = self._implication()
        if not self._take("if"):
            return then
        condition = self._implication()
        if not self._take("else"):
            raise NotUnderstood(f"{self._text!r}: 'else' is missing")
        other = self.choice()
        return lambda names: then(names) if condition(names) else other(names)

    def _implication(self) -> _Worked:
        premise = self._either()
        if not self._take("implies"):
            return premise
        conclusion = self._implication()
        return lambda names: bool(conclusion(names)) if premise(names) else True

    def _either(self) -> _Worked:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        if len(parts) == 1:
            return parts[0]
        return lambda names: any(part(names) for part in parts)

    def _both(self) -> _Worked:
        parts = [self._inverse()]
        while self._take("and"):
            parts.append(self._inverse())
        if len(parts) == 1:
            return parts[0]
        return lambda names: all(part(names) for part in parts)

    def _inverse(self) -> _Worked:
        if not self._take("not"):
            return self._comparison()
        inner = self._inverse()
        return lambda names: not inner(names)

    def _comparison(self) -> _Worked:
        first = self._sum()
        others: list[tuple[Callable[[Any, Any], bool], _Worked]] = []
        while sign := self._take(*_COMPARED):
            others.append((_COMPARED[sign], self._sum()))
        if not others:
            return first

        def holds(names: Values) -> bool:
            left = first(names)
            for compared, part in others:
                right = part(names)
                if not compared(left, right):
                    return False
                left = right
            return True

        return holds

    def _sum(self) -> _Worked:
        total = self._product()
        while sign := self._take("+", "-"):
            total = _two(operator.add if sign == "+" else operator.sub, total, self._product())
        return total

    def _product(self) -> _Worked:
        total = self._signed()
        while self._take("*"):
            total = _two(operator.mul, total, self._signed())
        return total

    def _signed(self) -> _Worked:
        if not self._take("-"):
            return self._atom()
        inner = self._signed()
        return lambda names: -inner(names)

    def _atom(self) -> _Worked:
        if self._take("("):
            inner = self.choice()
            if not self._take(")"):
                raise NotUnderstood(f"{self._text!r}: ')' is missing")
            return inner
        word = self.now
        self._at += 1
        if word.isdecimal():
            number = int(word)
            return lambda _: number
        if word in ("true", "false"):
            truth = word == "true"
            return lambda _: truth
        if not word or word in _WORDS or not (word[0].isalpha() or word[0] == "_"):
            raise NotUnderstood(f"{self._text!r}: {word!r} where a name or number is expected")
        return self._name(word)

    def _name(self, name: str) -> _Worked:
        if name in self._guards:
            inner = _Parser(
                self._guards[name], {n: text for n, text in self._guards.items() if n != name}
            )
            worked = inner.choice()
            self.reads += inner.reads
            return worked
        self.reads.append(name)
        return lambda names: names.get(name, name)


def _two(worked: Callable[[Any, Any], Any], left: _Worked, right: _Worked) -> _Worked:
    return lambda names: worked(left(names), right(names))
