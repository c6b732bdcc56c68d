"""Drivers on a PostgreSQL store that are killed: what was acknowledged is there, once."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from random import Random

import pytest

from milepost.testing.deaths import (
    Nursery,
    survives_kills,
    survives_random_kills,
    survives_stalls,
)
from tests.crash.conftest import Counted, judges
from tests.crash.work import Spec, work
from tests.postgres import needs_postgres, new_url

pytestmark = needs_postgres

KILLS = 4 * int(os.environ.get("MILEPOST_SOAK", "1"))
SMALL = Spec(items=4, spin=10)


@pytest.mark.parametrize("harness", [survives_kills, survives_stalls])
def test_every_crash_point(
    harness: type, postgres: str, tmp_path: Path, nursery: Nursery, deaths: Counted
) -> None:
    killed = harness(
        partial(work, SMALL),
        tmp_path,
        expected=["job recover"],
        new_url=lambda: new_url(postgres),
        nursery=nursery,
        **judges(SMALL),
    )
    names = {survives_kills: "kills", survives_stalls: "stalls"}
    deaths(f"{names[harness]} at crash points", killed)


@pytest.mark.parametrize("pool", ["threads", "processes"])
@pytest.mark.parametrize("expires", [True, False], ids=["its lease ran out", "it was replaced"])
def test_a_second_driver_goes_on_where_one_was_killed(
    postgres: str, tmp_path: Path, nursery: Nursery, pool: str, expires: bool, deaths: Counted
) -> None:
    """Lost is nothing, recorded twice is nothing, and the job completes."""
    spec = Spec(pool=pool, expires=expires, items=120)
    killed = survives_random_kills(
        partial(work, spec),
        tmp_path,
        kills=KILLS,
        rng=Random(f"{pool} {expires}"),  # noqa: S311  seeded: moments are drawn, not secrets
        new_url=lambda: new_url(postgres),
        nursery=nursery,
        **judges(spec),
    )
    deaths("kills at random", killed)
