"""URLs of PostgreSQL stores: a password is never shown, and what is no address is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.errors import StoreError
from milepost.stores.postgres.address import address_of, shown

PASSWORDS = st.text(alphabet="XYZ0189%/:@?#[]!", min_size=4, max_size=12).map(
    lambda text: f"XX{text}XX"
)


@given(password=PASSWORDS)
def test_no_password_is_shown_wherever_it_stands(password: str) -> None:
    """Neither in what people see nor in an error, quoted or raw."""
    for text in (
        f"postgresql://me:{password}@host/jobs",
        f"postgresql://host/jobs?user=me&password={password}",
        f"postgres://me:{password}@host/jobs?schema=NO",
    ):
        told = [shown(text)]
        try:
            told.append(address_of(text).url)
        except StoreError as error:
            told += [str(error), repr(error), str(error.__cause__)]
        marked = password.partition("@")[0].partition("?")[0].partition("#")[0].partition("&")[0]
        for each in told:
            assert marked not in each or len(marked) < 4


def test_what_is_ours_is_taken_out_and_the_rest_goes_to_libpq() -> None:
    """The schema is ours; all else is as it was given, with our defaults behind it."""
    address = address_of("postgresql://me:pw@host:5433/jobs?schema=team_a&sslmode=require")
    assert address.schema == "team_a"
    assert address.url == "postgresql://me@host:5433/jobs?schema=team_a&sslmode=require"
    assert address.conninfo.startswith("postgresql://me:pw@host:5433/jobs?")
    assert "sslmode=require" in address.conninfo
    assert "schema" not in address.conninfo
    assert "keepalives_idle=5&" in address.conninfo
    assert "keepalives_idle" in address_of("postgresql:///jobs?keepalives_idle=7").conninfo
    assert (
        "=5&"
        not in address_of("postgresql:///jobs?keepalives_idle=7")
        .conninfo.partition("keepalives_idle")[2]
        .partition("&")[0]
    )


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://host/jobs?schema=Team",
        "postgresql://host/jobs?schema=a;b",
        "postgresql://host/jobs?schema=",
        "postgresql://host/jobs?nothing",
        "postgresql://[host/jobs",
        "postgresql://host/jobs#part",
        f"postgresql://host/jobs?schema={'a' * 64}",
    ],
)
def test_what_is_no_address_is_refused_before_anything_is_asked(text: str) -> None:
    """It says what to write."""
    with pytest.raises(StoreError, match=r"schema|URL|%23|small"):
        address_of(text)
