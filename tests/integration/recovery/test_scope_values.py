"""Scopes as values: what they are made of, how they combine, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from milepost import Scope
from milepost.errors import ArgumentInvalid, ScopeInvalid


class Name(str):
    __slots__ = ()


class Index:
    def __init__(self, number: int) -> None:
        self.number = number

    def __index__(self) -> int:
        return self.number


def test_a_scope_keeps_what_it_was_made_of_in_a_plain_form() -> None:
    """Whoever made it may go on with what he gave."""
    filters = [*Scope.failed().filters, *Scope.keys("a").filters]
    scope = Scope(iter(filters))
    assert scope.filters == tuple(filters)
    assert type(scope.filters) is tuple
    assert (scope.phase, scope.seq, scope.exact, scope.rewinds) == (None, None, False, False)
    again = Scope(phase=Name("m"))
    assert (again.phase, type(again.phase), again.rewinds) == ("m", str, True)
    assert type(Scope(seq=Index(3)).seq) is int
    assert Scope(seq=Index(3)) == Scope.checkpoint(3)
    assert str(Scope.span(2, 2)) == "ordinals 2 to 2"
    assert str(Scope.span(1, 2)) == "ordinals 1 to 2"
    assert str(Scope.kinds("B", "A")) == "kind A or B"
    assert Scope() == Scope.all() != Scope.failed()
    assert len({Scope(), Scope.all(), Scope.failed()}) == 2


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Scope(3), "filters"),
        (lambda: Scope((3,)), "filters"),
        (lambda: Scope("failed"), "filters"),
        (lambda: Scope(phase=""), "phase"),
        (lambda: Scope(phase=3), "phase"),
        (lambda: Scope(seq=1.5), "seq"),
        (lambda: Scope(exact=1), "exact"),
        (lambda: Scope.states(3), "states"),
        (lambda: Scope.keys(3), "keys"),
        (lambda: Scope.globs(3), "globs"),
        (lambda: Scope.ordinals(["a"]), "ordinals"),
        (lambda: Scope.ordinals(3), "ordinals"),
        (lambda: Scope.span("a", 3), "first"),
        (lambda: Scope.span(0, "a"), "last"),
        (lambda: Scope.causes(3), "causes"),
        (lambda: Scope.kinds(3), "kinds"),
        (lambda: Scope.kinds(""), "kinds"),
        (lambda: Scope.attempts_below("a"), "attempts"),
        (lambda: Scope.again(""), "phase"),
        (lambda: Scope.again(3), "phase"),
        (lambda: Scope.checkpoint("a"), "seq"),
        (lambda: Scope.checkpoint(1, exactly=1), "exactly"),
    ],
)
def test_what_is_wrong_is_refused_by_its_name(make: Callable[[], Any], name: str) -> None:
    with pytest.raises(ArgumentInvalid) as refused:
        make()
    assert refused.value.name == name


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Scope.span(3, 2), "the range 3 to 2 has no items"),
        (lambda: Scope.failed() & Scope.again("map"), "phase 'map' again undoes the work on all"),
        (
            lambda: Scope.failed() & Scope.checkpoint(3, exactly=True),
            "a checkpoint exactly undoes the work on all",
        ),
        (
            lambda: Scope.again("map") & Scope.checkpoint(3, exactly=True),
            "a phase again and a checkpoint exactly are two ways back",
        ),
        (lambda: Scope.again("map") & Scope.again("reduce"), "phases 'map' and 'reduce'"),
        (lambda: Scope.checkpoint(3) & Scope.checkpoint(4), "checkpoints 3 and 4"),
        (lambda: Scope.checkpoint(0) & Scope.checkpoint(4), "checkpoints 0 and 4"),
    ],
)
def test_what_does_not_fit_together_is_refused(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(ScopeInvalid, match=says):
        make()


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (Scope.all(), Scope.failed(), Scope.failed()),
        (Scope.failed(), Scope.failed(), Scope.failed()),
        (Scope.again("map"), Scope.again("map"), Scope.again("map")),
        (Scope.again("map"), Scope.all(), Scope(phase="map")),
        (Scope.all(), Scope.again("map"), Scope(phase="map")),
        (Scope.checkpoint(0), Scope.all(), Scope(seq=0)),
        (Scope.all(), Scope.checkpoint(0), Scope(seq=0)),
        (Scope.checkpoint(3), Scope.checkpoint(3, exactly=True), Scope(seq=3, exact=True)),
        (Scope.checkpoint(3, exactly=True), Scope.all(), Scope(seq=3, exact=True)),
        (Scope.again("map"), Scope.checkpoint(3), Scope(phase="map", seq=3)),
        (Scope.checkpoint(3), Scope.failed(), Scope(Scope.failed().filters, seq=3)),
    ],
)
def test_scopes_combine(one: Scope, other: Scope, both: Scope) -> None:
    """What either says counts, and the same is not said twice."""
    assert one & other == both
    assert (one & other).rewinds == (one.rewinds or other.rewinds)
    with pytest.raises(TypeError):
        one & 3  # type: ignore[operator]


def test_filters_stand_in_the_order_in_which_they_were_given() -> None:
    scope = Scope.keys("b") & Scope.failed() & Scope.keys("a") & Scope.keys("b")
    assert scope.filters == (
        *Scope.keys("b").filters,
        *Scope.failed().filters,
        *Scope.keys("a").filters,
    )


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (Scope.all(), "all items"),
        (Scope.failed(), "failed or dead"),
        (Scope.states("b", "a"), "state a or b"),
        (Scope.keys("b", "a"), "key a or b"),
        (Scope.keys("c", "b", "a"), "key a or b or c"),
        (Scope.keys("d", "c", "b", "a"), "key a or b or c or 1 others"),
        (Scope.keys("e", "d", "c", "b", "a"), "key a or b or c or 2 others"),
        (Scope.globs("b*", "a*"), "key fits b* or a*"),
        (Scope.ordinals([10, 9]), "ordinal 9 or 10"),
        (Scope.span(1, 2), "ordinals 1 to 2"),
        (Scope.span(2, 2), "ordinals 2 to 2"),
        (Scope.causes("timeout", "error"), "cause error or timeout"),
        (Scope.kinds("B", "A"), "kind A or B"),
        (Scope.attempts_below(2), "fewer than 2 attempts"),
        (Scope.again("map"), "phase map again, from before it was entered"),
        (Scope.checkpoint(3), "from the checkpoint at seq 3, with the log after it"),
        (Scope.checkpoint(3, exactly=True), "from the checkpoint at seq 3, exactly"),
        (Scope.keys("a\x1b[2J"), "key a\\x1b[2J"),
        (
            Scope.failed() & Scope.keys("a") & Scope.checkpoint(3),
            "failed or dead; key a; from the checkpoint at seq 3, with the log after it",
        ),
    ],
)
def test_a_scope_says_what_it_is(scope: Scope, words: str) -> None:
    assert str(scope) == words
