"""Files of the old tool: findings by code and a sound import, whatever stands in them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from milepost.legacy.prodigy import read_home
from tests.fuzz.target import Answer, Target
from tests.integration.legacy.old_homes import (
    job_events,
    job_state,
    letter,
    lines_of,
    text_of,
    write_events,
    write_letter,
    write_state,
)
from tests.integration.legacy.test_mangled import DOCUMENTS, ITEMS, imported, mangled, places

__all__ = ["OLD_JOBS"]

_STRANGE: Final = (
    None, True, 0, -1, 2**64, 2**70, 1e300, "", "item_0", "item_99", "item-1", "\0\n\u202e",
    "Failed", "Complete", "../../x", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+01:00", [], {},
    [None], {"Failed": []}, {"secs": 2**40, "nanos": 0}, [2**40, 0],
)  # fmt: skip
_document = st.sampled_from(sorted(DOCUMENTS))
_cases = st.one_of(
    st.fixed_dictionaries(
        {
            "of": _document,
            "place": st.integers(0, 500),
            "strange": st.integers(0, len(_STRANGE) - 1),
            "alone": st.booleans(),
        }
    ),
    st.fixed_dictionaries(
        {"of": _document, "cut": st.integers(0, 3000), "alone": st.booleans()},
    ),
    st.fixed_dictionaries(
        {
            "of": _document,
            "at": st.integers(0, 3000),
            "hex": st.binary(min_size=1, max_size=6).map(bytes.hex),
            "alone": st.booleans(),
        }
    ),
    st.fixed_dictionaries({"hex": st.binary(max_size=40).map(bytes.hex), "alone": st.booleans()}),
)


def _written(home: Path, case: Any) -> None:
    if not case["alone"]:
        write_state(home, job_state(ITEMS, at=40))
        write_events(home, job_events(ITEMS), resumed=True)
        write_letter(home, letter("item_4", ITEMS[4]), depth="resume")
    name = case.get("of", "state")
    document, writer = DOCUMENTS[name]
    if "place" in case:
        every = places(document)
        changed = mangled(document, every[case["place"] % len(every)], _STRANGE[case["strange"]])
        if name != "events" or isinstance(changed, list):
            writer(home, text_of(changed))
        return
    text = (lines_of(document) if name == "events" else text_of(document)).encode()
    if "cut" in case:
        text = text[: case["cut"] % (len(text) + 1)]
    elif "at" in case:
        at, put = case["at"] % len(text), bytes.fromhex(case["hex"])
        text = text[:at] + put + text[at + len(put) :]
    else:
        text = bytes.fromhex(case["hex"])
    if name == "events":
        write_events(home, text)
        return
    before = {path for path in home.rglob("*") if path.is_file()}
    writer(home, text_of(document))
    for path in home.rglob("*"):
        if path.is_file() and path not in before:
            path.write_bytes(text)


def _answer(case: Any) -> Answer:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _written(home, case)
        jobs = list(read_home(home))
        imported(home, jobs)
    codes = {finding.code.value for job in jobs for finding in job.report}
    read = sorted({item.status.value for job in jobs for item in job.items})
    return Answer(
        " ".join(sorted(codes)), frozenset((*codes, *(f"{len(read)} kinds" for _ in read[:1])))
    )


OLD_JOBS: Final = Target(name="old_jobs", cases=_cases, answer=_answer, examples=40)
