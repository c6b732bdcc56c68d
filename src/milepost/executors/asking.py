"""What a run is asked for, checked before anything of the job is touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from milepost import arguments
from milepost.executors.engines.find import known, refuse
from milepost.executors.fitness import gives_instead
from milepost.executors.pacing import Limit
from milepost.executors.retries import RetryPolicy
from milepost.executors.stopping import Stop
from milepost.executors.waiting import check_wait
from milepost.log.facts import check_job_id
from milepost.state.checkpoint import CheckpointPolicy
from milepost.state.manager import StateManager
from milepost.worker.beside import Beside
from milepost.worker.rules import error_rules

__all__ = ["check_asked", "functions_of"]

_CHANGED: Final = ("refuse", "keep", "grow")


def check_asked(
    *,
    manager: object,
    job_id: str,
    map_fn: object,
    reduce_fn: object,
    executor: object,
    setup_fn: object,
    phases: object,
    workers: object,
    ahead: object,
    timeout_s: object,
    probe_s: object,
    policy: object,
    owner: object,
    ttl_s: object,
    takeover: object,
    wait: object,
    on_wait: object,
    on_progress: object,
    progress: object,
    grace_s: object,
    look_every_s: object,
    items: object,
    collections: object,
    on_changed: object,
    retry: object,
    errors: object,
    encode: object,
    limit: object,
    check: object,
    clock: object,
    stop: object,
    beside: object,
) -> None:
    """Raise ArgumentInvalid or JobIdInvalid for the first parameter of `run` that is none."""
    arguments.instance("manager", manager, StateManager)
    check_job_id(job_id)
    _check_functions(map_fn, phases, executor)
    arguments.calls("clock", clock, "a clock that gives seconds")
    optional = {
        "reduce_fn": reduce_fn,
        "setup_fn": setup_fn,
        "on_wait": on_wait,
        "on_progress": on_progress,
        "encode": encode,
    }
    for name, given in optional.items():
        if given is not None:
            arguments.calls(name, given)
    arguments.flag("progress", progress)
    arguments.flag("check", check)
    for name, given in (("setup_fn", setup_fn), ("reduce_fn", reduce_fn)):
        _check_phase(name, given)
    if workers is not None:
        arguments.integer("workers", workers, 1)
    arguments.integer("ahead", ahead)
    for name, given in {"timeout_s": timeout_s, "probe_s": probe_s}.items():
        if given is not None:
            arguments.seconds(name, given, above=0 if name == "probe_s" else None)
    arguments.seconds("ttl_s", ttl_s, above=0)
    arguments.seconds("grace_s", grace_s)
    arguments.seconds("look_every_s", look_every_s)
    if owner is not None:
        arguments.text("owner", owner, least=1)
    arguments.text("takeover", takeover)
    check_wait(wait)
    _check_kinds(
        ("policy", policy, CheckpointPolicy),
        ("retry", retry, RetryPolicy),
        ("limit", limit, Limit),
        ("stop", stop, Stop),
        ("beside", beside, Beside),
    )
    error_rules(errors)
    if items is not None:
        arguments.items("items", items)
    if collections is not None:
        for given in arguments.mapping("collections", collections).values():
            arguments.items("collections", given)
    arguments.choice("on_changed", on_changed, _CHANGED)


def _check_kinds(*asked: tuple[str, object, type]) -> None:
    """Raise for what was given and is of another kind: name, what was given, kind."""
    for name, given, kind in asked:
        if given is not None:
            arguments.instance(name, given, kind)


def _check_functions(map_fn: object, phases: object, executor: object) -> None:
    functions = functions_of(map_fn)
    for function in functions:
        wanted = "something to call, or a mapping of collections to that,"
        arguments.calls("map_fn", function, wanted)
    if phases is not None:
        for function in arguments.mapping("phases", phases).values():
            arguments.calls("phases", function, "a mapping of phases to something to call")
            _check_phase("phases", function)
    if (functions or executor is not None) and not known(executor) and not callable(executor):
        refuse(executor)


def _check_phase(name: str, function: object) -> None:
    """Raise for a function that gives no result where it is called, in the run's own thread."""
    gives = gives_instead(function)
    if gives:
        wanted = f"a function that returns what it gives, where this one gives {gives},"
        arguments.refuse(name, function, wanted)


def functions_of(map_fn: object) -> list[Any]:
    """The functions for items that were given: one, one a collection, or none. Any: unchecked."""
    if map_fn is None:
        return []
    if isinstance(map_fn, Mapping) and not callable(map_fn):
        return list(arguments.mapping("map_fn", map_fn).values())
    return [map_fn]
