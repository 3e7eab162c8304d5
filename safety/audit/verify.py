"""Check an exported log, offline, in one pass and bounded memory.

The chain finds edits, insertions, deletions and swaps; the signed checkpoints find a chain that
was cut or written anew.  Checkpoints from outside the file weigh most: who can change the file,
or the database it came from, could not change those.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from safety.audit.chain import Chain
from safety.audit.checkpoint import Checkpoint, Signed, fingerprint, load_spki
from safety.audit.entries import MAX_LINE, FormatError, Header, Link
from safety.audit.faults import explain, unlike
from safety.audit.verdict import Source, Status, TamperedError, Verdict, wrong

_CHECKPOINT: Final = b'{"checkpoint":'
_UNCHAINED: Final = b'{"unchained":'
_AHEAD: Final = 2
"""Entries looked at behind a break, to tell what kind of break it is."""


def verify(
    source: Source,
    *,
    key: Ed25519PublicKey | None = None,
    outside: Sequence[Signed] = (),
    partial: bool = False,
) -> Verdict:
    """Check an export against its own checkpoints and those from outside.

    Without `key` the key that the file names is believed, which only says that the file fits
    together.  `partial` accepts an export that begins with a later entry than the first.
    """
    verifier = Verifier(source, outside)
    try:
        verifier.open(key)
        verifier.run()
        verifier.close(partial=partial)
    except FormatError as error:
        return verifier.verdict(Status.UNCHECKABLE, error.code, str(error))
    except TamperedError as fault:
        return verifier.verdict(
            Status.TAMPERED, fault.code, str(fault), first=fault.first, last=fault.last
        )
    return verifier.verdict(Status.INTACT, "intact", "Nothing is missing, added or altered.")


class Verifier:
    """One pass over one file."""

    def __init__(self, source: Source, outside: Sequence[Signed]) -> None:
        self._lines = _lines(source)
        by_size = sorted((each.checkpoint for each in outside), key=lambda each: each.size)
        self._outside = deque(by_size)
        self._signed = outside
        self._key: Ed25519PublicKey | None = None
        self._own_key = True
        self._header: Header | None = None
        self._chain: Chain | None = None
        self._sealed = 0
        self._inside = 0
        self._fitting = 0
        self._next = -1
        self._last: Checkpoint | None = None

    def open(self, key: Ed25519PublicKey | None) -> None:
        """Read the header and settle whom to believe."""
        line = next(self._lines, b"")
        if not line:
            raise FormatError("empty_file", "the file is empty")
        header = Header.of(line)
        named = load_spki(header.spki)
        self._header, self._key = header, key or named
        self._own_key = fingerprint(named) == fingerprint(self._key)
        for each in self._signed:
            if each.checkpoint.log != header.log:
                raise FormatError(
                    "other_log",
                    f"the checkpoints are of log {each.checkpoint.log}, the file of {header.log}",
                )
            if not each.fits(self._key):
                raise FormatError(
                    "unknown_key",
                    f"key {fingerprint(self._key)} did not sign the checkpoint of "
                    f"{each.checkpoint.time} from outside the file",
                )
        self._chain = Chain(header)
        self._sealed = header.first - 1
        while self._outside and self._outside[0].size < self._seq:
            self._outside.popleft()
        self._compare_outside()

    def run(self) -> None:
        """Follow the chain through all lines."""
        assert self._chain is not None
        for line in self._lines:
            if not self._chain.take(line):
                self._other(line)
            elif self._chain.seq == self._next:
                self._compare_outside()

    def close(self, *, partial: bool) -> None:
        """Check that the end is the end, and the beginning the beginning."""
        assert self._header is not None
        if self._outside:
            size = self._outside[-1].size
            raise wrong(
                "cut_at_end",
                f"The end was cut off: entries {self._seq + 1} to {size} are missing.",
                self._seq + 1,
            )
        if not self._own_key:
            raise FormatError(
                "unknown_key",
                "the file names another key than the one given: its checkpoints are not believed",
            )
        if self._inside == 0 or self._sealed != self._seq:
            raise wrong(
                "cut_at_end",
                f"No checkpoint covers what follows entry {self._sealed}: "
                "the end was cut off, or entries were added.",
                self._sealed + 1,
                self._seq + 1,
            )
        if self._header.first > 1 and not partial:
            raise FormatError(
                "partial_file",
                f"the file begins with entry {self._header.first}: those before it are not in it. "
                "Say --partial if that is how it was exported",
            )

    @property
    def _seq(self) -> int:
        return 0 if self._chain is None else self._chain.seq

    def verdict(
        self,
        status: Status,
        code: str,
        message: str,
        *,
        first: int | None = None,
        last: int | None = None,
    ) -> Verdict:
        """Say how far the check came and what it found."""
        return Verdict(
            status=status,
            code=code,
            message=message,
            first=first,
            last=last,
            begins=1 if self._header is None else self._header.first,
            entries=self._seq,
            sealed=self._sealed,
            inside=self._inside,
            outside=self._fitting,
            log=None if self._header is None else self._header.log,
            key=None if self._key is None else fingerprint(self._key),
        )

    # -- entries --------------------------------------------------------------------------

    def _other(self, line: bytes) -> None:
        if len(line) > MAX_LINE:
            raise FormatError(
                "line_too_long", f"the line after entry {self._seq} has more than {MAX_LINE} bytes"
            )
        if not line.endswith(b"\n"):
            raise FormatError(
                "truncated_file", f"the file ends in the middle of a line, after entry {self._seq}"
            )
        if line.startswith(_CHECKPOINT):
            self._checkpoint(line)
            return
        if line.startswith(_UNCHAINED):
            raise wrong(
                "unchained",
                "The log holds an entry that was never chained: somebody put it in behind the "
                f"database's back (after entry {self._seq} here).",
                self._seq + 1,
            )
        assert self._header is not None
        assert self._chain is not None
        raise explain(
            line,
            self._ahead(),
            seq=self._seq,
            head=self._chain.head,
            sealed=self._sealed,
            begins=self._header.first,
        )

    def _ahead(self) -> list[Link]:
        found: list[Link] = []
        for line in self._lines:
            link = Link.of(line)
            if link is not None:
                found.append(link)
            if len(found) == _AHEAD or (link is None and not line.startswith(_CHECKPOINT)):
                break
        return found

    # -- checkpoints ----------------------------------------------------------------------

    def _checkpoint(self, line: bytes) -> None:
        assert self._key is not None
        where = f"The checkpoint after entry {self._seq}"
        if not self._own_key:
            return
        try:
            signed = Signed.of(line)
        except FormatError as error:
            raise TamperedError(
                "bad_checkpoint", f"{where} was altered: {error}.", None, None
            ) from None
        checkpoint = signed.checkpoint
        assert self._header is not None
        if checkpoint.log != self._header.log or not signed.fits(self._key):
            raise TamperedError(
                "forged_checkpoint", f"{where} is not one that the log's key signed.", None, None
            )
        if self._last is not None and checkpoint.previous != self._last.digest():
            raise TamperedError(
                "missing_checkpoint", f"{where} does not follow the one before.", None, None
            )
        self._compare(checkpoint)
        self._last = checkpoint
        self._inside += 1

    def _compare_outside(self) -> None:
        """Compare with the checkpoints from outside that are of this size."""
        while self._outside and self._outside[0].size == self._seq:
            self._compare(self._outside[0])
            self._outside.popleft()
            self._fitting += 1
        self._next = self._outside[0].size if self._outside else -1

    def _compare(self, checkpoint: Checkpoint) -> None:
        assert self._chain is not None
        if checkpoint.size > self._seq:
            raise wrong(
                "missing",
                f"Entries {self._seq + 1} to {checkpoint.size} are missing: they were signed for "
                f"on {checkpoint.time}.",
                self._seq + 1,
            )
        if checkpoint.size < self._seq:
            raise TamperedError(
                "misplaced_checkpoint",
                f"The checkpoint of {checkpoint.size} entries stands after entry {self._seq}.",
                None,
                None,
            )
        root, head = self._chain.root(), self._chain.head
        if (checkpoint.root, checkpoint.head.hex().encode()) != (root, head):
            raise unlike(
                checkpoint, self._ahead(), seq=self._seq, before=self._chain.before,
                sealed=self._sealed,
            )  # fmt: skip
        self._sealed = self._seq


def _lines(source: Source) -> Iterator[bytes]:
    return iter(lambda: source.readline(MAX_LINE + 1), b"")
