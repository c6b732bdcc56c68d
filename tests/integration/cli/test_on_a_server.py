"""Every command on a PostgreSQL store: the answers of a file, but where the page says otherwise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from milepost import StateManager
from milepost.cli import main
from milepost.errors import MilepostError
from milepost.state.persistence import open_store
from milepost.testing import FakeClock
from tests.integration.cli import old_home
from tests.integration.cli.answers import BUILT_IN, CALLS, answered, fill
from tests.integration.cli.story import tell, tell_on_a_server
from tests.postgres import needs_postgres, new_url

pytestmark = needs_postgres

PASSWORD: Final = "hush-hush"  # noqa: S105 the server of tests asks for none

_OF_FILES: Final = {"COPY", "TORN", "OLD", "LEFT"}
_OTHERWISE: Final = ("compact", "gc", "migrate")
"""Their answers have parts that the page names: rows put together, vacuums, the format's number."""

_CHANGING: Final = ("allow-dead", "checkpoint", "fork", "import", "keep", "redo", "rewind")


@pytest.fixture
def url(postgres: str) -> str:
    """An address with a password, where nothing is yet."""
    return new_url(postgres.replace("//postgres:@", f"//postgres:{PASSWORD}@"))


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
    if args[0] != "salvage":
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
