"""Understanding: text in, a reading out.  No model, no clock, no memory of its own."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from assistant.understanding import wording
from assistant.understanding.answers import answer, spec_of
from assistant.understanding.binding import GUESSED, SURE, confirm
from assistant.understanding.clauses import Body, Understood, body_of, understand
from assistant.understanding.context import spoken_of
from assistant.understanding.dialogue import Dialogue
from assistant.understanding.followups import follow_up
from assistant.understanding.grammar import MAX_WORDS, Grammar, Scene, compile_grammar
from assistant.understanding.index import Index, build
from assistant.understanding.lexicon import Peeled
from assistant.understanding.likeness import Likeness
from assistant.understanding.looking import look_up, offer
from assistant.understanding.mentions import Finder
from assistant.understanding.mood import WORDS, Mood, mood_of
from assistant.understanding.names import Names
from assistant.understanding.normal import Clean, clean
from assistant.understanding.quoting import without_name_quotes
from assistant.understanding.reading import Act, Ask, Call, Heard, Reading, Reply, Stop, Unknown
from assistant.understanding.remarks import Heed, beside_remark, taken_back
from assistant.understanding.sentences import Intents, common_words
from assistant.understanding.spec import Spec
from assistant.understanding.spelling import Speller
from assistant.understanding.stopping import begins_with_stop, drawn_in, last_stop, wants_stop
from safety.entities import Hazard

_KEPT_VERSIONS: Final = 2
_SPELLING: Final = 0.8
_CALLS: Final = frozenset({"hey", "hi", "hello", "dear", "ok", "okay", "yo", "oi"})
_STOP_ALL: Final = Call(tool="stop_everything", label="stop everything")


class Understanding:
    """Reads what people say to KITTY."""

    def __init__(self, intents: Intents) -> None:
        self._grammar: Grammar = compile_grammar(intents)
        self._lexicon = intents.lexicon
        self._common = common_words(intents)
        self._verbs = frozenset(intents.lexicon.gerunds.values())
        self._likeness = Likeness.load()
        self._indexes: dict[str, Index] = {}

    def read(self, text: str, names: Names, dialogue: Dialogue, now: datetime) -> Reading:
        """Return what an utterance means; anything that is not clearly a wish does not act."""
        index = self._index(names)
        heard = clean(text)
        if not heard.words:
            return Unknown(text=wording.NOTHING)
        heard = without_name_quotes(heard, index)
        if wants_stop(heard, self._lexicon):
            return Stop(calls=(_STOP_ALL,), rule="stop")
        scene = self._scene(index, dialogue, now)
        question = dialogue.open_question(now)
        if question is not None:
            answered = answer(question, text, heard, self._grammar, scene)
            if answered is not None:
                return self._checked(answered, heard)
        return self._checked(self._said(heard, dialogue, scene), heard)

    def _index(self, names: Names) -> Index:
        if names.version not in self._indexes:
            while len(self._indexes) >= _KEPT_VERSIONS:
                del self._indexes[next(iter(self._indexes))]
            self._indexes[names.version] = build(names)
        return self._indexes[names.version]

    def _scene(self, index: Index, dialogue: Dialogue, now: datetime) -> Scene:
        finder = Finder(index=index, lexicon=self._lexicon, grammar_words=self._common)
        scene = Scene(finder=finder, now=now)
        recent = dialogue.recent_calls(now)
        return replace(scene, spoken_of=spoken_of(recent, scene, self._grammar.intents))

    def _said(self, heard: Clean, dialogue: Dialogue, scene: Scene) -> Reading:
        if not heard.quoted and len(heard.words) <= MAX_WORDS:
            last = dialogue.recent_calls(scene.now)
            leaning = follow_up(heard, last, self._grammar, scene)
            if leaning is not None:
                return leaning
        somebody = addressed(heard, scene.finder.index)
        if somebody:
            return Heard(text=wording.for_somebody_else(somebody), rule="other_addressee")
        body = body_of(heard, drawn_in(heard.words), self._lexicon)
        said = _Said(heard=heard, body=body, peeled=self._lexicon.peel(body.words), scene=scene)
        back = None if heard.quoted or said.long else taken_back(self._heed(said))
        if back is not None:
            return back
        mood = self._mood(said)
        meant = understand(body, self._grammar, scene, heard)
        if meant.bound and not meant.rest:
            return self._meant(said, meant, mood)
        if said.long:
            return Unknown(text=wording.TOO_LONG)
        return self._misspelt(said, mood) or self._not_understood(said, meant, mood)

    def _heed(self, said: "_Said") -> Heed:
        return Heed(body=said.body, heard=said.heard, grammar=self._grammar, scene=said.scene)

    def _mood(self, said: "_Said") -> Mood:
        covered = said.scene.finder.covered(said.peeled.words)
        mood = mood_of(said.peeled, covered, self._lexicon, quoted=said.heard.quoted)
        asked = (said.heard.asks and not said.peeled.polite) or said.peeled.inquiring
        return Mood.QUESTION if mood in {Mood.COMMAND, Mood.REPORTED} and asked else mood

    def _meant(self, said: "_Said", meant: Understood, mood: Mood) -> Reading:
        """Return the reading of a sentence that was understood to the last word."""
        specs = [each.spec for each in meant.bound]
        rule = specs[0].name if len(specs) == 1 else "several"
        if any(spec.reply for spec in specs):
            return _reply(specs[0], rule, said) if len(specs) == 1 else _one_thing(rule)
        free = all(spec.free for spec in specs)
        harmless = free or (mood is not Mood.QUOTED and all(spec.reads for spec in specs))
        negative = mood is Mood.NEGATED and all(spec.negative for spec in specs)
        if mood is Mood.REPORTED and not any(each.loose for each in meant.bound):
            mood = Mood.COMMAND  # a report fits no template to its last word
        if mood is not Mood.COMMAND and not harmless and not negative:
            return _held_back(meant, mood)
        if specs[0].stop:
            return Stop(calls=meant.calls or (_STOP_ALL,), rule=rule)
        if len(specs) > 1 and any(spec.unsure for spec in specs):
            hinted = beside_remark(self._heed(said))
            if hinted is not None:
                return hinted
        asks = [each.ask for each in meant.bound if each.ask is not None]
        return asks[0] if asks else Act(calls=meant.calls, confidence=SURE, rule=rule)

    def _misspelt(self, said: "_Said", mood: Mood) -> Reading | None:
        """Return the reading with misspelt words put right; a hazardous one is asked back."""
        speller = Speller(index=said.scene.finder.index, common=self._common)
        words = speller.corrected(said.body.words)
        if words is None or mood not in {Mood.COMMAND, Mood.QUESTION}:
            return None
        body = Body(words=words, breaks=said.body.breaks)
        meant = understand(body, self._grammar, said.scene, said.heard)
        if not meant.bound or meant.rest:
            return None
        reading = self._meant(said, meant, mood)
        if not isinstance(reading, Act):
            return reading
        if any(each.spec.hazardous for each in meant.bound):
            return confirm(reading.calls[0], reading.rule)
        return replace(reading, confidence=_SPELLING)

    def _not_understood(self, said: "_Said", meant: Understood, mood: Mood) -> Reading:
        index = said.scene.finder.index
        things = [index.by_id[one] for one in self._things(said)]
        verbs = [word for word in said.body.words if word in self._verbs]
        if mood in {Mood.COMMAND, Mood.REPORTED} and begins_with_stop(said.heard, self._lexicon):
            return Stop(calls=(_STOP_ALL,), rule="stop_unclear")
        stop = self._stop_at_the_end(said) if mood in {Mood.COMMAND, Mood.REPORTED} else None
        if stop is not None:
            return stop
        after = beside_remark(self._heed(said)) if mood is not Mood.QUOTED else None
        if after is not None:
            return after
        speller = Speller(index=index, common=self._common)
        like = None if said.long or said.heard.odd else self._likely(said, mood, speller)
        if like is not None and (not meant.calls or isinstance(like, Act)):
            return like
        if mood is not Mood.COMMAND and (verbs or (things and mood is not Mood.QUESTION)):
            return Heard(text=WORDS[mood], rule=mood.value)
        guess = self._guess(said, meant) if mood is Mood.COMMAND else None
        if guess is not None and guess.tool == _STOP_ALL.tool:
            return Stop(calls=(guess,), rule="stop_unclear")
        if guess is not None:
            return confirm(guess, "guess", why="I am not sure of all of that.")
        other = self._elsewhere(said) if not things else ""
        if other:
            return Unknown(text=wording.elsewhere(index, other))
        text = wording.nearby(index, things, self._strange(said))
        return Unknown(text=text, confidence=GUESSED / 2 if things or verbs else 0.0)

    def _likely(self, said: "_Said", mood: Mood, speller: Speller) -> Reading | None:
        heed = self._heed(said)
        looked = look_up(heed, mood, self._likeness, speller)
        return looked or offer(heed, mood, self._likeness, speller)

    def _stop_at_the_end(self, said: "_Said") -> Stop | None:
        """Return the scoped stop that a longer sentence ends in: "... stop the laser cutter"."""
        words = last_stop(said.body.words, self._lexicon)
        if not words:
            return None
        end = understand(Body(words=words), self._grammar, said.scene, said.heard)
        if not end.bound or end.rest or not end.bound[0].spec.stop:
            return None
        return Stop(calls=end.calls or (_STOP_ALL,), rule=end.bound[0].spec.name)

    def _elsewhere(self, said: "_Said") -> str:
        """Return the word that shows that a sentence is about no lab; "" if there is none."""
        known = self._lexicon["elsewhere"]
        return next((word for word in said.body.words if (word,) in known), "")

    def _strange(self, said: "_Said") -> list[str]:
        speller = Speller(index=said.scene.finder.index, common=self._common)
        return [word for word in said.body.words if speller.unknown(word)][:3]

    def _things(self, said: "_Said") -> list[str]:
        found = self._grammar.find(said.body.words, said.scene)
        return [target.ids[0] for kind in found.values() for target in kind.values() if target.ids]

    def _guess(self, said: "_Said", meant: Understood) -> Call | None:
        """Return the call that the understood part of a sentence would be."""
        if meant.calls:
            return meant.calls[0]
        speller = Speller(index=said.scene.finder.index, common=self._common)
        known = tuple(word for word in said.body.words if not speller.unknown(word))
        if known == said.body.words:
            return None
        part = understand(Body(words=known), self._grammar, said.scene, said.heard)
        return part.calls[0] if part.calls and not part.rest else None

    def _checked(self, reading: Reading, heard: Clean) -> Reading:
        """Ask back a hazardous reading of a text with hidden or look-alike characters."""
        if not heard.odd or not isinstance(reading, Act):
            return reading
        specs = [spec_of(call, self._grammar) for call in reading.calls]
        if all(spec is not None and spec.hazard is Hazard.NONE for spec in specs):
            return reading
        return confirm(reading.calls[0], heard.odd, why=wording.HIDDEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """One utterance on its way to a reading."""

    heard: Clean
    body: Body
    peeled: Peeled
    scene: Scene

    @property
    def long(self) -> bool:
        """Whether there are too many words to look through for commands."""
        return len(self.body.words) > MAX_WORDS


def addressed(heard: Clean, index: Index) -> str:
    """Return the other person that an utterance begins or ends by naming; "" if none."""
    words = heard.words
    for start, end, names in index.full_names(words):
        people = [name.name for name in names if name.kind == "user"]
        begins = not start or (start == 1 and words[0] in _CALLS)
        ends = end == len(words) and start in heard.breaks
        if people and len(words) > end - start and (begins or ends):
            return people[0]
    return ""


def _reply(spec: Spec, rule: str, said: _Said) -> Reply:
    if spec.reply == "help":
        index = said.scene.finder.index
        return Reply(text=wording.help_text(index), spoken=wording.help_aloud(index), rule=rule)
    return Reply(text=spec.reply, rule=rule)


def _one_thing(rule: str) -> Ask:
    return Ask(text="One thing at a time, please.", rule=rule)


def _held_back(meant: Understood, mood: Mood) -> Reading:
    """Return what is said instead of doing what the words would mean as a command."""
    if mood is Mood.QUESTION and len(meant.calls) == 1:
        return confirm(meant.calls[0], mood.value)
    return Heard(text=WORDS[mood], rule=mood.value)
