#!/bin/sh
# Package    burr 0.42.0 (State, SQLitePersister)
# Question   A state holds a tuple, a date and a set, and is saved and loaded. What are they afterwards?
# Good guess The file holds JSON, so the tuple comes back as a list, and a date or a set is refused when the state is saved.
# Behaviour  The tuple comes back as the text "(1, 2)", at any depth, and nothing is refused. The running app still has the tuple;
#            only one that resumes gets text, which can be iterated over too: the next step takes its characters for items.
# Why        Whatever is no str, int, float, bool, dict, list or None is saved as its str(), before JSON sees it.
# Seen       before (1, 2), after '(1, 2)'; nested ['(3,)']; date '2026-01-02'; set '{5}'; saved without an error
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q burr==0.42.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from datetime import date

from burr.core import ApplicationBuilder, action
from burr.core.persistence import SQLitePersister

persister = SQLitePersister(db_path="burr.db", table_name="steps")
persister.initialize()
VALUES = {"pair": (1, 2), "nested": [(3,)], "day": date(2026, 1, 2), "few": {5}, "list": [6]}


@action(reads=[], writes=list(VALUES))
def fill(state):
    return state.update(**VALUES)


@action(reads=["pair"], writes=["items"])
def go_over(state):
    return state.update(items=list(state["pair"]))


def app():
    return (
        ApplicationBuilder()
        .with_actions(fill, go_over)
        .with_transitions(("fill", "go_over"))
        .initialize_from(
            persister, resume_at_next_action=True, default_state={}, default_entrypoint="fill"
        )
        .with_state_persister(persister)
        .with_identifiers(app_id="app", partition_key="partition")
        .build()
    )


first = app()
_, _, before = first.step()
again = app()
after = {name: again.state[name] for name in VALUES}
print("before", {name: before[name] for name in VALUES})
print("after ", after)
assert {name: before[name] for name in VALUES} == VALUES
assert after == {"pair": "(1, 2)", "nested": ["(3,)"], "day": "2026-01-02", "few": "{5}", "list": [6]}
_, _, resumed = again.step()
print("items of the app that resumed", resumed["items"])
assert resumed["items"] == ["(", "1", ",", " ", "2", ")"]
EOF
