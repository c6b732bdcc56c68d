"""The verdicts on one machine, by stages: each takes what is open, and proves it or finds a run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions import to_text
from milepost_codegen.expressions.substitute import TRUE, both, either, substitute
from milepost_codegen.prove.build import (
    at_least,
    build,
    count_of,
    least,
)
from milepost_codegen.prove.decider import Undecided
from milepost_codegen.prove.judge import FIRST_LOOK, LONG_LOOK, Found, Judge
from milepost_codegen.prove.members import one_by_one
from milepost_codegen.prove.obligations import Danger, Task, tasks
from milepost_codegen.prove.owners import Real
from milepost_codegen.prove.progress import Cycle, falls, find_cycle
from milepost_codegen.prove.questions import (
    begins_with,
    excluded,
    possible,
    refusal,
    sent_by,
    surely_moves,
)
from milepost_codegen.prove.report import Asked, Lemma, Obligation, Result
from milepost_codegen.prove.solve.lemmas import lemmas
from milepost_codegen.prove.system import RunStep, after
from milepost_codegen.prove.unrolled import unrolled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from milepost_codegen.expressions import Expression
    from milepost_codegen.model import Collection, Lifecycle, Machine, Progress
    from milepost_codegen.prove.decider import Decider
    from milepost_codegen.prove.system import Run, System

__all__ = ["MachineCheck"]

_A_MODE: Final = 40
_FEW_STEPS: Final = 8
_MOST_STEPS: Final = 24
_MOST_MODES: Final = 40
_MOST_UNROLLED: Final = 2_000
_LEMMA_EFFORT: Final = 2_000_000
_MOST_MEMBERS: Final = 3
_MOST_REAL: Final = 6


@dataclass(slots=True)
class MachineCheck:
    """The check of one machine; `judges` are those of the machines that it owns."""

    lifecycle: Lifecycle
    machine: Machine
    decides: Decider
    judges: dict[str, Judge]
    judge: Judge = field(init=False)
    _real: dict[int, Real] = field(default_factory=dict)

    def __post_init__(self) -> None:
        system = build(self.lifecycle, self.machine)
        found = tuple(tasks(self.machine, system, self._able))
        self.judge = Judge(system=system, decider=self.decides, tasks=found)

    def results(self) -> Iterator[Result]:
        """The results of all obligations of the machine, in their order."""
        judge = self.judge
        judge.look(FIRST_LOOK)
        waiting = {
            task.obligation.key: task
            for task in judge.tasks
            if not task.declared and task.obligation.kind != "members"
        }
        proved: dict[str, Result] = {}
        given_up: dict[str, str] = {}
        for stage in (self._plainly, self._goals, self._with_lemmas, self._longer, self._unrolled):
            open_ones = [
                task
                for key, task in waiting.items()
                if key not in judge.found and key not in proved
            ]
            if open_ones:
                for task in open_ones:
                    given_up.pop(task.obligation.key, None)
                stage(open_ones, proved, given_up)
        for task in judge.tasks:
            key = task.obligation.key
            if task.declared:
                yield self._declared(task)
            elif task.obligation.kind == "members":
                yield self._refusal(task)
            elif key in judge.found:
                yield self._shown(task, judge.found[key])
            elif key in proved:
                yield proved[key]
            else:
                because = given_up.get(key, "no run was found, and no proof that there is none")
                yield Result(
                    obligation=task.obligation,
                    verdict="undetermined",
                    method="none",
                    because=because,
                )
        yield from self._progress()

    # Stages: each takes what is open, and proves it, finds runs, or says why it does neither.

    def _plainly(
        self, open_ones: Sequence[Task], proved: dict[str, Result], given_up: dict[str, str]
    ) -> None:
        """By what is declared."""
        for task in open_ones:
            self._try(task, proved, given_up)

    def _goals(
        self, open_ones: Sequence[Task], proved: dict[str, Result], given_up: dict[str, str]
    ) -> None:
        """By runs that take the rows which the first ones did not."""
        del proved
        goals = [task.obligation.key for task in open_ones if task.goals]
        self.judge.roam(self._far_look(), goals)
        open_ones = [task for task in open_ones if task.obligation.key not in self.judge.found]
        for task in open_ones:
            if task.goals and self.decides.name:
                self._unroll(task, _FEW_STEPS, given_up)

    def _with_lemmas(
        self, open_ones: Sequence[Task], proved: dict[str, Result], given_up: dict[str, str]
    ) -> None:
        dangers = [one for task in open_ones for one in (*task.dangers, *task.goals)]
        try:
            self.judge.strengthen(dangers)
        except Undecided as error:
            given_up.update({task.obligation.key: str(error) for task in open_ones})
            return
        for task in open_ones:
            self._try(task, proved, given_up)

    def _longer(
        self, open_ones: Sequence[Task], proved: dict[str, Result], given_up: dict[str, str]
    ) -> None:
        """By runs wherever they lead, then by short ones that the solver unrolls."""
        del proved
        self.judge.roam(2 * self._far_look(), (task.obligation.key for task in open_ones))
        for task in open_ones:
            if self.decides.name and task.obligation.key not in self.judge.found:
                self._unroll(task, _FEW_STEPS, given_up)

    def _unrolled(
        self, open_ones: Sequence[Task], proved: dict[str, Result], given_up: dict[str, str]
    ) -> None:
        """By a longer search, by longer runs, and by lemmas that the solver finds."""
        self.judge.look(LONG_LOOK)
        if not self.decides.name:
            return
        for task in open_ones:
            if task.obligation.key not in self.judge.found:
                self._unroll(task, _MOST_STEPS, given_up)
        for task in open_ones:
            if task.obligation.key not in self.judge.found:
                self._ask_for_lemmas(task, given_up)
                self._try(task, proved, given_up)

    def _ask_for_lemmas(self, task: Task, given_up: dict[str, str]) -> None:
        """Let the solver look for what keeps runs from the dangers of a task."""
        if len(self.judge.system.modes) > _MOST_MODES:
            return
        bad: dict[str, list[Expression]] = {}
        for one in (*task.dangers, *task.goals):
            bad.setdefault(one.mode, []).append(one.when)
            if one.stuck:
                return
        known = self.judge.lemmas
        try:
            found = lemmas(
                self.judge.system,
                {mode: either(trees) for mode, trees in bad.items()},
                known,
                effort=_LEMMA_EFFORT,
            )
            self.judge.take(found or {})
        except Undecided as error:
            given_up[task.obligation.key] = str(error)

    def _far_look(self) -> int:
        """How many configurations a search is worth that gives every state its turn."""
        return FIRST_LOOK + _A_MODE * len(self.judge.system.modes)

    def _try(self, task: Task, proved: dict[str, Result], given_up: dict[str, str]) -> None:
        """Prove that no danger is reached, or that no goal is."""
        judge = self.judge
        try:
            if not (excluded(judge, task) and begins_with(judge, task.obligation)):
                return
        except Undecided as error:
            given_up[task.obligation.key] = str(error)
            return
        lemmas = self._lemmas((*task.dangers, *task.goals))
        proved[task.obligation.key] = Result(
            obligation=task.obligation,
            verdict="refuted" if task.goals else "proved",
            method="induction",
            because="no run takes it" if task.goals else "",
            lemmas=lemmas,
        )

    def _lemmas(self, dangers: Iterable[Danger]) -> tuple[Lemma, ...]:
        found: dict[tuple[str, str], Lemma] = {}
        for danger in dangers:
            for holds in self.judge.needed(danger):
                text = to_text(holds)
                found[danger.mode, text] = Lemma(
                    machine=self.machine.name, state=danger.mode, holds=holds, text=text
                )
        return tuple(found.values())

    def _unroll(self, task: Task, at_most: int, given_up: dict[str, str]) -> None:
        try:
            found = unrolled(self.judge.system, task, at_most)
        except Undecided as error:
            given_up[task.obligation.key] = str(error)
            return
        if found is not None:
            self.judge.found[task.obligation.key] = found

    # Verdicts

    def _declared(self, task: Task) -> Result:
        """What is declared alone decides: whether a goal is possible at all."""
        try:
            can_be = possible(self.judge, task)
        except Undecided as error:
            return Result(
                obligation=task.obligation,
                verdict="undetermined",
                method="none",
                because=str(error),
            )
        because = {
            "parameters": "no parameters satisfy every 'where', so nothing can be created",
            "guard": "it holds whenever what is declared does: drop it",
        }[task.obligation.kind]
        return Result(
            obligation=task.obligation,
            verdict="proved" if can_be else "refuted",
            method="induction",
            because="" if can_be else because,
        )

    def _shown(self, task: Task, found: Found) -> Result:
        """A run was found: it is made as short as can be, and real where members were counted."""
        system = self.judge.system
        short: bool
        if task.goals:
            short = True
        else:
            found, short = self._as_short(system, task, found)
        if not system.exact:
            real = self._realize(task, found)
            if real is None:
                what = "a run with members counted was found, and none with members one by one"
                return Result(
                    obligation=task.obligation, verdict="undetermined", method="none", because=what
                )
            short = short and len(real[0].run.steps) == len(found.run.steps)
            found, system = real[0], real[1]
        return Result(
            obligation=task.obligation,
            verdict="proved" if task.goals else "refuted",
            method="run",
            run=_to_goal(system, task, found) if task.goals else found.run,
            asked=Asked(event=found.danger.event, payload=found.payload)
            if found.danger.event
            else None,
            because="" if task.goals else _because(task),
            shortest=short,
            system=system,
        )

    def _as_short(self, system: System, task: Task, found: Found) -> tuple[Found, bool]:
        """The run, or a shorter one; and whether no shorter one is left."""
        length = len(found.run.steps)
        if not self.decides.name or length * len(system.modes) > _MOST_UNROLLED:
            steps = found.run.steps
            there = steps[-1].move.source if found.danger.move and steps else found.danger.mode
            fewest = self.judge.distance(there)
            return found, fewest is not None and length <= fewest + bool(found.danger.move)
        try:
            shorter = unrolled(system, task, length)
        except Undecided:
            return found, False
        return (found if shorter is None else shorter), True

    # Owners: their members one by one

    def _able(self, name: str, place: str) -> bool:
        return surely_moves(self.machine, name, place, self.judges[self._collection(name).machine])

    def _collection(self, name: str) -> Collection:
        return next(one for one in self.machine.collections if one.name == name)

    def _realize(self, task: Task, found: Found) -> tuple[Found, System] | None:
        """The run with members one by one: by the same steps, else by a search of its own."""
        end = found.run.end.values
        totals = [int(end[f"{one.name}.total"]) for one in self.machine.collections]
        need = max(1, *totals)
        if need <= _MOST_REAL:
            real = self._with(need)
            run = None if real is None else real.likewise(task, found)
            if real is not None and run is None and task.goals and self.decides.name:
                found, _ = self._as_short(self.judge.system, task, found)
                run = real.likewise(task, found)
            if real is not None and run is not None:
                return replace(found, run=run), real.one.system
        for most in range(1, _MOST_MEMBERS + 1):
            real = self._with(most)
            if real is None:
                return None
            shown = real.found(task)
            if shown is not None:
                return shown, real.one.system
        return None

    def _with(self, most: int) -> Real | None:
        if most not in self._real:
            one = one_by_one(self.lifecycle, self.machine, most)
            if one is None:
                return None
            self._real[most] = Real(one, self.machine, self.decides)
        return self._real[most]

    def _refusal(self, task: Task) -> Result:
        """Whether a member refuses: by what is known of members alone, else by a run."""
        row, sent = sent_by(self.machine, task)
        judge = self.judges[self._collection(sent.collection).machine]
        danger = refusal(self.lifecycle, self.machine, sent)
        if _kept_from(judge, danger):
            return Result(obligation=task.obligation, verdict="proved", method="induction")
        for most in range(1, _MOST_MEMBERS + 1):
            real = self._with(most)
            if real is None:
                break
            found = real.found(task)
            if found is not None:
                collection = self._collection(sent.collection)
                counted = Danger(
                    mode=row.source,
                    when=both((row.guard or TRUE, at_least(count_of(collection, sent.state), 1))),
                )
                sure = self._none_shorter(task, counted, len(found.run.steps))
                return Result(
                    obligation=task.obligation,
                    verdict="refuted",
                    method="run",
                    run=found.run,
                    asked=Asked(event=row.event, payload=found.payload),
                    because="a member refuses, so its owner's step is refused as well",
                    shortest=sure,
                    system=real.one.system,
                )
        return Result(
            obligation=task.obligation,
            verdict="undetermined",
            method="none",
            because="no run was found, and no proof that there is none",
        )

    def _none_shorter(self, task: Task, counted: Danger, length: int) -> bool:
        """True if no run with members counted gets to a danger in fewer steps."""
        if length == 0:
            return True
        try:
            shorter = unrolled(self.judge.system, replace(task, dangers=(counted,)), length - 1)
        except Undecided:
            return False
        return shorter is None

    def _progress(self) -> Iterator[Result]:
        progress = self.machine.progress
        if progress is None:
            return
        measures = ", ".join(to_text(one) for one in progress.decreases)
        obligation = Obligation(
            key=f"{self.machine.name}.progress.measures",
            kind="progress",
            machine=self.machine.name,
            subject="measures",
            claim=f"on every cycle the measures fall: {measures}",
            place=progress.place,
        )
        judge = self.judge
        because = "no cycle was found on which they do not fall, and no proof that there is none"
        try:
            if falls(judge, progress.decreases, progress.excepted):
                yield Result(obligation=obligation, verdict="proved", method="induction")
                return
            if not judge.lemmas:
                judge.strengthen(())
                if falls(judge, progress.decreases, progress.excepted):
                    yield Result(obligation=obligation, verdict="proved", method="induction")
                    return
        except Undecided as error:
            because = str(error)
        system, cycle = self._cycle(progress)
        if cycle is None:
            yield Result(
                obligation=obligation, verdict="undetermined", method="none", because=because
            )
            return
        yield Result(
            obligation=obligation,
            verdict="refuted",
            method="run",
            run=cycle.run,
            cycle=cycle.begins,
            because="the run comes back to a state, and the measures have not fallen",
            shortest=False,
            system=system,
        )

    def _cycle(self, progress: Progress) -> tuple[System, Cycle | None]:
        """A cycle on which the measures do not fall, of a system that is exact."""
        if self.judge.system.exact:
            self.judge.look(FIRST_LOOK)
            explorer = self.judge.explorer
            return self.judge.system, find_cycle(explorer, progress.decreases, progress.excepted)
        for most in range(1, _MOST_MEMBERS + 1):
            real = self._with(most)
            if real is not None:
                real.judge.look(FIRST_LOOK)
                measures = [substitute(one, real.one.counts) for one in progress.decreases]
                cycle = find_cycle(real.judge.explorer, measures, progress.excepted)
                if cycle is not None:
                    return real.one.system, cycle
        return self.judge.system, None


def _to_goal(system: System, task: Task, found: Found) -> Run:
    """The run with the move that was looked for, as its last step."""
    goals = [one.move for one in task.goals if one.move is not None]
    if not goals:
        return found.run
    move = next(one for one in system.moves if one.name == goals[0].name)
    payload = {one.name: found.payload.get(one.name, least(one.type)) for one in move.inputs}
    step = RunStep(move=move, payload=payload, after=after(move, found.run.end, payload))
    return replace(found.run, steps=(*found.run.steps, step))


def _kept_from(judge: Judge, danger: Danger) -> bool:
    """True if it is proved that no run gets to a danger; lemmas are found for it if need be."""
    try:
        if judge.excluded(danger):
            return True
        judge.strengthen([danger])
        return judge.excluded(danger)
    except Undecided:
        return False  # a run may show it all the same


def _because(task: Task) -> str:
    """What a run that refutes an obligation shows."""
    return {
        "invariant": "the last step breaks it",
        "deterministic": "there more than one row is enabled",
        "gap": "there no row is enabled, and the event is refused",
        "deadlock": "nothing can happen there, and it is no final state",
        "bounded": "there the measure is below 0",
    }[task.obligation.kind]
