"""What a generated module says otherwise than its definition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Difference", "Different", "Parts"]

_Given = ParamSpec("_Given")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One part of a generated module that says something else than the definition.

    `name` is that of the function, table or method, `model` are values for which the two differ;
    it is empty where they differ whatever the values are, or where the code was not understood.
    """

    name: str
    message: str
    line: int = 1
    model: Mapping[str, int | bool | str] = field(default_factory=dict)

    @property
    def told(self) -> str:
        """The difference in one sentence, with the values where there are some."""
        values = ", ".join(f"{name} = {_shown(value)}" for name, value in self.model.items())
        return f"{self.name} {self.message}" + (f", as with {values}" if values else "")


class Different(Exception):
    """Why a part of the module is not proved to say what the definition says."""

    def __init__(
        self,
        message: str,
        line: int = 0,
        model: Mapping[str, int | bool | str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.model = model or {}


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a module that were compared, each for itself, and what was found."""

    found: list[Difference] = field(default_factory=list)

    def compare(
        self,
        name: str,
        part: Callable[_Given, None],
        *args: _Given.args,
        **kwargs: _Given.kwargs,
    ) -> None:
        """Compare one part, and keep under its name what is different."""
        try:
            part(*args, **kwargs)
        except Different as problem:
            self.found.append(
                Difference(
                    name=name,
                    message=problem.message,
                    line=problem.line or 1,
                    model=problem.model,
                )
            )


def _shown(value: int | bool | str) -> str:  # noqa: FBT001  # of the language
    return str(value).lower() if isinstance(value, bool) else str(value)
