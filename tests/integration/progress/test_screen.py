"""The bar on a terminal: what is seen at the end, whatever ended the run and wrote beside it."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from .terminal import on_terminal, screen

TIME = r"after 0:0\d:\d\d"
PROGRAM = """
import logging, os, sys, threading, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from milepost import StateManager
from milepost.executors import run


def one(item):
    return 1


def told(item):
    print("working on", item.key)
    return 1


def gone(item):
    raise ValueError("always")


def go(map_fn=one, count=20, *, job_id="j", config=None, pool=None, **asked):
    pool = pool or partial(ThreadPoolExecutor, 2)
    manager.create_job([f"k{n}" for n in range(count)], job_id=job_id, config=config)
    return run(manager, job_id, map_fn, lambda results: 1, executor=pool, progress=True, **asked)


manager = StateManager.open("memory:")
"""


def test_the_last_figures_stay_and_the_cursor_is_there(tmp_path: Path) -> None:
    """Two lines of the job, and what was printed after it."""
    ended = on_terminal(PROGRAM + "go(); print('and now')", tmp_path)
    assert ended.code == 0
    assert ended.cursor_shown
    bar, second, after = ended.lines[-4:-1]
    assert re.fullmatch(r"j completed ━+ 20/20 100%", bar)
    assert re.fullmatch(rf"  [\d,.]+/s, {TIME}", second)
    assert after == "and now"


def test_what_failed_and_died_is_counted(tmp_path: Path) -> None:
    """By what the run and the job tell."""
    code = "go(gone, 3, config={'max_attempts': 2, 'max_dead': 3})"
    ended = on_terminal(PROGRAM + code, tmp_path)
    assert re.search(rf"6 failures, 3 dead, {TIME}", ended.lines[-2])


def test_what_is_printed_and_logged_stands_above(tmp_path: Path) -> None:
    """Whole lines, in order, by threads and by handlers that had the stream before."""
    code = """
logging.basicConfig(level=logging.INFO, format="%(message)s")
before = sys.stdout, sys.stderr, logging.getLogger().handlers[0].stream
def setup(state):
    print("setting up")
    logging.getLogger("app").info("from a log")
go(told, 30, setup_fn=setup)
assert before == (sys.stdout, sys.stderr, logging.getLogger().handlers[0].stream)
"""
    ended = on_terminal(PROGRAM + code, tmp_path)
    assert ended.code == 0, ended.written
    told = [line for line in ended.lines if line.startswith("working on")]
    assert len(set(told)) == 30
    assert all(re.fullmatch(r"working on k\d+", line) for line in told)
    assert ended.lines.index("setting up") < ended.lines.index("from a log")
    assert sum("j completed" in line for line in ended.lines) == 1
    assert not [line for line in ended.lines if "j map" in line]


def test_the_last_figures_stay_whoever_prints_as_the_run_ends(tmp_path: Path) -> None:
    """A thread that writes line by line neither draws the screen again nor loses a line."""
    code = """
over = threading.Event()
counts = {"a": 0, "b": 0}
def talk(name):
    while not over.is_set():
        counts[name] += 1
        print(f"{name} says {counts[name]}\\n", end="")
threads = [threading.Thread(target=talk, args=(name,)) for name in counts]
for thread in threads: thread.start()
for number in range(12): go(count=2, job_id=f"j{number}")
over.set()
for thread in threads: thread.join()
print("said", counts["a"], counts["b"])
"""
    ended = on_terminal(PROGRAM + code, tmp_path)
    assert ended.code == 0, ended.code
    last = rf"(j\d+) completed ━+ 2/2 100%\n  [\d,.]+/s, {TIME}\n"
    assert re.findall(last, "\n".join(ended.lines)) == [f"j{number}" for number in range(12)]
    said = re.findall(r"([ab]) says (\d+)\r?\n", ended.written)
    counts = [len({number for one, number in said if one == name}) for name in "ab"]
    assert ended.lines[-2] == f"said {counts[0]} {counts[1]}"


def test_a_line_is_whole_though_it_was_begun_before_the_end(tmp_path: Path) -> None:
    """What a thread has begun is shown as the run ends; what it ends then is no line more."""
    code = """
begun, gone_on = threading.Event(), threading.Event()
def talk():
    out = sys.stdout
    out.write("one ")
    begun.set()
    gone_on.wait()
    out.write("\\n")
    out.write("two\\n")
def waits(item):
    thread.start()
    begun.wait()
    print(sys.stdout.encoding, hasattr(sys.stdout, "buffer"))
    return 1
thread = threading.Thread(target=talk)
go(waits, 1)
gone_on.set()
thread.join()
"""
    ended = on_terminal(PROGRAM + code, tmp_path)
    assert ended.code == 0, ended.written
    bar, second = ended.lines[-4:-2]
    assert ended.lines[-6:] == ["utf-8 True", "one", bar, second, "two", ""]
    assert bar.startswith("j completed")
    assert re.fullmatch(rf"  [\d,.]+/s, {TIME}", second)


def test_what_goes_into_a_file_goes_there(tmp_path: Path) -> None:
    """Only the terminal has the bar."""
    out = tmp_path / "out.txt"
    ended = on_terminal(PROGRAM + "go(told, 5)", tmp_path, stdout=out)
    assert len(out.read_text().splitlines()) == 5
    assert "working on" not in ended.written
    assert "j completed" in ended.lines[-3]


def test_processes_that_are_forked_print_as_ever(tmp_path: Path) -> None:
    """None draws a bar, and none waits for the parent's locks."""
    code = "go(told, 40, pool=partial(ProcessPoolExecutor, 2, get_context('fork')))"
    ended = on_terminal(PROGRAM + code, tmp_path)
    assert ended.code == 0
    assert ended.written.count("j completed") <= 2
    assert "j completed" in "\n".join(ended.lines)


def test_several_runs_have_two_lines_each(tmp_path: Path) -> None:
    """In threads, which a bar needs no main one for."""
    code = """
threads = [threading.Thread(target=go, kwargs={"job_id": name}) for name in ("a", "b", "c")]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    ended = on_terminal(PROGRAM + code, tmp_path)
    finished = [line for line in ended.lines if "completed" in line]
    assert sorted(line.split()[0] for line in finished) == ["a", "b", "c"]
    assert ended.cursor_shown


SLOW = """
def slow(item):
    print("begun")
    time.sleep(60 if item.key == "k1" else 0)
    return 1
outcome = go(slow, 2, grace_s=0)
print(outcome.stop_reason)
os._exit(7)
"""


def test_ctrl_c_leaves_the_terminal_in_order(tmp_path: Path) -> None:
    """The last figures say that it was stopped; the next line is the program's."""
    ended = on_terminal(PROGRAM + SLOW, tmp_path, kill=("begun", signal.SIGINT))
    assert ended.code == 7
    assert ended.cursor_shown
    assert ended.lines[-2] == "SIGINT"
    assert "stopped (SIGINT)" in ended.lines[-3]
    assert ended.lines[-4].startswith("j map")


def test_even_a_killed_process_leaves_a_cursor(tmp_path: Path) -> None:
    """Nobody can put it back, so it is never taken away for longer than a blink."""
    ended = on_terminal(PROGRAM + SLOW, tmp_path, kill=("begun", signal.SIGKILL))
    assert ended.code == -signal.SIGKILL
    assert any(line.startswith("j ") for line in ended.lines)
    assert ended.cursor_shown


def test_an_error_is_named_and_raised(tmp_path: Path) -> None:
    """Below the figures, as Python shows it."""
    code = """
def stops(state):
    raise KeyError("mine")
go(on_progress=stops)
"""
    ended = on_terminal(PROGRAM + code, tmp_path)
    assert ended.code == 1
    assert "ended by KeyError" in "\n".join(ended.lines)
    assert ended.lines[-2] == "KeyError: 'mine'"


@pytest.mark.parametrize("columns", [30, 60, 200])
def test_no_line_is_wider_than_the_terminal(tmp_path: Path, columns: int) -> None:
    """Long names are cut."""
    code = f"go(job_id={'reviews-of-' * 6!r}, setup_fn=lambda state: None)"
    ended = on_terminal(PROGRAM + code, tmp_path, columns=columns)
    assert ended.code == 0
    assert max(map(len, ended.lines)) <= columns
    assert "20/20 100%" in "\n".join(ended.lines)


def test_a_terminal_that_draws_nothing_gets_lines(tmp_path: Path) -> None:
    """No sign that steers it."""
    ended = on_terminal(PROGRAM + "go()", tmp_path, environment={"TERM": "dumb"})
    assert "\x1b" not in ended.written
    assert re.search(rf"job j: completed, 20 of 20 \(100%\), .*{TIME}", ended.lines[-2])


def test_a_screen_is_read_as_a_terminal_shows_it() -> None:
    """The negative control of the reader: what was drawn over is not seen."""
    assert screen("one\r\x1b[2Ktwo\r\nthree\x1b[1A\r\x1b[2Kfour") == ["four", "three"]
