"""Uses of the generated lifecycle: lines marked `# BAD:<id>` must be type errors, no other line.

Type checkers read this file; nothing runs it.
"""

from __future__ import annotations

from typing import Literal, assert_never, assert_type

from milepost import AsyncStateManager, Compaction, DeadLetter, JobState, Lease
from milepost.lifecycles.mapreduce import (
    AnyItem,
    CancelledJob,
    Cause,
    DeadItem,
    DoneItem,
    FailedItem,
    ItemEventName,
    ItemFail,
    ItemGiveUp,
    ItemHandlers,
    ItemRedo,
    ItemRequeue,
    ItemSkip,
    ItemStart,
    ItemStateName,
    ItemSucceed,
    JobCancel,
    JobItemsEvent,
    JobStartMap,
    JobStateName,
    MapJob,
    PausedJob,
    PendingItem,
    Phase,
    ReduceJob,
    RunningItem,
    SetupJob,
    SkippedItem,
    item_handle,
    item_new,
    item_of,
    item_take,
    job_new,
    job_of,
)


def stored() -> AnyItem:
    return item_of("running", item_new().values())


def legal_steps() -> None:
    running = item_new(max_attempts=2).start()
    assert_type(running, RunningItem)
    assert_type(running.succeed(ItemSucceed(result={"n": 1})), DoneItem)
    after = running.interrupt()
    assert_type(after, PendingItem | FailedItem)
    match after:
        case PendingItem():
            assert_type(after.start(), RunningItem)
        case FailedItem():
            assert_type(after.give_up(), DeadItem)
        case _:
            assert_never(after)


def legal_reading() -> None:
    job = job_new(has_reduce=False).start_map(JobStartMap())
    assert_type(job, MapJob)
    assert_type(job.context.items.pending, int)
    assert_type(job.context.has_reduce, bool)
    assert_type(job.context.failed_in, Phase)
    assert_type(job.context.history_active, JobStateName)
    assert_type(job.name, Literal[JobStateName.MAP])
    cancelled = job.cancel(JobCancel(reason="enough"))
    assert_type(cancelled, CancelledJob)
    assert_type(cancelled.members, tuple[JobItemsEvent, ...])
    for sent in cancelled.members:
        assert_type(sent.state, ItemStateName)
        assert_type(sent.event, ItemEventName)
    paused = job.pause()
    assert_type(paused.resume(), SetupJob | MapJob | ReduceJob)


def legal_matching(item: AnyItem) -> str:
    match item:
        case PendingItem() | RunningItem():
            return f"attempt {item.context.attempts}"
        case FailedItem() | DeadItem():
            return item.skip().name
        case DoneItem() | SkippedItem():
            return item.name
        case _:
            assert_never(item)


def legal_handling(item: AnyItem) -> AnyItem:
    def work(state: RunningItem) -> ItemSucceed | ItemFail:
        if state.context.attempts > 1:
            return ItemFail(cause=Cause.ERROR, message="twice")
        return ItemSucceed(result=None)

    handlers = ItemHandlers(
        on_pending=lambda _: ItemStart(),
        on_running=work,
        on_done=lambda _: ItemRedo(),
        on_failed=lambda _: ItemGiveUp(),
        on_dead=lambda _: ItemSkip(),
    )
    assert_type(item_take(item, ItemStart()), AnyItem)
    if isinstance(item, DoneItem | SkippedItem):
        return item
    return item_handle(item, handlers)


async def legal_awaiting(manager: AsyncStateManager) -> None:
    assert_type(await manager.get_state("j"), JobState)
    assert_type([letter async for letter in manager.dead_letters("j")], list[DeadLetter])
    assert_type(await manager.upkeep.compact("j", apply=True), Compaction)
    async with manager.lease("j") as lease:
        assert_type(lease, Lease)
    async with await AsyncStateManager.open("jobs.db", earlier=[], threads=2) as opened:
        assert_type(opened, AsyncStateManager)


async def illegal_awaiting(manager: AsyncStateManager) -> None:
    manager.get_state("j").phase  # BAD:not-awaited  # noqa: B018
    for _ in manager.results("j"):  # BAD:loop-that-does-not-wait
        pass
    await manager.upkeep.compact("j", dry_run=True)  # BAD:older-word
    await manager.record("j", "start")  # BAD:text-as-item-events


def illegal_steps() -> None:
    item = item_new()
    item.succeed(ItemSucceed(result=1))  # BAD:illegal-event
    running = item.start()
    running.start()  # BAD:illegal-event-again
    running.succed(ItemSucceed(result=1))  # BAD:misspelt-event
    running.succeed(ItemFail(cause=Cause.ERROR, message="no"))  # BAD:wrong-payload-type
    running.succeed()  # BAD:missing-payload
    running.release(ItemSkip())  # BAD:payload-where-none-is
    running.interrupt().start()  # BAD:uninspected-outcome
    running.succeed(ItemSucceed(result=1)).skip()  # BAD:leaving-a-final-state
    stored().start()  # BAD:stored-state-unknown
    job_of("map", job_new().values()).finish_map()  # BAD:stored-job-unknown
    ItemFail(cause="error", message="no")  # BAD:enum-member-as-text
    later: PendingItem = running  # BAD:other-state
    assert later


def illegal_match(item: AnyItem, left: SetupJob | PausedJob) -> None:
    match item:
        case PendingItem() | RunningItem() | DoneItem() | FailedItem() | DeadItem():
            pass
        case _:
            assert_never(item)  # BAD:forgotten-case
    match left:
        case SetupJob():
            left.resume()  # BAD:narrowed-to-the-other
        case PausedJob():
            left.resume()


def illegal_changes() -> None:
    job = job_new()
    job.context.max_dead = 5  # BAD:context-is-immutable
    job.context.items.pending = 5  # BAD:counts-are-immutable
    job.context = job.context  # BAD:state-is-immutable
    job.name = JobStateName.SETUP  # BAD:name-is-immutable
    job.values()["max_dead"] = 5  # BAD:values-are-immutable
    job.context.max_deads  # BAD:misspelt-variable  # noqa: B018
    ItemSucceed(result=1).result = 2  # BAD:payload-is-immutable
    limit: str = job.context.max_dead  # BAD:wrong-type-of-variable
    assert limit


def illegal_handlers(done: SkippedItem) -> None:
    handlers = ItemHandlers(
        on_pending=lambda _: ItemStart(),
        on_running=lambda _: ItemSucceed(result=1),
        on_done=lambda _: ItemRedo(),
        on_failed=lambda _: ItemGiveUp(),
        on_dead=lambda _: ItemRequeue(),
    )
    ItemHandlers(on_running=handlers.on_running)  # BAD:missing-handler
    handlers.on_pending = handlers.on_pending  # BAD:handlers-are-immutable
    item_handle(done, handlers)  # BAD:no-handler-for-a-final-state
    item_take(done, JobCancel(reason="no"))  # BAD:event-of-another-machine
    item_new(max_attempt=2)  # BAD:misspelt-parameter


def start(_: PendingItem) -> ItemStart:
    return ItemStart()


def requeue(_: DeadItem) -> ItemRequeue:
    return ItemRequeue()


def redo(_: DoneItem) -> ItemRedo:
    return ItemRedo()


def give_up(_: FailedItem) -> ItemGiveUp:
    return ItemGiveUp()


def again(_: RunningItem) -> ItemStart:
    return ItemStart()


def wrong_handlers() -> None:
    ItemHandlers(
        on_pending=start,
        on_running=again,  # BAD:handler-answers-with-an-illegal-event
        on_done=redo,
        on_failed=give_up,
        on_dead=requeue,
    )
    ItemHandlers(
        on_pending=start,
        on_running=lambda _: ItemSucceed(result=1),
        on_done=redo,
        on_failed=requeue,  # BAD:handler-of-another-state
        on_dead=lambda _: ItemStart(),  # BAD:lambda-answers-with-an-illegal-event
    )
