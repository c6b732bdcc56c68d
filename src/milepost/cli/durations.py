"""Ages on the command line: `90s`, `30m`, `12h`, `7d`, `2w`, or `never`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final, Literal, TypeAlias

import click

__all__ = ["AGE", "Age", "AgeType"]

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE: Final = re.compile(r"(\d{1,9})([smhdw])")

Age: TypeAlias = timedelta | Literal["never"]


class AgeType(click.ParamType[Age]):
    """An option that takes an age. `never` is told apart from an option that was not given."""

    name = "age"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Age:
        """The age that `value` names. Fails with usage."""
        if isinstance(value, timedelta):
            return value
        if value == "never":
            return "never"
        found = _AGE.fullmatch(str(value))
        if found is None:
            problem = f"{value!r} is no age: use a number with s, m, h, d or w, or never"
            self.fail(problem, param, ctx)
        try:
            return timedelta(**{_UNITS[found[2]]: int(found[1])})
        except OverflowError:
            self.fail(f"{value!r} is too long: use never", param, ctx)

    @staticmethod
    def age(given: object) -> timedelta | None:
        """An age that was converted, None for never."""
        return given if isinstance(given, timedelta) else None


AGE: Final = AgeType()
