"""What generated Python consists of: all decisions made, nothing left to templates but loops."""

from milepost_codegen.plan.module import module_plan
from milepost_codegen.plan.parts import ModulePlan

__all__ = ["ModulePlan", "module_plan"]
