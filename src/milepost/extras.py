"""Packages that extras of Milepost bring: one that is not installed is named, with its extra."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Literal, TypeAlias

from milepost.errors import ExtraAbsent

__all__ = ["Extra", "absent", "needing"]

Extra: TypeAlias = Literal["compile", "legacy", "postgres", "web"]

_PACKAGES: Final[Mapping[Extra, Mapping[str, str]]] = {
    "compile": {
        "graphviz": "graphviz",
        "jinja2": "jinja2",
        "pydantic": "pydantic",
        "pydantic_core": "pydantic",
        "yaml": "PyYAML",
    },
    "legacy": {"pydantic": "pydantic", "pydantic_core": "pydantic"},
    "postgres": {"psycopg": "psycopg", "psycopg_pool": "psycopg-pool"},
    "web": {"jinja2": "jinja2", "starlette": "starlette", "uvicorn": "uvicorn"},
}
"""By the modules that are imported, the packages that pyproject.toml lists under an extra."""


def absent(error: BaseException | None, extra: Extra, needed_by: str) -> ExtraAbsent | None:
    """What to raise for `error`: None unless it is the lack of a package of `extra`."""
    if not isinstance(error, ModuleNotFoundError):
        return None
    package = _PACKAGES[extra].get((error.name or "").partition(".")[0])
    if package is None:
        return None
    return ExtraAbsent(package=package, extra=extra, needed_by=needed_by)


@contextmanager
def needing(extra: Extra, needed_by: str) -> Iterator[None]:
    """Within it, an import of a package of `extra` that is not installed raises ExtraAbsent.

    Any other module that is missing is a defect, and stays the error that it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        lacking = absent(error, extra, needed_by)
        if lacking is None:
            raise
        raise lacking from error
