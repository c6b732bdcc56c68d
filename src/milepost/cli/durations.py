"""Ages on the command line: `90s`, `30m`, `12h`, `7d`, `2w`, or `never`."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal, TypeAlias

import click

from milepost.inspect.moments import MomentUnfitError, age_of

__all__ = ["AGE", "Age", "AgeType"]

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
        try:
            return age_of(str(value))
        except MomentUnfitError as error:
            self.fail(f"{error}, or never", param, ctx)

    @staticmethod
    def age(given: object) -> timedelta | None:
        """An age that was converted, None for never."""
        return given if isinstance(given, timedelta) else None


AGE: Final = AgeType()
