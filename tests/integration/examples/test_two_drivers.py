"""Two drivers on a PostgreSQL server: the second goes on where the first was killed."""

from __future__ import annotations

import re

import pytest

from tests.integration.examples.programs import imported
from tests.postgres import needs_postgres, new_url

pytestmark = needs_postgres


def test_the_second_driver_finishes_what_the_first_began(
    postgres: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was recorded is not done again, but for what was in flight."""
    monkeypatch.setenv("MILEPOST_DB", new_url(postgres))
    with imported("two_drivers", "drivers") as drivers:
        assert drivers.main(["demo"]) == 0
        told = capsys.readouterr().out
        done = int(re.findall(r"killed: (\d+) of", told)[0])
        again, kept = map(int, re.findall(r"did (\d+) items, kept (\d+)", told)[0])
        assert "driver-2 stands by: driver-1 drives the job" in told
        assert drivers.KILLED_AFTER <= done < drivers.ITEMS
        assert again + kept == drivers.ITEMS
        assert kept == done
