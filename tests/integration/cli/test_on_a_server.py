"""Every command on a PostgreSQL store: the answers of a file, but where the page says otherwise."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import psycopg
import pytest
from click.testing import CliRunner, Result

from milepost import StateManager
from milepost.cli import main
from milepost.errors import MilepostError
from milepost.state.persistence import open_store
from milepost.testing import FakeClock
from tests.integration.cli import old_home
from tests.integration.cli.answers import BUILT_IN, CALLS, answered, fill
from tests.integration.cli.story import JOB, tell, tell_on_a_server
from tests.postgres import needs_postgres, new_url
from tests.server_page import Logins, with_roles

pytestmark = needs_postgres

PASSWORD: Final = "hush-hush"  # noqa: S105 the server of tests asks for none

_OF_FILES: Final = {"COPY", "TORN", "OLD", "LEFT"}
_OTHERWISE: Final = ("compact", "gc", "migrate")
"""Their answers have parts that the page names: rows put together, vacuums, the format's number."""

_CHANGING: Final = ("allow-dead", "checkpoint", "fork", "import", "keep", "redo", "rewind")


@pytest.fixture
def logins(postgres: str) -> Logins:
    """Addresses with a password of an empty store, by roles that have no more than they need."""
    return with_roles(new_url(postgres), PASSWORD)


@pytest.fixture
def url(logins: Logins) -> str:
    """The address for writing: all that is done here is done by the role of drivers."""
    return logins.writer


def test_every_command_answers_as_in_a_file(url: str, tmp_path: Path) -> None:
    """The same values and exit codes, and the password nowhere."""
    in_file, on_server = FakeClock(), FakeClock()
    path = str(tell(tmp_path, in_file, silent_s=0))
    tell_on_a_server(url, on_server, silent_s=0)
    for named, clock in ((path, in_file), (url, on_server)):
        with StateManager.open(named, clock=clock) as manager:
            fill(manager, clock)
    old_home.leave(tmp_path)
    for call in CALLS:
        if _OF_FILES & set(call.split()):
            continue
        once = "--apply" in call or call.startswith(_CHANGING)
        for as_asked in (f"{call} --json",) if once else (call, f"{call} --json"):
            expected = answered(as_asked, in_file, tmp_path, BUILT_IN, path)
            got = answered(as_asked, on_server, tmp_path, BUILT_IN, url)
            assert PASSWORD not in got
            if call.startswith(_OTHERWISE):
                assert got.rpartition("= ")[2] == expected.rpartition("= ")[2], as_asked
            else:
                assert _unnamed(got) == _unnamed(expected), as_asked


def _unnamed(answer: str) -> str:
    """The answer without the store's name, and what hangs on how long that is."""
    answer = re.sub(r"(sqlite:///)?FOLDER/jobs\.db|postgresql://\S+?&schema=\w+", "STORE", answer)
    return re.sub(r" {2,}", "  ", answer)


@pytest.mark.parametrize(
    "call",
    [
        "backup copy.db",
        "compact whole --apply",
        "gc --vacuum --apply",
        "verify --beside",
        "verify --repair --apply",
        "verify --quarantine",
        "migrate --apply",
        "migrate --sql",
        "results nightly",
        "show none",
        "import log none.log",
        "import prodigy none",
        "jobs --debug",
        "backup URL",
        "salvage URL new.db",
        "salvage old.db URL",
        "move URL new.db",
        "move new.db URL",
        "move URL URL --apply",
    ],
)
def test_what_is_of_files_is_refused_or_done_without_trouble(
    url: str, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No error of Python's, and the password nowhere: not where a URL stands in a path's place."""
    monkeypatch.chdir(tmp_path)
    clock = FakeClock()
    tell_on_a_server(url, clock)
    args = [url if arg == "URL" else arg for arg in call.split()]
    if args[0] not in ("move", "salvage"):
        args += ["--db", url]
    result = CliRunner().invoke(main, args, obj=clock)
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert result.exit_code in (0, 2)
    assert PASSWORD not in result.output
    if call == "backup copy.db":
        assert "pg_dump --schema=test_" in result.stderr
        assert not Path("copy.db").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        "postgresq://me:hush-hush@host/jobs",
        "postgresql+psycopg://me:hush-hush@host/jobs",
        "POSTGRESQL://me:hush-hush@host/jobs",
        "postgresql:/me:hush-hush@host/jobs",
        "mysql://me:hush-hush@[host/jobs",
        " postgresql://me:hush-hush@host/jobs",
        "postgresql://me:hush-hush@host/jobs\0",
        Path("postgresql://me:hush-hush@host/jobs"),
    ],
)
def test_a_wrong_url_is_refused_without_its_password(wrong: str | Path) -> None:
    """Whatever is wrong with it, and however it came to be written so."""
    with pytest.raises((MilepostError, ValueError)) as refused:
        open_store(wrong, create=False)
    said: BaseException | None = refused.value
    while said is not None:
        assert PASSWORD not in f"{said} {said!r}"
        said = said.__cause__


def test_a_log_goes_from_a_file_to_a_server_and_back(url: str, tmp_path: Path) -> None:
    """The job is the same in all three, with its digests."""
    clock = FakeClock()
    first = str(tell(tmp_path, clock))
    there, back = str(tmp_path / "there.log"), str(tmp_path / "back.log")
    last = str(tmp_path / "last.db")
    for source, log, target in ((first, there, url), (url, back, last)):
        for args in (
            ["export", JOB, "--log", "--out", log, "--db", source],
            ["import", "log", log, "--db", target],
        ):
            result = CliRunner().invoke(main, args, obj=clock)
            assert result.exit_code == 0, result.output
            assert PASSWORD not in result.output
    digests = set()
    for named in (first, url, last):
        with StateManager.open(named, clock=clock, read_only=True) as manager:
            assert manager.verify(JOB)[0].sound
            digests.add(manager.get_state(JOB).digest)
    assert len(digests) == 1
    assert Path(there).read_bytes() == Path(back).read_bytes()


def test_a_history_is_followed_until_the_job_has_ended(url: str) -> None:
    """What is recorded while somebody follows is told, once and in order."""

    class Cancelling(FakeClock):
        """While the reader sleeps, another cancels the job."""

        def sleep(self, seconds: float) -> None:
            self.advance(seconds)
            with StateManager.open(url, clock=self) as manager:
                if manager.get_state(JOB).phase == "map":
                    manager.fire(JOB, "cancel", {"reason": "enough"}, operator=True)

    clock = Cancelling()
    tell_on_a_server(url, clock)
    args = ["history", JOB, "--follow", "--db", url]
    result = CliRunner().invoke(main, args, obj=clock)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["seq"] for line in lines] == sorted(line["seq"] for line in lines)
    assert any(line["event"] == "cancel" for line in lines)


def test_a_damaged_log_is_told_of_and_repaired(postgres: str, url: str) -> None:
    """`verify` says no, its repair sets aside what cannot be reached, and it is sound again."""
    clock = FakeClock()
    tell_on_a_server(url, clock)
    server, schema = postgres, url.partition("&schema=")[2]
    with psycopg.connect(server, autocommit=True) as connection:
        damage = f"UPDATE {schema}.commits SET at_us = at_us + 1 WHERE job = 1 AND seq > 7"
        connection.execute(damage.encode())

    def call(*args: str) -> Result:
        result = CliRunner().invoke(main, [*args, "--db", url], obj=clock)
        assert isinstance(result.exception, SystemExit | None), result.exception
        assert PASSWORD not in result.output
        return result

    assert call("verify").exit_code == 1
    assert call("verify", "--repair", "--apply").exit_code in (0, 1)
    assert call("verify").exit_code == 0
    assert JOB in call("verify", "--quarantine").stdout
