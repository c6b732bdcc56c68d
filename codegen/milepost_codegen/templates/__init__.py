"""Templates, which only loop: every decision is made in the plan that they print."""

from __future__ import annotations

from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ["render"]

_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("milepost_codegen", "templates"),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701  # Python, Markdown and Mermaid, never HTML
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render(template: str, *, plan: object) -> str:
    """The text that `template` makes of `plan`."""
    return _ENVIRONMENT.get_template(template).render(plan=plan)
