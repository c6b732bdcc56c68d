"""The engine of Dask: calls by key on a distributed cluster, of which Dask makes none twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from milepost.executors.engines.following import Followed
from milepost.executors.engines.protocol import TOKENS, Engine, Lost, is_one_of
from milepost.executors.engines.scheduling import keep_from_repeating

__all__ = ["DaskEngine", "adapt"]

_T = TypeVar("_T")
_PATIENCE_S: Final = 5.0
_LOST: Final = frozenset({"CommClosedError", "KilledWorker", "WorkerProcessDied"})


class DaskEngine(Engine):
    """A Dask cluster, by its Client or by what `client.get_executor()` gives.

    Each call has a key of its own, so that Dask answers none from memory and shares none with
    another run. A call that is stopped goes on, and keeps its slot until it has ended: Dask ends no
    call that has begun.
    """

    name = "Dask"

    def __init__(self, client: Any, *, owned: bool, where: dict[str, Any] | None = None) -> None:
        self._client = client
        self._owned = owned
        self._where = where or {}
        self._theirs: dict[Future[Any], Any] = {}
        self._slots = Followed(partial(_slots, client, self._where))
        keep_from_repeating(client, TOKENS)

    def submit(
        self, call: Callable[..., _T], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[_T]:
        """See Engine."""
        del timeout_s
        if self._client.status != "running":
            raise BrokenExecutor(f"the client of Dask is {self._client.status}")
        theirs = self._client.submit(call, *args, key=token, pure=False, retries=0, **self._where)
        ours: Future[_T] = Future()
        self._theirs[ours] = theirs
        ours.add_done_callback(self._back)
        self._client.loop.add_callback(_bring, theirs, ours)
        return ours

    def slots(self) -> int:
        """See Engine: the threads of the workers, or how many calls their resources allow.

        At least one: a cluster that has no worker may wait for a call to get one.
        """
        return max(self._slots.value(), 1)

    def begun(self, future: Future[Any]) -> bool:
        """See Engine: asked of the workers, which say what their threads are at."""
        theirs = self._theirs.get(future)
        if future.done() or theirs is None:
            return super().begun(future)
        try:
            stacks = self._client.sync(
                self._client.scheduler.call_stack, keys=[theirs.key], callback_timeout=_PATIENCE_S
            )
        except Exception:  # noqa: BLE001 a worker whose interpreter is held does not answer
            return True
        return bool(stacks)

    def take_back(self, future: Future[Any]) -> bool:
        """See Engine. A call may begin while that is asked, so none is."""
        del future
        return False

    def lost(self, error: BaseException) -> Lost | None:
        """See Engine. The scheduler goes on, and another worker has come or will."""
        return Lost.WORKER if is_one_of(error, _LOST) else super().lost(error)

    def stop(self, future: Future[Any]) -> bool:
        """See Engine."""
        del future  # cancelled, Dask would forget it, and nobody could tell when it ends
        return False

    def close(self, *, wait: bool) -> None:
        """See Engine: calls that no worker has begun are not begun any more."""
        del wait
        for ours, theirs in list(self._theirs.items()):
            theirs.cancel()
            ours.cancel()
        if self._owned:
            self._client.close()

    def _back(self, future: Future[Any]) -> None:
        self._theirs.pop(future, None)


def adapt(given: Any, *, owned: bool) -> Engine:
    """The engine of a Client, or of the executor that one gives, on the workers that it names."""
    client = getattr(given, "_client", None)
    if client is None:
        return DaskEngine(given, owned=owned)
    asked = getattr(given, "_kwargs", {})
    names = ("workers", "resources", "allow_other_workers")
    return DaskEngine(client, owned=owned, where={k: asked[k] for k in names if k in asked})


async def _bring(theirs: Any, ours: Future[Any]) -> None:
    """Have `ours` end as `theirs` has, in the loop of the client.

    The future of Dask's own executor never ends if its key is forgotten while the result is on its
    way.
    """
    given: Any = None
    error: BaseException | None = None
    try:
        given = await theirs
    except BaseException as raised:  # noqa: BLE001 whoever waits is told
        error = raised
    with suppress(InvalidStateError):  # nobody waits any more
        if theirs.status == "cancelled":
            ours.cancel()
        elif error is None:
            ours.set_result(given)
        else:
            ours.set_exception(error)


def _slots(client: Any, where: dict[str, Any]) -> int:
    """How many calls the running workers take at once, of those that `where` lets take any."""
    needs: dict[str, float] = where.get("resources") or {}
    only = where.get("workers")
    if not needs and not only:
        return sum(client.sync(client.scheduler.ncores_running, workers=None).values())
    allowed = {only} if isinstance(only, str) else set(only or ())
    workers = client.sync(client.scheduler.identity, n_workers=-1)["workers"]
    return sum(
        min([told["nthreads"], *(int(told["resources"].get(k, 0) // n) for k, n in needs.items())])
        for address, told in workers.items()
        if told["status"] == "running" and (not allowed or {address, told["name"]} & allowed)
    )
