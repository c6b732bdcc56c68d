"""Random edits of random definitions: no verdict of `compatible` is refuted by any short run."""

from collections import Counter
from dataclasses import replace

from milepost_codegen.diff import compare
from tests.unit.compiler.diff.edits import edited_definitions, first_difference

COUNT = 1000


def test_no_run_refutes_a_verdict_of_compatible() -> None:
    """Every run of OLD with a few numbers and members is taken alike; needless breaking is told."""
    told: Counter[str] = Counter()
    false: list[str] = []
    for pair in edited_definitions(COUNT):
        verdict = compare(pair.old, pair.new).verdict
        refuted = first_difference(pair, most=120)
        if verdict == "compatible" and refuted:
            false.append(f"{pair.edit}: {refuted}\n{pair.texts[0]}\n{pair.texts[1]}")
        kind = "needless" if verdict == "breaking" and not refuted else "agreed"
        told["false" if verdict == "compatible" and refuted else kind] += 1
        told[verdict] += 1
    print(f"\n{COUNT} edits: {dict(told)}, {told['needless'] / COUNT:.1%} needlessly breaking")
    assert not false, f"{len(false)}: {false[0]}"
    assert told["compatible"] > COUNT // 10
    assert told["breaking"] > COUNT // 10


def test_the_runs_find_what_a_verdict_hides() -> None:
    """A control: were every edit called compatible, many would be refuted, of every grave kind."""
    refuted = Counter(
        pair.edit for pair in edited_definitions(300) if first_difference(pair, most=120)
    )
    grave = {"target", "drop_row", "swap_guards", "initial_value", "guard", "change_set"}
    assert grave <= set(refuted), refuted
    same = next(edited_definitions(1))
    assert first_difference(replace(same, new=same.old)) == ""
