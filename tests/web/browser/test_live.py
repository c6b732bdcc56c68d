"""A page of an active job follows it, can be told to pause, and stops when the job has ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from milepost import ItemEvent, StateManager
from milepost.testing import FakeClock
from tests.web.browser.conftest import Look
from tests.web.browser.furnished import served
from tests.web.browser.watched import Watched

JOB: Final = "nightly"
EVERY_MS: Final = 5_000

_ANSWERED = """
const asked = [];
const ask = window.fetch;
let held;
function noted(promise) {
  asked.push(promise);
  return promise;
}
window.fetch = (...given) => noted(ask(...given).then((answer) => {
  const text = answer.text.bind(answer);
  answer.text = () => noted(text());
  const late = held;
  held = undefined;
  return late ? late.then(() => answer) : answer;
}));
window.hold = () => { held = new Promise((go) => { window.letGo = go; }); };
window.answered = async () => {
  for (let count = -1; count !== asked.length;) {
    count = asked.length;
    await Promise.allSettled(asked);
  }
};
"""
"""Lets a test wait for all that the page has asked for, which by its clock takes no time, and hold
the next answer back."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A page in a browser whose clock stands still, and the one who writes the job."""

    watched: Watched
    page: Page
    writer: StateManager

    def later(self, *, times: int = 1) -> int:
        """Let the page look `times` times; how often it asked for itself then."""
        before = len(self.watched.asked)
        for _ in range(times):
            self.page.clock.run_for(EVERY_MS)
            self.page.evaluate("answered()")
        return sum(url == self.page.url for url in self.watched.asked[before:])


@pytest.fixture
def followed(look: Look, tmp_path: Path) -> Iterator[Followed]:
    clock = FakeClock()
    with StateManager.open(tmp_path / "jobs.db", clock=clock) as writer:
        writer.create_job(["a", "b"], job_id=JOB, config={"has_reduce": False})
        writer.fire(JOB, "start_map")
        with (
            StateManager.open(tmp_path / "jobs.db", read_only=True, clock=clock) as manager,
            served(manager, clock) as address,
        ):
            watched = look(address)
            watched.page.add_init_script(_ANSWERED)
            watched.page.clock.install(time=0)
            page = watched.open(f"/jobs/{JOB}")
            page.clock.pause_at(3_600)  # which it reaches in one step: a look is due
            page.evaluate("answered()")
            yield Followed(watched, page, writer)
            watched.close()


def test_a_page_follows_its_job_until_it_has_ended(followed: Followed) -> None:
    """And asks for nothing after."""
    page, writer = followed.page, followed.writer
    legend = page.locator(".legend")
    expect(legend).to_have_text("○ 2 pending")
    writer.record(JOB, [ItemEvent("a", "start")])
    expect(legend).to_have_text("○ 2 pending")
    followed.later()
    expect(legend).to_contain_text("1 running")
    writer.record(JOB, [ItemEvent("a", "succeed", {"result": 1}), ItemEvent("b", "start")])
    writer.record(JOB, [ItemEvent("b", "succeed", {"result": 1})])
    followed.later()
    expect(legend).to_have_text("✓ 2 done")
    assert followed.later() == 1
    writer.fire(JOB, "finish_map")
    followed.later()
    expect(page.get_by_role("status")).to_have_text("The job has ended.")
    expect(page.get_by_role("button", name="Pause updates")).to_have_count(0)
    assert followed.later(times=5) == 0
    page.reload()
    assert followed.later(times=5) == 0


def test_updates_are_paused_and_resumed(followed: Followed) -> None:
    page, writer = followed.page, followed.writer
    legend = page.locator(".legend")
    page.get_by_role("button", name="Pause updates").press("Enter")
    writer.record(JOB, [ItemEvent("a", "start")])
    assert followed.later(times=3) == 0
    expect(legend).to_have_text("○ 2 pending")
    page.get_by_role("button", name="Resume updates").press("Enter")
    page.clock.run_for(1)
    expect(legend).to_contain_text("1 running")
    assert followed.later() == 1


def test_who_comes_back_to_a_page_sees_the_job_as_it_is(followed: Followed) -> None:
    page, writer = followed.page, followed.writer
    legend = page.locator(".legend")
    hide = "hidden => Object.defineProperty(document, 'hidden', {value: hidden, writable: true})"
    tell = "() => document.dispatchEvent(new Event('visibilitychange'))"
    page.evaluate(hide, True)
    page.evaluate(tell)
    writer.record(JOB, [ItemEvent("a", "start")])
    assert followed.later(times=3) == 0
    page.evaluate(hide, False)
    page.evaluate(tell)
    page.clock.run_for(1)
    expect(legend).to_contain_text("1 running")
    assert followed.later() == 1


def test_whoever_reads_or_stands_in_the_page_is_not_disturbed(followed: Followed) -> None:
    """A focus, and text that is chosen, stay where they are."""
    page, writer = followed.page, followed.writer
    legend = page.locator(".legend")
    writer.record(JOB, [ItemEvent("a", "start")])
    page.locator("main a").first.focus()
    assert followed.later() == 0
    page.locator("main a").first.blur()
    page.locator("h1").select_text()
    assert followed.later() == 0
    expect(legend).to_have_text("○ 2 pending")
    page.evaluate("() => getSelection().removeAllRanges()")
    assert followed.later() == 1
    expect(legend).to_contain_text("1 running")


def test_a_page_that_is_reached_again_says_so(followed: Followed) -> None:
    """By no longer saying that it is not."""
    page, watched = followed.page, followed.watched
    status = page.get_by_role("status")
    watched.context.set_offline(True)
    followed.later()
    expect(status).to_contain_text("cannot be reached")
    watched.context.set_offline(False)
    followed.later()
    expect(status).to_have_text("")
    watched.faults.clear()


def test_an_answer_that_comes_late_brings_nothing_back(followed: Followed) -> None:
    """Whoever resumes updates is shown the job as it is, not as it was when updates were paused."""
    page, writer = followed.page, followed.writer
    legend = page.locator(".legend")
    page.evaluate("hold()")
    with page.expect_response(page.url):
        page.clock.run_for(EVERY_MS)
    page.get_by_role("button", name="Pause updates").press("Enter")
    writer.record(JOB, [ItemEvent("a", "start")])
    page.get_by_role("button", name="Resume updates").press("Enter")
    page.clock.run_for(1)
    expect(legend).to_contain_text("1 running")
    page.evaluate("letGo()")
    page.evaluate("answered()")
    expect(legend).to_contain_text("1 running")
