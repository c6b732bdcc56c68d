"""Trouble: one message on stderr, exit code 2, no traceback unless it is asked for."""

from __future__ import annotations

import errno
import shutil
import socket
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import apsw
import click
import pytest
from click.testing import CliRunner

from milepost import Scope, StateManager
from milepost.cli import main, program
from milepost.cli.commands import jobs as jobs_command
from tests.integration.cli.conftest import CommandLine


def fails(*args: str, **env: str) -> str:
    """What a command that cannot answer says on stderr."""
    result = CliRunner().invoke(main, args, env={"MILEPOST_DB": None, **env})
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    return result.stderr


def test_no_store_was_named() -> None:
    """The message says how to name one."""
    assert "--db, or in the variable MILEPOST_DB" in fails("jobs")


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    """It is not created, whether a command reads or writes."""
    path = tmp_path / "none.db"
    for command in (["jobs"], ["checkpoint", "j"], ["recover", "j", "--apply"]):
        message = fails(*command, "--db", str(path))
        assert message == (
            f"milepost: sqlite:///{path}: there is no such file:"
            " check the path, or create a job in it\n"
        )
    assert not path.exists()
    assert "does not exist: make it first" in fails("jobs", "--db", str(tmp_path / "a" / "b.db"))


def test_a_file_that_is_not_ours(tmp_path: Path) -> None:
    """Neither text nor another program's database is touched."""
    text = tmp_path / "notes.txt"
    text.write_text("not a database, only some words about one")
    assert "it is not a SQLite database; it was left alone" in fails("jobs", "--db", str(text))
    other = tmp_path / "other.db"
    connection = apsw.Connection(str(other))
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    assert "database of another program" in fails("checkpoint", "j", "--db", str(other))
    assert "it is a folder" in fails("jobs", "--db", str(tmp_path))


def test_a_file_that_is_damaged(store: Path) -> None:
    """What SQLite finds damaged is called so."""
    store.write_bytes(store.read_bytes()[:16] + b"\xff" * 4096)
    assert fails("jobs", "--db", str(store)).startswith("milepost: sqlite:///")


def test_one_job_that_cannot_be_read_leaves_the_others(milepost: CommandLine, store: Path) -> None:
    """It is named, the others are listed and worked on, and the exit code tells of it.

    Stuck jobs are looked for among those that nobody gave back.
    """
    copied = store.with_name("copied.db")
    with (
        StateManager.open(store, clock=milepost.clock) as manager,
        manager.lease("weekly-1", "worker-2", renewed=False),
        manager.lease("weekly-2", "worker-2", renewed=False),
    ):
        for suffix in ("", "-wal"):
            shutil.copy(f"{store}{suffix}", f"{copied}{suffix}")
    for suffix in ("", "-wal"):
        Path(f"{copied}{suffix}").replace(f"{store}{suffix}")
    connection = apsw.Connection(str(store))
    connection.execute("UPDATE jobs SET lifecycle = 'other' WHERE job_id = 'weekly-1'")
    connection.execute("DELETE FROM tips WHERE job = (SELECT max(number) FROM jobs)")
    connection.close()
    named = ("the entry of job weekly-1 does not match its seal", "the log of job weekly-2 ends at")

    def names(stderr: str) -> bool:
        return all(each in stderr and "`milepost verify`" in stderr for each in named)

    listed = milepost("jobs", exit_code=2)
    assert "nightly" in listed.stdout
    assert "weekly" not in listed.stdout
    assert names(listed.stderr)
    told = milepost.json("jobs", exit_code=2)
    assert ([job["id"] for job in told["jobs"]], told["total"]) == (["nightly"], 1)
    assert len(told["unreadable"]) == 2
    assert names(milepost("jobs", "--stuck", exit_code=2).stderr)
    assert milepost.json("show", "nightly")["job"] == "nightly"
    assert "nightly" in milepost("show", "night").stdout, "no other begins so"
    assert named[0] in milepost("show", "weekly", exit_code=2).stderr
    assert named[0] in milepost("show", "weekly-1", exit_code=2).stderr
    assert "weekly-1" in milepost("fork", "nightly", "5", "weekly-1", exit_code=2).stderr
    assert named[1] in milepost("compact", "--all", exit_code=2).stderr
    freed = milepost("recover", "--expired", "--apply", exit_code=2)
    assert "applied: 1 freed" in freed.stdout
    assert names(freed.stderr)
    collected = milepost("gc", "--apply", exit_code=2)
    assert "nightly" in collected.stdout
    assert names(collected.stderr)
    copy = store.parent / "copy.db"
    assert named[0] in milepost("backup", str(copy), exit_code=2).stderr
    assert copy.exists()


def test_a_url_that_names_no_store() -> None:
    """The message shows the forms there are."""
    assert "use a path, sqlite:///jobs.db" in fails("jobs", "--db", "mysql://x/y")


def test_the_store_by_url_and_before_the_command(milepost: CommandLine, store: Path) -> None:
    """`--db` is taken by the group and by its commands, as a path or a URL; the nearest counts."""
    url = f"sqlite:///{store}"
    answers = [
        milepost("jobs").stdout,
        milepost("--db", url, "jobs").stdout,
        milepost("--db", "nowhere.db", "jobs", "--db", url).stdout,
    ]
    assert len(set(answers)) == 1


def test_wrong_usage_exits_2(store: Path) -> None:
    """Unknown commands, options and values; the nearest name is offered."""
    assert "no command 'verfy': did you mean verify" in fails("verfy")
    assert "No such option" in fails("jobs", "--nope")
    told = fails("jobs", "--phase", "complete", "--db", str(store))
    assert "has no phase 'complete': did you mean completed" in told
    assert "Missing argument 'JOB'" in fails("show")


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    """By option, before or after the command, or by variable; the message comes all the same."""
    absent = str(tmp_path / "none.db")
    told = [
        fails("jobs", "--db", absent, "--debug"),
        fails("--debug", "jobs", "--db", absent),
        fails("jobs", "--db", absent, MILEPOST_DEBUG="1"),
    ]
    for stderr in told:
        assert "Traceback" in stderr
        assert stderr.splitlines()[-1].startswith("milepost: sqlite:///")


def test_a_defect_is_named_as_one(milepost: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody foresaw is a message too."""
    monkeypatch.setattr(jobs_command.model, "jobs", lambda *_, **__: 1 / 0)
    told = milepost("jobs", exit_code=2).stderr
    assert told == (
        "milepost: unexpected, a defect of milepost: ZeroDivisionError: division by zero;"
        " --debug shows where\n"
    )


def test_an_interrupt_exits_130(milepost: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a command without a word."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs_command.model, "jobs", interrupted)
    assert milepost("jobs", exit_code=130).output == ""


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, EntryPoint]]:
    """The commands that other packages bring, as a test wants them."""
    entries: dict[str, EntryPoint] = {}
    monkeypatch.setattr(program, "_foreign", lambda: entries)
    return entries


@click.command("greet")
@click.argument("name")
def greet(name: str) -> None:
    """A command of another package."""
    click.echo(f"hello {name}")


def test_commands_of_other_packages(
    foreign: dict[str, EntryPoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They run by name, are listed without being loaded, and cannot replace our own."""
    for name in ("greet", "jobs"):
        foreign[name] = EntryPoint(name, f"{__name__}:greet", "milepost.commands")
    assert CliRunner().invoke(main, ["greet", "you"]).output == "hello you\n"
    assert "List the jobs" in CliRunner().invoke(main, ["jobs", "--help"]).output
    foreign["broken"] = EntryPoint("broken", "no_such_package:command", "milepost.commands")
    listed = CliRunner().invoke(main, ["--help"])
    assert listed.exit_code == 0
    assert "From no_such_package." in listed.output


def test_commands_that_cannot_be_loaded(foreign: dict[str, EntryPoint]) -> None:
    """The message names the entry point and what is wrong with it."""
    foreign["broken"] = EntryPoint("broken", "no_such_package:command", "milepost.commands")
    foreign["hollow"] = EntryPoint("hollow", f"{__name__}:nothing", "milepost.commands")
    foreign["odd"] = EntryPoint("odd", f"{__name__}:fails", "milepost.commands")
    assert "No module named 'no_such_package'; install that package again" in fails("broken")
    assert f"'hollow' is {__name__}:nothing and cannot be loaded" in fails("hollow")
    assert "which is no click command" in fails("odd")
    assert "it comes with the package milepost_codegen" in fails("compile")


def test_a_command_that_exits_while_it_is_loaded_has_not_answered(
    foreign: dict[str, EntryPoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 0 means yes; what its module prints is no answer either."""
    (tmp_path / "leaving_at_once.py").write_text("print('bye')\nraise SystemExit(0)\n")
    monkeypatch.syspath_prepend(tmp_path)
    foreign["leaves"] = EntryPoint("leaves", "leaving_at_once:command", "milepost.commands")
    result = CliRunner().invoke(main, ["leaves"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "cannot be loaded: SystemExit: 0; install that package again" in result.stderr


ABSENT_FOLDER = (
    ("export", "nightly", "--out"),
    ("export", "nightly", "--log", "--out"),
    ("results", "nightly", "--format", "csv", "--out"),
    ("diagram", "nightly", "--out"),
    ("dead", "nightly", "--export"),
    ("backup",),
)


@pytest.mark.parametrize("args", ABSENT_FOLDER, ids=" ".join)
def test_a_file_that_cannot_be_written(
    milepost: CommandLine, tmp_path: Path, args: tuple[str, ...]
) -> None:
    """What was asked for, where it was to be, and what to do; no number and no name of ours."""
    absent = tmp_path / "absent" / "x"
    told = milepost(*args, str(absent), exit_code=2).stderr
    assert str(absent) in told
    assert "folder" in told
    assert "does not exist: " in told
    assert "Errno" not in told
    assert ".part" not in told
    under = tmp_path / "file"
    under.write_text("no folder")
    told = milepost(*args, str(under / "x"), exit_code=2).stderr
    assert f"{under / 'x'}: " in told
    assert "check the path" in told
    assert "Errno" not in told


@pytest.mark.parametrize(
    ("args", "whole"),
    [(("diagram", "nightly", "--out"), "svg"), (("dead", "nightly", "--export"), "eu/2")],
)
def test_a_file_is_whole_or_as_it_was(
    milepost: CommandLine,
    tmp_path: Path,
    args: tuple[str, ...],
    whole: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No room on the medium leaves the file that was there, and nothing beside it."""
    out = tmp_path / "out" / "x"
    out.parent.mkdir()
    out.write_text("before")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("milepost.process.files.os.fsync", full)
        told = milepost(*args, str(out), exit_code=2).stderr
    assert told == f"milepost: {out}: no space left on device: free some space and try again\n"
    assert (out.read_text(), list(out.parent.iterdir())) == ("before", [out])
    milepost(*args, str(out))
    assert whole in out.read_text()


def test_a_salvage_into_no_folder(store: Path, tmp_path: Path) -> None:
    """What to do is a thing that can be done on the command line."""
    told = fails("salvage", str(store), str(tmp_path / "absent" / "x"))
    assert told.endswith(f"the folder {tmp_path / 'absent'} does not exist: make it first\n")


def test_choices_are_listed_a_line_each() -> None:
    told = fails("completion")
    assert "Choose from:\n  " in told
    assert "\\t" not in told


def test_a_result_that_there_is_none_of(milepost: CommandLine) -> None:
    """What helps depends on why: there is work left, it has failed for good, or is left out."""
    assert "`milepost plan nightly`" in milepost("results", "nightly", "eu/7", exit_code=2).stderr
    assert "`milepost dead nightly`" in milepost("results", "nightly", "eu/2", exit_code=2).stderr
    with StateManager.open(milepost.store, clock=milepost.clock) as manager:
        manager.skip("nightly", Scope.keys("eu/7"))
    told = milepost("results", "nightly", "eu/7", exit_code=2).stderr
    assert "it was skipped" in told
    assert "plan" not in told


def test_a_lifecycle_that_there_is_not(milepost: CommandLine) -> None:
    """As for other names: the nearest, or all there are."""
    told = milepost("jobs", "--of", "nosuch", exit_code=2).stderr
    assert "no lifecycle 'nosuch'" in told
    assert "there are " in told
    assert "mapreduce" in told
    assert "did you mean mapreduce" in milepost("jobs", "--of", "mapreduse", exit_code=2).stderr
    assert (
        milepost("jobs", "--of", "mapreduce", "--prefix", "z").stderr == "milepost: no such job\n"
    )


def test_an_address_that_is_taken(milepost: CommandLine) -> None:
    """Or that there is not: what to say instead."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        told = milepost("serve", "--port", str(port), exit_code=2).stderr
    assert told.startswith(f"milepost: 127.0.0.1, port {port}: another program listens there: ")
    assert "choose another port" in told


def test_a_host_that_is_not_known(milepost: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("milepost.web.serving.socket.getaddrinfo", unknown)
    told = milepost("serve", "--host", "nosuch.invalid", "--token", "t" * 16, exit_code=2).stderr
    assert told == (
        "milepost: nosuch.invalid: no such host is known: name an address of this machine\n"
    )


def test_a_repair_of_what_is_sound_repairs_nothing(
    milepost: CommandLine, caplog: pytest.LogCaptureFixture
) -> None:
    assert "nothing to repair" in milepost("verify", "--repair", "--apply").stdout
    assert "repaired" not in caplog.text


def test_one_is_not_called_many(milepost: CommandLine) -> None:
    assert "exported 1 dead letter of" in milepost("dead", "nightly", "--export", "-").stderr
    assert milepost("dead", "weekly-1").stderr == "milepost: no dead letters\n"
    told = milepost("dead", "nightly", "--cause", "error").stderr
    assert told == "milepost: no such dead letter; there is 1 in all\n"
    assert "the first 1 of 2 results" in milepost("results", "nightly", "--limit", "1").stderr
