"""Drivers on a PostgreSQL store that are killed: what was acknowledged is there, once."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.crash.trial import Trial
from tests.postgres import needs_postgres, new_url

pytestmark = needs_postgres

ROUNDS = int(os.environ.get("MILEPOST_SOAK", "1"))


@pytest.mark.parametrize("pool", ["threads", "processes"])
@pytest.mark.parametrize("expires", [True, False], ids=["its lease ran out", "it was replaced"])
def test_a_second_driver_goes_on_where_one_was_killed(
    postgres: str, trials: Callable[..., Trial], pool: str, expires: bool
) -> None:
    """Lost is nothing, recorded twice is nothing, and the job completes."""
    url = new_url(postgres)
    for _ in range(ROUNDS):
        trial = trials(url=url, pool=pool, expires=expires, items=120)
        trial.kill_children(4)
        trial.finish()
        assert trial.kills
