"""The items of a job from all accounts of them: a recorded success counts before everything else.

Then, in this order: in flight, if that is later than a dead letter; dead; the latest of in flight,
failed and pending. That an item is pending only because nothing else was said of it yields to any
other word.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from milepost.legacy.prodigy.accounts import Account, Claim, position_of
from milepost.legacy.prodigy.attempts import merge_attempts
from milepost.legacy.prodigy.report import Code, Report
from milepost.legacy.prodigy.values import ItemStatus, OldItem, OldResult, SourceKind

__all__ = ["merge_items", "same_json"]

_Said: TypeAlias = list[tuple[Account, Claim]]

_EARLY: Final = datetime.min.replace(tzinfo=UTC)
_TOLD_BEST: Final = (
    SourceKind.EVENTS,
    SourceKind.DEAD_LETTERS,
    SourceKind.CHECKPOINT,
    SourceKind.STATE,
)
_canonical: Final = json.JSONEncoder(sort_keys=True).encode  # takes integers of any size


def same_json(one: object, other: object) -> bool:
    """True if both are the same JSON, so that `1`, `1.0` and `true` are three values.

    False for what is nested so deeply that it cannot be compared.
    """
    try:
        return one == other and _canonical(one) == _canonical(other)
    except RecursionError:
        return False


def merge_items(accounts: Sequence[Account], report: Report) -> tuple[OldItem, ...]:
    """The items that `accounts` tell of, in the order of the input where one lists it.

    The accounts are in the order in which they count; what one says of an item with another
    value than before is left out, reported, and forgotten in the account. Time: O(claims).
    """
    _align_refused(accounts)
    values = _values(accounts, report)
    said: defaultdict[str, _Said] = defaultdict(list)
    for account in accounts:
        for item_id, claims in account.claims.items():
            said[item_id].extend((account, claim) for claim in claims)
    overruled: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    items: list[OldItem] = []
    for item_id in _ids(accounts, report):
        status, winner = _standing(said[item_id])
        result = None
        if status is ItemStatus.DONE:
            result = _result(item_id, said[item_id], report)
            for account, claim in _against(said[item_id], winner, accounts[0]):
                overruled[winner[1].source if winner else "", account.source].append(
                    f"{item_id} {claim.status}"
                )
        items.append(_item(item_id, values, accounts, status, result))
    for (winner_source, loser), ids in overruled.items():
        few = ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")
        message = f"{len(ids)} items are done by {winner_source} and not here ({few}): done counts"
        report.add(Code.SUCCESS_WINS, loser, message)
    unknown = [item.old_id for item in items if not item.value_known]
    if unknown:
        message = f"{len(unknown)} items are known without their values ({unknown[0]!r} first)"
        report.add(Code.VALUE_UNKNOWN, accounts[0].source, message)
    return tuple(items)


def _align_refused(accounts: Sequence[Account]) -> None:
    """Give dead letters `item-3` the id `item_3` where another account has that item, as equal."""
    for letters in accounts:
        if letters.kind is not SourceKind.DEAD_LETTERS:
            continue
        for refused in [item_id for item_id in letters.values if item_id.startswith("item-")]:
            item_id = refused.replace("item-", "item_", 1)
            if position_of(item_id) is None:
                continue
            known = [account.values[item_id] for account in accounts if item_id in account.values]
            if known and all(same_json(value, letters.values[refused]) for value in known):
                _rename(letters, refused, item_id)


def _rename(letters: Account, refused: str, item_id: str) -> None:
    """Join what is said of `refused` to what is said of `item_id`, its value being the same."""
    letters.values.setdefault(item_id, letters.values[refused])
    letters.dead_letters.setdefault(item_id, letters.dead_letters[refused])
    for claim in letters.claims.get(refused, ()):
        letters.claim(item_id, claim)
    for attempt in letters.attempts.get(refused, ()):
        letters.attempt(item_id, attempt)
    letters.count(item_id, letters.counted.get(refused, 0))
    letters.forget(refused)


def _values(accounts: Sequence[Account], report: Report) -> dict[str, Any]:
    """The value of each item, from the account that counts most."""
    values: dict[str, Any] = {}
    for account in accounts:
        for item_id, value in list(account.values.items()):
            if item_id not in values:
                values[item_id] = value
            elif not same_json(values[item_id], value):
                message = (
                    f"item {item_id!r} has another value here than in a source that counts more:"
                    " what is said of it here was left out"
                )
                report.add(Code.VALUE_DIFFERS, account.source, message)
                account.forget(item_id)
    return values


def _ids(accounts: Sequence[Account], report: Report) -> Iterable[str]:
    """All ids: those of the account that lists the input, in its order; then others by position."""
    listing = next((account for account in accounts if account.listed), None)
    listed = dict.fromkeys(listing.values if listing else ())
    others: dict[str, None] = {}
    for account in accounts:
        fresh = [item_id for item_id in account.item_ids() if item_id not in listed]
        if listing is not None and fresh:
            message = f"{len(fresh)} items are not in the input of the job ({fresh[0]!r} first)"
            report.add(Code.ITEM_UNLISTED, account.source, message)
        others.update(dict.fromkeys(fresh))
    order = {item_id: number for number, item_id in enumerate(others)}

    def place(item_id: str) -> tuple[int, int]:
        position = position_of(item_id)
        return (1 << 62 if position is None else position), order[item_id]

    return [*listed, *sorted(others, key=place)]


def _time(account: Account, claim: Claim) -> datetime:
    if claim.derived:
        return _EARLY
    return claim.at or account.at or _EARLY


def _standing(said: _Said) -> tuple[ItemStatus, tuple[Account, Claim] | None]:
    """Where the item stands, and the claim that says so."""
    by: dict[ItemStatus, tuple[Account, Claim]] = {}
    for account, claim in said:
        best = by.get(claim.status)
        if best is None or (
            claim.status is not ItemStatus.DONE and _time(account, claim) > _time(*best)
        ):
            by[claim.status] = account, claim
    if not by:
        return ItemStatus.PENDING, None
    if ItemStatus.DONE in by:
        return ItemStatus.DONE, by[ItemStatus.DONE]
    dead, held = by.get(ItemStatus.DEAD), by.get(ItemStatus.IN_FLIGHT)
    if dead is not None:
        again = held is not None and _time(*held) > _time(*dead)
        return (ItemStatus.IN_FLIGHT, held) if again else (ItemStatus.DEAD, dead)
    status = max(by, key=lambda status: _time(*by[status]))
    return status, by[status]


def _against(
    said: _Said, winner: tuple[Account, Claim] | None, first: Account
) -> Iterable[tuple[Account, Claim]]:
    """The claims that contradict a success, rather than tell of the time before it."""
    if winner is None:
        return
    ended_at = winner[1].at or (winner[1].result and winner[1].result.ended_at) or winner[0].at
    for account, claim in said:
        if claim.status is ItemStatus.DONE:
            continue
        if claim.derived:
            contradicts = account is first and account is not winner[0]
        else:
            contradicts = claim.status is ItemStatus.DEAD or (
                ended_at is None or _time(account, claim) >= ended_at
            )
        if contradicts:
            yield account, claim


def _result(item_id: str, said: _Said, report: Report) -> OldResult | None:
    """The result that counts: one that is complete, of the first account that has it."""
    results = [(account, claim.result) for account, claim in said if claim.result is not None]
    if not results:
        return None
    account, best = next((entry for entry in results if entry[1].complete), results[0])
    for other, result in results:
        differs = (result.output, result.commits) != (best.output, best.commits)
        if result.complete and best.complete and differs:
            message = f"item {item_id!r} has another result in {account.source}: that one counts"
            report.add(Code.RESULT_DIFFERS, other.source, message)
        if best.ended_at is None and result.ended_at is not None:
            best = replace(best, ended_at=result.ended_at)
    return best


def _item(
    item_id: str,
    values: Mapping[str, Any],
    accounts: Sequence[Account],
    status: ItemStatus,
    result: OldResult | None,
) -> OldItem:
    telling = sorted(accounts, key=lambda account: _TOLD_BEST.index(account.kind))
    history = merge_attempts(
        attempt for account in telling for attempt in account.attempts.get(item_id, ())
    )
    counts = [account.counted.get(item_id, 0) for account in accounts]
    numbers = [attempt.number or 0 for attempt in history]
    letters = [
        account.dead_letters[item_id] for account in accounts if item_id in account.dead_letters
    ]
    begun = status in {ItemStatus.DONE, ItemStatus.FAILED, ItemStatus.IN_FLIGHT}
    return OldItem(
        old_id=item_id,
        value=values.get(item_id),
        value_known=item_id in values,
        status=status,
        attempts=max(int(begun), len(history), *counts, *numbers),
        result=result,
        history=history,
        dead_letter=letters[0] if letters else None,
    )
