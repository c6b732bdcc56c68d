"""The engine of Ray: calls as tasks of a cluster, each of which Ray can end."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future
from importlib import import_module
from typing import Any, Final, TypeVar

from milepost.errors import ExtraAbsent
from milepost.executors.engines.following import Followed
from milepost.executors.engines.protocol import Engine, Lost, is_one_of

__all__ = ["RayEngine"]

_T = TypeVar("_T")
_LOST: Final = frozenset(
    {"LocalRayletDiedError", "NodeDiedError", "ObjectLostError", "OutOfMemoryError"}
    | {"RpcError", "WorkerCrashedError"}
)
_PATIENCE_S: Final = 5.0
_KEPT: Final = 64
"""How many things to call are kept in Ray's store: one a function, so no run has more."""


class RayEngine(Engine):
    """A Ray cluster: `run(..., executor=RayEngine(num_cpus=2))`.

    Ray makes each call once, however it ends, since a run counts attempts itself. A call that is
    stopped ends with its worker's process, and Ray starts another.
    """

    name = "Ray"
    kills = True

    def __init__(self, **ray_options: Any) -> None:
        """Connect to the cluster if nobody has done so.

        Args:
            **ray_options: Options of `ray.remote` for each call: `num_cpus`, `num_gpus`,
                `resources`, `runtime_env`, `scheduling_strategy` and others.

        Raises:
            ExtraAbsent: Ray is not installed.
        """
        try:
            ray: Any = import_module("ray")  # Any: its functions are half typed
        except ImportError as error:
            raise ExtraAbsent(package="ray", extra="ray", needed_by="RayEngine") from error
        if not ray.is_initialized():
            ray.init()
        self._ray = ray
        options = {"num_cpus": 1, **ray_options, "max_retries": 0, "retry_exceptions": False}
        self._remote = ray.remote(**options)(_caller())
        self._needs = _needs_of(options)
        self._refs: dict[Future[Any], tuple[Any, str]] = {}
        self._marks: Any = None
        self._sent: dict[int, tuple[object, Any]] = {}
        self._slots = Followed(self._fitting)

    def submit(
        self, call: Callable[..., _T], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[_T]:
        """See Engine."""
        if not self._ray.is_initialized():
            raise BrokenExecutor("Ray was shut down")
        marks = None if timeout_s is None else self._marks_of()
        ref = self._remote.options(name=token).remote(marks, token, self._stored(call), *args)
        future: Future[_T] = ref.future()
        self._refs[future] = ref, token
        future.add_done_callback(self._back)
        return future

    def slots(self) -> int:
        """See Engine: as many calls as the resources of the cluster allow, and at least one."""
        return max(self._slots.value(), 1)

    def begun(self, future: Future[Any]) -> bool:
        """See Engine: calls that have a limit leave a mark as they begin."""
        _, token = self._refs.get(future, (None, ""))
        if future.done() or self._marks is None or not token:
            return super().begun(future)
        try:
            return bool(self._ray.get(self._marks.has.remote(token), timeout=_PATIENCE_S))
        except Exception:  # noqa: BLE001 whatever a cluster in trouble raises
            return True

    def take_back(self, future: Future[Any]) -> bool:
        """See Engine. A call may begin while that is asked, so none is."""
        del future
        return False

    def lost(self, error: BaseException) -> Lost | None:
        """See Engine."""
        return Lost.WORKER if is_one_of(error, _LOST) else super().lost(error)

    def stop(self, future: Future[Any]) -> bool:
        """See Engine."""
        ref, _ = self._refs.get(future, (None, ""))
        if ref is not None:
            self._ray.cancel(ref, force=True)
        return True

    def close(self, *, wait: bool) -> None:
        """See Engine. Ray itself stays, whoever began it."""
        del wait
        for future in list(self._refs):
            self.stop(future)
        self._sent.clear()
        if self._marks is not None and self._ray.is_initialized():
            self._ray.kill(self._marks)
        self._marks = None

    def _marks_of(self) -> Any:  # Any: a handle of Ray
        if self._marks is None:
            self._marks = self._ray.remote(num_cpus=0)(_marking()).remote()
            self._ray.get(self._marks.has.remote(""))  # it is there before the first call is
        return self._marks

    def _stored(self, call: Callable[..., Any]) -> Any:  # Any: a reference of Ray
        """What is to be called, sent to the cluster once for all items."""
        held = self._sent.get(id(call))
        if held is None:
            if len(self._sent) >= _KEPT:
                self._sent.clear()
            held = self._sent[id(call)] = (call, self._ray.put(call))
        return held[1]

    def _back(self, future: Future[Any]) -> None:
        self._refs.pop(future, None)

    def _fitting(self) -> int:
        has: dict[str, float] = self._ray.cluster_resources()
        return min(int(has.get(name, 0) // count) for name, count in self._needs.items())


def _caller() -> Callable[..., Any]:
    """What Ray calls. Made here, so that it is sent whole, to a worker that lacks ours too."""

    def milepost_call(marks: Any, token: str, call: Callable[..., Any], *args: Any) -> Any:
        if marks is not None:
            marks.mark.remote(token)
        return call(*args)

    return milepost_call


def _marking() -> type:
    """The actor that knows which calls have begun; of each no more than is left of many."""

    class MilepostMarks:
        def __init__(self) -> None:
            self.tokens: dict[str, None] = {}

        def mark(self, token: str) -> None:
            self.tokens[token] = None
            if len(self.tokens) > 100_000:
                del self.tokens[next(iter(self.tokens))]

        def has(self, token: str) -> bool:
            return token in self.tokens

    return MilepostMarks


def _needs_of(options: dict[str, Any]) -> dict[str, float]:
    """The resources that one call takes, by the names that a cluster has for them."""
    named = {"CPU": options.get("num_cpus"), "GPU": options.get("num_gpus")}
    named |= {"memory": options.get("memory"), **(options.get("resources") or {})}
    return {name: count for name, count in named.items() if count} or {"CPU": 1}
