#!/bin/sh
# Package    transitions 0.9.3 (HierarchicalMachine)
# Question   A parallel state has the regions x and y. On one event x leaves for "done", which ends both regions, and y has a step of
#            its own from 1 to 2. In which state is the machine after the event, and what does the call return?
# Good guess In done, with True. If both could move, leaving wins, or is applied last. The order in which regions are named means nothing.
# Behaviour  With x named first the machine is in y's second step, and x is in no state: it enters done, and the same event then leaves
#            done, which has no transition for it, for one half of the parallel state. With y named first it is in done. If a condition
#            forbids y's step, the call returns False with x first, though the machine went to done; or though x made a step.
# Why        The active states are listed before the event and asked in turn, whatever an earlier one changed. The target is entered from
#            where the machine is by then, region by region. The result is that of the last one.
# Seen       x first: True p_y_2, by way of done; y first: True done; y forbidden: x first False done, y first True done; x steps: False
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q transitions==0.9.3
cd "$work"
cat > main.py <<'PROGRAM'
from transitions.extensions import HierarchicalMachine


class Model:
    def __init__(self):
        self.entered = []

    def forbidden(self):
        return False

    def note(self):
        self.entered.append(self.state)


def after_event(regions, of_x, of_y, condition=None):
    """What the call returned, the state, and the states that the event led to on the way."""
    parallel = {"name": "p", "parallel": [{"name": name, "states": ["1", "2"], "initial": "1"} for name in regions]}
    model = Model()
    machine = HierarchicalMachine(model, states=[parallel, "done"], initial="p", after_state_change="note")
    machine.add_transition("go", "p_x_1", of_x)
    machine.add_transition("go", "p_y_1", of_y, conditions=condition)
    assert sorted(model.state) == ["p_x_1", "p_y_1"]
    seen = (model.go(), model.state, model.entered[:-1])
    print(f"{regions}, x to {of_x}, y to {of_y} {condition or ''}: {seen}")
    return seen


assert after_event("xy", "done", "p_y_2") == (True, "p_y_2", ["done"])
assert after_event("yx", "done", "p_y_2") == (True, "done", [["p_y_2", "p_x_1"]])

assert after_event("xy", "done", "p_y_2", "forbidden") == (False, "done", [])
assert after_event("yx", "done", "p_y_2", "forbidden") == (True, "done", [])

assert after_event("xy", "p_x_2", "p_y_2", "forbidden") == (False, ["p_x_2", "p_y_1"], [])
assert after_event("yx", "p_x_2", "p_y_2", "forbidden") == (True, ["p_y_1", "p_x_2"], [])
PROGRAM
"$work/venv/bin/python" main.py
