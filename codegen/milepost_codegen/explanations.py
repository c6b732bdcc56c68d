"""What every finding means and how to mend it: the text of `milepost explain` and of the docs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_codegen.findings import CODES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EXPLANATIONS", "explain", "reference"]

EXPLANATIONS: Final[Mapping[str, str]] = {
    "E001": """\
The file is not UTF-8, or holds a control character that text files cannot hold, or an escape such
as `\\ud800` that stands for half of a character. Save it as UTF-8 and remove what the caret points
at. Other control characters may be written as escapes in docs, and are shown as escapes.
""",
    "E002": """\
A definition may have 1 MiB and may be nested 32 deep. No lifecycle needs more; split a larger one
into several files, one lifecycle each.
""",
    "E003": """\
The file is not YAML from here on. Most often a bracket is not closed, a tab indents a line, or
text that holds `: ` or ` #` stands without quotes.
""",
    "E004": """\
Anchors, aliases, tags and second documents are not read, so that a definition says everything
where it is used. Write the value out, and give each lifecycle a file of its own.
""",
    "E005": """\
A mapping gives the same key twice; other readers of YAML would silently drop one of the values.
Keep the one that is meant.
""",
    "E101": """\
The key is not known here; a misspelt key would otherwise be ignored in silence. The hint names
the nearest key, or all that are known.
""",
    "E102": """\
A key that must be given is missing from the mapping that the caret points at.
""",
    "E103": """\
The value is not of the kind that belongs here, such as text where a list belongs. Bare `true` and
`false` are truth values, decimal digits are integers, all else is text.
""",
    "E104": """\
A name begins with a letter from a to z, goes on with such letters, digits and `_`, and has at
most 39 characters; enums may begin with a capital and hold more. Names that expressions use bare
cannot be words of the expression language, such as `not` or `event`.
""",
    "E201": """\
A collection or a migration names a machine that the file does not define.
""",
    "E202": """\
The machine, or the members' machine, has no event of that name. Declare it under `events`, or
mend the spelling.
""",
    "E203": """\
The machine, or the members' machine, has no state of that name; where several states may stand,
no group either. A `default` beside a `history` must be a member of the group.
""",
    "E204": """\
`history`, before a colon or a dot, names a group that the machine does not define.
""",
    "E205": """\
The name is no context variable, no named guard and no member of the enum that stands on the other
side; or `set` assigns something that is no variable; or a role names a variable or a cause that
there is not.
""",
    "E206": """\
The type is not `bool`, `int`, `str`, `json`, `bytes`, `timestamp` or a declared enum.
""",
    "E207": """\
What stands before the dot, or under `members`, is no collection of this machine.
""",
    "E208": """\
The payload of the row's event has no such field.
""",
    "E209": """\
The name is a member of several enums, and nothing beside it says which one is meant. Compare it
with a variable or a payload field of that enum.
""",
    "E210": """\
Two things that stand in the same places have one name, or a name is given twice: a state and a
group, a guard and a variable, an enum and a type, a member twice in one enum, a members' state
`total` and their number, a number of members and a history. Rename one of them.
""",
    "E211": """\
Generated Python would use one name for two things, or a name that Python keeps for itself.
Classes are called after machine and event, or state and machine; functions after machine and
guard.
""",
    "E301": """\
The text is no expression: something is missing or stands where it cannot.
""",
    "E302": """\
Expressions are total and linear so that they can be proved: there is no division, no product of
two variables, no text, no float, no call, and no dot but in `event.FIELD` and `COLLECTION.STATE`.
""",
    "E303": """\
The value or the part of an expression has another type than is needed there. Only integers can be
ordered; truth values and enum members can be compared with `==` and `!=`. Context variables are
`bool`, `int` or an enum.
""",
    "E304": """\
The expression has more than 512 words and signs, is nested more than 32 deep, or becomes too
large with all the guards that it uses. Split it into named guards, or simplify it.
""",
    "E305": """\
The name exists, but cannot be read here: named guards, invariants and measures have no event,
`where` reads parameters only, and payload fields of type `str`, `json`, `bytes` and `timestamp`
are carried but never looked at. Invariants and measures alone read histories, and only those of
groups that a row leads back to. Values in a migration read what the older version had.
""",
    "E306": """\
Parameters are fixed when a machine is created. Use a variable if it must change.
""",
    "E307": """\
A guard uses itself, directly or through others, and so has no meaning.
""",
    "E308": """\
A variable has an `initial` value and no `where`; a parameter may have a `default` and a `where`,
which the default satisfies. What must hold of a variable is said as an invariant.
""",
    "E309": """\
No values of the parameters satisfy every `where` at once, so that nothing can be created. Mend one
of those that are named: without any one of them, there are values.
""",
    "E401": """\
No run leads from the initial state to this one, even if every guard allows everything.
""",
    "E402": """\
From this state no run leads to a final state, even if every guard allows everything. Mark it with
`final: true` if it is the end, or with `perpetual: true` if it may last for ever.
""",
    "E403": """\
A final state is an end: it has no rows. If an event may still arrive and shall have no effect,
list it under `ignored`.
""",
    "E404": """\
The same row, or the same ignored pair, is given twice. Remove one.
""",
    "E405": """\
Two rows for one state and event can be enabled at once: some run leads to the values that are
shown. There is no order of priority: of the rows of a pair at most one may be enabled. Give them
guards that exclude each other, or use `when: otherwise`. What no run was found for and nothing
excludes is left to the proof.
""",
    "E406": """\
`otherwise` is the negation of the other guards of its pair, so a row without a guard leaves it
nothing, and a pair can have only one row with it.
""",
    "E407": """\
The guard cannot hold, whatever the values: the row is dead in every state that it leaves. The hint
names the invariants and the `where` without which it could. An `otherwise` is dead where the other
guards of its pair leave it no case. Mend or remove the row.
""",
    "E408": """\
The guard holds whatever the values, in every state that the row leaves, so that it says nothing.
The hint names the invariants and the `where` without which it could fail. Drop the guard.
""",
    "E409": """\
The row leads to the state of the group that was left last, but can be taken before the group was
ever left. Say with `default` where to go then; a group has one default.
""",
    "E410": """\
Ids name transitions in tests, diagrams and stored records, and must be unique within a machine.
""",
    "E411": """\
A pair that is ignored changes nothing; one with a row does something. It cannot be both.
""",
    "E412": """\
A group must hold at least one state, and cannot hold itself.
""",
    "E413": """\
A machine cannot own members that are, or that own, machines of its own kind.
""",
    "E414": """\
Members take the event as part of their owner's step: they must have a row for it in that state,
and it must not need a payload, because nobody is there to give one.
""",
    "E415": """\
`grows` lists the states of the owner in which members may be added, each once, alone or by a group
that holds it. A final state cannot be among them: nothing is added to what has ended.
""",
    "E501": """\
No row takes the event and no state ignores it, so that it would always be refused.
""",
    "E502": """\
Nothing reads the variable and no row assigns it. A parameter is used if a guard, an invariant, an
assignment or another parameter's `where` reads it.
""",
    "E503": """\
No row, invariant, measure or other guard uses the guard.
""",
    "E504": """\
No variable and no payload field has the enum as its type.
""",
    "E505": """\
Nothing uses the group: no row, no history, no invariant, no other group.
""",
    "E601": """\
A migration says how jobs of an older version go on under this one, so `from` must be lower than
the file's own `version`. Raise the version with every change of meaning.
""",
    "E602": """\
Each migration leads from one older version straight to this one, so a version has one. Put all
answers for it together.
""",
    "E603": """\
`was` says by which name an earlier version knew a state, event, variable or payload field. That
cannot be its present name, nor one that something else claims or still has. Swapped names are
fine: then both say what they were.
""",
    "E701": """\
Roles that are about attempts belong to members, machines that some collection is of; roles that
are about phases, pausing and outcomes belong to owners. `result` and `failure` belong to both.
""",
    "E702": """\
The field or variable is of another type than the role needs, or the event has no field for it: a
cause is an enum, a message and a reason are `str`, `lost` is `bool`, variables of a job are `json`.
Counters are `int`, marks are `bool`, and bounds are parameters that are `int`.
""",
    "E703": """\
A state has one role, and an event has one, unless the state tells which is meant: a phase may end
by the event of the result, `requeue` may be the event of `retry`, `lost` that of `release` or
`failure`, `skip` that of `give_up`. Where two roles would be inferred for a state, because events
of both lead to it, counts of one would hold the other: give the two states of their own, or write
down which it is.
""",
    "E704": """\
The states that are written for a role are not those that the rows give it. The event that begins
attempts leads from a waiting state to a held one, that of the result to one that is done, and so
on; where such an event leads to a state that is in no list, counts would miss what is in it. A
state that no such event ever leads to cannot be in the list, and a final state neither waits nor
is held.
""",
    "E705": """\
An attempt begins, and from the state that it begins in nothing leads out by which an attempt ends:
no event of `result`, `failure`, `release`, `lost` or `crash`. Where work goes on in another state,
that is held too.
""",
    "E706": """\
The event is never taken where its role needs it: a held state has no row for `lost`, so that what a
dead executor held stays there; no held state takes `defer` or `note`, no failed one `retry`, no
dead one `requeue`, no done one `redo`; a phase does not take the event that ends it, nor a
recovery, although members are worked on in it; no phase takes `reopen`, and no state `allow_dead`;
nothing resumes from the state; or no owner ever accepts the event of a member.
""",
    "E707": """\
The event is taken, and does not lead where its role says: `retry`, `requeue`, `redo` and `defer` to
a state that waits, `lost`, `release` and `crash` out of an executor's hands, a `note` to the hands
that hold the member already, `recover` to the phase that it came from, `allow_dead` to the state
that the job is in, `reopen` to another phase that works members, the end of a phase out of it, a
resumption to where work goes on, a pause to a state that is no phase; a failure to where something
can be decided, unless the state is final, or written as `failed` or `dead`.
""",
    "E708": """\
Phases are listed in the order in which they are worked in. Every way to this one leads through a
phase that is listed after it.
""",
    "E709": """\
An outcome is `succeeded`, `failed` or `cancelled`, of a state that is final, or from which `resume`
says how the job goes on. Where outcomes are written, every final state has one, and a state to
which events with different outcomes lead has one written.
""",
    "E710": """\
The event is named without a field, and several of its fields could be the one that is meant. Name
it.
""",
    "E711": """\
Whoever keeps the jobs sends the events of `release`, `lost`, `crash`, `defer`, `note`, `retry`,
`give_up`, `requeue`, `redo`, `recover`, `reopen` and `allow_dead` by itself, with no payload but
the fields that the role names. Another field that is required would refuse them.
""",
    "E712": """\
The variable counts or marks something, and no row ever sets it: of attempts, crashes, deferrals,
notes and what is done again. Or no row of `allow_dead` sets anything, so that nothing remembers how
many more are allowed.
""",
    "W401": """\
All rows of the pair have guards, and some run leads to the values that are shown, where none of
them holds: the event is then refused. If that is meant, say `partial: true` on one of the rows;
else add a row with `when: otherwise`. What no run was found for is left to the proof.
""",
    "W402": """\
The pair has no other row, so that `otherwise` negates nothing and always holds. It reads as if the
row depended on something: drop it, or write the guard that is meant.
""",
    "E901": """\
The body of a generated file does not have the digest that its header names: somebody edited it.
Make the change in the definition and run `milepost compile`.
""",
    "E902": """\
A generated file is missing, or was generated from an older definition or by another version of
the compiler. Run `milepost compile` and commit the result.
""",
    "E903": """\
A file says that it was generated, but nothing generates it any more, as after a machine was
renamed. Delete it.
""",
    "E905": """\
After a module is generated, its text is read back and proved equal to the definition, without
being run. The proof failed: a function, a table or a method says something else, or was not
understood. The message has its name and, where there are some, values for which the two differ.
This is a defect of Milepost and not of the definition. Nothing was written; please report it.
""",
    "W901": """\
The project keeps a certificate of what is proved of the lifecycle, and it is missing, of another
lifecycle or version, or was made before the definition was changed last. Nothing is taken from it:
every step looks at every invariant, which is right and costs a little. Write it anew with `milepost
check DEFINITION --certificate FILE`, and compile again.
""",
}
"""What each code means, in Markdown."""


def explain(code: str) -> str:
    """Title and explanation of `code`, as Markdown. Raises KeyError if there is no such code."""
    return f"{code} {CODES[code]}\n\n{EXPLANATIONS[code]}"


def reference() -> str:
    """The section on findings of the error reference, as Markdown."""
    return "\n".join(f"## {explain(code)}" for code in CODES)
