"""Random well-typed expressions, in the form in which the parser builds them."""

from hypothesis import strategies as st

from milepost_codegen.expressions import BOOL, INT, Scope, Type
from milepost_codegen.expressions.tree import (
    Arithmetic,
    Choice,
    Comparison,
    Expression,
    GuardUse,
    Implication,
    Logic,
    Member,
    Negative,
    Not,
    Number,
    Product,
    Read,
    Truth,
)

CAUSE = Type(name="Cause", members=("error", "timeout", "lambda"))
LEVEL = Type(name="Level", members=("error", "info"))
ENTRIES = {
    "count": INT,
    "limit": INT,
    "ready": BOOL,
    "urgent": BOOL,
    "cause": CAUSE,
    "level": LEVEL,
}
FIELDS = {"steps": INT, "sure": BOOL, "why": CAUSE}
FEW = Comparison(
    operands=(Read(name="count", type=INT), Read(name="limit", type=INT)), operators=("<",)
)
SCOPE = Scope(
    entries=ENTRIES,
    guards={"few": GuardUse(name="few", body=FEW)},
    enums=(CAUSE, LEVEL),
    fields=FIELDS,
)


def reads(kind: Type) -> st.SearchStrategy[Expression]:
    """Context entries and payload fields of one type."""
    entries = [Read(name=name, type=found) for name, found in ENTRIES.items() if found == kind]
    fields = [
        Read(name=name, type=found, payload=True) for name, found in FIELDS.items() if found == kind
    ]
    return st.sampled_from([*entries, *fields])


NUMBERS = st.integers(-1000, 1000).map(lambda value: Number(value=value))


@st.composite
def ints(draw: st.DrawFn, depth: int = 3) -> Expression:
    """An expression of type int."""
    leaf = depth == 0
    form = draw(
        st.sampled_from(["number", "read"] if leaf else ["read", "sum", "times", "minus", "choice"])
    )
    if form == "number":
        return draw(NUMBERS)
    if form == "read":
        return draw(reads(INT))
    if form == "sum":
        operands = draw(st.lists(ints(depth - 1), min_size=2, max_size=4))
        signs = st.lists(
            st.sampled_from(["+", "-"]), min_size=len(operands) - 1, max_size=len(operands) - 1
        )
        return Arithmetic(operands=tuple(operands), operators=tuple(draw(signs)))
    if form == "times":
        left, right = draw(ints(depth - 1)), draw(NUMBERS)
        return (
            Product(left=left, right=right)
            if draw(st.booleans())
            else Product(left=right, right=left)
        )
    if form == "minus":
        operand = draw(ints(depth - 1).filter(lambda tree: not isinstance(tree, Number)))
        return Negative(operand=operand)
    return Choice(
        then=draw(ints(depth - 1)),
        condition=draw(bools(depth - 1)),
        otherwise=draw(ints(depth - 1)),
    )


@st.composite
def comparisons(draw: st.DrawFn, depth: int) -> Expression:
    """A chain of comparisons of one type."""
    kind = draw(st.sampled_from([INT, BOOL, CAUSE, LEVEL]))
    count = draw(st.integers(2, 3))
    if kind == INT:
        operands = [draw(ints(depth - 1)) for _ in range(count)]
        signs = ["==", "!=", "<", "<=", ">", ">="]
    elif kind == BOOL:
        operands = [draw(bools(depth - 1)) for _ in range(count)]
        signs = ["==", "!="]
    else:
        members = st.sampled_from([Member(type=kind, name=name) for name in kind.members])
        operands = [
            draw(reads(kind)),
            *(draw(st.one_of(members, reads(kind))) for _ in range(count - 1)),
        ]
        signs = ["==", "!="]
    operators = tuple(draw(st.sampled_from(signs)) for _ in range(count - 1))
    return Comparison(operands=tuple(operands), operators=operators)


@st.composite
def bools(draw: st.DrawFn, depth: int = 3) -> Expression:
    """An expression of type bool."""
    leaves = ["truth", "read", "guard"]
    form = draw(
        st.sampled_from(
            leaves
            if depth <= 0
            else [*leaves, "not", "logic", "logic", "compare", "compare", "implies", "choice"]
        )
    )
    if form == "truth":
        return Truth(value=draw(st.booleans()))
    if form == "read":
        return draw(reads(BOOL))
    if form == "guard":
        return GuardUse(name="few", body=FEW)
    if form == "not":
        return Not(operand=draw(bools(depth - 1)))
    if form == "logic":
        operands = draw(st.lists(bools(depth - 1), min_size=2, max_size=4))
        return Logic(operator=draw(st.sampled_from(["and", "or"])), operands=tuple(operands))
    if form == "compare":
        return draw(comparisons(depth))
    if form == "implies":
        return Implication(premise=draw(bools(depth - 1)), conclusion=draw(bools(depth - 1)))
    return Choice(
        then=draw(bools(depth - 1)),
        condition=draw(bools(depth - 1)),
        otherwise=draw(bools(depth - 1)),
    )


VALUES = st.fixed_dictionaries(
    {
        "count": st.integers(-20, 20),
        "limit": st.integers(-20, 20),
        "ready": st.booleans(),
        "urgent": st.booleans(),
        "cause": st.sampled_from(CAUSE.members),
        "level": st.sampled_from(LEVEL.members),
    }
)
PAYLOADS = st.fixed_dictionaries(
    {
        "steps": st.integers(-20, 20),
        "sure": st.booleans(),
        "why": st.sampled_from(CAUSE.members),
    }
)
