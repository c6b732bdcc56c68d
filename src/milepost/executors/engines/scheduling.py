"""Has Dask's scheduler make no call of a run a second time by itself.

It repeats, and says nothing of it, the calls that a worker had when it died, up to three times; the
calls whose results were still in the memory of one that died, though they had ended; and the calls
of a worker that is retired. A plugin marks ours, so that the first death is told, and so that what
was handed to a worker and is lost with it is forgotten, which its client hears as a cancellation.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["keep_from_repeating"]

_NAME: Final = "milepost-calls"


def keep_from_repeating(client: Any, prefix: str) -> None:  # Any: a Client, which has no types
    """Have calls whose keys begin with `prefix` given up at the first death of their worker."""
    client.register_plugin(_plugin(prefix), name=_NAME)


def _plugin(prefix: str) -> Any:  # Any: as above
    """The plugin. Its class is made here, so that it is sent whole: the scheduler may lack ours."""
    from distributed import SchedulerPlugin  # noqa: PLC0415 the caller has imported it

    class Calls(SchedulerPlugin):
        idempotent = True

        def __init__(self, prefix: str) -> None:
            self.prefix = prefix

        def update_graph(self, scheduler: Any, *, tasks: Any, **_: Any) -> None:
            for key in tasks:
                if isinstance(key, str) and key.startswith(self.prefix):
                    scheduler.tasks[key].suspicious = scheduler.allowed_failures
            self.scheduler = scheduler

        def transition(self, key: Any, start: str, finish: str, *_: Any, **__: Any) -> None:
            if not isinstance(key, str) or not key.startswith(self.prefix):
                return
            task = self.scheduler.tasks[key]
            if finish == "processing":
                task.has_lost_dependencies = True  # so that it is never made ready again
            elif finish == "released" and start in {"processing", "memory"}:
                told = {"op": "cancelled-keys", "keys": [key], "reason": "lost", "msg": None}
                for client in task.who_wants or ():  # which nobody else tells
                    comm = self.scheduler.client_comms.get(client.client_key)
                    if comm is not None:  # after what Dask says itself: that the data is lost
                        self.scheduler.loop.add_callback(comm.send, told)

    return Calls(prefix)
