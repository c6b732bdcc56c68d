"""What a run needs of a job's lifecycle: its roles, looked up and checked before anything begins.

Whatever the run could come to need later and would not have is told of here, with nothing done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from milepost.arguments import refuse
from milepost.errors import PayloadUnfilled, RoleAbsent
from milepost.executors.retries import Backoff, RetryPolicy
from milepost.executors.steps import takes_steps
from milepost.executors.vocabulary import (
    Failing,
    ItemWords,
    Left,
    Output,
    PhaseFn,
    PhaseWords,
    Vocabulary,
)
from milepost.job.state import JobState
from milepost.machine import Lifecycle, Machine
from milepost.roles import EventField, Failure, Phase
from milepost.worker.attempts import MapFn
from milepost.worker.beside import Beside
from milepost.worker.outcomes import Fault
from milepost.worker.places import place_at

__all__ = ["Asked", "check_beside", "vocabulary"]

_RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The functions that a run was given, and how it tries again."""

    map_fn: MapFn | Mapping[str, MapFn] | None
    setup_fn: PhaseFn | None
    reduce_fn: PhaseFn | None
    phases: Mapping[str, PhaseFn]
    retry: RetryPolicy | None


def vocabulary(state: JobState, asked: Asked) -> Vocabulary:
    """The words by which a run acts on the job of `state`, with the functions that it was given.

    Raises RoleAbsent and PayloadUnfilled for what the job's lifecycle does not say and the run
    needs, ArgumentInvalid for functions and causes that the lifecycle has no place for.
    """
    return _Resolving(state.lifecycle, state.machine, asked).vocabulary()


def check_beside(state: JobState, beside: Beside | None) -> None:
    """Raise RoleAbsent if results are to be kept beside the log, which has no place for that.

    And ExtraAbsent if what leads to that place is not installed.
    """
    if beside is None:
        return
    for ledger in state.ledgers.values():
        if ledger.machine.roles.result and not ledger.machine.roles.stored:
            raise RoleAbsent.at(state.lifecycle, ledger.machine, "stored", "run(beside=…)")
    place_at(str(beside.url))


class _Resolving:
    def __init__(self, lifecycle: Lifecycle, machine: Machine, asked: Asked) -> None:
        self._lifecycle = lifecycle
        self._machine = machine
        self._asked = asked
        self._roles = machine.roles
        if not self._roles.phases:
            self._absent(machine, "phases", _RUN)
        named = dict.fromkeys(name for phase in self._roles.phases for name in phase.works)
        self._worked = tuple(named)

    def vocabulary(self) -> Vocabulary:
        of_items = self._functions_for_items()
        items = tuple(self._items(name, of_items.get(name)) for name in self._worked)
        self._check_retry(items)
        calls = self._functions_for_phases()
        return Vocabulary(
            phases={phase.state: self._phase(phase, calls) for phase in self._roles.phases},
            items=items,
            failing=self._job_failing() if calls else None,
            set_variables=self._roles.set_variables,
        )

    def _functions_for_items(self) -> dict[str, MapFn]:
        """The function for the items of each collection that is given one."""
        given = self._asked.map_fn
        if given is None:
            return {}
        if not self._worked:
            refuse("map_fn", given, f"None (see phases: {self._name} works on no items)")
        if not isinstance(given, Mapping):
            return dict.fromkeys(self._worked, given)
        for name in given:
            if name not in self._worked:
                self._unknown("map_fn", name, "collections", self._worked)
        return dict(given)

    def _functions_for_phases(self) -> dict[str, PhaseFn]:
        """The function for each phase that is given one, by the phase's state."""
        phases = self._roles.phases
        works = [place for place, phase in enumerate(phases) if phase.works]
        calls = dict(self._asked.phases)
        for name in calls:
            if name not in self._roles.working:
                self._unknown("phases", name, "phases", self._roles.working)
        shorthands = (
            ("setup_fn", self._asked.setup_fn, phases[: works[0]] if works else (), "before"),
            ("reduce_fn", self._asked.reduce_fn, phases[works[-1] + 1 :] if works else (), "after"),
        )
        for parameter, given, among, where in shorthands:
            if given is None:
                continue
            if len(among) != 1:
                found = ", ".join(phase.state for phase in among) or "none"
                why = f"of the phases {where} the work on items, {self._name} has {found}"
                refuse(parameter, given, f"None (see phases: {why})")
            if among[0].state in calls:
                refuse(parameter, given, f"None, or no function for {among[0].state} in phases")
            calls[among[0].state] = given
        return calls

    def _phase(self, phase: Phase, calls: Mapping[str, PhaseFn]) -> PhaseWords:
        call = calls.get(phase.state)
        output, name = self._output(phase) if call is not None else ("nothing", "")
        at = self._roles.phases.index(phase)
        upto, after = self._roles.phases[: at + 1], self._roles.phases[at + 1 :]
        prepares = phase.state == self._machine.initial and any(each.works for each in after)
        if call is not None and output != "payload":
            self._check_filled(self._machine, phase.ends_by, {name} if name else ())
        if call is not None and takes_steps(call):
            self._check_steps(phase)
        return PhaseWords(
            state=phase.state,
            ends_by=phase.ends_by,
            works=phase.works,
            call=call,
            passes=bool(phase.works or prepares)
            and not self._required(self._machine, phase.ends_by),
            output=output,
            field=name,
            typed=output == "result" and self._typed(self._machine),
            reads_results=self._reads_results(upto),
        )

    def _output(self, phase: Phase) -> tuple[Output, str]:
        """Where the output of the phase's function goes: what it is, and the field for it."""
        result = self._roles.result
        if result is not None and result.event == phase.ends_by and result.field:
            return "result", result.field
        for event, name in self._roles.variables:
            if event == phase.ends_by and name:
                return "variables", name
        has_fields = bool(self._machine.event_specs[phase.ends_by].fields)
        return ("payload" if has_fields else "nothing"), ""

    def _reads_results(self, upto: tuple[Phase, ...]) -> bool:
        """True if items are worked on `upto` there, and all of them leave a result that is read."""
        worked = [name for phase in upto for name in phase.works]
        results = [self._member(name).roles.result for name in worked]
        return bool(results) and all(result is not None and result.field for result in results)

    def _check_steps(self, phase: Phase) -> None:
        needed_by = f"a function of phase {phase.state!r} that takes Steps"
        sets = self._roles.set_variables
        if sets is None or not sets.field:
            of = "an event that changes nothing else" if self._roles.variables else ""
            self._absent(self._machine, "variables", needed_by, of)
        if not self._machine.of_pair(phase.state, sets.event):
            of = f"an event that changes nothing else in {phase.state!r}"
            self._absent(self._machine, "variables", needed_by, of)
        self._check_filled(self._machine, sets.event, {sets.field})

    def _items(self, name: str, call: MapFn | None) -> ItemWords:
        machine = self._member(name)
        roles = machine.roles
        if call is not None:
            for role in ("begin", "result", "failure"):
                if not getattr(roles, role):
                    self._absent(machine, role, _RUN)
            if roles.failure is not None and roles.failure.cause and not roles.failure.error:
                self._absent(machine, "failure.causes.error", _RUN)
            self._check_filled(machine, roles.begin)
        if roles.result is not None:
            self._check_filled(machine, *_filled(roles.result))
        if roles.crash is not None:
            self._check_filled(machine, *_filled(roles.crash))
        failing = self._failing(machine, roles.failure) if roles.failure is not None else None
        left = {
            Left.UNHARMED: roles.release or roles.lost,
            Left.LOST: roles.lost or roles.release,
        }
        for event in (*left.values(), roles.retry, roles.give_up):
            if event:
                self._check_filled(machine, event)
        return ItemWords(
            collection=name,
            machine=machine,
            accepts=self._machine.collections[name].accepts,
            call=call,
            begin=roles.begin,
            result=roles.result,
            stored=roles.stored,
            typed=self._typed(machine),
            failing=failing,
            left=left,
            crash=roles.crash,
            defer=roles.defer,
            note=roles.note,
            redone=roles.redo.counts if roles.redo is not None else "",
            retry=roles.retry,
            give_up=roles.give_up,
            held=roles.held,
            attempts=roles.attempts,
            suspect=roles.suspect,
            crashes=roles.crashes,
            max_crashes=roles.max_crashes,
        )

    def _typed(self, machine: Machine) -> bool:
        """True if the results of items must be of some type, and not any JSON."""
        result = machine.roles.result
        if result is None:
            return False
        fields = machine.event_specs[result.event].fields
        return any(part.name == result.field and part.type != "json" for part in fields)

    def _failing(self, machine: Machine, failure: Failure) -> Failing:
        causes = {
            Fault.ERROR: failure.error,
            Fault.TIMEOUT: failure.timeout or failure.error,
            Fault.LOST: failure.lost or failure.error,
        }
        told = (failure.cause, failure.message, failure.kind, failure.details, failure.permanent)
        self._check_filled(machine, failure.event, {name for name in told if name})
        return Failing(
            event=failure.event,
            cause=failure.cause,
            message=failure.message,
            causes=causes,
            kind=failure.kind,
            details=failure.details,
            permanent=failure.permanent,
        )

    def _job_failing(self) -> Failing | None:
        """How the job says that a function raised; None where its lifecycle cannot say that."""
        failure = self._roles.failure
        if failure is None or (failure.cause and not failure.error):
            return None
        return self._failing(self._machine, failure)

    def _check_retry(self, items: tuple[ItemWords, ...]) -> None:
        """Raise for a policy that the lifecycle gives no means to follow."""
        policy = self._asked.retry
        if policy is None:
            return
        trying = [words for words in items if words.retry]
        if not trying:
            collection = next(iter(self._worked or self._machine.collections), None)
            machine = None if collection is None else self._member(collection)
            self._absent(machine, "retry", "run(..., retry=...)")
        self._check_causes(policy, trying)
        for words in trying:
            machine = self._member(words.collection)
            if not words.attempts and any(isinstance(rule, Backoff) for rule in policy.rules):
                self._absent(machine, "attempts", "a RetryPolicy with a Backoff")
            if policy.kinds and (words.failing is None or not words.failing.kind):
                self._absent(machine, "failure.kind", "a RetryPolicy with kinds")
            if not words.give_up and "give up" in policy.rules:
                self._absent(machine, "give_up", "a RetryPolicy that gives up")

    def _check_causes(self, policy: RetryPolicy, trying: list[ItemWords]) -> None:
        known: dict[str, None] = {}
        for words in trying:
            known.update(dict.fromkeys(self._causes(self._member(words.collection))))
        for cause in policy.causes:
            if cause not in known:
                listed = " or ".join(known) or "not named"
                refuse("retry", cause, f"a RetryPolicy whose causes are {listed},")

    def _causes(self, machine: Machine) -> tuple[str, ...]:
        """The causes that the machine knows of failures."""
        failure = machine.roles.failure
        if failure is None or not failure.cause:
            return ()
        fields = machine.event_specs[failure.event].fields
        return next((part.members for part in fields if part.name == failure.cause), ())

    def _check_filled(self, machine: Machine, event: str, filled: Collection[str] = ()) -> None:
        for name in self._required(machine, event):
            if name not in filled:
                raise PayloadUnfilled(
                    lifecycle=self._lifecycle.name,
                    version=self._lifecycle.version,
                    machine=machine.name,
                    event=event,
                    field=name,
                )

    def _required(self, machine: Machine, event: str) -> tuple[str, ...]:
        """The fields that a payload of the event must give."""
        return tuple(part.name for part in machine.event_specs[event].fields if part.required)

    def _member(self, collection: str) -> Machine:
        return self._lifecycle.machines[self._machine.collections[collection].machine]

    @property
    def _name(self) -> str:
        return f"lifecycle {self._lifecycle.name}"

    def _unknown(self, parameter: str, name: str, kind: str, known: Iterable[str]) -> NoReturn:
        listed = ", ".join(known) or "none"
        refuse(parameter, name, f"a mapping of {kind} of {self._name} ({listed}) to functions")

    def _absent(self, machine: Machine | None, role: str, needed_by: str, of: str = "") -> NoReturn:
        raise RoleAbsent.at(self._lifecycle, machine, role, needed_by, of)


def _filled(role: EventField) -> tuple[str, set[str]]:
    """The event of the role, and which of its fields the role fills."""
    return role.event, {role.field} if role.field else set()
