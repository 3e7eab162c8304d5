"""What a person asked KITTY to keep; nobody else's notes are ever seen."""

from collections.abc import Sequence
from typing import Any, Final

from tools.desk import Desk, Memory
from tools.fields import Note, Words
from tools.phrases import ON_SCREEN, capped, clock, count, short
from tools.spec import Answer, ToolError, tool
from tools.views import iso

FAMILY = "record"
_SPOKEN_AT_MOST = 3
_AT_ONCE: Final = 100
"""Notes that one `forget` deletes at most."""
_ALL: Final = frozenset({"everything", "all", "it all", "all of it", "all notes"})


@tool(FAMILY)
async def remember(desk: Desk, text: Note) -> Answer:
    """Keep a note for the person who asks."""
    kept = await desk.memories.add(desk.asker, text.strip(), now=desk.now)
    return Answer(
        text=f"I will remember: {short(kept.text, 200)}",
        data={"notes": [_data(kept)]},
        citations=(str(kept.id),),
    )


@tool(FAMILY)
async def recall(desk: Desk, about: Words | None = None) -> Answer:
    """Tell what this person asked to keep; only what mentions `about` if it is given."""
    notes = await desk.memories.search(desk.asker, about)
    if not notes:
        what = f" about {short(about)}" if about else ""
        return Answer(text=f"You have not asked me to remember anything{what}.", data={"notes": []})
    head = f"{count(len(notes), 'note')}, newest first."
    many = len(notes) > _SPOKEN_AT_MOST
    aloud = " ".join(short(note.text, 120) for note in notes[:_SPOKEN_AT_MOST])
    return Answer(
        text=f"{head}\n{capped(_line(desk, note) for note in notes)}",
        spoken=f"{aloud} {ON_SCREEN}" if many else aloud,
        data={"notes": [_data(note) for note in notes]},
        citations=tuple(str(note.id) for note in notes),
    )


@tool(FAMILY)
async def forget(desk: Desk, about: Words) -> Answer:
    """Delete this person's notes that mention `about`; `everything` means all of them."""
    words = None if about.strip().casefold() in _ALL else about
    notes = await _matching(desk, words)
    if not notes:
        raise ToolError("unknown_note", f"You have no note about {short(about)}.")
    gone = await desk.memories.remove(desk.asker, [note.id for note in notes])
    return Answer(
        text=f"Forgotten, {count(gone, 'note')}:\n{capped(_line(desk, note) for note in notes)}",
        spoken=f"I have forgotten {count(gone, 'note')}.",
        data={"forgotten": gone, "notes": [_data(note) for note in notes]},
    )


async def _matching(desk: Desk, about: str | None) -> Sequence[Memory]:
    notes = await desk.memories.search(desk.asker, None, limit=_AT_ONCE)
    exact = [note for note in notes if about is not None and str(note.id) == about.strip()]
    return exact or await desk.memories.search(desk.asker, about, limit=_AT_ONCE)


def _line(desk: Desk, note: Memory) -> str:
    return f"{short(note.text, 200)} ({clock(note.created_at, desk.now)})"


def _data(note: Memory) -> dict[str, Any]:
    return {"id": str(note.id), "text": note.text, "created_at": iso(note.created_at)}


NOTES = (remember, recall, forget)
