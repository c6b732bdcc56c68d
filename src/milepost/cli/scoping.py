"""The options that say which items a command is about, and the scope that they make together."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce
from typing import Any, Final, TypeVar

import click

from milepost.arguments import MAX_COUNT
from milepost.job.state import JOB
from milepost.lifecycles.mapreduce import LIFECYCLE, Cause
from milepost.state.recovering.scope import Scope

__all__ = ["scope_of", "with_items_scope", "with_scope"]

_F = TypeVar("_F", bound=Callable[..., Any])  # Any: what click decorates has any parameters

_META: Final = "milepost.scope"
_RANGE: Final = re.compile(r"(\d+)\.\.(\d+)")
_PHASES: Final = LIFECYCLE.machines[JOB].groups["active"]


def _remember(context: click.Context, option: click.Parameter, value: object) -> None:
    if value not in (None, (), False):
        context.meta.setdefault(_META, {})[option.name] = value


def _span(context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    found = _RANGE.fullmatch(value)
    if found is None:
        raise click.BadParameter("say FIRST..LAST, as 0..99", context, option)
    _remember(context, option, (int(found[1]), int(found[2])))


_OF_ITEMS: Final = (
    click.option(
        "--failed",
        is_flag=True,
        expose_value=False,
        callback=_remember,
        help="Only the items that failed or are dead.",
    ),
    click.option(
        "--item",
        "item",
        multiple=True,
        metavar="KEY",
        expose_value=False,
        callback=_remember,
        help="Only the item of this key; may be given more than once.",
    ),
    click.option(
        "--glob",
        "glob",
        multiple=True,
        metavar="GLOB",
        expose_value=False,
        callback=_remember,
        help="Only the items whose key fits: *, ? and [a-z]; may be given more than once.",
    ),
    click.option(
        "--ordinal",
        "ordinal",
        multiple=True,
        type=click.IntRange(min=0, max=MAX_COUNT),
        metavar="N",
        expose_value=False,
        callback=_remember,
        help="Only the item at this place, from 0; may be given more than once.",
    ),
    click.option(
        "--range",
        "span",
        metavar="FIRST..LAST",
        expose_value=False,
        callback=_span,
        help="Only the items at these places, both ends with it.",
    ),
    click.option(
        "--cause",
        "cause",
        multiple=True,
        type=click.Choice([cause.value for cause in Cause]),
        expose_value=False,
        callback=_remember,
        help="Only what failed for this cause; may be given more than once.",
    ),
    click.option(
        "--attempts-below",
        "attempts",
        type=click.IntRange(min=1, max=MAX_COUNT),
        metavar="N",
        expose_value=False,
        callback=_remember,
        help="Only the items that have used fewer than N attempts.",
    ),
)
_OF_JOBS: Final = (
    click.option(
        "--phase",
        "phase",
        type=click.Choice(_PHASES),
        expose_value=False,
        callback=_remember,
        help="This whole phase again: back to before it was entered.",
    ),
    click.option(
        "--from-checkpoint",
        "checkpoint",
        type=click.IntRange(min=1, max=MAX_COUNT),
        metavar="SEQ",
        expose_value=False,
        callback=_remember,
        help="From the checkpoint at this commit, with the log after it.",
    ),
    click.option(
        "--exactly",
        "exactly",
        is_flag=True,
        expose_value=False,
        callback=_remember,
        help="Without the log after it: what was recorded since is undone.",
    ),
)


def with_items_scope(function: _F) -> _F:
    """The options that choose items of a job as it stands."""
    return reduce(lambda decorated, option: option(decorated), reversed(_OF_ITEMS), function)


def with_scope(function: _F) -> _F:
    """The options that choose items, or where in the job's past to begin."""
    return with_items_scope(
        reduce(lambda decorated, option: option(decorated), reversed(_OF_JOBS), function)
    )


def scope_of(context: click.Context) -> Scope:
    """The scope that the options of `context` make together. Raises UsageError, ScopeInvalid."""
    given: dict[str, Any] = context.meta.get(_META, {})
    if "exactly" in given and "checkpoint" not in given:
        raise click.UsageError("--exactly says how to take --from-checkpoint: name one", context)
    scope = Scope.failed() if "failed" in given else Scope.all()
    if "item" in given:
        scope &= Scope.keys(*given["item"])
    if "glob" in given:
        scope &= Scope.globs(*given["glob"])
    if "ordinal" in given:
        scope &= Scope.ordinals(given["ordinal"])
    if "span" in given:
        scope &= Scope.span(*given["span"])
    if "cause" in given:
        scope &= Scope.causes(*given["cause"])
    if "attempts" in given:
        scope &= Scope.attempts_below(given["attempts"])
    if "phase" in given:
        scope &= Scope.again(given["phase"])
    if "checkpoint" in given:
        scope &= Scope.checkpoint(given["checkpoint"], exactly="exactly" in given)
    return scope
