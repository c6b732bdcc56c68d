"""The lifecycles that the contract is about: how a job of each is made, and two ways to drive it.

A case is said in the words of its definition alone. What its states mean is written out here by
hand, so that it is known from elsewhere than from the compiled roles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

from milepost import ItemEvent, JobEvent
from milepost.machine import Values

from .compiling import BUILT_IN, BUILT_IN_1, ROOT, lifecycle_of
from .model import Act, Model
from .spelling import RENAMED, RENAMED_1, spell

__all__ = ["CASES", "Case"]

_FOLDER: Final = Path(__file__).parent / "definitions"


@dataclass(frozen=True)
class Case:
    """One lifecycle. `script` leads to a state with items wherever they can be, `rest` to the end.

    `parts` are the items after the script by the part of the plan they are in, `attempts` how
    often those were begun that were begun at all, `causes` why attempts of an item failed until
    then. `results` and `result` are what is recorded at the end. `absent` says which questions the
    lifecycle has no role for: the role, and the machine that lacks it. A run gives each item its
    place as its result, after `lead`, and the phases what is in `outputs`.
    """

    name: str
    text: str
    earlier: tuple[str, ...] = ()
    items: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    script: tuple[Act, ...] = ()
    rest: tuple[Act, ...] = ()
    parts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    causes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)
    result: Any = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    phase: str = ""
    end: str = ""
    ended: str = "completed"
    cancel: Act = ()
    absent: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    lead: tuple[Act, ...] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)

    def begun(self) -> Model:
        """A new job of it."""
        lifecycle = lifecycle_of(self.text, *self.earlier)
        return Model.begun(lifecycle, self.items, self.params)

    def __str__(self) -> str:
        return self.name


def _job(event: str, **payload: Any) -> Act:
    return (JobEvent(event, payload),)


def _of(event: str, *keys: str, **payload: Any) -> Act:
    return tuple(ItemEvent(key, event, payload) for key in keys)


def _sets(**parts: str) -> dict[str, frozenset[str]]:
    return {name: frozenset(keys.split()) for name, keys in parts.items()}


def _without(machine: str, **roles: str) -> dict[str, tuple[str, str]]:
    return {question: (role, machine) for question, role in roles.items()}


_ERROR = {"cause": "error", "message": "HTTP 500"}
_TIMEOUT = {"cause": "timeout", "message": "no answer"}

_BUILT_IN = Case(
    name="built-in",
    text=BUILT_IN,
    earlier=(BUILT_IN_1,),
    items={"items": tuple("abcdefg")},
    params={"item": {"max_attempts": 2}, "job": {"max_dead": 1}},
    script=(
        _job("start_map", variables={"day": "monday"}),
        _of("start", *"abcde"),
        (*_of("succeed", "a", result={"n": 1}), *_of("fail", "b", **_ERROR)),
        (*_of("retry", "b"), *_of("start", "b")),
        (*_of("fail", "b", **_TIMEOUT), *_of("give_up", "b")),
        (*_of("fail", "c", **_ERROR), *_of("skip", "g")),
    ),
    rest=(
        (*_of("retry", "c"), *_of("start", "c", "f")),
        _of("succeed", *"cdef", result=[None]),
        _job("finish_map"),
        _job("pause"),
        _job("resume"),
        _job("finish_reduce", result=17),
    ),
    parts=_sets(waiting="f", held="d e", done="a", failed="c", dead="b", skipped="g"),
    causes={"b": ("error", "timeout"), "c": ("error",)},
    results={"a": {"n": 1}, **{key: [None] for key in "cdef"}},
    result=17,
    variables={"day": "monday"},
    phase="map",
    end="completed",
    cancel=_job("cancel", reason="not wanted"),
    outputs={"reduce": 17},
)


def _renamed(case: Case) -> Case:
    """The case in the words of the renamed lifecycle."""
    machines = {"job": "wbo", "item": "vgrz"}

    def spelt(act: Act) -> Act:
        found: list[JobEvent | ItemEvent] = []
        for request in act:
            payload = {
                spell(name): spell(value) if name == "cause" else value
                for name, value in cast("Values", request.payload or {}).items()
            }
            found.append(request._replace(event=spell(request.event), payload=payload))
        return tuple(found)

    return replace(
        case,
        name="renamed",
        text=RENAMED,
        earlier=(RENAMED_1,),
        items={spell(name): keys for name, keys in case.items.items()},
        params={
            machines[name]: {spell(param): value for param, value in params.items()}
            for name, params in case.params.items()
        },
        script=tuple(map(spelt, case.script)),
        rest=tuple(map(spelt, case.rest)),
        causes={key: tuple(map(spell, causes)) for key, causes in case.causes.items()},
        phase=spell(case.phase),
        end=spell(case.end),
        cancel=spelt(case.cancel),
        outputs={spell(phase): value for phase, value in case.outputs.items()},
    )


def _text(name: str) -> str:
    return (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


_REVIEW = Case(
    name="review",
    text=_text("review"),
    items={"papers": ("p1", "p2", "p3", "p4")},
    script=(
        _job("close"),
        _of("assign", "p1", "p2", "p3"),
        _of("accept", "p1", report={"grade": 1}),
        _of("reject", "p2", report="not new"),
    ),
    rest=(
        (*_of("assign", "p4"), *_of("accept", "p3", report=None)),
        _of("accept", "p4", report=[]),
        _job("announce", programme=["p1", "p3", "p4"]),
    ),
    parts=_sets(waiting="p4", held="p3", done="p1", ended="p2"),
    results={"p1": {"grade": 1}, "p3": None, "p4": []},
    result=["p1", "p3", "p4"],
    phase="reading",
    end="announced",
    cancel=_job("withdraw"),
    absent=_without(
        "submission", failures="failure", dead_letters="dead", requeue="dead", run="failure"
    ),
)

_ORDER = Case(
    name="order",
    text=(ROOT / "examples" / "orders" / "orders.yaml").read_text(encoding="utf-8"),
    params={"order": {"most_charges": 2}},
    script=(
        _job("pay", details={"basket": ["tea"]}),
        _job("fail", trouble="declined", words="no cover"),
        _job("try_again"),
    ),
    rest=(
        _job("charged", receipt={"receipt": 4711}),
        _job("hold"),
        _job("go_on"),
        _job("deliver", parcel={"track": "X1"}),
    ),
    result={"track": "X1"},
    variables={"basket": ["tea"], "receipt": 4711},
    phase="charging",
    end="delivered",
    cancel=_job("cancel"),
    lead=(_job("pay", details={"basket": ["tea"]}),),
    outputs={"charging": {"receipt": 4711}, "shipping": {"track": "X1"}},
    absent=_without("", results="result", failures="failure", dead_letters="dead", requeue="dead"),
)

_LINES = ("pen", "ink", "pad", "cap", "bag")

_SHOP = Case(
    name="shop",
    text=_text("shop"),
    items={"lines": _LINES, "payments": ("visa", "cash", "gift")},
    script=(
        _job("check_out", address={"street": "1 Main St"}),
        (
            *_of("pick", *(f"lines/{key}" for key in _LINES[:4])),
            *_of("ask", "payments/visa", "payments/gift"),
        ),
        (
            *_of("pack", "lines/pen", box={"of": 1}),
            *_of("miss", "lines/ink", why="broken", note="a leak"),
            *_of("settle", "payments/visa", cents=700),
        ),
        (*_of("again", "lines/ink"), *_of("pick", "lines/ink")),
        (*_of("miss", "lines/ink", why="late"), *_of("abandon", "lines/ink")),
        (
            *_of("miss", "lines/pad", why="missing", note="gone"),
            *_of("leave", "lines/bag"),
            *_of("refuse", "payments/gift", refusal="declined"),
        ),
    ),
    rest=(
        (*_of("again", "lines/pad"), *_of("pick", "lines/pad"), *_of("waive", "payments/cash")),
        _of("pack", "lines/pad", "lines/cap", box=2),
        _job("fill"),
        _job("wait"),
        _job("go_on"),
        _job("send", parcel="P9"),
    ),
    parts=_sets(
        waiting="payments/cash",
        held="lines/cap",
        done="lines/pen payments/visa",
        failed="lines/pad",
        dead="lines/ink payments/gift",
        skipped="lines/bag",
    ),
    causes={
        "lines/ink": ("broken", "late"),
        "lines/pad": ("missing",),
        "payments/gift": ("declined",),
    },
    results={"lines/pen": {"of": 1}, "payments/visa": 700, "lines/pad": 2, "lines/cap": 2},
    result="P9",
    variables={"street": "1 Main St"},
    phase="filling",
    end="sent",
    cancel=_job("drop"),
    lead=(_job("check_out"),),
    outputs={"sending": "P9"},
)

_TRANSFER = Case(
    name="transfer",
    text=_text("transfer"),
    items={"reads": ("r1", "r2", "r3"), "writes": ("w1", "w2")},
    params={"file": {"most_bytes": 50}},
    script=(
        _of("move", "reads/r1", "reads/r2", "reads/r3"),
        (
            *_of("moved_all", "reads/r1", size=10),
            *_of("break_off", "reads/r2", cause="error", text="EIO"),
        ),
    ),
    rest=(
        _of("moved_all", "reads/r3", size=50),
        _job("read_all"),
        _of("move", "writes/w1", "writes/w2"),
        (*_of("moved_all", "writes/w1", size=0), *_of("stop", "writes/w2")),
        (*_of("move", "writes/w2"), *_of("moved_all", "writes/w2", size=1)),
        _job("wrote_all", report={"bytes": 61}),
    ),
    parts=_sets(waiting="writes/w1 writes/w2", held="reads/r3", done="reads/r1", dead="reads/r2"),
    causes={"reads/r2": ("error",)},
    results={"reads/r1": 10, "reads/r3": 50, "writes/w1": 0, "writes/w2": 1},
    result={"bytes": 61},
    phase="reading",
    end="over",
    outputs={"writing": {"bytes": 61}},
    absent=_without("file", requeue="requeue"),
)

_TICKET = Case(
    name="ticket",
    text=_text("ticket"),
    items={"tasks": ("t1", "t2", "t3")},
    script=(_job("assign"), _of("take", "t1", "t2"), _of("close", "t1", words="done")),
    rest=(
        _of("take", "t3"),
        _of("close", "t2", "t3"),
        _job("solve", how={"by": "restart"}),
        _job("reopen"),
        _job("solve", how=None),
        _job("archive"),
    ),
    parts=_sets(ended="t1", unassigned="t2 t3"),
    phase="assigned",
    end="archived",
    ended="",
    absent={
        **_without(
            "task", results="result", failures="failure", dead_letters="dead", requeue="dead"
        ),
        **_without("ticket", result="result", run="phases"),
    },
)

CASES: Final = (_BUILT_IN, _renamed(_BUILT_IN), _REVIEW, _ORDER, _SHOP, _TRANSFER, _TICKET)
