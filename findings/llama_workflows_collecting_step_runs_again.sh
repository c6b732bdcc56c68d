#!/bin/sh
# Package    llama-index-workflows 2.26.1
# Question   A step counts each event in the store, tells the stream of it and hands it to ctx.collect_events, which gives all of them
#            with the last. Two events come while the step runs for both. How often is it called, and what does the count say?
# Good guess Two and 2: it is called once for an event, nothing raises, and there is no policy for retries.
# Behaviour  It is called three times, twice for one of the events, with the same event and from its first line. The count in the store
#            says 3, and so many events are on the stream. The result is right: it has each event once. With num_workers=1 it is 2.
# Why        A call sees the collected events as they were when it began. If another one was collected meanwhile, what the call gave
#            is thrown away and it is made anew. What it wrote to the store and to the stream stays.
# Seen       together: calls [1, 2], store 3, stream 3, result [0, 1]; one by one: calls [1, 1], store 2, stream 2, result [0, 1]
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q llama-index-workflows==2.26.1
cd "$work"
cat > main.py <<'EOF'
import asyncio
from collections import Counter

from workflows import Context, Workflow, step
from workflows.events import Event, StartEvent, StopEvent


class Part(Event):
    number: int


class Told(Event):
    number: int


def flow(workers):
    class Flow(Workflow):
        calls: Counter = Counter()
        meeting = asyncio.Barrier(workers)

        @step
        async def begin(self, ctx: Context, event: StartEvent) -> Part | None:
            for number in range(2):
                ctx.send_event(Part(number=number))

        @step(num_workers=workers)
        async def gather(self, ctx: Context, event: Part) -> StopEvent | None:
            self.calls[event.number] += 1
            async with ctx.store.edit_state() as state:
                state["count"] = state.get("count", 0) + 1
            ctx.write_event_to_stream(Told(number=event.number))
            if self.calls[event.number] == 1:
                await self.meeting.wait()  # both calls have begun
            parts = ctx.collect_events(event, [Part, Part])
            if parts is None:
                return None
            return StopEvent(result=sorted(part.number for part in parts))

    return Flow(timeout=60)


async def seen(workers):
    flowing = flow(workers)
    handler = flowing.run()
    told = [event async for event in handler.stream_events() if isinstance(event, Told)]
    result = await handler
    return sorted(flowing.calls.values()), await handler.ctx.store.get("count"), len(told), result


async def main():
    together, one_by_one = await seen(2), await seen(1)
    print("together", together, "one by one", one_by_one)
    assert together == ([1, 2], 3, 3, [0, 1])
    assert one_by_one == ([1, 1], 2, 2, [0, 1])


asyncio.run(main())
EOF
"$work/venv/bin/python" main.py
