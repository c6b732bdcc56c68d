"""What can be said of a resolved lifecycle without a proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.checks.determinism import check_determinism
from milepost_codegen.checks.earlier import check_earlier_names
from milepost_codegen.checks.generated import check_generated
from milepost_codegen.checks.parameters import check_parameters
from milepost_codegen.checks.reachability import check_reachability
from milepost_codegen.checks.roles import check_roles
from milepost_codegen.checks.structure import (
    check_defaults,
    check_groups,
    check_histories,
    check_ids,
    check_ownership,
)
from milepost_codegen.checks.usage import check_usage

if TYPE_CHECKING:
    from milepost_codegen.definition import LifecycleFile
    from milepost_codegen.findings import Findings
    from milepost_codegen.resolve import Resolution
    from milepost_codegen.source import Source

__all__ = ["check"]


def check(
    written: LifecycleFile, resolution: Resolution, source: Source, findings: Findings
) -> None:
    """Report everything that needs no solver; what could not be read misleads no check."""
    for machine in resolution.lifecycle.machines:
        doubts = resolution.doubts[machine.name]
        if check_parameters(machine, source, findings):
            check_determinism(resolution.lifecycle, machine, doubts, findings)
        check_reachability(machine, doubts, findings)
        check_ids(machine, findings)
        check_groups(machine, findings)
        check_histories(machine, findings)
        check_defaults(machine, findings)
        check_earlier_names(machine, source, findings)
    check_ownership(resolution.lifecycle, findings)
    check_roles(resolution, findings)
    check_usage(written, resolution, findings)
    check_generated(resolution.lifecycle, source, findings)
