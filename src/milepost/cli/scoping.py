"""The options that say which items a command is about, and the scope that they make together."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce
from typing import Any, Final, TypeVar

import click

from milepost.arguments import MAX_COUNT
from milepost.cli.naming import causes, check_names, completed_by, working
from milepost.state.manager import StateManager
from milepost.state.recovering.scope import Scope

__all__ = ["scope_for", "scope_of", "with_items_scope", "with_scope"]

_F = TypeVar("_F", bound=Callable[..., Any])  # Any: what click decorates has any parameters

_META: Final = "milepost.scope"
_RANGE: Final = re.compile(r"(\d+)\.\.(\d+)")


def _remember(context: click.Context, option: click.Parameter, value: object) -> None:
    if value not in (None, (), False):
        context.meta.setdefault(_META, {})[option.opts[0]] = value


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
        multiple=True,
        metavar="KEY",
        expose_value=False,
        callback=_remember,
        help="Only the item of this key; may be given more than once.",
    ),
    click.option(
        "--glob",
        multiple=True,
        metavar="GLOB",
        expose_value=False,
        callback=_remember,
        help="Only the items whose key fits: *, ? and [a-z]; may be given more than once.",
    ),
    click.option(
        "--ordinal",
        multiple=True,
        type=click.IntRange(min=0, max=MAX_COUNT),
        metavar="N",
        expose_value=False,
        callback=_remember,
        help="Only the item of this ordinal, from 0; may be given more than once.",
    ),
    click.option(
        "--range",
        metavar="FIRST..LAST",
        expose_value=False,
        callback=_span,
        help="Only the items of these ordinals, both ends included.",
    ),
    click.option(
        "--cause",
        multiple=True,
        metavar="CAUSE",
        shell_complete=completed_by(causes),
        expose_value=False,
        callback=_remember,
        help="Only what failed for this cause; may be given more than once.",
    ),
    click.option(
        "--kind",
        multiple=True,
        metavar="KIND",
        expose_value=False,
        callback=_remember,
        help="Only what failed with this kind, or one that begins with this word.",
    ),
    click.option(
        "--attempts-below",
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
        metavar="PHASE",
        shell_complete=completed_by(working),
        expose_value=False,
        callback=_remember,
        help="This whole phase again: back to before it was entered.",
    ),
    click.option(
        "--from-checkpoint",
        type=click.IntRange(min=1, max=MAX_COUNT),
        metavar="SEQ",
        expose_value=False,
        callback=_remember,
        help="From the checkpoint at this commit, with the log after it.",
    ),
    click.option(
        "--exactly",
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


def scope_for(context: click.Context, manager: StateManager, job_id: str) -> Scope:
    """The scope of the options, whose names the job's own lifecycle has.

    Raises UsageError, ScopeInvalid, Trouble for a cause or a phase that there is not, JobAbsent.
    """
    given: dict[str, Any] = context.meta.get(_META, {})
    named = [given.get("--cause", ()), [given["--phase"]] if "--phase" in given else ()]
    if any(named):
        lifecycle = manager.get_state(job_id).lifecycle
        check_names(named[0], causes, "cause of failures", lifecycle)
        check_names(named[1], working, "phase of work", lifecycle)
    return scope_of(context)


def scope_of(context: click.Context) -> Scope:
    """The scope that the options of `context` make together. Raises UsageError, ScopeInvalid."""
    given: dict[str, Any] = context.meta.get(_META, {})
    if "--exactly" in given and "--from-checkpoint" not in given:
        raise click.UsageError("--exactly says how to take --from-checkpoint: name one", context)
    scope = Scope.failed() if "--failed" in given else Scope.all()
    if "--item" in given:
        scope &= Scope.keys(*given["--item"])
    if "--glob" in given:
        scope &= Scope.globs(*given["--glob"])
    if "--ordinal" in given:
        scope &= Scope.ordinals(given["--ordinal"])
    if "--range" in given:
        scope &= Scope.span(*given["--range"])
    if "--cause" in given:
        scope &= Scope.causes(*given["--cause"])
    if "--kind" in given:
        scope &= Scope.kinds(*given["--kind"])
    if "--attempts-below" in given:
        scope &= Scope.attempts_below(given["--attempts-below"])
    if "--phase" in given:
        scope &= Scope.again(given["--phase"])
    if "--from-checkpoint" in given:
        scope &= Scope.checkpoint(given["--from-checkpoint"], exactly="--exactly" in given)
    return scope
