"""Values as JSON: what the standard library's encoder takes is taken, and models by their forms."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import sys
import uuid
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import pydantic
import pydantic.dataclasses
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost import Item, ItemEvent, StateManager, ValueInvalid
from milepost.worker.values import encode_value, plain_value


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "another"

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = str.__hash__


class Count(int):
    def __index__(self) -> int:
        return 99


class Number(float):
    def __float__(self) -> float:
        return 99.0


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Mixed(str, enum.Enum):  # noqa: UP042 as many still are
    A = "a"


class Plain(enum.Enum):
    A = "a"


class Point(NamedTuple):
    x: int
    y: Any


@dataclasses.dataclass
class Answer:
    text: str
    score: float
    inner: object = None


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    at: Point


class Model(pydantic.BaseModel):
    at: dt.date
    inner: list[Colour] = []


@pydantic.dataclasses.dataclass
class Checked:
    at: dt.date
    inner: Any = None


class Measured(pydantic.BaseModel):
    x: float


class Root(pydantic.RootModel[list[int]]):
    pass


class Struct(msgspec.Struct, rename="camel", tag="it"):
    long_name: int
    at: dt.date | None = None
    inner: Any = None


class Scalar:
    """As those of numpy, cupy and torch."""

    def __init__(self, value: object, ndim: int = 0) -> None:
        self.value, self._ndim = value, ndim

    @property
    def ndim(self) -> int:
        return self._ndim

    def item(self) -> object:
        return self if self.value is ... else self.value

    def tolist(self) -> object:
        return [self.value]


class Attrs:
    """As attrs makes classes."""

    __attrs_attrs__ = (SimpleNamespace(name="x"), SimpleNamespace(name="y"))

    def __init__(self) -> None:
        self.x, self.y = 1, (2,)


class Rows(list):  # type: ignore[type-arg]
    pass


DATE = dt.date(2024, 1, 2)
TAKEN = [
    (Text("a"), "a"),
    ({"deep": [{"a": Text("é")}]}, {"deep": [{"a": "é"}]}),
    ({Text("key"): 1}, {"key": 1}),
    ({Colour.RED: Colour.RED, Mixed.A: Mixed.A}, {"red": "red", "a": "a"}),
    ([Count(3), Number(1.5), Level.HIGH, True], [3, 1.5, 3, True]),
    (Point(1, (2, Point(3, None))), [1, [2, [3, None]]]),
    (collections.OrderedDict(a=1), {"a": 1}),
    (collections.defaultdict(list, a=[1]), {"a": [1]}),
    (collections.Counter("aab"), {"a": 2, "b": 1}),
    (Rows([1, Rows()]), [1, []]),
    (Answer("t", 0.5, [Answer("u", 1.0)]), None),
    (Slotted(Point(1, 2)), {"at": [1, 2]}),
    (Model(at=DATE, inner=[Colour.RED]), {"at": "2024-01-02", "inner": ["red"]}),
    ([{"model": Root([1, 2])}], [{"model": [1, 2]}]),
    (Struct(1, DATE, [Text("a"), Scalar(2)]), None),
    ((Scalar(1), Scalar(1.5), Scalar(True), Scalar("s")), [1, 1.5, True, "s"]),
    (Attrs(), {"x": 1, "y": [2]}),
    (
        Checked(DATE, [Model(at=DATE)]),
        {"at": "2024-01-02", "inner": [{"at": "2024-01-02", "inner": []}]},
    ),
]
MORE = {
    10: {
        "text": "t",
        "score": 0.5,
        "inner": [{"text": "u", "score": 1.0, "inner": None}],
    },
    14: {"type": "it", "longName": 1, "at": "2024-01-02", "inner": ["a", 2]},
}


@pytest.mark.parametrize("place", range(len(TAKEN)))
def test_what_has_a_plain_form_is_taken_by_it(place: int) -> None:
    """Whatever its class makes of `str`, `float` or `==`: the value is what it is a kind of."""
    value, wanted = TAKEN[place]
    wanted = MORE.get(place, wanted)
    plain, encoded = plain_value(value, "it")
    assert (json.loads(encoded), plain) == (wanted, wanted)
    assert encode_value(value, "it") == encoded
    assert _types(plain) <= {str, int, float, bool, type(None), list, dict}


@pytest.mark.parametrize(
    ("value", "path", "says"),
    [
        ({"at": DATE}, "$.at", "of type date, which is not JSON: give its isoformat()"),
        ([b"x"], "$[0]", "of type bytes, which is not JSON: give text"),
        ({"s": {1}}, "$.s", "of type set, which is not JSON: give a list"),
        (Plain.A, "$", "of type Plain, which is not JSON: give its value"),
        (decimal.Decimal("1.5"), "$", "of type Decimal, which is not JSON: convert it"),
        (uuid.UUID(int=1), "$", "of type UUID"),
        ((x for x in "a"), "$", "of type generator, which is not JSON: give a list"),
        (collections.deque([1]), "$", "of type deque"),
        (Scalar(1, ndim=2), "$", "which is not JSON: give its tolist()"),
        (Scalar(...), "$", "whose JSON form cannot be made"),
        (Scalar(DATE), "$", "of type date"),
        (Scalar(math.nan), "$", "is nan"),
        ([Number(math.inf)], "$[0]", "is inf"),
        (Answer("t", math.nan), "$.score", "is nan"),
        (Answer("t", 1.0, DATE), "$.inner", "of type date"),
        (Measured(x=math.nan), "$.x", "is nan"),
        ({Level.HIGH: 1}, "$", "has the key"),
        ({(1, 2): 1}, "$", "JSON keys are text"),
        ({Text("a"): 1, "a": 2}, "$", "has two keys whose text is 'a'"),
        (Text("\ud800"), "$", "lone surrogate"),
        (Answer, "$", "of type type"),
    ],
)
def test_the_rest_is_refused_with_its_place(value: object, path: str, says: str) -> None:
    with pytest.raises(ValueInvalid) as refused:
        encode_value(value, "it")
    assert refused.value.path == path
    assert says in str(refused.value)


def test_an_object_that_holds_itself_is_refused() -> None:
    """By the bound on depth; so is one whose form never ends."""
    circle = Answer("t", 1.0)
    circle.inner = circle
    with pytest.raises(ValueInvalid, match="nested deeper"):
        encode_value(circle, "it")
    with pytest.raises(ValueInvalid, match="nested deeper"):
        encode_value(object(), "it", lambda value: [object()])


def test_a_hook_gives_the_rest() -> None:
    """It is asked for what nothing else is known of, wherever it stands."""
    asked: list[object] = []

    def encode(value: object) -> object:
        asked.append(value)
        if isinstance(value, dt.date):
            return value.isoformat()
        if isinstance(value, set):
            return sorted(value)
        raise TypeError(f"no {value}")

    value = {"at": DATE, "in": Answer("t", 1.0, {Text("b")}), "model": Struct(1, inner={2})}
    plain, _ = plain_value(value, "it", encode)
    assert plain["at"] == "2024-01-02"
    assert plain["in"]["inner"] == ["b"]
    assert asked[0] == DATE
    assert len(asked) == 2  # a set in a Struct has a form already
    with pytest.raises(ValueInvalid, match="for which encode raised TypeError"):
        encode_value(b"x", "it", encode)
    with pytest.raises(ValueInvalid, match="which encode gave back as it was"):
        encode_value(b"x", "it", lambda value: value)


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_whatever_json_takes_means_the_same(value: Any) -> None:
    """Of plain values, the plain form is what JSON's own encoder makes of them, if it is strict."""
    try:
        wanted = json.loads(json.dumps(value, allow_nan=False))
    except ValueError:
        with pytest.raises(ValueInvalid):
            plain_value(value, "it")
        return
    plain, encoded = plain_value(value, "it")
    assert plain == wanted
    assert json.loads(encoded) == wanted


def test_a_plain_form_shares_nothing() -> None:
    """What the function does to its result afterwards changes nothing of it."""
    value: dict[str, Any] = {"list": [1]}
    plain, _ = plain_value(value, "it")
    value["list"].append(2)
    assert plain == {"list": [1]}


def test_the_same_rules_hold_wherever_values_enter() -> None:
    """Items, variables, and results that are recorded by hand."""
    with StateManager.open("memory:") as manager:
        state = manager.create_job(
            [Item(key=Text("k"), value=Answer("t", Number(1.5))), Point(1, 2)],
            variables={"level": Level.HIGH, "point": Point(1, 2)},
        )
        assert state.inputs.value(0) == {"text": "t", "score": 1.5, "inner": None}
        assert state.inputs.value(1) == [1, 2]
        assert state.variables == {"level": 3, "point": [1, 2]}
        assert _types(state.variables["level"]) == {int}
        manager.fire(state.id, "start_map")
        manager.record(state.id, [ItemEvent("k", "start")])
        manager.record(
            state.id, [ItemEvent("k", "succeed", {"result": Slotted(Point(1, Text("a")))})]
        )
        assert dict(manager.results(state.id)) == {"k": {"at": [1, "a"]}}


def test_nothing_is_imported_for_it() -> None:
    """A scalar is known by what it has: numpy is not in this process, and is not loaded."""
    loaded = set(sys.modules)
    encode_value([Scalar(1), Attrs()], "it")
    assert not {name for name in set(sys.modules) - loaded if not name.startswith("milepost")}


def _types(value: object) -> set[type]:
    found = {type(value)}
    if isinstance(value, dict):
        for key, inner in value.items():
            found |= {type(key)} | _types(inner)
    elif isinstance(value, list):
        for inner in value:
            found |= _types(inner)
    return found
