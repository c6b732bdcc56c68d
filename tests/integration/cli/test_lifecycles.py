"""Jobs of other lifecycles on the command line: pages show what there is, by its own names."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
from rich.console import Console

from milepost import ItemEvent, StateManager
from milepost.cli import main
from milepost.cli.terminal import draw
from milepost.inspect.items import items, items_page
from milepost.inspect.jobs import jobs, jobs_page
from milepost.inspect.page import Page
from milepost.testing import FakeClock
from tests.integration.cli.lifecycles import ORDER, PARCEL, REVIEW, compiled, loaded

Fill = Callable[[StateManager], None]


class Shop:
    """A store with one job `j` of one lifecycle, and the command line that is told of both."""

    def __init__(self, module: Path, store: Path, fill: Fill) -> None:
        self.module, self.store, self.clock = module, store, FakeClock()
        with StateManager.open(store, lifecycle=loaded(module), clock=self.clock) as manager:
            fill(manager)
        self.clock.advance(60)

    def __call__(self, *args: str, exit_code: int = 0) -> Result:
        env = {"MILEPOST_DB": str(self.store), "MILEPOST_LIFECYCLES": str(self.module)}
        result = CliRunner().invoke(main, args, obj=self.clock, env=env)
        assert result.exit_code == exit_code, result.output
        return result

    def json(self, *args: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self(*args, "--json").stdout)
        return answer

    def completed(self, monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
        """What a shell would offer for the last of `words`."""
        monkeypatch.setenv("MILEPOST_DB", str(self.store))
        monkeypatch.setenv("MILEPOST_LIFECYCLES", str(self.module))
        completer = ShellComplete(main, {}, "milepost", "_MILEPOST_COMPLETE")
        *before, last = words
        return [each.value for each in completer.get_completions(list(before), last)]


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    texts = {"order": ORDER, "review": REVIEW, "parcel": PARCEL}
    return {name: compiled(text, tmp_path_factory.mktemp(name)) for name, text in texts.items()}


@pytest.fixture
def order(modules: dict[str, Path], tmp_path: Path) -> Shop:
    def fill(manager: StateManager) -> None:
        manager.create_job(job_id="j")
        manager.fire("j", "pay")
        manager.fire("j", "hold")

    return Shop(modules["order"], tmp_path / "order.db", fill)


@pytest.fixture
def review(modules: dict[str, Path], tmp_path: Path) -> Shop:
    def fill(manager: StateManager) -> None:
        manager.create_job({"a": 1, "b": 2, "c": 3}, job_id="j")
        manager.record("j", [ItemEvent("a", "assign"), ItemEvent("b", "withdraw")])
        manager.record("j", [ItemEvent("a", "accept", {"verdict": "yes"})])

    return Shop(modules["review"], tmp_path / "review.db", fill)


@pytest.fixture
def parcel(modules: dict[str, Path], tmp_path: Path) -> Shop:
    def fill(manager: StateManager) -> None:
        collections = {"lines": {"x": 1, "y": 2}, "payments": ["p"]}
        manager.create_job(collections=collections, job_id="j")
        manager.record("j", [ItemEvent("lines/x", "pick"), ItemEvent("payments/p", "waive")])
        gone = {"why": "broken", "note": "in two"}
        manager.record("j", [ItemEvent("lines/x", "miss", gone)])

    return Shop(modules["parcel"], tmp_path / "parcel.db", fill)


def fields(page: str) -> dict[str, str]:
    """The fields of a page's first block."""
    lines = page.split("\n\n", maxsplit=1)[0].splitlines()
    parts = [line.partition("  ") for line in lines if not line.startswith(" ")]
    return {name.strip(): told.strip() for name, _, told in parts}


def test_an_order_has_no_line_about_items(order: Shop) -> None:
    """Neither progress, nor parameters, nor failures; the rest as of every job."""
    shown = order("show", "j").stdout
    assert fields(shown)["phase"] == "on_hold"
    assert not {"settled", "left", "items take"} & fields(shown).keys()
    assert "failures" not in shown
    assert ["refund", "refunded"] in [line.split() for line in shown.splitlines()]
    answer = order.json("show", "j")
    assert "item_events" not in answer
    assert answer["progress"] == {"other": 0, "total": 0}
    assert order("jobs").stdout.splitlines()[1].split()[:3] == ["j", "on_hold", "3"]
    assert order("items", "j").stderr == "milepost: none of 0 items\n"
    assert "items" not in order("fork", "j", "2", "k").stdout
    planned = fields(order("plan", "j").stdout)
    assert (planned["resumes in"], planned["job takes"]) == ("paid", "go_on")
    assert "items to do" not in planned
    assert order("verify").stdout.endswith(": sound\n")


def test_reviews_have_no_attempts_and_no_dead_letters(review: Shop) -> None:
    """A page has the parts that the lifecycle has roles for, and what ended in another way."""
    shown = fields(review("show", "j").stdout)
    assert shown["settled"] == "2 of 3: 1 done, 1 ended"
    assert shown["left"] == "1: 1 pending, 0 running"
    assert review.json("show", "j")["progress"] == {
        "done": 1,
        "ended": 1,
        "other": 1,
        "pending": 1,
        "running": 0,
        "total": 3,
    }
    listed = review("items", "j").stdout.splitlines()
    assert listed[0].split() == ["ITEM", "STATE", "FAILURES", "CAUSE", "LAST", "FAILURE"]
    assert [line.split()[1] for line in listed[1:]] == ["accepted", "withdrawn", "submitted"]
    assert review.json("items", "j")["max_attempts"] is None


@pytest.mark.parametrize("args", [("dead",), ("requeue",), ("requeue", "--apply")])
def test_a_command_about_a_role_that_there_is_not_says_so(
    review: Shop, args: tuple[str, ...]
) -> None:
    """It never answers with nothing."""
    before = review.store.read_bytes()
    command, *options = args
    told = review(command, "j", *options, exit_code=2)
    assert told.stdout == ""
    assert "lifecycle reviews version 1: machine 'paper' has no role" in told.stderr
    assert "name it under machines.paper.roles" in told.stderr
    assert review.store.read_bytes() == before


def test_failed_items_need_a_role_too(review: Shop) -> None:
    assert "has no role 'failure'" in review("items", "j", "--failed", exit_code=2).stderr


def test_collections_have_their_own_lines_and_tables(parcel: Shop) -> None:
    shown = fields(parcel("show", "j").stdout)
    assert shown["lines settled"] == "0 of 2: 0 done"
    assert shown["lines left"] == "2: 1 pending, 0 running, 1 failed"
    assert shown["payments settled"] == "1 of 1: 1 ended"
    assert shown["payments take"] == "settle, waive"
    lines, payments = parcel("items", "j").stdout.split("\n\n")
    assert lines.splitlines()[0] == "lines"
    assert lines.splitlines()[2].split()[:3] == ["lines/x", "missing", "1/2"]
    assert "in two" in lines
    assert payments.splitlines()[1].split()[:3] == ["ITEM", "STATE", "FAILURES"]
    answer = parcel.json("items", "j")
    assert answer["collections"]["lines"] == {"max_attempts": 2, "max_crashes": 0}
    assert [item["collection"] for item in answer["items"]] == ["lines", "lines", "payments"]
    assert [item["key"] for item in parcel.json("items", "j", "--failed")["items"]] == ["lines/x"]
    changed = parcel("changes", "j", "1").stdout
    assert "lines.open" in changed
    assert "payments.waived" in changed


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (
            ("items", "j", "--state", "mising"),
            "has no state of items 'mising': did you mean missing",
        ),
        (
            ("plan", "j", "--cause", "brokn"),
            "has no cause of failures 'brokn': did you mean broken",
        ),
        (("plan", "j", "--phase", "paking"), "has no phase of work 'paking': did you mean packing"),
        (("jobs", "--phase", "sentt"), "has no phase 'sentt': did you mean sent"),
        (("diagram", "j", "--machine", "lin"), "has no machine 'lin': did you mean line"),
    ],
)
def test_names_are_those_of_the_jobs_own_lifecycle(
    parcel: Shop, args: tuple[str, ...], told: str
) -> None:
    """For one that it has not, the nearest is offered."""
    assert told in parcel(*args, exit_code=2).stderr


def test_names_that_there_are_choose(parcel: Shop) -> None:
    assert [item["key"] for item in parcel.json("items", "j", "--state", "open")["items"]] == [
        "lines/y"
    ]
    assert parcel.json("jobs", "--phase", "packing")["total"] == 1
    assert parcel.json("jobs", "--phase", "sent")["total"] == 0


def test_a_shell_completes_names_from_the_store(
    parcel: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert parcel.completed(monkeypatch, "show", "") == ["j"]
    assert parcel.completed(monkeypatch, "items", "j", "--state", "p") == ["picked", "packed"]
    assert parcel.completed(monkeypatch, "plan", "j", "--cause", "") == ["broken", "lost_it"]
    assert parcel.completed(monkeypatch, "plan", "j", "--phase", "") == ["packing"]
    assert "line" in parcel.completed(monkeypatch, "diagram", "j", "--machine", "")


def test_a_shell_is_told_nothing_without_a_store(
    parcel: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is typed then stands, and no trouble disturbs the line."""
    parcel.store.write_text("no store")
    assert parcel.completed(monkeypatch, "show", "") == []
    assert parcel.completed(monkeypatch, "items", "j", "--state", "") == []


def drawn(shop: Shop, ask: Callable[[StateManager], Page]) -> str:
    """A page as a terminal of 24-bit colour shows it."""
    console = Console(
        file=StringIO(),
        force_terminal=True,
        color_system="truecolor",  # a style of Rich keeps the codes that it was first shown with
        width=120,
        highlight=False,
    )
    with StateManager.open(shop.store, lifecycle=loaded(shop.module), read_only=True) as manager:
        draw(ask(manager), console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_states_look_as_their_roles_say(order: Shop, review: Shop) -> None:
    """A glyph stands before each: it rests, is done, waits, or has no role."""
    shown = drawn(order, lambda manager: jobs_page(jobs(manager)))
    assert "‖ on_hold" in shown
    listed = drawn(review, lambda manager: items_page(items(manager, "j")))
    for state in ("✓ accepted", "· withdrawn", "○ submitted"):
        assert state in listed


EVERY: tuple[str, ...] = (
    *("jobs", "jobs --stuck", "lifecycles", "show j", "history j", "items j", "changes j 1"),
    *("checkpoint j", "checkpoint j --list", "plan j", "plan j --failed", "fork j 2 k --apply"),
    *("plan j --attempts-below 2", "plan k", "dead j", "requeue j", "recover j"),
    *("recover --expired", "rewind j -1", "rewind j -1 --apply", "recover j --apply"),
    *("diagram j --mermaid", "diagram j", "sizes j", "compact j", "compact --all --apply"),
    *("keep j --for 2d", "gc", "gc --apply", "verify", "verify --repair", "verify --quarantine"),
    *("migrate", "history k"),
)


@pytest.mark.parametrize("lifecycle", ["order", "review", "parcel"])
@pytest.mark.parametrize("as_json", [False, True])
def test_every_command_answers(
    request: pytest.FixtureRequest, lifecycle: str, as_json: bool
) -> None:
    """Whatever the lifecycle: an answer, or trouble that names the role which is missing."""
    shop: Shop = request.getfixturevalue(lifecycle)
    env = {"MILEPOST_DB": str(shop.store), "MILEPOST_LIFECYCLES": str(shop.module)}
    refused: set[str] = set()
    for call in EVERY:
        args = [*call.split(), *(["--json"] if as_json else [])]
        result = CliRunner().invoke(main, args, obj=shop.clock, env=env)
        assert "defect" not in result.stderr, (call, result.stderr)
        if result.exit_code:
            words = ("has no role", "its jobs have no items")
            assert any(each in result.stderr for each in words), (call, result.output)
            refused.add(" ".join(call.split()[:1]))
        elif as_json:
            assert json.loads(result.stdout)["schema"].startswith("milepost.")
    assert refused <= {"dead", "requeue", "plan"}
