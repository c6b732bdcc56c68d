"""Every text of every drawing stands out from what it lies on, on light pages and on dark ones."""

from __future__ import annotations

import pytest

from tests.drawings.contrast import LEAST, colours, dark_rules, texts
from tests.drawings.drawn import ALL, drawn

EVERY = pytest.mark.parametrize("name", ALL)
PAGES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


@EVERY
@PAGES
def test_texts_stand_out(name: str, *, dark: bool) -> None:
    """Names, signs of roles, labels, captions, and what stands back because it was never done."""
    said = list(texts(drawn(name), dark=dark))
    assert len(said) > 5
    assert [one for one in said if one.contrast < LEAST] == []


@EVERY
def test_every_colour_has_another_on_dark_pages(name: str) -> None:
    """A fill that stays light would have light texts on it."""
    svg = drawn(name)
    assert colours(svg) - dark_rules(svg).keys() == set()


def test_what_does_not_stand_out_is_found() -> None:
    """Control: a pale ink, and one that is not changed on dark pages."""
    good = drawn("mapreduce.job")
    ink = "#37474f"
    assert ink in good
    pale = good.replace(f'fill="{ink}"', 'fill="#78909c"')
    assert any(one.contrast < LEAST for one in texts(pale, dark=False))
    other = good.replace(f'[fill="{ink}"]', '[fill="other"]')
    assert any(one.contrast < LEAST for one in texts(other, dark=True))
    assert ("fill", ink) in colours(other) - dark_rules(other).keys()
    assert max(one.contrast for one in texts(good, dark=False)) < 21
