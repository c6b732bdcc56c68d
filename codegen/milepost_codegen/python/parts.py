"""The parts of a generated module, each as its template prints it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ClassPlan",
    "ConstantPlan",
    "EnumMemberPlan",
    "EnumPlan",
    "FunctionPlan",
    "MachinePlan",
    "ModulePlan",
    "PayloadPlan",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumMemberPlan:
    """A member of an enum: its name, its value as a literal, its docstring or `""`."""

    name: str
    value: str
    doc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumPlan:
    """A `StrEnum`."""

    name: str
    doc: str
    members: tuple[EnumMemberPlan, ...]

    @property
    def body(self) -> str:
        """The docstring and the members, indented."""
        lines = [f"    {self.doc}", *([""] if self.members else [])]
        for member in self.members:
            lines.append(f"    {member.name} = {member.value}")
            lines += [f"    {member.doc}"] if member.doc else []
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadPlan:
    """An event's class, a dataclass if it has `fields`; `event` is a member of `event_class`."""

    name: str
    doc: str
    fields: tuple[str, ...]
    event_class: str
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionPlan:
    """A function: its `def`, its docstring or `""`, and its body, indented.

    A method's `indent` is 4, by which its `def` and its body are indented already.
    """

    signature: str
    doc: str
    body: str
    indent: int = 0

    @property
    def text(self) -> str:
        """The whole function."""
        doc = f"{' ' * self.indent}    {self.doc}\n" if self.doc else ""
        return f"{self.signature}\n{doc}{self.body}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPlan:
    """A class: what stands above `class`, that line, its docstring and its members, indented.

    `attributes` stand together in front of `methods`.
    """

    signature: str
    doc: str
    attributes: tuple[str, ...] = ()
    methods: tuple[FunctionPlan, ...] = ()
    decorator: str = ""

    @property
    def text(self) -> str:
        """The whole class."""
        parts = [f"    {self.doc}", "\n".join(f"    {line}" for line in self.attributes)]
        parts += [method.text for method in self.methods]
        above = f"{self.decorator}\n" if self.decorator else ""
        return f"{above}{self.signature}\n" + "\n\n".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantPlan:
    """Module-level assignments that stand together, whole."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinePlan:
    """All that one machine consists of, in the order in which it is printed."""

    enums: tuple[EnumPlan, ...]
    payloads: tuple[PayloadPlan, ...]
    conditions: tuple[FunctionPlan, ...]  # guards, parameters' `where`, invariants
    assignments: tuple[FunctionPlan, ...]
    transitions: tuple[ConstantPlan, ...]
    selections: tuple[FunctionPlan, ...]
    tables: tuple[ConstantPlan, ...]
    interface: tuple[FunctionPlan, ...]
    typed: tuple[ClassPlan | ConstantPlan | FunctionPlan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModulePlan:
    """The generated module without its header."""

    doc: str
    imports: tuple[str, ...]
    exports: str
    enums: tuple[EnumPlan, ...]
    machines: tuple[MachinePlan, ...]
    upgrading: tuple[FunctionPlan, ...]  # the values that migrations give
    lifecycle: ConstantPlan
