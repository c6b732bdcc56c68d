"""Text to syntax: tokens, precedence and columns, nothing about types or names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEYWORDS", "ExpressionProblem", "Syntax", "names_in", "parse"]

KEYWORDS: Final = frozenset(
    {"and", "or", "not", "if", "else", "implies", "true", "false", "event", "otherwise"}
)

_MAX_TOKENS: Final = 512
_MAX_DEPTH: Final = 32
_MAX_NUMBER: Final = (1 << 63) - 1

_TOKEN: Final = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>[0-9][0-9A-Za-z_]*(?:\.[0-9A-Za-z_]*)?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>==|!=|<=|>=|\*\*|//|<<|>>|&&|\|\||->|=>|[-+*/%<>()=!.,\[\]{}&|^~?:@;])"
    r"|(?P<other>.)",
    re.DOTALL,
)

_QUOTES: Final = frozenset({"'", '"'})
_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})

_REASONS: Final[Mapping[str, str]] = {
    "/": "there is no division",
    "//": "there is no division",
    "%": "there is no remainder",
    "**": "there are no powers",
    "=": "compare with '=='",
    "!": "say 'not'",
    "&&": "say 'and'",
    "||": "say 'or'",
    "->": "say 'implies'",
    "=>": "say 'implies'",
    "&": "say 'and'",
    "|": "say 'or'",
    "?": "say 'A if C else B'",
    '"': "there is no text",
    "'": "there is no text",
    "[": "there are no lists",
    "{": "there are no mappings",
}


class ExpressionProblem(Exception):
    """Why a text is no expression: finding code, column from 0, message and hint."""

    def __init__(self, code: str, column: int, message: str, hint: str = "") -> None:
        self.code = code
        self.column = column
        self.message = message
        self.hint = hint
        super().__init__(code, column, message, hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Syntax:
    """A node of the syntax: its kind, its text where it is a leaf, and what it is made of.

    Kinds: `number`, `name`, `dotted` (two names), `true`, `false`, `negative`, `not`, `if`,
    `implies`, `and`, `or`, `*`, `sum` and `comparison`; the last two have `operators`.
    """

    kind: str
    column: int
    text: str = ""
    parts: tuple[Syntax, ...] = ()
    operators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    kind: str  # "number", "word", "sign" or "end"
    text: str
    column: int


def parse(text: str) -> Syntax:
    """The syntax of `text`. Raises ExpressionProblem; reads every token once."""
    parser = _Parser(_tokens(text))
    tree = parser.choice(0)
    parser.expect_end()
    return tree


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        if kind == "space":
            continue
        if len(tokens) >= _MAX_TOKENS:
            raise ExpressionProblem(
                "E304", match.start(), f"the expression has more than {_MAX_TOKENS} words and signs"
            )
        found = match.group()
        if found in _REASONS:
            shown = found if found in _QUOTES else f"'{found}'"
            raise ExpressionProblem(
                "E302", match.start(), f"{shown} is no part of expressions", _REASONS[found]
            )
        if kind == "other":
            raise ExpressionProblem(
                "E301", match.start(), f"the character {found!r} means nothing here"
            )
        if kind == "number":
            _check_number(found, match.start())
        tokens.append(_Token(kind=kind, text=found, column=match.start()))
    tokens.append(_Token(kind="end", text="", column=len(text.rstrip())))
    return tokens


def _check_number(text: str, column: int) -> None:
    if "." in text:
        raise ExpressionProblem("E302", column, f"'{text}' is no whole number", "scale it up")
    if not text.isdecimal() or (text.startswith("0") and text != "0"):
        raise ExpressionProblem("E301", column, f"'{text}' is no number", "write it in decimal")
    if len(text) > len(str(_MAX_NUMBER)) or int(text) > _MAX_NUMBER:
        raise ExpressionProblem("E302", column, f"{text[:24]} does not fit into 64 bits")


class _Parser:
    """Recursive descent, one method per precedence, loosest first; `depth` bounds recursion."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.index = 0

    @property
    def now(self) -> _Token:
        return self.tokens[self.index]

    def take(self, *texts: str) -> _Token | None:
        """The current token, stepped over, if it is one of `texts`."""
        token = self.now
        if token.kind == "end" or token.text not in texts:
            return None
        self.index += 1
        return token

    def check(self, depth: int) -> None:
        """Bounds the recursion, and so the depth of every tree."""
        if depth >= _MAX_DEPTH:
            raise ExpressionProblem(
                "E304", self.now.column, f"the expression is nested more than {_MAX_DEPTH} deep"
            )

    def expect_end(self) -> None:
        token = self.now
        if token.kind == "end":
            return
        if token.text == "(":
            raise ExpressionProblem("E302", token.column, "there are no calls in expressions")
        if token.text == ".":
            raise ExpressionProblem(
                "E302",
                token.column,
                "only 'event.FIELD', 'COLLECTION.STATE' and 'history.GROUP' have dots",
            )
        if token.text in ("in", "is"):
            raise ExpressionProblem(
                "E302",
                token.column,
                f"'{token.text}' is no part of expressions",
                "compare with '==' and join with 'or'",
            )
        raise ExpressionProblem(
            "E301", token.column, f"'{token.text}' cannot follow", "join with 'and' or 'or'"
        )

    def choice(self, depth: int) -> Syntax:
        self.check(depth)
        then = self.implication(depth)
        if not self.take("if"):
            return then
        condition = self.implication(depth)
        if not self.take("else"):
            raise ExpressionProblem(
                "E301", self.now.column, "'else' is missing", "write 'A if C else B'"
            )
        otherwise = self.choice(depth + 1)
        return Syntax(kind="if", column=then.column, parts=(then, condition, otherwise))

    def implication(self, depth: int) -> Syntax:
        self.check(depth)
        premise = self.either(depth)
        if not self.take("implies"):
            return premise
        conclusion = self.implication(depth + 1)
        return Syntax(kind="implies", column=premise.column, parts=(premise, conclusion))

    def either(self, depth: int) -> Syntax:
        parts = [self.both(depth)]
        while self.take("or"):
            parts.append(self.both(depth))
        return _joined("or", parts)

    def both(self, depth: int) -> Syntax:
        parts = [self.inverse(depth)]
        while self.take("and"):
            parts.append(self.inverse(depth))
        return _joined("and", parts)

    def inverse(self, depth: int) -> Syntax:
        self.check(depth)
        token = self.take("not")
        if token:
            return Syntax(kind="not", column=token.column, parts=(self.inverse(depth + 1),))
        return self.comparison(depth)

    def comparison(self, depth: int) -> Syntax:
        parts = [self.sum(depth)]
        operators: list[str] = []
        while token := self.take(*_COMPARISONS):
            operators.append(token.text)
            parts.append(self.sum(depth))
        return _joined("comparison", parts, operators)

    def sum(self, depth: int) -> Syntax:
        parts = [self.product(depth)]
        operators: list[str] = []
        while token := self.take("+", "-"):
            operators.append(token.text)
            parts.append(self.product(depth))
        return _joined("sum", parts, operators)

    def product(self, depth: int) -> Syntax:
        tree = self.signed(depth)
        factors = 1
        while self.take("*"):
            factors += 1
            if factors > _MAX_DEPTH:
                raise ExpressionProblem(
                    "E304", self.now.column, f"the product has more than {_MAX_DEPTH} factors"
                )
            tree = Syntax(kind="*", column=tree.column, parts=(tree, self.signed(depth)))
        return tree

    def signed(self, depth: int) -> Syntax:
        self.check(depth)
        token = self.take("-")
        if token:
            operand = self.signed(depth + 1)
            return Syntax(kind="negative", column=token.column, parts=(operand,))
        return self.atom(depth)

    def atom(self, depth: int) -> Syntax:
        token = self.now
        if self.take("("):
            inner = self.choice(depth + 1)
            if not self.take(")"):
                raise ExpressionProblem("E301", self.now.column, "')' is missing")
            return inner
        if token.kind == "number":
            self.index += 1
            return Syntax(kind="number", column=token.column, text=token.text)
        if self.take("true", "false"):
            return Syntax(kind=token.text, column=token.column)
        if token.kind == "word" and (token.text not in KEYWORDS or token.text == "event"):
            self.index += 1
            return self.name(token)
        found = f"'{token.text}' stands" if token.text else "the expression ends"
        raise ExpressionProblem(
            "E301", token.column, f"{found} where a name, a number or '(' is expected"
        )

    def name(self, first: _Token) -> Syntax:
        if not self.take("."):
            return Syntax(kind="name", column=first.column, text=first.text)
        second = self.now
        if second.kind != "word":
            raise ExpressionProblem("E301", second.column, "a name must follow the dot")
        self.index += 1
        return Syntax(kind="dotted", column=first.column, text=f"{first.text}.{second.text}")


def _joined(kind: str, parts: list[Syntax], operators: list[str] | None = None) -> Syntax:
    """The parts under one node, or the only part itself."""
    if len(parts) == 1:
        return parts[0]
    return Syntax(
        kind=kind,
        column=parts[0].column,
        parts=tuple(parts),
        operators=tuple(operators or ()),
    )


def names_in(text: str) -> frozenset[str]:
    """The names that `text` uses bare; none if it cannot be parsed."""
    try:
        pending = [parse(text)]
    except ExpressionProblem:
        return frozenset()
    names: set[str] = set()
    while pending:
        syntax = pending.pop()
        pending.extend(syntax.parts)
        if syntax.kind == "name":
            names.add(syntax.text)
    return frozenset(names)
