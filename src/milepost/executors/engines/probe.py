"""One call that does nothing, before the first item: it shows whether workers can be used."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from importlib.util import find_spec
from typing import Any, Final, Literal, TypeAlias

from milepost.errors import EngineUnfit
from milepost.executors.engines.protocol import Engine, Lost
from milepost.worker.answers import answer

__all__ = ["Wait", "Waited", "probe"]

_log: Final = logging.getLogger("milepost.executors")
_FIND_S: Final = 5.0

Waited: TypeAlias = Literal["done", "late", "woken"]
Wait: TypeAlias = Callable[[Future[Any], float], Waited]
"""Waits for a future, for some seconds at most; a request to stop the run wakes it."""


def probe(
    engine: Engine, sent: Sequence[object], *, token: str, within_s: float, wait: Wait
) -> BaseException | None:
    """None once a worker has read what was `sent`; the error of an engine that is lost as a whole.

    Raises TypeError for what cannot be sent, and EngineUnfit where no worker can make calls.
    """
    try:
        future = engine.submit(answer, *sent, token=f"{token}-probe", timeout_s=within_s)
    except (RuntimeError, OSError) as broken:  # broken just now, or shut down by its owner
        return broken
    except Exception as raised:
        raise _unsent(raised) from raised
    waited = wait(future, within_s)
    if waited == "woken":
        engine.stop(future)
        return None
    if waited == "late":
        engine.stop(future)
        _check_package(engine, token, wait)
        raise EngineUnfit(
            engine=engine.name,
            problem=f"no worker has answered within {within_s:g} s: see that it has workers, that"
            " they are free, and that they reach this process; where they may come later than that,"
            " give probe_s more seconds, or None",
        )
    if future.cancelled():
        return None
    error = future.exception()
    if error is not None:
        return _judged(engine, error, token, wait)
    _compare(engine, *future.result())
    return None


def _judged(engine: Engine, error: BaseException, token: str, wait: Wait) -> BaseException | None:
    """The error of an engine that is lost; raises for any other."""
    lost = engine.lost(error)
    if lost is Lost.ENGINE:
        return error
    if lost is Lost.WORKER:
        raise EngineUnfit(
            engine=engine.name,
            problem=f"a worker died at a call that does nothing ({error}): see its log, and that it"
            " has the memory and the packages that it needs",
        ) from error
    _check_package(engine, token, wait)
    raise _unsent(error) from error


def _unsent(error: BaseException) -> TypeError:
    return TypeError(
        f"map_fn cannot be sent to a worker ({type(error).__name__}: {error}): it has to be a"
        " function at the top of a module that the workers have, or a partial of one, unless the"
        " engine can send others"
    )


def _check_package(engine: Engine, token: str, wait: Wait) -> None:
    """Raise EngineUnfit if a worker answers, and has no package of ours: asked without it."""
    try:
        future = engine.submit(find_spec, "milepost", token=f"{token}-find", timeout_s=_FIND_S)
    except Exception:  # noqa: BLE001 then what was asked first tells why
        return
    if wait(future, _FIND_S) != "done" or future.cancelled():
        engine.stop(future)
        return
    error = future.exception()
    if error is None and future.result() is not None:
        return
    if error is not None and not isinstance(error, ValueError | ImportError):
        return
    raise EngineUnfit(
        engine=engine.name,
        problem="milepost cannot be imported on its workers: install it there, in the version that"
        " is here",
    )


def _compare(engine: Engine, theirs: str, python: str) -> None:
    ours = answer()
    if theirs and ours.milepost and theirs != ours.milepost:
        raise EngineUnfit(
            engine=engine.name,
            problem=f"milepost is {theirs} on its workers, and {ours.milepost} here: install the"
            " same version on both",
        )
    if python.split(".")[:2] != ours.python.split(".")[:2]:
        _log.warning(
            "%s: Python is %s on its workers, and %s here: what is sent may not be read there",
            engine.name,
            python,
            ours.python,
        )
