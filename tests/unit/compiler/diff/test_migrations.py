"""What NEW's migrations answer for, and what they leave open."""

from typing import Any

from milepost_codegen.diff import Report
from tests.unit.compiler.diff.versions import Data, Edit, found, report


def reworked(job: Data) -> None:
    """`paused` is given up, `spent` is counted anew, and `fail` has another name."""
    del job["states"]["paused"], job["groups"], job["collections"]["items"]["accepts"]["paused"]
    del job["transitions"][4:6]
    job["context"]["spent"] = {"type": "int", "initial": 0}
    job["transitions"][1]["set"]["spent"] = "spent + 1"
    job["events"]["stumble"] = job["events"].pop("fail")
    job["transitions"][1]["on"] = "stumble"


def told(*migrations: Data, edits: tuple[Edit, ...] = (reworked,)) -> Report:
    return report(*edits, migrations=list(migrations))


ANSWERS: dict[str, Any] = {
    "from": 1,
    "states": {"job": {"paused": "work"}},
    "context": {"job": {"spent": "tries + 1"}},
    "events": {"job": {"fail": "stumble"}},
}


def test_without_answers_the_questions_are_open() -> None:
    """Every state, value and event that needs an answer is asked for."""
    before = told()
    (effect,) = [one for one in before.effects if one.machine == "job"]
    assert {(one.section, one.name, one.answer) for one in effect.questions} == {
        ("states", "paused", ""),
        ("context", "spent", ""),
        ("events", "fail", ""),
    }
    assert before.verdict == "breaking"


def test_answers_turn_breaking_into_migrated() -> None:
    """Stranded states, lacking values and lost events are migrated, and all that follows."""
    after = told(ANSWERS)
    changes = found(after)
    assert changes["paused", "removed"].verdict == "migrated"
    assert changes["paused", "removed"].text == "-> work"
    assert changes["spent", "added"].verdict == "migrated"
    assert changes["fail", "removed"].verdict == "migrated"
    assert changes["work.fail", "removed"].verdict == "compatible"  # NEW allows it, as stumble
    assert changes["setup.pause", "removed"].verdict == "migrated"
    assert changes["items.end in paused", "removed"].verdict == "migrated"
    (effect,) = [one for one in after.effects if one.machine == "job"]
    assert all(one.answer for one in effect.questions)
    assert after.verdict == "migrated"
    assert not after.notes


def test_a_state_that_stays_and_is_moved_is_judged_where_it_is_moved_to() -> None:
    """What members could do in it, and cannot there, is told, and answered by the migration."""
    moved = told({"from": 1, "states": {"job": {"paused": "setup"}}}, edits=(lambda _job: None,))
    changes = found(moved)
    assert changes["items.end in paused", "removed"].verdict == "migrated"
    assert moved.verdict == "migrated"
    assert ("items.take in work", "removed") not in changes


def test_a_migration_from_another_version_answers_nothing() -> None:
    """Only the migration from OLD's own version counts."""
    later = report(reworked, version=3, migrations=[{**ANSWERS, "from": 2}])
    assert later.verdict == "breaking"


def test_retired_transitions_may_stay_in_histories() -> None:
    """A row that is dropped on purpose breaks nothing once its id is given."""

    def edit(job: Data) -> None:
        job["transitions"][6]["from"] = "failed"

    assert report(edit).verdict == "breaking"
    retired = {"from": 1, "retired": {"job": ["work.finish"]}}
    after = report(edit, migrations=[retired])
    assert found(after)["work.finish", "removed"].verdict == "migrated"
    assert after.verdict == "migrated"


def test_an_answer_that_does_not_fit_does_not_count() -> None:
    """An event that is mapped to one without such a row leaves its arc lost."""
    wrong = {**ANSWERS, "events": {"job": {"fail": "retry"}}}
    assert found(told(wrong))["work.fail", "removed"].verdict == "breaking"


def test_names_that_old_does_not_have_are_noted() -> None:
    """The file alone cannot tell what OLD has; the comparison can."""
    after = told(
        {
            **ANSWERS,
            "states": {"job": {"paused": "work", "held": "work"}},
            "events": {"job": {"fail": "stumble", "hold": "stumble"}},
            "retired": {"job": ["work.hold"]},
            "old": {"job": {"tries": "bool", "left": "int"}},
            "context": {"job": {"spent": "left + 1 if tries else 0"}},
        }
    )
    assert len(after.notes) == 5
    assert sum("does not have" in note for note in after.notes) == 4
    assert sum("of type bool; version 1 says int" in note for note in after.notes) == 1


def test_values_for_changed_types_and_histories() -> None:
    """Old values by their own names and types, and the state that a history shall remember."""

    def edit(job: Data) -> None:
        job["context"]["cause"] = {"type": "bool", "initial": False}
        job["transitions"][1]["set"]["cause"] = "event.cause != none"
        job["groups"] = {"busy": ["setup", "work"]}
        job["transitions"][4]["from"] = "busy"
        job["transitions"][5]["to"] = {"history": "busy"}

    answers = {
        "from": 1,
        "old": {"job": {"cause": "Cause"}},
        "context": {"job": {"cause": "cause != none", "history.busy": "work"}},
    }
    assert found(report(edit))["history.busy", "added"].verdict == "breaking"
    after = found(report(edit, migrations=[answers]))
    assert after["history.busy", "added"].verdict == "migrated"
    assert after["cause", "type changed"].verdict == "migrated"
    assert after["work.fail", "set changed"].verdict == "migrated"
