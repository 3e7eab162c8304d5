"""From what was typed or heard to plain lower-case words, and what was odd about it."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from assistant.understanding.numbers import digits, is_number

MAX_TEXT: Final = 4_000
"""Characters that are looked at; the doors refuse longer text before it gets here."""

_INVISIBLE: Final = frozenset("\u00ad\u034f\u061c\u180e\ufeff")
_BREAK: Final = re.compile(r"[;!?…\n\r]+|,(?!\d)|[.:](?=\s|$)|\s[-–—]+\s|—")
_QUOTED: Final = re.compile(
    r"[\"“”„«»`‟〝〞＂]|(?<![^\W_])['‘’‚‹›](?=\w)|(?<=[\w.!?])['‘’‚‹›](?![^\W_])"
)
_WORD: Final = re.compile(
    r"(?i:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"  # an id
    r"|(?<!\S)-\d+(?:\.\d+)?"  # a number below zero, which must not lose its sign
    r"|(?<![\w'])[a-zA-Z][-+]\d*\.?\d+"  # a signed parameter of G-code
    r"|[^\W_]+(?:[.:'][^\W_]+)*"
)
_CONTRACTIONS: Final = {
    "ain't": "is not", "can't": "can not", "cannot": "can not", "won't": "will not",
    "shan't": "shall not", "let's": "let us", "lets": "let us", "what's": "what is",
    "whats": "what is", "where's": "where is", "wheres": "where is", "who's": "who is",
    "whos": "who is", "how's": "how is", "hows": "how is", "when's": "when is",
    "why's": "why is", "that's": "that is", "thats": "that is", "there's": "there is",
    "theres": "there is", "here's": "here is", "it's": "it is", "he's": "he is",
    "she's": "she is", "i'm": "i am", "im": "i am", "dont": "do not", "doesnt": "does not",
    "didnt": "did not", "isnt": "is not", "arent": "are not", "wasnt": "was not",
    "cant": "can not", "wont": "will not", "couldnt": "could not", "wouldnt": "would not",
    "shouldnt": "should not", "mustnt": "must not", "havent": "have not", "hasnt": "has not",
    "ive": "i have", "youre": "you are", "somebody's": "somebody is",
    "someone's": "someone is", "anyone's": "anyone is", "anybody's": "anybody is",
    "everything's": "everything is", "gonna": "going to", "wanna": "want to",
    "gotta": "got to", "lemme": "let me", "gimme": "give me", "pls": "please",
    "plz": "please", "thx": "thanks", "ok": "okay", "k": "okay", "u": "you", "ur": "your",
    "dunno": "do not know", "c'mon": "come on", "y'all": "you all", "estop": "e stop",
}  # fmt: skip
_OFF_VERBS: Final = frozenset({"turn", "switch", "shut", "turned", "switched"})
"""After these "of" is a slip for "off": switching off is the safe way to read it."""
_ENDINGS: Final = {
    "n't": "not", "'ll": "will", "'re": "are", "'ve": "have", "'d": "would", "'m": "am",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """An utterance made plain."""

    text: str
    """NFKC, no control or invisible characters, single spaces; case and marks kept."""
    words: tuple[str, ...]
    """Lower case, contractions written out, numbers as digits; no marks."""
    places: tuple[tuple[int, int], ...]
    """Where in `text` each word stands."""
    breaks: frozenset[int]
    """Indexes of words before which a comma, full stop or the like stood."""
    odd: str = ""
    """Why a hazardous request in this text is asked back: `hidden`, `mixed_scripts`."""
    asks: bool = False
    """It ends in a question mark."""
    quoted: bool = False
    """It holds quotation marks."""


class _Word(NamedTuple):
    plain: str
    start: int
    end: int


def clean(raw: str) -> Clean:
    """Make an utterance plain; never fails."""
    visible, hidden = _without_invisible(unicodedata.normalize("NFKC", raw[:MAX_TEXT]))
    text = " ".join(visible.split())
    words, breaks = _words(text)
    odd = "hidden" if hidden else ""
    if any(_mixes_scripts(word) for word in text.split()):
        odd = "mixed_scripts"
    return Clean(
        text=text,
        words=_off_for_of([word.plain for word in words]),
        places=tuple((word.start, word.end) for word in words),
        breaks=breaks,
        odd=odd,
        asks=text.rstrip(" .!'\")”’").endswith("?"),
        quoted=_QUOTED.search(_plain_apostrophes(text)) is not None,
    )


def _off_for_of(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words with "turn of the lights" as "turn off the lights"."""
    return tuple(
        "off" if word == "of" and at and words[at - 1] in _OFF_VERBS else word
        for at, word in enumerate(words)
    )


def as_written(heard: Clean, words: tuple[str, ...]) -> str:
    """Return the person's own spelling of words, up to the end of them."""
    size = len(words)
    for at in range(len(heard.words) - size, -1, -1):
        if heard.words[at : at + size] == words:
            return heard.text[heard.places[at][0] : heard.places[at + size - 1][1]]
    return " ".join(words)


def plain_words(text: str) -> tuple[str, ...]:
    """Return a name's words the way `clean` writes an utterance's."""
    words = text.lower().split()
    if all(_is_plain(word) for word in words):
        return tuple(words)
    return clean(text).words


def _is_plain(word: str) -> bool:
    """Return whether nothing about a word needs changing: names are many, so this is quick."""
    return word.isascii() and word.isalnum() and word not in _CONTRACTIONS and not is_number(word)


def _without_invisible(text: str) -> tuple[str, bool]:
    out: list[str] = []
    hidden = False
    for char in text:
        category = unicodedata.category(char)
        if char.isspace():
            out.append(" " if char not in "\n\r" else "\n")
        elif category in {"Cf", "Cc", "Cs", "Co", "Cn"} or char in _INVISIBLE:
            hidden = True
        else:
            out.append(char)
    return "".join(out), hidden


def _plain_apostrophes(text: str) -> str:
    return re.sub(r"(?<=\w)[’‘ʼ`´](?=\w)", "'", text)


def _words(text: str) -> tuple[list[_Word], frozenset[int]]:
    words: list[_Word] = []
    breaks: set[int] = set()
    for part, offset in _parts(_plain_apostrophes(text)):
        raw = [
            (plain, offset + match.start(), offset + match.end())
            for match in _WORD.finditer(part)
            for plain in _spelt_out(match[0].casefold())
        ]
        if raw and words:
            breaks.add(len(words))
        words.extend(
            _Word(word, raw[first][1], raw[end - 1][2])
            for word, first, end in digits([plain for plain, _, _ in raw])
        )
    return words, frozenset(breaks)


def _parts(text: str) -> Iterator[tuple[str, int]]:
    """Yield the pieces between commas, full stops and the like, and where they begin."""
    start = 0
    for match in _BREAK.finditer(text):
        yield text[start : match.start()], start
        start = match.end()
    yield text[start:], start


def _spelt_out(word: str) -> list[str]:
    if word in _CONTRACTIONS:
        return _CONTRACTIONS[word].split()
    for ending, full in _ENDINGS.items():
        if word.endswith(ending) and len(word) > len(ending):
            return [word.removesuffix(ending), full]
    if word.endswith("'s"):
        return [word.removesuffix("'s")]
    return [word.replace("'", "")]


def _mixes_scripts(word: str) -> bool:
    scripts = {_script(char) for char in word if char.isalpha()}
    return len(scripts) > 1 or bool(scripts & {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"})


def _script(char: str) -> str:
    return "LATIN" if char.isascii() else unicodedata.name(char, "UNKNOWN").split()[0]
