"""What a notebook shows of a job and a plan: the words of the command line, escaped, small."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

import pytest

from milepost import JobState, RecoveryPlan, StateManager
from milepost.executors import Permanent, run
from milepost.inspect.plan import plan, plan_page
from milepost.inspect.show import show, show_page
from milepost.inspect.text import to_text
from milepost.state.recovering.scope import Scope

HOSTILE = "<script>alert('1')</script>&\x1b[31m\u202e"
VOID = {"br", "hr", "img", "input", "link", "meta"}


class Reader(HTMLParser):
    """The tags that are used, and whether each that is open is closed in its turn."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


@pytest.fixture
def shown() -> tuple[JobState, RecoveryPlan, str, str]:
    """A job with one dead item of a hostile name, its plan, and what the command line says."""

    def work(item: object) -> int:
        if getattr(item, "key", "") == HOSTILE:
            raise Permanent("no")
        return 1

    with StateManager.open("memory:") as manager:
        manager.create_job({HOSTILE: 1, "good": 2}, job_id="hostile")
        with ThreadPoolExecutor(1) as pool:
            run(manager, "hostile", work, lambda results: 0, executor=pool)
        with manager.lease("hostile", owner="<b>me&</b>"):
            state, found = manager.get_state("hostile"), manager.recover_from_checkpoint("hostile")
            view = show(manager, "hostile", now=state.updated_at)
            planned = plan(manager, "hostile", scope=Scope.all(), keys=5)
        return state, found, to_text(show_page(view)), to_text(plan_page(planned))


def html(value: object) -> str:
    """What a notebook asks a value for."""
    told = value._repr_html_()  # type: ignore[attr-defined]
    assert isinstance(told, str)
    return told


def words(text: str) -> set[str]:
    """The words of a text, without the signs that end them."""
    return {word.strip(",:") for word in text.split()}


def test_a_state_says_what_show_says(shown: tuple[JobState, RecoveryPlan, str, str]) -> None:
    """Where it is, how far, what is dead, and the commands that come next."""
    state, _, show_text, _ = shown
    page = html(state)
    assert "1 dead, 0 allowed" in page
    assert "milepost requeue" in page
    assert words(Reader(page).text) <= words(show_text)
    assert len(page) < 12_000


def test_a_plan_says_what_plan_says(shown: tuple[JobState, RecoveryPlan, str, str]) -> None:
    """Each line of `milepost plan`, word for word."""
    _, found, _, plan_text = shown
    page = html(found)
    assert words(plan_text) <= words(Reader(page).text)
    assert len(page) < 12_000


def test_nothing_of_a_job_becomes_markup(shown: tuple[JobState, RecoveryPlan, str, str]) -> None:
    """A key that is a script is shown as text, and what steers a terminal as an escape."""
    state, found, _, _ = shown
    for page in (html(state), html(found)):
        tags = Reader(page).tags
        assert tags <= {"section", "p", "strong", "table", "caption", "tr", "th", "td"}
        assert "\x1b" not in page
        assert "\u202e" not in page
        assert "color" not in page, "the notebook's own colours hold, light or dark"
    assert "&lt;script&gt;" in html(found)
    assert "&lt;b&gt;me&amp;" in html(state)


def test_a_long_key_is_cut() -> None:
    """What a notebook saves stays small, however long the names are."""
    with StateManager.open("memory:") as manager:
        manager.create_job([f"{number}{'x' * 400}" for number in range(50)], job_id="long")
        page = html(manager.recover_from_checkpoint("long"))
    assert "characters more" in page
    assert len(page) < 12_000
