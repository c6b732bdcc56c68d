"""What a run asks of an engine: the few things that executors do not agree on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future
from enum import Enum
from typing import Any, Final, Literal, Protocol, TypeVar, runtime_checkable

__all__ = ["TOKENS", "Engine", "Lost", "Notes", "is_one_of"]

_T = TypeVar("_T")

TOKENS: Final = "milepost-"
"""Every token begins with this."""

Notes = Literal["here", "host", "none"]
"""Where the workers of an engine are: threads of this process, processes of this machine, or
elsewhere, from where nothing comes back but what a call gives."""


class Lost(Enum):
    """How much is gone with a call of which nothing came back, because its worker died."""

    ENGINE = "engine"
    """All of the engine: it takes no call any more, and another has to be made."""

    WORKER = "worker"
    """The worker alone; the engine goes on, or has put another in its place."""


@runtime_checkable
class Engine(Protocol):
    """Calls functions on workers, and says what only it can know of its calls and its workers.

    Derive from it: all but `submit` and `slots` has an answer here, that of an engine about which
    nothing more is known. One run uses an engine from one thread.
    """

    name: str = "an engine"
    """What messages call it."""

    kills: bool = False
    """True if `stop` really ends a call that is under way."""

    awaits: bool = False
    """True if what a function gives is awaited where it can be."""

    in_order: bool = False
    """True if calls begin in the order of `submit`, as many at a time as `slots` says."""

    notes: Notes = "none"
    """Where its workers are."""

    def submit(
        self, call: Callable[..., _T], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[_T]:
        """A future of what `call` gives, called at most once on a worker.

        Args:
            call: What is to be called. It is the same object for all items of a function.
            *args: Its arguments.
            token: Names this attempt, and no other call of any run; begins with "milepost-". An
                engine that knows calls by a key uses it.
            timeout_s: Seconds after which the call will be stopped, None where it may take for
                ever.

        Raises:
            RuntimeError: The engine takes no call any more.
        """
        ...

    def submit_each(
        self,
        call: Callable[[Any], _T],
        given: Sequence[Any],
        /,
        *,
        ended: Callable[[Future[_T]], object],
        timeout_s: float | None,
    ) -> Sequence[Future[_T]] | None:
        """As `submit` for each of `given`, in one go; None if the engine has no way for that.

        Only an engine that `awaits` is asked.

        Args:
            call: What is to be called.
            given: The one argument of each call.
            ended: Is to be called with each future once it is done, in any thread.
            timeout_s: As in `submit`.

        Raises:
            RuntimeError: The engine takes no call any more; it has taken none of these.
        """
        del call, given, ended, timeout_s
        return None

    def check(self, name: str, sent: object) -> None:
        """Nothing, or TypeError if it shows here that no worker can be sent what goes with calls.

        Args:
            name: The parameter of a run that it was.
            sent: The function for items, say.

        Raises:
            TypeError: It cannot be sent to where the workers are.
        """
        del name, sent

    def slots(self) -> int | None:
        """How many calls run at once now; None if the engine cannot say.

        Cost: It is asked at every turn of a run, so it must not wait.
        """
        ...

    def begun(self, future: Future[Any]) -> bool:
        """False only if it is known that no worker has begun the call.

        Args:
            future: What `submit` gave.
        """
        return not future.cancelled()

    def take_back(self, future: Future[Any]) -> bool:
        """True if the call will not be made any more, and was not made.

        Args:
            future: What `submit` gave.
        """
        return not self.begun(future) and future.cancel()

    def lost(self, error: BaseException) -> Lost | None:
        """How much was lost with a call, if `error` says that its worker died; otherwise None.

        Args:
            error: What the future has raised.
        """
        return Lost.ENGINE if isinstance(error, BrokenExecutor) else None

    def stop(self, future: Future[Any]) -> bool:
        """Have no more of a call; True if it is over, so that its slot is free again.

        Args:
            future: What `submit` gave.
        """
        future.cancel()
        return False

    def close(self, *, wait: bool) -> None:
        """Have nothing more to do with the calls that are left, and end what the run has made.

        An engine that was given to a run as it is stays open, and other runs may go on with it.

        Args:
            wait: Return once the workers have ended.
        """
        del wait


def is_one_of(error: BaseException, names: frozenset[str]) -> bool:
    """True if `error` is of a class, or of a subclass of one, that has one of `names`.

    Classes of packages that may not be there, and that move from one module to the next.
    """
    return any(kind.__name__ in names for kind in type(error).__mro__)
