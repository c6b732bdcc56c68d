"""Which session ran which job: `mappings/{session}.json`, and the same again under the job's id."""

from __future__ import annotations

from collections.abc import Iterable

from milepost.legacy.prodigy.files import Limits, OldFile, load
from milepost.legacy.prodigy.report import Report
from milepost.legacy.prodigy.wire import Instant, Part

__all__ = ["Mapping", "sessions_of"]


class Mapping(Part):
    """A session and its job."""

    session_id: str
    job_id: str
    workflow_name: str
    created_at: Instant


def sessions_of(
    files: Iterable[OldFile], limits: Limits, report: Report
) -> dict[str, tuple[Mapping, ...]]:
    """The mappings of each job, oldest first, each once."""
    found: dict[str, dict[str, Mapping]] = {}
    for file in files:
        mapping = load(file, Mapping, limits, report)
        if mapping is not None:
            found.setdefault(mapping.job_id, {})[mapping.session_id] = mapping
    return {
        job_id: tuple(sorted(sessions.values(), key=lambda mapping: mapping.created_at))
        for job_id, sessions in found.items()
    }
