"""Expressions read by precedence and typed: of their text, what can be worked out."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Final

from milepost.definition.formulas import BOOL, INT, Formula, Scope, Values, Worked
from milepost.definition.problems import NotUnderstood, among, within
from milepost.definition.typed import Part, decided, made_of, plain

__all__ = ["formula", "guards_of"]

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
_HISTORY: Final = "history."


def formula(text: str, scope: Scope, wanted: str) -> Formula:
    """The expression of `text`, of the type `wanted`. Raises NotUnderstood."""
    parser = _Parser(text, scope)
    found = parser.choice(0)
    if parser.now:
        raise parser.no(f"{parser.now!r} cannot follow")
    parser.expect(found, wanted)
    if found.size > _MOST_PARTS or found.depth > _DEEPEST_WHOLE:
        raise parser.no("it is too large with all the guards that it uses")
    return Formula(
        text=text,
        value=_whole(text, found.value),
        reads=tuple(dict.fromkeys(found.reads)),
        guards=frozenset(parser.guards),
        numbers=frozenset(parser.numbers),
        conditions=found.conditions,
        truth=found.truth,
        size=found.size,
        depth=found.depth,
    )


def guards_of(texts: Mapping[str, str], scope: Scope) -> dict[str, Formula]:
    """The named guards, which may use each other. Raises NotUnderstood."""
    done: dict[str, Formula] = {}

    def need(name: str, above: tuple[str, ...]) -> None:
        if name in done:
            return
        with _guard(name):
            if name in above:
                raise NotUnderstood("it is defined by itself")
            if len(above) >= _DEEPEST:
                raise NotUnderstood(f"guards are nested more than {_DEEPEST} deep there")
            tokens = _tokens(texts[name])
        for at, token in enumerate(tokens):
            if token in texts and "." not in (*tokens[at - 1 : at], *tokens[at + 1 : at + 2]):
                need(token, (*above, name))
        with _guard(name):
            done[name] = formula(texts[name], replace(scope, guards=done), BOOL)

    for name in texts:
        need(name, ())
    return done


def _guard(name: str) -> AbstractContextManager[None]:
    return within(f"guard '{name}'", "guards", name)


def _whole(text: str, value: Worked) -> Worked:
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


class _Parser:
    """Recursive descent, a method a precedence, the loosest first; `depth` bounds it.

    `guards` and `numbers` gather what is named, and written, in the text.
    """

    def __init__(self, text: str, scope: Scope) -> None:
        self._text = text
        self._scope = scope
        self._tokens = _tokens(text)
        self._at = 0
        self.guards: set[str] = set()
        self.numbers: set[int] = set()

    @property
    def now(self) -> str:
        """The token that is next, empty at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def no(self, problem: str) -> NotUnderstood:
        """What is wrong with it, as an error."""
        return NotUnderstood(f"{self._text!r}: {problem}")

    def expect(self, part: Part, wanted: str) -> None:
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

    def choice(self, depth: int) -> Part:
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

        made = made_of(value, "", (then, condition, other), "if", "else")
        if then.certain or other.certain:
            return replace(made, types=types, alone=next(iter(types)))
        return replace(made, types=types, alone=then.alone or other.alone, certain=False)

    def _implication(self, depth: int) -> Part:
        self._bound(depth)
        premise = self._either(depth)
        if not self._take("implies"):
            return premise
        conclusion = self._implication(depth + 1)
        self._all((premise, conclusion), BOOL)

        def value(names: Values) -> bool:
            return bool(conclusion.value(names)) if premise.value(names) else True

        made = made_of(value, BOOL, (premise, conclusion), "implies")
        denied = None if premise.truth is None else not premise.truth
        return decided(made, (denied, conclusion.truth), deciding=True)

    def _either(self, depth: int) -> Part:
        parts = [self._both(depth)]
        while self._take("or"):
            parts.append(self._both(depth))
        if len(parts) == 1:
            return parts[0]
        worked = self._all(parts, BOOL)
        signs = ["or"] * (len(parts) - 1)
        made = made_of(lambda names: any(one(names) for one in worked), BOOL, parts, *signs)
        return decided(made, (part.truth for part in parts), deciding=True)

    def _both(self, depth: int) -> Part:
        parts = [self._inverse(depth)]
        while self._take("and"):
            parts.append(self._inverse(depth))
        if len(parts) == 1:
            return parts[0]
        worked = self._all(parts, BOOL)
        signs = ["and"] * (len(parts) - 1)
        made = made_of(lambda names: all(one(names) for one in worked), BOOL, parts, *signs)
        return decided(made, (part.truth for part in parts), deciding=False)

    def _inverse(self, depth: int) -> Part:
        self._bound(depth)
        if not self._take("not"):
            return self._comparison(depth)
        inner = self._inverse(depth + 1)
        (worked,) = self._all((inner,), BOOL)
        made = made_of(lambda names: not worked(names), BOOL, (inner,), "not")
        return made if inner.truth is None else replace(made, truth=not inner.truth)

    def _comparison(self, depth: int) -> Part:
        first = self._sum(depth)
        others: list[tuple[Callable[[Any, Any], bool], Part]] = []
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

        texts = [part.text for part in parts]
        links = (f"{a} {sign} {b}" for a, sign, b in zip(texts, signs, texts[1:], strict=False))
        made = made_of(value, BOOL, parts, *signs)
        return replace(made, conditions=tuple(dict.fromkeys(links)))

    def _common(self, parts: Iterable[Part]) -> str:
        """The type that parts have which stand beside each other: members take it from others."""
        for part in sorted(parts, key=lambda one: not one.certain):
            if part.alone:
                return part.alone
        member = next(iter(parts))
        enums = _or(member.types, "and")
        raise self.no(f"{member.text} is a member of {enums}, and nothing beside it tells of which")

    def _all(self, parts: Iterable[Part], wanted: str) -> tuple[Worked, ...]:
        found = []
        for part in parts:
            self.expect(part, wanted)
            found.append(part.value)
        return tuple(found)

    def _sum(self, depth: int) -> Part:
        parts = [self._product(depth)]
        total, signs = parts[0].value, list[str]()
        while sign := self._take("+", "-"):
            parts.append(self._product(depth))
            signs.append(sign)
            worked = operator.add if sign == "+" else operator.sub
            total = _two(worked, total, parts[-1].value)
        if len(parts) == 1:
            return parts[0]
        self._all(parts, INT)
        return made_of(total, INT, parts, *signs)

    def _product(self, depth: int) -> Part:
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
            found = made_of(value, INT, (found, other), "*")
        return found

    def _signed(self, depth: int) -> Part:
        self._bound(depth)
        if not self._take("-"):
            return self._atom(depth)
        inner = self._signed(depth + 1)
        (worked,) = self._all((inner,), INT)
        made = made_of(lambda names: -worked(names), INT, (inner,), "-")
        return made if inner.reads or inner.size > 1 else replace(made, size=1, depth=1)

    def _atom(self, depth: int) -> Part:
        if self._take("("):
            inner = self.choice(depth + 1)
            if not self._take(")"):
                raise self.no("')' is missing")
            return inner
        word = self.now
        self._at += 1
        if word.isdecimal():
            number = self._number(word)
            self.numbers.add(number)
            return plain(lambda _: number, INT, word)
        if word in ("true", "false"):
            truth = word == "true"
            return replace(plain(lambda _: truth, BOOL, word), truth=truth)
        if not word or word in _WORDS or not (word[0].isalpha() or word[0] == "_"):
            there = f"{word!r} stands" if word else "it ends"
            raise self.no(f"{there} where a name or number is expected")
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

    def _name(self, name: str) -> Part:
        scope = self._scope
        if name in scope.types:
            kind = scope.types[name]
            part = plain(lambda names: names.get(name, name), kind, name)
            conditions = (name,) if kind == BOOL else ()
            return replace(part, reads=(name,), conditions=conditions)
        if name in scope.guards:
            body = scope.guards[name]
            self.guards.add(name)
            self.numbers.update(body.numbers)
            return replace(
                plain(body.value, BOOL, name),
                reads=body.reads,
                conditions=body.conditions,
                truth=body.truth,
                size=1 + body.size,
                depth=1 + body.depth,
            )
        types = frozenset(kind for kind, members in scope.members.items() if name in members)
        if not types:
            raise self.no(f"there is no '{name}' that can be read there{self._readable(name)}")
        enums = [kind for kind in types if not kind.startswith(_HISTORY)]
        alone = enums[0] if len(enums) == 1 else ""
        return replace(plain(lambda _: name, alone, name), types=types, certain=False)

    def _readable(self, name: str) -> str:
        """What can be read there, the dotted names with one like it alone."""
        owner, dot, _ = name.partition(".")
        names = (*self._scope.types, *self._scope.guards)
        told = [one for one in names if one.startswith(f"{owner}.")] if dot else ()
        members = {one for enum in self._scope.members.values() for one in enum}
        return among(name, told or names, () if dot else members)


def _two(worked: Callable[[Any, Any], Any], left: Worked, right: Worked) -> Worked:
    return lambda names: worked(left(names), right(names))


def _or(types: Iterable[str], word: str = "or") -> str:
    return f" {word} ".join(sorted(types))
