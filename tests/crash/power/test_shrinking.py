"""The smallest image that is wrong is found, and said in a text that gives it back."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.testing.power.images import (
    Choice,
    Fate,
    Sectors,
    Torn,
    choices,
    files_of,
    lost,
    subsets,
)
from milepost.testing.power.medium import (
    Create,
    Delete,
    Medium,
    Rename,
    Sync,
    SyncFolder,
    Truncate,
    Write,
)
from milepost.testing.power.repeating import choice_from, junk, read, text_of
from milepost.testing.power.shrinking import Shrunk, shrink
from milepost.testing.power.wording import kept_by, missing_from

KEPT = b"\1"
GONE = b"\0"
COUNT = 6


def six_writes(*, sector_count: int = 1) -> Medium:
    """A file of six writes that are not durable, each of so many sectors."""
    size = 512 * sector_count
    medium = Medium({"a": bytes(COUNT * size)})
    for number in range(COUNT):
        medium.do(Write("a", number * size, KEPT * size))
    return medium


def all_lost(medium: Medium) -> Choice:
    pending = medium.contents[0].pending
    return Choice("none", frozenset(), {(0, n): lost(medium, (0, n)) for n in range(len(pending))})


def shrunk(
    medium: Medium,
    choice: Choice,
    is_wrong: Callable[[dict[str, bytes]], bool],
    patience: int = 300,
) -> Shrunk:
    """The smallest choice whose files are wrong."""
    assert is_wrong(files_of(medium, choice))
    least = shrink(medium, choice, lambda c: is_wrong(files_of(medium, c)), patience=patience)
    assert is_wrong(files_of(medium, least.choice))
    return least


def there(files: dict[str, bytes]) -> list[int]:
    """Which of the six writes are there, by their first byte."""
    size = len(files["a"]) // COUNT
    return [number for number in range(COUNT) if files["a"][number * size] == KEPT[0]]


def test_one_write_that_must_not_be_lost_is_found_among_many() -> None:
    """A log whose fourth part is needed: the image has lost that alone, and says so."""
    medium = six_writes()
    least = shrunk(medium, all_lost(medium), lambda files: 3 not in there(files))
    assert least == Shrunk(Choice("least", frozenset(), {(0, 3): Sectors((False,))}), is_least=True)
    assert missing_from(medium, least.choice) == ["lost: the write of 512 bytes at 1,536 to a"]
    assert len(kept_by(medium, least.choice)) == COUNT - 1


def test_a_write_that_must_not_be_there_alone_is_found() -> None:
    """A header that is there before what it heads: to lose the one of what it heads is least."""
    medium = six_writes()
    wrong = lambda files: 5 in there(files) and 0 not in there(files)  # noqa: E731
    only_last = {(0, n): lost(medium, (0, n)) for n in range(COUNT - 1)}
    least = shrunk(medium, Choice("one", frozenset(), only_last), wrong)
    assert set(least.choice.fates) == {(0, 0)}


@given(st.sets(st.integers(0, COUNT - 1)), st.integers(0, 400))
def test_what_takes_several_losses_is_as_small_as_can_be(needed: set[int], patience: int) -> None:
    """Whatever is left out of them, nothing is wrong any more; with any patience."""
    medium = six_writes()
    least = shrunk(
        medium, all_lost(medium), lambda files: needed.isdisjoint(there(files)), patience
    )
    assert {place for _, place in least.choice.fates} == needed


def test_a_smaller_way_is_found_that_thinning_out_does_not_meet() -> None:
    """Wrong without the first three, and without the last two: there are two ways to be small."""
    medium = six_writes()

    def wrong(files: dict[str, bytes]) -> bool:
        return {0, 1, 2}.isdisjoint(there(files)) or {4, 5}.isdisjoint(there(files))

    only_first = {(0, n): lost(medium, (0, n)) for n in range(3)}
    least = shrunk(medium, Choice("some", frozenset(), only_first), wrong)
    assert set(least.choice.fates) == {(0, 4), (0, 5)}
    assert least.is_least
    hasty = shrunk(medium, Choice("some", frozenset(), only_first), wrong, patience=10)
    assert set(hasty.choice.fates) == {(0, 0), (0, 1), (0, 2)}
    assert not hasty.is_least


def test_nothing_has_to_be_lost_where_all_is_wrong() -> None:
    medium = six_writes()
    least = shrunk(medium, all_lost(medium), lambda files: True)
    assert least == Shrunk(Choice("least", frozenset(), {}), is_least=True)


@pytest.mark.parametrize(
    ("fate", "wrong", "told"),
    [
        pytest.param(
            Sectors((True, False, False, True)),
            lambda data: data[0] == KEPT[0] and data[1024] == GONE[0],
            "lost: sectors 3 of 4 of the write of 2,048 bytes at 0 to a",
            id="a sector, where the whole write would not do",
        ),
        pytest.param(
            Torn(700, junk(1348)),
            lambda data: data[1100] != KEPT[0] and data[0] == KEPT[0],
            "torn: the write of 2,048 bytes at 0 to a, with nothing behind its byte 700",
            id="a tear",
        ),
        pytest.param(
            Torn(700, junk(1348)),
            lambda data: data[1100] not in (*KEPT, *GONE),
            "torn: the write of 2,048 bytes at 0 to a, with junk behind its byte 700",
            id="junk",
        ),
        pytest.param(
            Torn(700, junk(1348)),
            lambda data: data[1100] != KEPT[0],
            "lost: the write of 2,048 bytes at 0 to a",
            id="no tear, where the whole write will do",
        ),
    ],
)
def test_what_was_lost_in_part_is_said_as_simply_as_it_can_be(
    fate: Fate, wrong: Callable[[bytes], bool], told: str
) -> None:
    medium = six_writes(sector_count=4)
    others = all_lost(medium).fates
    choice = Choice("some", frozenset(), {**others, (0, 0): fate})
    least = shrunk(medium, choice, lambda files: wrong(files["a"]))
    assert missing_from(medium, least.choice) == [told]
    again = choice_from(text_of(least.choice), medium)
    assert files_of(medium, again) == files_of(medium, least.choice)


def test_names_are_undone_in_an_order_that_can_be() -> None:
    """A deletion that is undone takes what is done to that name later with it."""
    medium = Medium({"a": b"old", "b": b"other"})
    for done in (Delete("a", synced=False), Create("a"), Write("a", 0, b"new"), Rename("b", "c")):
        medium.do(done)
    durable = Choice("none", frozenset({0, 1, 2}), {})
    least = shrunk(medium, durable, lambda files: files.get("a") == b"old")
    assert missing_from(medium, least.choice) == [
        "undone: the deletion of a",
        "undone: the creation of a",
    ]
    assert kept_by(medium, least.choice) == ["kept: the renaming of b to c"]
    least = shrunk(medium, durable, lambda files: "c" not in files)
    assert missing_from(medium, least.choice) == ["undone: the renaming of b to c"]


def test_every_subset_is_there_where_they_are_few() -> None:
    """Of two files with writes and of names: each in each way, and none where they are too many."""
    medium = Medium({"a": bytes(512)})
    for done in (Write("a", 0, KEPT), Create("b"), Write("b", 0, KEPT), Truncate("b", 3)):
        medium.do(done)
    found = subsets(medium, 10)
    assert found is not None
    assert len(found) == 2 + 2 * 4
    assert len({repr(files_of(medium, choice)) for choice in found}) == 2 + 2 * 4
    assert subsets(medium, 9) is None
    medium.do(Sync("a", folder=False))
    assert len(subsets(medium, 10) or ()) == 1 + 4
    medium.do(SyncFolder())
    assert len(subsets(medium, 10) or ()) == 4


def test_each_choice_is_given_back_by_its_text() -> None:
    """Of a moment at which names, writes and a truncation are pending in several files."""
    medium = six_writes(sector_count=3)
    for done in (Create("b"), Write("b", 700, b"x" * 1000), Truncate("a", 99), Rename("b", "c")):
        medium.do(done)
    made = list(choices(medium, random.Random(1), 9, junk))  # noqa: S311 images are drawn
    assert len(made) > 25
    for choice in made:
        again = choice_from(text_of(choice), medium)
        assert files_of(medium, again) == files_of(medium, choice)
        assert (again.undone, again.fates) == (choice.undone, choice.fates)


@pytest.mark.parametrize("text", ["w0.99/0", "w9.0/0", "x", "n0,,", "w0.0/01"])
def test_a_text_of_another_medium_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"w0\.0|w9\.0|w0\.99|says of no write"):
        choice_from(text, six_writes())


@pytest.mark.parametrize("text", ["cut", "1:cut:x:all", "1:fail:odd:3:once", "1:fail:io:3:twice"])
def test_a_text_that_is_no_case_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no case of a power cut or a fault"):
        read(text)
    assert read("") is None
