"""Machines of any size, to see what the compiler makes of them."""

from __future__ import annotations

import random


def crowded(states: int, rows: int, events: int) -> str:
    """A definition with so many states, of which three are final, and so many rows.

    Every state leads to the next one, stays on `update` and is given up by `kill`; the rest is
    drawn by lot, near targets more often, a fifth with a choice of two.
    """
    lot = random.Random(0)  # noqa: S311  # the same lots every time
    names = [f"state_{index}" for index in range(states)]
    active, final = names[:-3], names[-3:]
    known = [f"event_{index}" for index in range(events - 2)]
    pairs: dict[tuple[str, str], list[str]] = {}
    for index, name in enumerate(active):
        pairs[name, known[index % len(known)]] = [names[index + 1]]
        pairs[name, "update"] = [name]
        pairs[name, "kill"] = [final[1]]
    pairs[active[0], known[1]] = final[2:]
    while (missing := rows - sum(map(len, pairs.values()))) > 0:
        index = lot.randrange(len(active))
        pair = active[index], lot.choice(known)
        near = active[max(0, index - 3) : index + 4]
        choice = min(missing, lot.choice([1, 1, 1, 1, 2]))
        if pair not in pairs:
            pairs[pair] = lot.sample(lot.choice([near, near, final]), choice)
    chosen = {event for (_, event), targets in pairs.items() if len(targets) > 1}
    payload = "{payload: {outcome: {type: Outcome}}}"
    lines = ["lifecycle: crowded", "version: 1", "enums:", f"  Outcome: [{', '.join(names)}]"]
    lines += ["machines:", "  attempt:", f"    initial: {names[0]}", "    states:"]
    lines += [f"      {name}: {{{'final: true' if name in final else ''}}}" for name in names]
    lines.append("    events:")
    for event in dict.fromkeys(event for _, event in pairs):
        lines.append(f"      {event}: {payload if event in chosen else '{}'}")
    lines.append("    transitions:")
    for (name, event), targets in pairs.items():
        for target in targets:
            guard = f", when: event.outcome == {target}, partial: true" if targets[1:] else ""
            lines.append(f"      - {{from: {name}, on: {event}, to: {target}{guard}}}")
    return "\n".join(lines) + "\n"
