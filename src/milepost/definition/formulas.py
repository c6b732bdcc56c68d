"""Expressions of a definition: read by precedence, typed, and worked out as they stand."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

__all__ = ["BOOL", "INT", "Formula", "NotUnderstood", "Scope", "Values", "formula", "guards_of"]

Values: TypeAlias = Mapping[str, Any]
"""Values by name: int, bool, or the name of a member or state. Fields are `event.NAME`."""

INT: Final = "int"
BOOL: Final = "bool"

_Worked: TypeAlias = Callable[[Values], Any]

_TOKEN: Final = re.compile(
    r"[ \t\r\n]+|([0-9]+|[A-Za-z_][A-Za-z0-9_]*|[=!<>]=|[-+*<>().])|(.)", re.DOTALL
)
_COMPARED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_WORDS: Final = frozenset(
    {"and", "or", "not", "if", "else", "implies", "true", "false", "otherwise"}
)
_MOST_TOKENS: Final = 512
_MOST_PARTS: Final = 2000  # with those of all guards that it uses
_DEEPEST: Final = 32
_DEEPEST_WHOLE: Final = 96  # with all guards that it uses
_LARGEST: Final = (1 << 63) - 1


class NotUnderstood(ValueError):
    """A part of a definition that means nothing there; it says which, and why."""


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression: its text, what it reads, and its value for given names.

    A name that has no value there stands for itself, as members of enums and states do.
    `size` and `depth` are of its tree, with those of all guards that it uses.
    """

    text: str
    reads: tuple[str, ...]
    value: _Worked
    size: int
    depth: int

    def read(self, names: Values) -> dict[str, Any]:
        """The values that it reads, of those that are there."""
        return {name: names[name] for name in self.reads if name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The names that an expression may use.

    `types` has those that can be read, dotted ones too, each `int`, `bool`, or one of `members`:
    the enums, and the histories, whose members are states. `guards` stand for their bodies.
    """

    types: Mapping[str, str]
    members: Mapping[str, tuple[str, ...]]
    guards: Mapping[str, Formula] = field(default_factory=dict)


def formula(text: str, scope: Scope, wanted: str) -> Formula:
    """The expression of `text`, of the type `wanted`. Raises NotUnderstood."""
    parser = _Parser(text, scope)
    found = parser.choice(0)
    if parser.now:
        raise parser.no(f"{parser.now!r} cannot follow")
    parser.expect(found, wanted)
    if found.size > _MOST_PARTS or found.depth > _DEEPEST_WHOLE:
        raise parser.no("it is too large with all the guards that it uses")
    reads = tuple(dict.fromkeys(found.reads))
    return Formula(text, reads, _whole(text, found.value), found.size, found.depth)


def guards_of(texts: Mapping[str, str], scope: Scope) -> dict[str, Formula]:
    """The named guards, which may use each other. Raises NotUnderstood."""
    done: dict[str, Formula] = {}

    def need(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise NotUnderstood(f"guard '{name}' is defined by itself")
        if name in done:
            return
        if len(above) >= _DEEPEST:
            raise NotUnderstood(f"guards are nested more than {_DEEPEST} deep at '{name}'")
        tokens = _tokens(texts[name])
        for at, token in enumerate(tokens):
            if token in texts and "." not in (*tokens[at - 1 : at], *tokens[at + 1 : at + 2]):
                need(token, (*above, name))
        done[name] = formula(texts[name], replace(scope, guards=done), BOOL)

    for name in texts:
        need(name, ())
    return done


def _whole(text: str, value: _Worked) -> _Worked:
    """`value`, and NotUnderstood where names have values that are not of their types."""

    def worked(names: Values) -> Any:
        try:
            return value(names)
        except TypeError as error:
            raise NotUnderstood(f"{text!r} cannot be worked out: {error}") from error

    return worked


def _tokens(text: str) -> list[str]:
    found = []
    for match in _TOKEN.finditer(text):
        if match[2]:
            raise NotUnderstood(f"{text!r}: {match[2]!r} means nothing here")
        if match[1]:
            found.append(match[1])
    if len(found) > _MOST_TOKENS:
        raise NotUnderstood(f"{text!r} has more than {_MOST_TOKENS} words and signs")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A part of an expression, and which types it may have.

    It has several, and is not `certain`, as long as it is a member that stands in several enums:
    what stands beside it decides.
    """

    value: _Worked
    types: frozenset[str]
    certain: bool = True
    reads: tuple[str, ...] = ()
    size: int = 1
    depth: int = 1


_TRUTH: Final = frozenset({BOOL})
_NUMBER: Final = frozenset({INT})


def _made(value: _Worked, types: frozenset[str], parts: Iterable[_Part]) -> _Part:
    """What is made of `parts`."""
    of = tuple(parts)
    return _Part(
        value=value,
        types=types,
        reads=tuple(name for part in of for name in part.reads),
        size=1 + sum(part.size for part in of),
        depth=1 + max(part.depth for part in of),
    )


class _Parser:
    """Recursive descent, a method a precedence, the loosest first; `depth` bounds it."""

    def __init__(self, text: str, scope: Scope) -> None:
        self._text = text
        self._scope = scope
        self._tokens = _tokens(text)
        self._at = 0

    @property
    def now(self) -> str:
        """The token that is next, empty at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def no(self, problem: str) -> NotUnderstood:
        """What is wrong with it, as an error."""
        return NotUnderstood(f"{self._text!r}: {problem}")

    def expect(self, part: _Part, wanted: str) -> None:
        """Raise NotUnderstood unless a part may be of that type."""
        if wanted not in part.types:
            raise self.no(f"something of the type {wanted} is needed, not {_or(part.types)}")

    def _take(self, *wanted: str) -> str:
        found = self.now
        if found not in wanted:
            return ""
        self._at += 1
        return found

    def _bound(self, depth: int) -> None:
        if depth >= _DEEPEST:
            raise self.no(f"it is nested more than {_DEEPEST} deep")

    def choice(self, depth: int) -> _Part:
        """`A if C else B`, to the right."""
        self._bound(depth)
        then = self._implication(depth)
        if not self._take("if"):
            return then
        condition = self._implication(depth)
        self.expect(condition, BOOL)
        if not self._take("else"):
            raise self.no("'else' is missing")
        other = self.choice(depth + 1)
        types = then.types & other.types
        if not types:
            raise self.no(f"{_or(then.types)} and {_or(other.types)} are not alike")

        def value(names: Values) -> Any:
            return then.value(names) if condition.value(names) else other.value(names)

        made = _made(value, types, (then, condition, other))
        return replace(made, certain=then.certain or other.certain)

    def _implication(self, depth: int) -> _Part:
        self._bound(depth)
        premise = self._either(depth)
        if not self._take("implies"):
            return premise
        conclusion = self._implication(depth + 1)
        self._all((premise, conclusion), BOOL)

        def value(names: Values) -> bool:
            return bool(conclusion.value(names)) if premise.value(names) else True

        return _made(value, _TRUTH, (premise, conclusion))

    def _either(self, depth: int) -> _Part:
        parts = [self._both(depth)]
        while self._take("or"):
            parts.append(self._both(depth))
        if len(parts) == 1:
            return parts[0]
        worked = self._all(parts, BOOL)
        return _made(lambda names: any(one(names) for one in worked), _TRUTH, parts)

    def _both(self, depth: int) -> _Part:
        parts = [self._inverse(depth)]
        while self._take("and"):
            parts.append(self._inverse(depth))
        if len(parts) == 1:
            return parts[0]
        worked = self._all(parts, BOOL)
        return _made(lambda names: all(one(names) for one in worked), _TRUTH, parts)

    def _inverse(self, depth: int) -> _Part:
        self._bound(depth)
        if not self._take("not"):
            return self._comparison(depth)
        inner = self._inverse(depth + 1)
        (worked,) = self._all((inner,), BOOL)
        return _made(lambda names: not worked(names), _TRUTH, (inner,))

    def _comparison(self, depth: int) -> _Part:
        first = self._sum(depth)
        others: list[tuple[Callable[[Any, Any], bool], _Part]] = []
        signs = []
        while sign := self._take(*_COMPARED):
            signs.append(sign)
            others.append((_COMPARED[sign], self._sum(depth)))
        if not others:
            return first
        parts = (first, *(part for _, part in others))
        kind = self._common(parts)
        self._all(parts, kind)
        if kind != INT and not {"==", "!="}.issuperset(signs):
            raise self.no(f"only numbers are smaller or larger, and nothing of the type {kind}")

        def value(names: Values) -> bool:
            left = first.value(names)
            for compared, part in others:
                right = part.value(names)
                if not compared(left, right):
                    return False
                left = right
            return True

        return _made(value, _TRUTH, parts)

    def _common(self, parts: Iterable[_Part]) -> str:
        """The type that parts have which stand beside each other: members take it from others."""
        for part in sorted(parts, key=lambda one: not one.certain):
            enums = [one for one in part.types if part.certain or not one.startswith(_HISTORY)]
            if len(enums) == 1:
                return enums[0]
        raise self.no("what stands there is of several types, and nothing beside it tells which")

    def _all(self, parts: Iterable[_Part], wanted: str) -> tuple[_Worked, ...]:
        found = []
        for part in parts:
            self.expect(part, wanted)
            found.append(part.value)
        return tuple(found)

    def _sum(self, depth: int) -> _Part:
        parts = [self._product(depth)]
        total = parts[0].value
        while sign := self._take("+", "-"):
            parts.append(self._product(depth))
            worked = operator.add if sign == "+" else operator.sub
            total = _two(worked, total, parts[-1].value)
        if len(parts) == 1:
            return parts[0]
        self._all(parts, INT)
        return _made(total, _NUMBER, parts)

    def _product(self, depth: int) -> _Part:
        found, factors = self._signed(depth), 1
        while self._take("*"):
            factors += 1
            if factors > _DEEPEST:
                raise self.no(f"it has a product of more than {_DEEPEST} factors")
            other = self._signed(depth)
            self._all((found, other), INT)
            if found.reads and other.reads:
                raise self.no("one side of '*' must be constant")
            value = _two(operator.mul, found.value, other.value)
            found = _made(value, _NUMBER, (found, other))
        return found

    def _signed(self, depth: int) -> _Part:
        self._bound(depth)
        if not self._take("-"):
            return self._atom(depth)
        inner = self._signed(depth + 1)
        (worked,) = self._all((inner,), INT)
        made = _made(lambda names: -worked(names), _NUMBER, (inner,))
        return made if inner.reads or inner.size > 1 else replace(made, size=1, depth=1)

    def _atom(self, depth: int) -> _Part:
        if self._take("("):
            inner = self.choice(depth + 1)
            if not self._take(")"):
                raise self.no("')' is missing")
            return inner
        word = self.now
        self._at += 1
        if word.isdecimal():
            number = self._number(word)
            return _Part(value=lambda _: number, types=_NUMBER)
        if word in ("true", "false"):
            truth = word == "true"
            return _Part(value=lambda _: truth, types=_TRUTH)
        if not word or word in _WORDS or not (word[0].isalpha() or word[0] == "_"):
            raise self.no(f"{word!r} where a name or number is expected")
        if not self._take("."):
            return self._name(word)
        second = self.now
        self._at += 1
        if not second or not (second[0].isalpha() or second[0] == "_"):
            raise self.no("a name must follow the dot")
        return self._name(f"{word}.{second}")

    def _number(self, word: str) -> int:
        if word[0] == "0" and word != "0":
            raise self.no(f"{word!r} is no decimal number")
        if len(word) > len(str(_LARGEST)) or int(word) > _LARGEST:
            raise self.no(f"{word[:24]!r} does not fit into 64 bits")
        return int(word)

    def _name(self, name: str) -> _Part:
        scope = self._scope
        if name in scope.types:
            types = frozenset({scope.types[name]})
            return _Part(value=lambda names: names.get(name, name), types=types, reads=(name,))
        if name in scope.guards:
            body = scope.guards[name]
            return _Part(
                value=body.value,
                types=_TRUTH,
                reads=body.reads,
                size=1 + body.size,
                depth=1 + body.depth,
            )
        types = frozenset(kind for kind, members in scope.members.items() if name in members)
        if not types:
            raise self.no(f"there is no '{name}' that can be read there")
        return _Part(value=lambda _: name, types=types, certain=False)


_HISTORY: Final = "history."


def _two(worked: Callable[[Any, Any], Any], left: _Worked, right: _Worked) -> _Worked:
    return lambda names: worked(left(names), right(names))


def _or(types: Iterable[str]) -> str:
    return " or ".join(sorted(types))
