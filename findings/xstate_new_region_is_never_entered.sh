#!/bin/sh
# Package    xstate 5.33.3 (npm)
# Question   A parallel machine gets one more region. What happens to a snapshot that was persisted before?
# Good guess The actor goes to error, as it does when a state was removed, or the region is entered as at a start.
# Behaviour  Neither. The restored actor reports the new region in its initial state and takes its events, yet the region was never
#            entered: its entry actions, those of its initial state and what it invokes have not run. Its exit actions do run
#            when it is left. So a resource is released that was never acquired, and the invoked part waits for nobody.
# Why        Restoring completes the state value by initial states, and a restore runs no entry actions on principle.
# Seen       fresh ["invoke b","enter b","enter y"]; restored {"a":"x","b":"y"} [] then {"a":"x","b":"z"} ["exit y"]
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund xstate@5.33.3 >/dev/null
cat > seen.mjs <<'EOF'
import assert from "node:assert/strict";
import { createActor, createMachine, fromCallback } from "xstate";

let log = [];
const say = (text) => () => log.push(text);
const a = { initial: "x", states: { x: {} } };
const b = {
  initial: "y",
  entry: say("enter b"),
  invoke: { src: fromCallback(() => void log.push("invoke b")) },
  states: { y: { entry: say("enter y"), exit: say("exit y"), on: { GO: "z" } }, z: {} },
};
const before = createMachine({ type: "parallel", states: { a } });
const after = createMachine({ type: "parallel", states: { a, b } });

createActor(after).start();
const fresh = log;
log = [];
const stored = JSON.parse(JSON.stringify(createActor(before).start().getPersistedSnapshot()));
const restored = createActor(after, { snapshot: stored }).start();
const [value, done] = [restored.getSnapshot().value, [...log]];
restored.send({ type: "GO" });
console.log(JSON.stringify([fresh, value, done, restored.getSnapshot().value, log]));
assert.deepEqual(fresh.toSorted(), ["enter b", "enter y", "invoke b"]);
assert.deepEqual([value, done], [{ a: "x", b: "y" }, []]);
assert.deepEqual([restored.getSnapshot().value, log], [{ a: "x", b: "z" }, ["exit y"]]);
const refused = createActor(before, { snapshot: { ...stored, value: { a: "gone" } } });
refused.subscribe({ error: () => {} });
assert.equal(refused.start().getSnapshot().status, "error");
EOF
node seen.mjs
