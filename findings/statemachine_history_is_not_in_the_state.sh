#!/bin/sh
# Package    python-statemachine 3.2.2
# Question   A machine keeps its state in a field of the model. It is stored, loaded, and handed to a new machine. Is it the same machine?
# Good guess Yes: the field holds the whole configuration, parents and parallel regions included.
# Behaviour  Not once a history state is in it. What history remembers lives in the machine object alone: the first machine goes
#            back to y, the one made from its state to the default x. Where the history state has no default transition the
#            restored machine ends in no state at all: its configuration is empty, the field is None, later events do nothing and
#            raise nothing. The field itself is an OrderedSet of the library; the list that JSON makes of it is a TypeError.
# Why        The field was made for flat machines, where it is all there is. (XState stores historyValue in its snapshot.)
# Seen       lived ['p', 'y'], restored ['p', 'x'], restored without a default None then None, from a list TypeError
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q python-statemachine==3.2.2
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from statemachine import HistoryState, State, StateChart


class Model:
    def __init__(self, state=None):
        self.state = state


class WithDefault(StateChart):
    class p(State.Compound):
        x, y, h = State(initial=True), State(), HistoryState()
        step = x.to(y)
        fresh = h.to(x)

    q = State()
    leave = p.to(q)
    back = q.to(p.h)


class WithoutDefault(StateChart):
    class p(State.Compound):
        x, y, h = State(initial=True), State(), HistoryState()
        step = x.to(y)

    q = State()
    leave = p.to(q)
    back = q.to(p.h)


def after_back(chart, restored):
    model = Model()
    machine = chart(model)
    for event in ("step", "leave"):
        machine.send(event)
    if restored:
        model = Model(model.state)
        machine = chart(model)
    machine.send("back")
    return machine, model


lived, restored = (list(after_back(WithDefault, again)[1].state) for again in (False, True))
machine, nowhere = after_back(WithoutDefault, True)
empty = list(machine.configuration_values), nowhere.state
for event in ("step", "leave", "back"):
    machine.send(event)
try:
    WithDefault(Model(["p", "y"])).send("leave")
    listed = "taken"
except TypeError:
    listed = "TypeError"
print("lived", lived, "restored", restored, "no default", *empty, nowhere.state, "list", listed)
assert (lived, restored, listed) == (["p", "y"], ["p", "x"], "TypeError")
assert list(after_back(WithoutDefault, False)[1].state) == ["p", "y"]
assert empty == ([], None) and nowhere.state is None
EOF
