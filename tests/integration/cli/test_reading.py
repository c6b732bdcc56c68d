"""The commands that only look: jobs, show, history, items, plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from milepost import StateManager
from milepost.testing import FakeClock
from tests.integration.cli.conftest import CommandLine

READING = [
    ("jobs",),
    ("show", "nightly"),
    ("history", "nightly"),
    ("items", "nightly"),
    ("checkpoint", "nightly", "--list"),
    ("plan", "nightly"),
    ("recover", "nightly"),
    ("changes", "nightly", "2"),
    ("rewind", "nightly", "4"),
    ("fork", "nightly", "4", "again"),
    ("verify",),
    ("diagram", "nightly"),
    ("diagram", "nightly", "--machine", "item", "--mermaid"),
]


@pytest.mark.parametrize("args", READING, ids=" ".join)
def test_reading_changes_no_byte_of_the_store(
    milepost: CommandLine, store: Path, args: tuple[str, ...]
) -> None:
    """A command that only looks leaves the file as it was, as text and as JSON."""
    before = store.read_bytes()
    milepost(*args)
    milepost.json(*args)
    assert store.read_bytes() == before


@pytest.mark.parametrize("args", READING, ids=" ".join)
def test_plain_text_has_no_colour_and_no_loose_ends(
    milepost: CommandLine, args: tuple[str, ...]
) -> None:
    """What is not written to a terminal has no escapes and no blanks at the ends of its lines."""
    out = milepost(*args).stdout
    assert "\x1b" not in out
    assert out.endswith("\n")
    if args[0] != "diagram":
        assert all(line == line.rstrip() for line in out.splitlines())


def test_jobs_lists_newest_first(milepost: CommandLine) -> None:
    """Each job has a line that says where it is."""
    lines = milepost("jobs").stdout.splitlines()
    counted = ["DONE", "LEFT", "DEAD", "SKIPPED", "ITEMS"]
    assert lines[0].split() == ["JOB", "PHASE", *counted, "SEQ", "UPDATED"]
    assert [line.split()[0] for line in lines[1:]] == ["weekly-2", "weekly-1", "nightly"]
    assert lines[3].split()[1:8] == ["map", "2", "5", "1", "0", "8", "9"]
    assert lines[3].endswith("2023-11-14T22:13:41Z")


def test_jobs_can_be_narrowed(milepost: CommandLine) -> None:
    """By phase and by the beginning of the id; that there is none is no error."""
    assert [job["id"] for job in milepost.json("jobs", "--phase", "map")["jobs"]] == ["nightly"]
    assert len(milepost.json("jobs", "--prefix", "weekly")["jobs"]) == 2
    nothing = milepost("jobs", "--phase", "failed")
    assert (nothing.stdout, nothing.stderr) == ("", "milepost: no such job\n")


def test_jobs_are_chosen_by_how_they_stand_and_when(
    milepost: CommandLine, clock: FakeClock
) -> None:
    """Options add up; what cuts is told, with how many there are."""
    with StateManager.open(milepost.store, clock=clock) as manager:
        manager.fire("weekly-1", "cancel")
        manager.fire("weekly-2", "fail", {"cause": "error", "message": "no disk"})

    def ids(*args: str) -> list[str]:
        return [job["id"] for job in milepost.json("jobs", *args)["jobs"]]

    assert ids("--outcome", "active") == ["nightly"]
    assert ids("--outcome", "cancelled") == ["weekly-1"]
    assert ids("--outcome", "failed", "--phase", "failed") == ["weekly-2"]
    assert ids("--outcome", "succeeded") == []
    assert ids("--phase", "map", "--phase", "cancelled") == ["weekly-1", "nightly"]
    assert ids("--since", "10s") == ["weekly-2", "weekly-1"]
    assert ids("--since", "90s", "--outcome", "active") == ["nightly"]
    assert ids("--since", "89s", "--outcome", "active") == []
    assert ids("--since", "9999999w") == ["weekly-2", "weekly-1", "nightly"]
    assert ids("--sort", "id") == ["nightly", "weekly-1", "weekly-2"]
    assert ids("--sort", "left") == ["nightly", "weekly-2", "weekly-1"]
    assert ids("--sort", "updated")[2] == "nightly"
    cut = milepost("jobs", "--sort", "id", "--since", "1d", "--limit", "2")
    assert cut.stderr == "milepost: 2 of 3 jobs; --limit 0 lists all\n"
    assert "no phase 'mop'" in milepost("jobs", "--phase", "mop", exit_code=2).stderr


def test_columns_of_jobs_add_up(milepost: CommandLine) -> None:
    """Skipped ones are among them."""
    milepost("skip", "nightly", "--item", "eu/7", "--apply")
    head, *lines = milepost("jobs").stdout.splitlines()
    for line in lines:
        told = dict(zip(head.split(), line.split(), strict=True))
        parts = [int(told[name]) for name in ("DONE", "LEFT", "DEAD", "SKIPPED")]
        assert sum(parts) == int(told["ITEMS"])
    assert told["SKIPPED"] == "1"


def test_a_plan_says_by_its_exit_code_whether_there_is_work_left(milepost: CommandLine) -> None:
    """Of the job, until it has ended, or of what is in scope."""
    assert milepost.json("plan", "nightly")["work_left"] is True
    milepost("plan", "nightly", "--exit-code", exit_code=1)
    milepost("plan", "nightly", "--exit-code", "--item", "eu/0")
    milepost("plan", "nightly", "--exit-code", "--item", "eu/7", exit_code=1)
    milepost("cancel", "nightly", "--apply")
    milepost("plan", "nightly", "--exit-code")
    milepost("plan", "absent", "--exit-code", exit_code=2)


def test_a_list_that_is_cut_says_so_on_stderr(milepost: CommandLine) -> None:
    """Data stays data: what was left out is told aside."""
    cut = milepost("jobs", "--limit", "1")
    assert len(cut.stdout.splitlines()) == 2
    assert cut.stderr == "milepost: 1 of 3 jobs; --limit 0 lists all\n"
    assert "3 of 8 items" in milepost("items", "nightly", "--limit", "3").stderr
    assert "the newest 2 events" in milepost("history", "nightly", "--limit", "2").stderr
    assert milepost("jobs", "--limit", "0").stderr == ""


def test_show_says_where_a_job_is(milepost: CommandLine) -> None:
    """Phase and since when, progress, holder, checkpoint, failures."""
    answer = milepost.json("show", "nightly")
    assert (answer["job"], answer["phase"], answer["seq"]) == ("nightly", "map", 9)
    assert answer["entered"] == {
        "at": "2023-11-14T22:13:41.500000Z",
        "event": "resume",
        "payload": {},
        "seq": 9,
    }
    assert answer["progress"]["done"] == 2
    assert answer["lease"] == {
        "expired": True,
        "expires_at": "2023-11-14T22:13:52Z",
        "fence": 1,
        "owner": "worker-1",
    }
    assert answer["checkpoint"]["seq"] == 5
    assert answer["context"]["history.active"] == "map"
    assert answer["variables"] == {"day": "2023-11-14"}
    assert answer["failure_count"] == 3
    assert answer["failures"][-1] == {
        "at": "2023-11-14T22:13:29.500000Z",
        "cause": "timeout",
        "key": "eu/3",
        "kind": "",
        "message": "no answer in 30 s",
        "permanent": False,
        "seq": 7,
    }


def test_show_tells_a_holder_that_is_alive(held: CommandLine) -> None:
    """Before the lease expires, show says until when it runs."""
    assert held.json("show", "nightly")["lease"]["expired"] is False
    assert "worker-1, until 2023-11-14T22:13:52Z (in " in held("show", "nightly").stdout


def test_items_that_were_added_are_shown(milepost: CommandLine) -> None:
    """How many, when and which; nothing of it where none were."""
    assert milepost.json("show", "nightly")["added_count"] == 0
    assert "after it was created" not in milepost("show", "nightly").stdout
    with StateManager.open(milepost.store, clock=milepost.clock) as manager:
        manager.add_items("nightly", ["new/1", "new/2"], operator=True)
    assert milepost.json("show", "nightly")["added_count"] == 2
    assert "2 of them after it was created" in milepost("show", "nightly").stdout
    last = milepost.json("history", "nightly")["events"][-1]
    assert (last["event"], last["count"], last["keys"]) == ("added", 2, ["new/1", "new/2"])
    assert milepost.json("items", "nightly", "--state", "pending")["matched"] >= 2
    assert milepost.json("verify", "nightly")["sound"]


def test_show_says_what_a_job_would_take_and_why_not(milepost: CommandLine) -> None:
    """Allowed events with what they need; refused ones with guard, meaning and values read."""
    answer = milepost.json("show", "nightly")
    fail = next(event for event in answer["allowed"] if event["event"] == "fail")
    assert (fail["targets"], fail["fields"]) == (["failed"], ["cause", "message"])
    finish = next(event for event in answer["refused"] if event["event"] == "finish_map")
    guard = finish["guards"][0]
    assert guard["guard"] == "settled and within_dead_limit and has_reduce"
    assert guard["definitions"]["settled"] == "items.pending + items.running + items.failed == 0"
    assert guard["values"]["items.running"] == 2
    retry = next(event for event in answer["refused"] if event["event"] == "retry")
    assert (retry["guards"], retry["reason"]) == ([], "'map' has no such transition")
    text = milepost("show", "nightly").stdout
    assert "items.pending=2, items.running=2, items.failed=1" in text
    assert "no transition from map: start_map, finish_reduce, resume, retry" in text


def test_what_could_move_a_cursor_is_escaped(milepost: CommandLine) -> None:
    """A message from elsewhere cannot write to the terminal of who reads it."""
    assert r"HTTP 500\n\x1b[31mred" in milepost("show", "nightly").stdout


def test_history_is_the_log_in_order(milepost: CommandLine) -> None:
    """Every event with its phases, its items and the time since the one before."""
    events = milepost.json("history", "nightly", "--limit", "0")["events"]
    assert events[0]["event"] == "created"
    assert events[0]["elapsed_s"] is None
    assert [e["seq"] for e in events] == sorted(e["seq"] for e in events)
    resumed = events[-1]
    assert (resumed["source"], resumed["target"]) == ("paused", "map")
    assert resumed["elapsed_s"] == 12
    assert resumed["transitions"] == {"job:paused.resume.2": 1}
    assert "setup → map" in milepost("history", "nightly").stdout


def test_history_is_searched(milepost: CommandLine) -> None:
    """By item, event, time and text; what is shown of an event is what was asked for."""

    def told(*args: str) -> list[tuple[int, str]]:
        view = milepost.json("history", "nightly", *args)
        return [(event["seq"], event["event"]) for event in view["events"]]

    of_item = told("--item", "eu/2", "--after", "1")
    assert of_item == [
        (4, "start"),
        (5, "fail"),
        (7, "retry"),
        (7, "start"),
        (7, "fail"),
        (7, "give_up"),
    ]
    assert told("--glob", "?u/2", "--after", "1") == of_item
    assert told("--item", "eu/2", "--event", "fail") == [(5, "fail"), (7, "fail")]
    first = milepost.json("history", "nightly", "--item", "eu/5", "--event", "start")["events"][0]
    assert (first["count"], first["keys"]) == (6, ["eu/5"])
    assert told("--event", "checkpoint") == [(6, "checkpoint")]
    assert told("--event", "job", "--grep", "^pau") == [(8, "pause"), (9, "resume")]
    assert told("--grep", "reason=by hand") == [(6, "checkpoint")]
    assert told("--grep", "no answer") == [(7, "fail"), (7, "fail")]
    assert told("--grep", "no answer", "--item", "eu/3") == [(7, "fail")]
    assert told("--grep", "HTTP 500") == [(5, "fail")]
    assert "eu/2; no answer in 30 s" in milepost("history", "nightly", "--event", "fail").stdout
    assert told("--since", "90s") == [(9, "resume")]
    assert told("--since", "89s") == []
    assert told("--since", "9w") == told()
    cut = milepost("history", "nightly", "--event", "fail", "--limit", "1")
    assert cut.stderr == "milepost: the newest 1 event of 3; --limit 0 shows all\n"
    assert cut.stdout.splitlines()[1].split()[0] == "7"


def test_what_there_is_not_in_a_history_is_told(milepost: CommandLine) -> None:
    """An event, an item, a pattern; that nothing happened is no error."""
    nothing = milepost("history", "nightly", "--event", "rewound")
    assert (nothing.stdout, nothing.stderr) == ("", "milepost: nothing of the kind happened\n")
    newest = "the newest of the job is 9, of 2023-11-14T22:13:41.500Z\n"
    for asked, of in (
        (("--after", "9"), "after 9"),
        (("--after", "5", "--upto", "3"), "after 5 and up to 3"),
        (("--since", "1m"), "since 2023-11-14T22:14:11.500Z"),
    ):
        nothing = milepost("history", "nightly", *asked)
        assert (nothing.stdout, nothing.stderr) == ("", f"milepost: no commit {of}: {newest}")
    wrong = milepost("history", "nightly", "--event", "fial", exit_code=2).stderr
    assert "has no event 'fial': did you mean fail" in wrong
    assert "no item" in milepost("history", "nightly", "--item", "eu/99", exit_code=2).stderr
    assert (
        "no regular expression" in milepost("history", "nightly", "--grep", "(", exit_code=2).stderr
    )


def test_history_of_a_range(milepost: CommandLine) -> None:
    """`--after` and `--upto` cut by commit; the newest of what is left stay with `--limit`."""
    whole = milepost.json("history", "nightly", "--limit", "0")["events"]
    part = milepost.json("history", "nightly", "--after", "3", "--upto", "7")
    assert part["cut"] is False
    assert part["events"] == [event for event in whole if 3 < event["seq"] <= 7]
    newest = milepost.json("history", "nightly", "--upto", "7", "--limit", "2")
    assert newest["cut"] is True
    assert newest["events"] == part["events"][-2:]
    beyond = milepost("history", "nightly", "--after", "99")
    assert (beyond.stdout, "of the job is 9," in beyond.stderr) == ("", True)


def test_items_with_their_attempts_and_failures(milepost: CommandLine) -> None:
    """Each item has its state, its attempts and what went wrong last."""
    answer = milepost.json("items", "nightly")
    assert (answer["total"], answer["matched"], answer["max_attempts"]) == (8, 8, 2)
    dead = answer["items"][2]
    assert (dead["key"], dead["state"], dead["attempts"], dead["failures"]) == (
        "eu/2",
        "dead",
        2,
        2,
    )
    assert dead["last_failure"]["cause"] == "timeout"
    assert answer["items"][0]["last_failure"] is None


def test_items_can_be_narrowed(milepost: CommandLine) -> None:
    """By state, by failure and by key; filters combine."""

    def keys(*args: str) -> list[str]:
        return [item["key"] for item in milepost.json("items", "nightly", *args)["items"]]

    assert keys("--state", "pending") == ["eu/6", "eu/7"]
    assert keys("--failed") == ["eu/2", "eu/3"]
    assert keys("--state", "done", "--state", "pending", "--key", "eu/[17]") == ["eu/1", "eu/7"]
    assert milepost("items", "nightly", "--key", "us/*").stderr == "milepost: none of 8 items\n"


def test_plan_is_a_partition_with_reasons(milepost: CommandLine) -> None:
    """Every item is in one part; the keys that are named are as many as was asked for."""
    answer = milepost.json("plan", "nightly", "--keys", "1")
    assert sum(part["count"] for part in answer["parts"]) == 8
    parts = {part["name"]: part for part in answer["parts"]}
    assert (parts["in_flight"]["count"], parts["in_flight"]["keys"]) == (2, ["eu/4"])
    assert parts["dead"]["reason"] == "is in the dead letter queue"
    assert (answer["events"], answer["to_work_on"]) == (["recover"], 5)
    assert "eu/4, …" in milepost("plan", "nightly", "--keys", "1").stdout


def test_beginnings_of_ids_name_jobs(milepost: CommandLine) -> None:
    """As in git: a beginning that no other job has; else the candidates are listed."""
    assert milepost.json("show", "ni")["job"] == "nightly"
    ambiguous = milepost("show", "week", exit_code=2)
    assert ambiguous.stderr == "milepost: 2 jobs begin with 'week': weekly-1, weekly-2\n"
    assert ambiguous.stdout == ""
    assert "did you mean nightly?" in milepost("plan", "nihgtly", exit_code=2).stderr
    assert "`milepost jobs` lists" in milepost("items", "zzz", exit_code=2).stderr


def test_changes_between_two_moments(milepost: CommandLine) -> None:
    """Phase, holder, values and items; what did not change is not there."""
    answer = milepost.json("changes", "nightly", "2", "7", "--keys", "1")
    assert (answer["before"]["phase"], answer["after"]["phase"]) == ("setup", "map")
    assert (answer["commits"], answer["events"], answer["elapsed_s"]) == (5, 15, 7.5)
    assert answer["variables"] == answer["rewinds"] == []
    moved = {(i["before"], i["after"]): i["count"] for i in answer["items"] if i["name"] == "state"}
    assert moved == {
        ("pending", "running"): 2,
        ("pending", "done"): 2,
        ("pending", "failed"): 1,
        ("pending", "dead"): 1,
    }
    attempts = [i for i in answer["items"] if i["name"] == "attempts"]
    assert [(i["before"], i["after"], i["count"]) for i in attempts] == [(0, 1, 5), (0, 2, 1)]
    assert all(len(i["keys"]) == 1 for i in answer["items"])


def test_changes_names_values_and_rewinds(milepost: CommandLine) -> None:
    """A variable that came, one that changed; a rewind; a holder that is another."""
    with StateManager.open(milepost.store, clock=milepost.clock) as manager:
        manager.fire("nightly", "set_variables", {"variables": {"day": 1, "model": "b"}})
        manager.apply(manager.plan_rewind("nightly", 9))
    page = milepost("changes", "nightly", "9", "10").stdout
    lines = [line.split() for line in page.splitlines()]
    assert lines[3][1:] == ["1", "commit,", "1", "event,", "1", "m", "30", "s"]
    assert ["variable", "model", "b"] in lines
    assert ["variable", "day", "2023-11-14", "1"] in lines
    assert "no item is in another state" in page
    assert "rewound  at seq 11, to as it was at seq 9" in milepost("changes", "nightly", "9").stdout
    held = milepost("changes", "nightly", "1", "2").stdout
    assert "holder   nobody (fence 0) → worker-1 (fence 1)" in held


def test_moments_are_commits_or_times(milepost: CommandLine) -> None:
    """Before the newest, or the newest that is not after a time; B is the newest by itself."""

    def moments(*args: str) -> tuple[int, int]:
        answer = milepost.json("changes", "nightly", *args)
        return answer["before"]["seq"], answer["after"]["seq"]

    assert moments("1") == (1, 9)
    assert moments("-8", "-1") == (1, 8)
    assert moments("2023-11-14T22:13:20Z", "2023-11-14T22:13:29") == (1, 6)
    assert moments("2023-11-14T23:13:22+01:00", "2023-11-15") == (2, 9)
    for moment, told in (
        ("-9", "there is no commit -9, only 1 to 9"),
        ("0", "there is no commit 0"),
        ("2023-11-14", "there was no commit yet at 2023-11-14T00:00:00+00:00"),
        ("yesterday", "'yesterday' is no moment: give a commit (12)"),
        ("--keyz", "'--keyz' is no moment"),
    ):
        assert told in milepost("changes", "nightly", moment, exit_code=2).stderr
    crossed = milepost("changes", "nightly", "5", "4", exit_code=2)
    assert crossed.stderr == "milepost: commit 5 is after commit 4: give the earlier one first\n"
