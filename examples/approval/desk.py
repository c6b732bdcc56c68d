"""Transfers that a person has to approve: asks, waits, asks again, pays. No items, no `run`.

    python desk.py want rent 950 --patience-s 20
    python desk.py work                 # kill it anywhere, and start it again
    python desk.py approve rent 1       # in another shell: 1 is the number of the question

What may happen, and when, stands in approval.yaml. This program does what is due, and says so.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import assert_never

from approval import (
    LIFECYCLE,
    AnyTransfer,
    AnyTransferEvent,
    AskingTransfer,
    LapsedTransfer,
    PaidTransfer,
    PayingTransfer,
    RefusedTransfer,
    TransferApprove,
    TransferAsked,
    TransferPay,
    TransferRefuse,
    TransferTimeOut,
    TransferWithdraw,
    WaitingTransfer,
    WithdrawnTransfer,
    transfer_of,
)
from milepost import JobState, LeaseHeld, MilepostError, StateManager, TransitionRefused

LOOK_S = 1.0
"""How long at most between two looks for answers."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The mail and the bank: a file with a line for each thing that they did.

    Both know a request by its key. What they did already, they do no second time.
    """

    file: Path
    takes_s: float = 0

    def do(self, what: str, key: str) -> str:
        """Have it done; the receipt, which takes its time on the way back."""
        done = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        if f"{what} {key}" not in done:
            with self.file.open("a", encoding="utf-8") as file:
                file.write(f"{what} {key}\n")
        sleep(self.takes_s)
        return f"{what} {key}"


@dataclass(frozen=True, slots=True)
class Desk:
    """The transfers in one store, and what is done about them."""

    manager: StateManager

    def want(
        self, transfer: str, euros: int, *, patience_s: int, most_questions: int
    ) -> AnyTransfer:
        """A new transfer, of which nobody was asked yet."""
        config = {"patience_s": patience_s, "most_questions": most_questions}
        variables = {"euros": euros}
        return _typed(self.manager.create_job(job_id=transfer, config=config, variables=variables))

    def takes(self, transfer: str, event: AnyTransferEvent) -> AnyTransfer:
        """The transfer after what a person or the clock says, whoever holds it.

        Raises TransitionRefused where that is not allowed.
        """
        return _typed(self.manager.fire(transfer, event.event, event, operator=True))

    def work(self, name: str | None, outside: Outside) -> float | None:
        """Do all that is due. Seconds until there may be more to do; None once all have ended."""
        for transfer in self._in("waiting"):
            self._look_at_the_clock(transfer)
        for transfer in (*self._in("asking"), *self._in("paying")):
            self._step(transfer, name, outside)
        if self._in("asking") or self._in("paying"):
            return LOOK_S  # in the hands of another worker
        left_s = [self._left_s(transfer) for transfer in self._in("waiting")]
        return max(0.0, min(LOOK_S, *left_s)) if left_s else None

    def _step(self, transfer: str, name: str | None, outside: Outside) -> None:
        """Ask, or pay: under a lease, so that one worker does it, and another if that one dies.

        The request may have been made by one that died before it was recorded. So its key is made
        of the state alone, and it is made again.
        """
        try:
            with self.manager.lease(transfer, name):
                state = self.manager.apply(self.manager.recover_from_checkpoint(transfer))
                match _typed(state):
                    case AskingTransfer() as asking:
                        outside.do("mail", f"{transfer}/{asking.context.questions + 1}")
                        self._did(transfer, TransferAsked(at=self.manager.now_us()))
                    case PayingTransfer():
                        receipt = outside.do("bank", transfer)
                        self._did(transfer, TransferPay(receipt=receipt))
                    case _:
                        return  # somebody did it meanwhile
        except LeaseHeld:
            return  # another worker has it
        except TransitionRefused as error:
            print(f"{transfer}: too late: {error}")  # it was withdrawn while the mail was sent

    def _did(self, transfer: str, event: AnyTransferEvent) -> None:
        """Record a step. Raises LeaseLost in a worker that slept, and was replaced."""
        said(transfer, _typed(self.manager.fire(transfer, event.event, event)))

    def _look_at_the_clock(self, transfer: str) -> None:
        """Time is over or not by the lifecycle; an answer that came first is first."""
        if self._left_s(transfer) <= 0:
            try:
                said(transfer, self.takes(transfer, TransferTimeOut(at=self.manager.now_us())))
            except TransitionRefused as error:
                print(f"{transfer}: too late: {error}")

    def _left_s(self, transfer: str) -> float:
        until: int = self.manager.get_state(transfer).context["until"]
        return (until - self.manager.now_us()) / 1_000_000

    def _in(self, phase: str) -> list[str]:
        return [one.id for one in self.manager.list_jobs(phase=phase, lifecycle=LIFECYCLE.name)]


def said(transfer: str, state: AnyTransfer) -> None:
    """Print how a transfer stands."""
    print(f"{transfer}: {_words(state)}", flush=True)


def _words(state: AnyTransfer) -> str:
    """How a transfer stands. A state that is missing here is an error of the type checkers."""
    match state:
        case AskingTransfer():
            return f"question {state.context.questions + 1} is to be asked"
        case WaitingTransfer():
            return f"waits for an answer to question {state.context.questions}"
        case PayingTransfer():
            return "is approved, and is being paid"
        case PaidTransfer():
            return "is paid"
        case RefusedTransfer():
            return "is refused"
        case LapsedTransfer():
            return f"has lapsed: no answer to {state.context.questions} questions"
        case WithdrawnTransfer():
            return "is withdrawn"
        case _:
            assert_never(state)


def _typed(state: JobState) -> AnyTransfer:
    return transfer_of(state.phase, state.guarded)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked for; 1 where it is not allowed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--db", default="approval.db")
    commands = parser.add_subparsers(dest="command", required=True)
    want = commands.add_parser("want")
    want.add_argument("transfer")
    want.add_argument("euros", type=int)
    want.add_argument("--patience-s", type=int, default=86400)
    want.add_argument("--most-questions", type=int, default=3)
    for answer in ("approve", "refuse"):
        command = commands.add_parser(answer)
        command.add_argument("transfer")
        command.add_argument("question", type=int)
    commands.add_parser("withdraw").add_argument("transfer")
    work = commands.add_parser("work")
    work.add_argument("--name", help="of the worker, for people")
    work.add_argument("--outside", type=Path, default=Path("outside.txt"))
    work.add_argument("--takes-s", type=float, default=0, help="time for you to kill it in")
    asked = parser.parse_args(arguments)
    with StateManager.open(asked.db, lifecycle=LIFECYCLE) as manager:
        try:
            _do(Desk(manager), asked)
        except MilepostError as error:
            print(f"desk: {error}", file=sys.stderr)
            return 1
    return 0


def _do(desk: Desk, asked: argparse.Namespace) -> None:
    match asked.command:
        case "want":
            limits = {"patience_s": asked.patience_s, "most_questions": asked.most_questions}
            said(asked.transfer, desk.want(asked.transfer, asked.euros, **limits))
        case "approve":
            said(
                asked.transfer, desk.takes(asked.transfer, TransferApprove(question=asked.question))
            )
        case "refuse":
            said(
                asked.transfer, desk.takes(asked.transfer, TransferRefuse(question=asked.question))
            )
        case "withdraw":
            said(asked.transfer, desk.takes(asked.transfer, TransferWithdraw()))
        case _:
            outside = Outside(asked.outside, asked.takes_s)
            while (wait_s := desk.work(asked.name, outside)) is not None:
                sleep(wait_s)


if __name__ == "__main__":
    sys.exit(main())
