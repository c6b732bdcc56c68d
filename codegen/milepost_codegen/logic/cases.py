"""Truth values of literals that satisfy clauses, with what is learned from conflicts.

Unit propagation over watched literals, decisions by recent conflicts, and a clause learned from
each conflict (J. Marques-Silva and K. Sakallah, "GRASP: a search algorithm for propositional
satisfiability", 1999; M. Moskewicz and others, "Chaff", 2001). The integers are asked about whole
assignments; what cannot hold together there is a conflict like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from milepost_codegen.logic.work import Work

__all__ = ["Cases"]

_DECAY: Final = 0.9


class Cases:
    """The search for an assignment.

    `hints` has for each variable the truth value that is tried first. The variables that took
    part in recent conflicts are decided first, then those with the smallest numbers.
    """

    def __init__(
        self, count: int, clauses: Iterable[Sequence[int]], hints: Sequence[bool], work: Work
    ) -> None:
        self.work = work
        self.hints = hints
        self.value = [0] * (count + 1)  # 1 true, -1 false
        self.level = [0] * (count + 1)
        self.reason: list[list[int] | None] = [None] * (count + 1)
        self.weight = [0.0] * (count + 1)
        self.bump = 1.0
        self.trail: list[int] = []
        self.marks: list[int] = []  # where each decision stands on the trail
        self.done = 0  # how much of the trail is propagated
        self.watched: dict[int, list[list[int]]] = {}
        self.impossible = False
        for clause in clauses:
            self.add(list(dict.fromkeys(clause)))

    def holds(self, literal: int) -> bool:
        """True if the literal is assigned so."""
        return self.value[abs(literal)] * literal > 0

    def find(self) -> bool:
        """True if there is an assignment to all variables, which then holds; False if not."""
        while not self.impossible:
            conflict = self.propagate()
            if conflict is not None:
                self.learn(conflict)
                continue
            variable = self.undecided()
            if variable is None:
                return True
            self.marks.append(len(self.trail))
            self.assign(variable if self.hints[variable] else -variable, None)
        return False

    def refuse(self, literals: Iterable[int]) -> None:
        """Never assign all of these literals so again; they all hold now."""
        self.learn([-one for one in literals])

    def undecided(self) -> int | None:
        """The next variable to decide, None if there is none."""
        best, weight = None, -1.0
        self.work.spend(1 + len(self.value) // 16)
        for variable in range(1, len(self.value)):
            if not self.value[variable] and self.weight[variable] > weight:
                best, weight = variable, self.weight[variable]
        return best

    def assign(self, literal: int, reason: list[int] | None) -> None:
        """Let the literal hold."""
        variable = abs(literal)
        self.value[variable] = 1 if literal > 0 else -1
        self.level[variable] = len(self.marks)
        self.reason[variable] = reason
        self.trail.append(literal)

    def add(self, clause: list[int]) -> None:
        """A clause before the search."""
        if any(-one in clause for one in clause):
            return
        if len(clause) > 1:
            self.watch(clause)
        elif not clause or self.holds(-clause[0]):
            self.impossible = True
        elif not self.holds(clause[0]):
            self.assign(clause[0], None)

    def watch(self, clause: list[int]) -> None:
        """Look at the clause when one of its first two literals becomes false."""
        for literal in clause[:2]:
            self.watched.setdefault(literal, []).append(clause)

    def propagate(self) -> list[int] | None:
        """Assign what follows; the clause that cannot hold any more, or None."""
        while self.done < len(self.trail):
            false = -self.trail[self.done]
            self.done += 1
            watching = self.watched.get(false, [])
            kept: list[list[int]] = []
            self.work.spend(1 + len(watching))
            for index, clause in enumerate(watching):
                if clause[0] == false:
                    clause[0], clause[1] = clause[1], clause[0]
                if self.holds(clause[0]):
                    kept.append(clause)
                    continue
                other = next((i for i in range(2, len(clause)) if not self.holds(-clause[i])), 0)
                if other:
                    clause[1], clause[other] = clause[other], clause[1]
                    self.watched.setdefault(clause[1], []).append(clause)
                    continue
                kept.append(clause)
                if self.holds(-clause[0]):
                    kept.extend(watching[index + 1 :])
                    self.watched[false] = kept
                    return clause
                self.assign(clause[0], clause)
            self.watched[false] = kept
        return None

    def learn(self, conflict: list[int]) -> None:
        """Go back to where the conflict could have been seen, with a clause that shows it."""
        deepest = max((self.level[abs(one)] for one in conflict), default=0)
        if deepest == 0:
            self.impossible = True
            return
        self.back(deepest)
        clause, back = self.cause(conflict)
        self.back(back)
        if len(clause) > 1:
            self.watch(clause)
        self.assign(clause[0], clause if len(clause) > 1 else None)
        self.bump /= _DECAY
        if self.bump > 1e100:
            self.weight = [one * 1e-100 for one in self.weight]
            self.bump *= 1e-100

    def cause(self, conflict: list[int]) -> tuple[list[int], int]:
        """The clause of the first point that all ways to the conflict share, and its level."""
        current = len(self.marks)
        seen: set[int] = set()
        below: list[int] = []
        open_count = 0
        pending: list[int] = conflict
        index = len(self.trail)
        while True:
            self.work.spend(1 + len(pending))
            for literal in pending:
                variable = abs(literal)
                if variable in seen or self.level[variable] == 0:
                    continue
                seen.add(variable)
                self.weight[variable] += self.bump
                if self.level[variable] == current:
                    open_count += 1
                else:
                    below.append(literal)
            while True:
                index -= 1
                if abs(self.trail[index]) in seen:
                    break
            literal = self.trail[index]
            open_count -= 1
            if not open_count:
                break
            reason = self.reason[abs(literal)]
            assert reason is not None
            pending = [one for one in reason if one != literal]
        below.sort(key=lambda one: -self.level[abs(one)])
        return [-literal, *below], self.level[abs(below[0])] if below else 0

    def back(self, level: int) -> None:
        """Undo all decisions beyond `level`."""
        if len(self.marks) <= level:
            return
        mark = self.marks[level]
        for literal in self.trail[mark:]:
            self.value[abs(literal)] = 0
            self.reason[abs(literal)] = None
        del self.trail[mark:]
        del self.marks[level:]
        self.done = min(self.done, mark)
