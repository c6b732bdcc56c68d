"""The typed tree of an expression: immutable, equal by meaning, each node with its column."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "BOOL",
    "INT",
    "Arithmetic",
    "Choice",
    "Comparison",
    "ComparisonOperator",
    "Expression",
    "GuardUse",
    "Implication",
    "Logic",
    "Member",
    "Negative",
    "Not",
    "Number",
    "Product",
    "Read",
    "Truth",
    "Type",
    "negation",
    "parts",
    "reads",
    "walk",
]

ComparisonOperator: TypeAlias = Literal["==", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """The type of a value: `bool`, `int`, an enum with its members, or an opaque one."""

    name: str
    members: tuple[str, ...] = ()

    @property
    def readable(self) -> bool:
        """True if expressions may look at values of the type."""
        return bool(self.members) or self.name in ("bool", "int")


BOOL: Final = Type(name="bool")
INT: Final = Type(name="int")


class _Kept:
    """Keeps what a node hashes to and what it reads, which is asked far more often than it is made.

    They are no fields, so neither copied nor pickled: a hash is another in each process.
    """

    __slots__ = ("_hash", "_reads")
    _hash: int
    _reads: tuple[Read, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node(_Kept):
    """`column` counts from 0 in the source text and is no part of the meaning."""

    column: int = field(default=0, compare=False)


_N = TypeVar("_N", bound=type[_Node])


def _hashed_once(kind: _N) -> _N:
    """The kind of node, of which each keeps its hash."""
    made: Callable[[_Node], int] = vars(kind)["__hash__"]

    def hashed(node: _Node) -> int:
        try:
            return node._hash  # noqa: SLF001 our own
        except AttributeError:
            found = made(node)
            object.__setattr__(node, "_hash", found)
            return found

    kind.__hash__ = hashed  # type: ignore[method-assign,assignment]
    return kind


@_hashed_once
@dataclass(frozen=True, slots=True, kw_only=True)
class Number(_Node):
    """An integer literal."""

    value: int


@_hashed_once
@dataclass(frozen=True, slots=True, kw_only=True)
class Truth(_Node):
    """`true` or `false`."""

    value: bool


@_hashed_once
@dataclass(frozen=True, slots=True, kw_only=True)
class Member(_Node):
    """A member of an enum, or a state remembered by a group's history."""

    type: Type
    name: str


@_hashed_once
@dataclass(frozen=True, slots=True, kw_only=True)
class Read(_Node):
    """The value of a context entry or, with `payload`, of a field of the event's payload.

    Context entries are variables, members' counts (`items.pending`) and histories
    (`history.active`).
    """

    name: str
    type: Type
    payload: bool = False

    @property
    def key(self) -> str:
        """The name that tells entries and fields apart: a field's is `event.NAME`."""
        return f"event.{self.name}" if self.payload else self.name


@_hashed_once
@dataclass(frozen=True, slots=True, kw_only=True)
class GuardUse(_Node):
    """A named guard and what it stands for."""

    name: str
    body: Expression


@_hashed_once
@dataclass(frozen=True, slots=True, kw_only=True)
class Negative(_Node):
    """`-operand`; the operand is no literal."""

    operand: Expression


@_hashed_once
@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic(_Node):
    """`a + b - c`: operands with `+` or `-` between them, from left to right."""

    operands: tuple[Expression, ...]
    operators: tuple[Literal["+", "-"], ...]


@_hashed_once
@dataclass(frozen=True, slots=True, kw_only=True)
class Product(_Node):
    """`left * right`; at least one side is constant."""

    left: Expression
    right: Expression


@_hashed_once
@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(_Node):
    """`a < b <= c`: every neighbouring pair must compare so."""

    operands: tuple[Expression, ...]
    operators: tuple[ComparisonOperator, ...]


@_hashed_once
@dataclass(frozen=True, slots=True, kw_only=True)
class Not(_Node):
    """`not operand`."""

    operand: Expression


@_hashed_once
@dataclass(frozen=True, slots=True, kw_only=True)
class Logic(_Node):
    """`a and b and c` or `a or b or c`."""

    operator: Literal["and", "or"]
    operands: tuple[Expression, ...]


@_hashed_once
@dataclass(frozen=True, slots=True, kw_only=True)
class Implication(_Node):
    """`premise implies conclusion`."""

    premise: Expression
    conclusion: Expression


@_hashed_once
@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(_Node):
    """`then if condition else otherwise`; both branches have one type."""

    then: Expression
    condition: Expression
    otherwise: Expression


Expression: TypeAlias = (
    Number
    | Truth
    | Member
    | Read
    | GuardUse
    | Negative
    | Arithmetic
    | Product
    | Comparison
    | Not
    | Logic
    | Implication
    | Choice
)


_LEAVES: Final = (Read, Number, Member, Truth)


def parts(tree: Expression) -> tuple[Expression, ...]:
    """The nodes right below `tree`, in the order of the text; a guard's body is below its use."""
    if isinstance(tree, _LEAVES):
        return ()
    match tree:
        case GuardUse(body=body):
            return (body,)
        case Negative(operand=operand) | Not(operand=operand):
            return (operand,)
        case Arithmetic(operands=operands) | Comparison(operands=operands):
            return operands
        case Logic(operands=operands):
            return operands
        case Product(left=left, right=right):
            return (left, right)
        case Implication(premise=premise, conclusion=conclusion):
            return (premise, conclusion)
        case Choice(then=then, condition=condition, otherwise=otherwise):
            return (then, condition, otherwise)


def walk(tree: Expression) -> Iterator[Expression]:
    """Every node of `tree` in the order of the text, guards' bodies included."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(parts(node))


def reads(tree: Expression) -> tuple[Read, ...]:
    """What `tree` reads, through guards too, by first appearance, each once."""
    try:
        return tree._reads  # noqa: SLF001 our own
    except AttributeError:
        below = (one for part in parts(tree) for one in reads(part))
        found = (tree,) if isinstance(tree, Read) else tuple(dict.fromkeys(below))
        object.__setattr__(tree, "_reads", found)
        return found


def negation(tree: Expression) -> Expression:
    """The opposite of a boolean tree, without doubling a `not`."""
    return tree.operand if isinstance(tree, Not) else Not(operand=tree)
