"""Why the chain breaks at a line, and which entry is the first wrong one.

Only the lines around the break are looked at; what comes later is not worth more after that.
"""

from collections.abc import Sequence

from safety.audit.checkpoint import Checkpoint
from safety.audit.entries import Link
from safety.audit.verdict import TamperedError, wrong


def explain(
    line: bytes, after: Sequence[Link], *, seq: int, head: bytes, sealed: int, begins: int
) -> TamperedError:
    """Explain why this line does not follow entry `seq` with hash `head` (hex).

    `after` are the next entries (two at most), `sealed` the last entry under a checkpoint.
    """
    due = seq + 1
    link = Link.of(line)
    if link is None:
        return wrong("unreadable_entry", f"Entry {due} cannot be read: it was altered.", due)
    if not link.sound:
        return _unsound(after, due, head)
    if link.seq > due:
        return _early(link, after, due, begins)
    if link.seq < due:
        return _late(link, due, head, sealed)
    return _unlinked(link, after, due, sealed)


def unlike(
    checkpoint: Checkpoint, after: Sequence[Link], *, seq: int, before: bytes, sealed: int
) -> TamperedError:
    """Explain why the entries up to `seq` are not those that a checkpoint signed for.

    `before` is the hash (hex) of the entry before the last.
    """
    true = checkpoint.head.hex().encode()
    if after and after[0].sound and (after[0].prev, after[0].stated) == (before, true):
        return wrong("inserted", f"There are two entries {seq}: the first was put in.", seq)
    return wrong(
        "rewritten",
        f"Something from entry {sealed + 1} to {seq} was written anew: it is not what was signed "
        f"on {checkpoint.time}.",
        min(sealed + 1, seq),
        seq,
    )


def _unsound(after: Sequence[Link], due: int, head: bytes) -> TamperedError:
    follower = after[0] if after else None
    if follower is not None and follower.sound and (follower.seq, follower.prev) == (due, head):
        return wrong("inserted", f"Something was put in before entry {due}.", due)
    return wrong("edited", f"Entry {due} was altered: it does not have the hash it states.", due)


def _early(link: Link, after: Sequence[Link], due: int, begins: int) -> TamperedError:
    numbers = [each.seq for each in after]
    if numbers[:1] == [due] and (link.seq != due + 1 or numbers[1:] == [due + 1]):
        return wrong("inserted", f"Entry {link.seq} was put in once more, before {due}.", due)
    if numbers[:1] in ([due], [due + 1]):
        return wrong("out_of_order", f"Entry {link.seq} stands where entry {due} belongs.", due)
    missing = f"Entry {due} is" if link.seq == due + 1 else f"Entries {due} to {link.seq - 1} are"
    if due == begins:
        return wrong("cut_at_start", f"The beginning was cut off. {missing} missing.", due)
    return wrong("missing", f"{missing} missing.", due)


def _late(link: Link, due: int, head: bytes, sealed: int) -> TamperedError:
    if link.stated == head:
        return wrong("inserted", f"Entry {link.seq} stands there twice.", due)
    first = max(link.seq, sealed + 1)
    last = first if link.seq == due - 1 else due
    return wrong("inserted", f"There are two entries {link.seq}: one was put in.", first, last)


def _unlinked(link: Link, after: Sequence[Link], due: int, sealed: int) -> TamperedError:
    """Judge an entry that has its number and its hash but follows another entry."""
    followed = bool(after) and after[0].sound and after[0].prev == link.computed
    if sealed == due - 1 or (after and not followed):
        return wrong("rewritten", f"Entry {due} was written anew: it follows another one.", due)
    last = due - 1 if followed else due
    return wrong(
        "rewritten",
        f"Entry {due} follows another entry {due - 1} than the one here: something from "
        f"{sealed + 1} to {last} was written anew.",
        sealed + 1,
        last,
    )
