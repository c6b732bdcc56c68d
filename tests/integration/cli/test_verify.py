"""`milepost verify`: exit 0 if a store is as it was written, 1 if it is not."""

from __future__ import annotations

from pathlib import Path

import apsw

from tests.integration.cli.conftest import CommandLine


def damage(store: Path, *statements: str) -> None:
    """Change a store behind Milepost's back."""
    connection = apsw.Connection(str(store))
    triggers = list(
        connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
    )
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    for _, sql in triggers:
        connection.execute(sql)
    connection.close()


def test_a_sound_store(milepost: CommandLine) -> None:
    """Every job is checked, or the one that is named."""
    answer = milepost.json("verify")
    assert answer["sound"] is True
    assert [job["job"] for job in answer["jobs"]] == ["nightly", "weekly-1", "weekly-2"]
    assert milepost.json("verify", "night")["jobs"][0]["commits"] == 9


def test_a_log_that_was_tampered_with(milepost: CommandLine, store: Path) -> None:
    """The verdict is no, and says which commit breaks which promise; other jobs are sound."""
    damage(
        store,
        "UPDATE commits SET at_us = at_us + 1 WHERE job = 1 AND seq = 4",
    )
    answer = milepost.json("verify", exit_code=1)
    assert [job["sound"] for job in answer["jobs"]] == [False, True, True]
    problem = answer["jobs"][0]["problems"][0]
    assert (problem["invariant"], problem["seq"]) == ("INV-CHAIN", 4)
    text = milepost("verify", "nightly", exit_code=1).stdout
    assert "NOT SOUND" in text
    assert "INV-CHAIN" in text
    milepost("verify", "weekly-1")


def test_other_commands_refuse_a_log_that_does_not_verify(
    milepost: CommandLine, store: Path
) -> None:
    """They say what is wrong and where to look, with exit code 2."""
    damage(store, "UPDATE commits SET head = x'00' WHERE seq = 1")
    damage(store, "DELETE FROM checkpoints")
    assert "`milepost verify` shows the whole" in milepost("show", "nightly", exit_code=2).stderr


def test_a_damaged_file(milepost: CommandLine, store: Path) -> None:
    """Pages that were overwritten are found; the answer is no, also where SQLite gives up."""
    content = bytearray(store.read_bytes())
    content[4096 * 2 : 4096 * 3] = b"\xff" * 4096
    store.write_bytes(content)
    result = milepost("verify", exit_code=1)
    assert "NOT SOUND" in result.stdout
