"""Asks a model about many prompts, and never spends more than a limit, over restarts as well.

    python calls.py http://127.0.0.1:8765 --most 0.02

Exit status: 0 if the job is complete, 3 if the limit was reached, 1 if it failed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Condition
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from milepost import StateManager
from milepost.executors import Later, Permanent, Stop, WorkItem, run

JOB = "answers"
PRICE_MOST = 0.001
"""The most that one answer costs. It is set aside before the call."""


class Budget:
    """What may still be spent. It begins with what the recorded answers cost."""

    def __init__(self, left: float, stop: Stop) -> None:
        self._left = left
        self._stop = stop
        self._under_way = 0
        self._settled = Condition()

    def set_aside(self) -> None:
        """Keep the price of a call; where there is too little, wait for calls that may cost less.

        Raises Later, and stops the run, where there is too little and none is under way.
        """
        with self._settled:
            while self._left < PRICE_MOST - 1e-9:
                if not self._under_way:
                    if not self._stop.requested:  # asked twice, a run waits for no call any more
                        self._stop.request("the cost limit is reached")
                    raise Later("the cost limit is reached", after_s=0)
                self._settled.wait()
            self._under_way += 1
            self._left -= PRICE_MOST

    def settle(self, cost: float) -> None:
        """Give back what the call did not cost."""
        with self._settled:
            self._under_way -= 1
            self._left += PRICE_MOST - cost
            self._settled.notify_all()


def ask(url: str, budget: Budget, item: WorkItem) -> dict[str, object]:
    """The answer to one prompt, and what it cost."""
    budget.set_aside()
    cost = 0.0
    body = json.dumps({"prompt": item.value}).encode()
    request = Request(url, body, {"Idempotency-Key": item.idempotency_key})  # noqa: S310  http only
    try:
        with urlopen(request, timeout=30) as reply:  # noqa: S310  http only
            answer: dict[str, object] = json.load(reply)
        cost = float(str(answer["cost"]))
        item.spent(cost)
    except HTTPError as error:
        error.close()  # it holds the answer's body, and Python 3.14 warns of one left open
        if error.code == 429:
            wait_ms = error.headers["Retry-After-Ms"] or f"{error.headers['Retry-After']}000"
            raise Later("429", after_s=int(wait_ms) / 1000, everyone=True) from error
        if error.code == 400:
            raise Permanent("the prompt is refused") from error
        raise
    finally:
        budget.settle(cost)
    return answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job, or what is left of it and can be paid for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--db", default="answers.db")
    parser.add_argument("--most", type=float, default=1.0, help="what all answers may cost")
    parser.add_argument("--prompts", type=int, default=60)
    asked = parser.parse_args(arguments)
    with StateManager.open(asked.db) as manager, ThreadPoolExecutor(4) as pool:
        if not manager.has_job(JOB):
            prompts = {f"q{n:03}": f"what is {n}?" for n in range(asked.prompts)}
            prompts["q-bad"] = "something forbidden"
            manager.create_job(prompts, job_id=JOB, config={"max_dead": 1, "max_attempts": 3})
        paid = sum(answer["cost"] for _, answer in manager.results(JOB))
        stop = Stop()
        outcome = run(
            manager,
            JOB,
            partial(ask, asked.url, Budget(asked.most - paid, stop)),
            lambda answers: sum(answer["cost"] for _, answer in answers),
            executor=pool,
            stop=stop,
            progress=True,
        )
        print(f"{outcome}; this run cost {outcome.cost:.3f}, those before {paid:.3f}")
        return 0 if outcome.succeeded else 3 if outcome.interrupted else 1


if __name__ == "__main__":
    sys.exit(main())
