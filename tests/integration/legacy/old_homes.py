"""Makes homes of the old tool: every document and every place, whole or as a test wants it changed.

A document is made as plain JSON data (`job_state`, `checkpoint`, `letter`, `event`, ...) and may be
changed before it is written by the function of its place (`write_state`, ...). Times are seconds
after `T0`.
"""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import lz4.block

from milepost.legacy.prodigy import ItemStatus

try:
    from compression import zstd
except ImportError:
    from backports import zstd

__all__ = [
    "JOB",
    "REPO",
    "T0",
    "MadeItem",
    "checkpoint",
    "event",
    "instant",
    "job_events",
    "job_state",
    "letter",
    "pack",
    "reduce_progress",
    "seal",
    "stamp",
    "text_of",
    "write_archive",
    "write_checkpoint",
    "write_events",
    "write_letter",
    "write_lock",
    "write_mapping",
    "write_reduce",
    "write_state",
]

Json = dict[str, Any]
Packing = Literal["gz", "json", "zst", "lz4"]

REPO = "shop"
JOB = "mapreduce-20260301_120000"
T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


def instant(seconds: float = 0) -> datetime:
    """The instant so many seconds after T0."""
    return T0 + timedelta(seconds=seconds)


def stamp(seconds: float = 0, digits: int = 9) -> str:
    """The instant as the old tool writes it, with 0, 3, 6 or 9 digits of the second."""
    at = instant(seconds)
    fraction = f"{at.microsecond:06d}789"[:digits]
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if digits else "") + "Z"


def duration(seconds: float) -> Json:
    """A duration in states and checkpoints."""
    return {"secs": int(seconds), "nanos": int(seconds * 1e9) % 1_000_000_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeItem:
    """An item as a test wants it to stand; `message` is of its failures."""

    value: Any = None
    status: ItemStatus = ItemStatus.PENDING
    output: str | None = "fine"
    message: str = "boom"
    attempts: int = 1
    timed_out: bool = False


def agent_result(item_id: str, item: MadeItem) -> Json:
    """The latest result of an item that has one."""
    status: Any = "Success"
    if item.status is not ItemStatus.DONE:
        status = "Timeout" if item.timed_out else {"Failed": item.message}
    done = item.status is ItemStatus.DONE
    return {
        "item_id": item_id,
        "status": status,
        "output": item.output if done else None,
        "commits": ["c0ffee"] if done else [],
        "duration": duration(1.5),
        "error": None if done else item.message,
        "worktree_path": f"/trees/{item_id}",
    }


def step(name: str) -> Json:
    """A step of a workflow, as it is carried along."""
    return {
        "claude": f"/{name} ${{item}}",
        "capture_streams": dict.fromkeys(("stdout", "stderr", "exit_code", "success"), True),
        "capture_output": False,
        "env": {},
        "commit_required": False,
    }


CONFIG: Json = {
    "input": "items.json",
    "json_path": "$.items[*]",
    "max_parallel": 4,
    "agent_timeout_secs": 300,
    "continue_on_failure": True,
    "batch_size": None,
    "enable_checkpoints": True,
    "max_items": None,
    "offset": None,
}


def job_state(
    items: Sequence[MadeItem],
    *,
    job_id: str = JOB,
    version: int = 1,
    at: float = 60,
    **changes: Any,
) -> Json:
    """An old state with these items; in flight and pending ones have no result in it."""
    by_id = {f"item_{n}": item for n, item in enumerate(items)}
    settled = {ItemStatus.DONE, ItemStatus.FAILED, ItemStatus.DEAD}
    attempted = {name: item for name, item in by_id.items() if item.status in settled}
    failed = {name: i for name, i in attempted.items() if i.status is not ItemStatus.DONE}
    state = {
        "job_id": job_id,
        "config": CONFIG,
        "started_at": stamp(0),
        "updated_at": stamp(at),
        "work_items": [item.value for item in items],
        "agent_results": {name: agent_result(name, item) for name, item in attempted.items()},
        "completed_agents": sorted(attempted, reverse=True),
        "failed_agents": {
            name: {
                "item_id": name,
                "attempts": item.attempts,
                "last_error": "Agent execution timed out" if item.timed_out else item.message,
                "last_attempt": stamp(at - 10, 6),
                "worktree_info": None,
            }
            for name, item in failed.items()
        },
        "pending_items": sorted(by_id.keys() - attempted.keys()),
        "checkpoint_version": version,
        "checkpoint_format_version": 1,
        "parent_worktree": None,
        "reduce_phase_state": None,
        "total_items": len(items),
        "successful_count": len(attempted) - len(failed),
        "failed_count": len(failed),
        "is_complete": False,
        "agent_template": [step("work")],
        "reduce_commands": [step("sum")],
        "variables": {"region": "north"},
        "setup_output": "ready",
        "setup_completed": True,
        "item_retry_counts": {},
    }
    return state | changes


def write(path: Path, content: bytes | str) -> Path:
    """Write a file and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def text_of(document: object) -> str:
    """Pretty JSON as the old tool writes it."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def write_state(
    root: Path,
    state: Json,
    *,
    repo: str = REPO,
    job_id: str = JOB,
    metadata: bool = True,
    suffix: str = "json",
    base: Path | None = None,
) -> Path:
    """Write an old state under its version, and the pointer to it."""
    directory = (base or root / "state" / repo / "mapreduce") / "jobs" / job_id
    version = state["checkpoint_version"]
    path = write(directory / f"checkpoint-v{version}.{suffix}", text_of(state))
    if metadata:
        pointer = {
            "path": f"/gone/{path.name}",
            "version": version,
            "created_at": state["updated_at"],
            "size_bytes": path.stat().st_size,
        }
        write(directory / "metadata.json", text_of(pointer))
    return path


def checkpoint(
    items: Sequence[MadeItem],
    *,
    job_id: str = JOB,
    at: float = 60,
    variant: Literal["A", "B"] | None = "A",
    phase: str = "Map",
    number: int = 1,
) -> Json:
    """A newer checkpoint with these items, its hash by the variant; None leaves it out."""
    work = [{"id": f"item_{n}", "data": item.value} for n, item in enumerate(items)]

    def of(*statuses: ItemStatus) -> list[tuple[Json, MadeItem]]:
        paired = zip(work, items, strict=True)
        return [(entry, item) for entry, item in paired if item.status in statuses]

    held = of(ItemStatus.IN_FLIGHT)
    done = of(ItemStatus.DONE)
    dead = of(ItemStatus.DEAD)
    document: Json = {
        "metadata": {
            "checkpoint_id": f"cp-{uuid.UUID(int=number)}",
            "job_id": job_id,
            "version": 1,
            "created_at": stamp(at),
            "phase": phase,
            "total_work_items": len(items),
            "completed_items": len(done),
            "checkpoint_reason": "Interval",
            "integrity_hash": "",
        },
        "execution_state": {
            "current_phase": phase,
            "phase_start_time": stamp(1),
            "setup_results": {"success": True, "outputs": ["ready"], "duration": duration(2)},
            "map_results": None,
            "reduce_results": None,
            "workflow_variables": {"region": "south"},
        },
        "work_item_state": {
            "pending_items": [entry for entry, _ in of(ItemStatus.PENDING)],
            "in_progress_items": {
                entry["id"]: {
                    "work_item": entry,
                    "agent_id": f"agent-{entry['id']}",
                    "started_at": stamp(at - 5),
                    "last_update": stamp(at - 1),
                }
                for entry, _ in held
            },
            "completed_items": [
                {
                    "work_item": entry,
                    "result": agent_result(entry["id"], item),
                    "completed_at": stamp(at - 20),
                }
                for entry, item in done
            ],
            "failed_items": [
                {
                    "work_item": entry,
                    "error": item.message,
                    "failed_at": stamp(at - 10),
                    "retry_count": 0,
                }
                for entry, item in [*of(ItemStatus.FAILED), *dead]
            ],
            "current_batch": None,
        },
        "agent_state": {
            "active_agents": {
                f"agent-{entry['id']}": {
                    "agent_id": f"agent-{entry['id']}",
                    "worktree_path": "/trees/a",
                    "started_at": stamp(at - 5),
                    "last_heartbeat": stamp(at - 1),
                    "status": "Running",
                }
                for entry, _ in held
            },
            "agent_assignments": {f"agent-{entry['id']}": [entry["id"]] for entry, _ in held},
            "agent_results": {
                entry["id"]: agent_result(entry["id"], item)
                for entry, item in of(ItemStatus.DONE, ItemStatus.FAILED)
            },
            "resource_allocation": {},
        },
        "variable_state": {
            "workflow_variables": {"region": "south"},
            "captured_outputs": {"list": "a"},
            "environment_variables": {"LANG": "C"},
            "item_variables": {"item_0": {"name": "a"}},
        },
        "resource_state": {
            "total_agents_allowed": 4,
            "current_agents_active": len(held),
            "worktrees_created": [],
            "worktrees_cleaned": [],
            "disk_usage_bytes": None,
        },
        "error_state": {
            "error_count": len(dead),
            "dlq_items": [
                {
                    "item_id": entry["id"],
                    "error": item.message,
                    "timestamp": stamp(at - 9),
                    "retry_count": item.attempts,
                }
                for entry, item in dead
            ],
            "error_threshold_reached": False,
            "last_error": None,
        },
    }
    return seal(document, variant)


def seal(document: Json, variant: Literal["A", "B"] | None) -> Json:
    """The checkpoint with its integrity hash as the content now is."""
    metadata, lists = document["metadata"], document["work_item_state"]
    covered = "".join(
        str(metadata[name])
        for name in ("job_id", "version", "phase", "total_work_items", "completed_items")
    )
    covered += f"{len(lists['completed_items'])}{len(lists['failed_items'])}"
    if variant == "B":
        covered += str(len(lists["pending_items"]))
    metadata["integrity_hash"] = sha256(covered.encode()).hexdigest() if variant else ""
    return document


def pack(text: str, packing: Packing) -> bytes:
    """Text as a checkpoint file holds it."""
    raw = text.encode()
    match packing:
        case "gz":
            return gzip.compress(raw, 6, mtime=0)
        case "zst":  # a stream: the frame does not say how much it holds
            stream = zstd.ZstdCompressor(level=3)
            return stream.compress(raw) + stream.flush()
        case "lz4":
            return lz4.block.compress(raw)
        case "json":
            return raw


def write_checkpoint(
    root: Path,
    document: Json,
    *,
    packing: Packing = "gz",
    repo: str = REPO,
    job_id: str = JOB,
    beside_states: bool = False,
    temporary: bool = False,
) -> Path:
    """Write a newer checkpoint where the command line looks for it, or beside the old states."""
    place = root / "state" / repo
    place = place / "mapreduce" / "jobs" / job_id if beside_states else place / job_id
    place = place if beside_states else place / "mapreduce" / "checkpoints"
    suffix = "tmp" if temporary else packing
    name = f"{document['metadata']['checkpoint_id']}.checkpoint.{suffix}"
    return write(place / name, pack(text_of(document), packing))


def letter(
    item_id: str, item: MadeItem, *, at: float = 55, agent: str | None = None, **changes: Any
) -> Json:
    """A dead letter with a failure a second for each attempt, the last at `at`."""
    kind: Any = "Timeout" if item.timed_out else {"CommandFailed": {"exit_code": 127}}
    times = [at - item.attempts + 1 + n for n in range(item.attempts)]
    document = {
        "item_id": item_id,
        "item_data": item.value,
        "first_attempt": stamp(times[0]),
        "last_attempt": stamp(times[-1]),
        "failure_count": item.attempts,
        "failure_history": [
            {
                "attempt_number": n + 1,
                "timestamp": stamp(time),
                "error_type": kind,
                "error_message": item.message,
                "stack_trace": None,
                "agent_id": agent or f"agent-{item_id}-{n + 1}",
                "step_failed": "work",
                "duration_ms": 1500,
            }
            for n, time in enumerate(times)
        ],
        "error_signature": sha256(item.message.encode()).hexdigest()[:16],
        "worktree_artifacts": None,
        "reprocess_eligible": True,
        "manual_review_required": False,
    }
    return document | changes


def letter_place(root: Path, depth: str, repo: str = REPO, job_id: str = JOB) -> Path:
    """A place of a queue: `normal`, `shallow`, `middle` or `resume`."""
    of_job = root / "dlq" / repo / job_id
    return {
        "normal": of_job / "mapreduce" / "dlq" / job_id,
        "shallow": of_job,
        "middle": of_job / "mapreduce" / "dlq",
        "resume": root / "state" / repo / "mapreduce" / "dlq" / job_id,
    }[depth]


def write_letter(
    root: Path, document: Json, *, depth: str = "normal", repo: str = REPO, job_id: str = JOB
) -> Path:
    """Write a dead letter, and the index beside it."""
    place = letter_place(root, depth, repo, job_id)
    path = write(place / "items" / f"{document['item_id']}.json", text_of(document))
    index = {"item_count": 1, "item_ids": [document["item_id"]], "job_id": job_id}
    write(place / "index.json", text_of(index))
    return path


_MADE = uuid.UUID("00000000-0000-4000-8000-000000000000").int


def event(tag: str, seconds: float, number: int, **fields: Any) -> Json:
    """An event; `number` makes its id."""
    return {
        "id": str(uuid.UUID(int=_MADE + number)),
        "timestamp": stamp(seconds, 9),
        "correlation_id": "run",
        "event": {"event_type": tag, **fields},
        "metadata": {"host": "localhost", "pid": 7, "thread": "main"},
    }


def job_events(
    items: Sequence[MadeItem], *, job_id: str = JOB, base: int = 0, start: float = 0
) -> list[Json]:
    """The events of a job whose items went the way they stand; pending ones have none."""
    made: list[Json] = []

    def add(tag: str, **fields: Any) -> None:
        number = len(made)
        made.append(event(tag, start + number, base + number, job_id=job_id, **fields))

    config = dict(CONFIG)
    add("job_started", config=config, total_items=len(items), timestamp=stamp(start))
    for n, item in enumerate(items):
        item_id = f"item_{n}"
        if item.status is ItemStatus.PENDING:
            continue
        failures = item.attempts if item.status in {ItemStatus.FAILED, ItemStatus.DEAD} else 0
        for attempt in range(1, max(failures, 1) + 1):
            agent = f"agent-{item_id}-{attempt}"
            add("agent_started", agent_id=agent, item_id=item_id, worktree="t", attempt=attempt)
            if failures:
                add("agent_failed", agent_id=agent, error=item.message, retry_eligible=True)
        if item.status is ItemStatus.DONE:
            add("agent_completed", agent_id=agent, duration=[1, 500_000_000], commits=["c0ffee"])
        if item.status is ItemStatus.DEAD:
            add("d_l_q_item_added", item_id=item_id, error_signature="s", failure_count=failures)
    return made


def lines_of(events: Iterable[Json]) -> str:
    """Events as the old tool writes them: one compact object a line."""
    return "".join(json.dumps(e, separators=(",", ":"), ensure_ascii=False) + "\n" for e in events)


def write_events(
    root: Path,
    content: Iterable[Json] | str | bytes,
    *,
    name: str = "events-20260301_120000.jsonl",
    repo: str = REPO,
    job_id: str = JOB,
    resumed: bool = False,
) -> Path:
    """Write a log of events, or text as one; `resumed` puts it where resuming does."""
    place = root / "events" / repo / job_id / name
    if resumed:
        jobs = root / "state" / repo / "mapreduce" / "jobs"
        place = jobs / job_id / "events" / "events.jsonl"
    return write(place, content if isinstance(content, str | bytes) else lines_of(content))


def write_archive(root: Path, events: Iterable[Json], *, packed: bool = True) -> Path:
    """Write an archive of events, really packed by gzip or as text."""
    place = root / "events" / "archive"
    raw = lines_of(events).encode()
    if packed:
        return write(place / "events_archive_20260401_000000.jsonl.gz", gzip.compress(raw))
    return write(place / "events_archive_20260401_000000.jsonl", raw)


def reduce_progress(completed: int, total: int, *, at: float = 90, **changes: Any) -> Json:
    """Progress of the reduce phase."""
    document = {
        "version": 1,
        "completed_steps": completed,
        "total_steps": total,
        "step_results": [
            {
                "step_index": n,
                "success": True,
                "output": f"step {n}",
                "error": None,
                "duration_secs": 0.25,
            }
            for n in range(completed)
        ],
        "variables": {"map.total": "3"},
        "map_results": [{"n": 1}],
        "timestamp": stamp(at),
    }
    return document | changes


def write_reduce(
    root: Path, document: Json, *, job_id: str = JOB, when: str = "20260301_120130"
) -> Path:
    """Write the progress of the reduce phase: its place knows no repo."""
    name = f"reduce-checkpoint-v1-{when}.json"
    return write(root / "state" / "reduce_checkpoints" / job_id / name, text_of(document))


def write_mapping(root: Path, *, job_id: str = JOB, session: str = "session-1") -> None:
    """Write which session ran a job, under both names."""
    document = {
        "session_id": session,
        "job_id": job_id,
        "workflow_name": "nightly",
        "created_at": stamp(0),
    }
    for name in (session, job_id):
        write(root / "mappings" / f"{name}.json", text_of(document))


def write_lock(root: Path, *, job_id: str = JOB) -> Path:
    """Write a lock, torn as the old tool may leave it."""
    return write(root / "resume_locks" / f"{job_id}.lock", '{"job_id": ')
