"""Put outcomes into words: short, plain, and never more than the receipt shows."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, assert_never

from safety import actions
from safety.actions import Action
from safety.policy import NEED_WORDS, Need
from safety.records import Done, Failed, Outcome, Pending, Refused, Unknown
from tools.run import ActResult

NameOf = Callable[[str], str]
"""Returns what people call the thing with this id."""


def _are(name: str) -> str:
    return "are" if name.lower().endswith("s") and not name.lower().endswith("ss") else "is"


_ORDINARY: Final = frozenset({
    "light", "lights", "door", "cutter", "spindle", "camera", "sensor", "strip", "compressor",
    "welder",
})  # fmt: skip


def _the(name: str) -> str:
    """Write a name into a sentence: machines by name, places and fittings with an article."""
    words = name.split()
    fitting = words[-1].lower() if words else ""
    if fitting not in _ORDINARY:
        return name
    acronym = words[0].isupper() or words[0][1:] != words[0][1:].lower()
    return f"the {name}" if acronym else f"the {name[:1].lower()}{name[1:]}"


def capital(sentence: str) -> str:
    """Begin with a capital letter."""
    return sentence[:1].upper() + sentence[1:]


def wish(action: Action, name: str) -> str:
    """Say what an action would do, to a machine of this name: `unlock the laser room door`."""
    thing = _the(name)
    match action:
        case actions.SwitchLight(on=on):
            return f"turn {'on' if on else 'off'} {thing}"
        case actions.SetScene(scene=scene):
            return f"set {thing} to the scene {scene!r}"
        case actions.UnlockDoor(seconds=seconds):
            return f"unlock {thing} for {seconds} seconds"
        case actions.SetTemperature(part=part, celsius=celsius):
            return f"heat the {part.value} of {thing} to {celsius} °C"
        case actions.SendGcode(gcode=gcode):
            return f"send {gcode!r} to {thing}"
        case actions.StartPrint(gcode_path=path):
            return f"print {path.rsplit('/', 1)[-1]} on {thing}"
        case _:
            return f"{_PLAIN[type(action)]} {thing}"


_PLAIN: Final[Mapping[type[Action], str]] = {
    actions.LockDoor: "lock",
    actions.CutPower: "cut the power of",
    actions.EnablePower: "give power to",
    actions.PausePrint: "pause the print on",
    actions.ResumePrint: "go on with the print on",
    actions.AbortPrint: "abort the print on",
}


def _done(action: Action, name: str, detail: str) -> str:
    """Say what the device confirmed."""
    thing = capital(_the(name))
    match action:
        case actions.SwitchLight(on=on):
            return f"{thing} {_are(name)} {'on' if on else 'off'}."
        case actions.SetScene(scene=scene):
            return f"{thing} {_are(name)} set to {scene}."
        case actions.UnlockDoor(seconds=seconds):
            return f"{thing} is unlocked for {seconds} seconds."
        case actions.SetTemperature(part=part, celsius=celsius):
            return f"{name}: the {part.value} is heating to {celsius} °C."
        case actions.SendGcode():
            return f"{name} took the G-code{': ' + detail if detail else ''}."
        case actions.StartPrint(gcode_path=path):
            return f"{name} has started {path.rsplit('/', 1)[-1]}."
        case _:
            return f"{thing} {_DONE[type(action)]}."


_DONE: Final[Mapping[type[Action], str]] = {
    actions.LockDoor: "is locked",
    actions.CutPower: "has no power now",
    actions.EnablePower: "has power now",
    actions.PausePrint: "is paused",
    actions.ResumePrint: "is printing again",
    actions.AbortPrint: "has stopped printing",
}

_WHY: Final[Mapping[str, str]] = {
    "broker_unavailable": "the message broker does not answer, so nothing was sent",
    "too_late": "the command reached it too late, so it did nothing",
    "expired_before_sending": "it was not sent in time, so nothing happened",
    "unknown_intent": "it does not know that command",
    "bad_payload": "it did not accept the values",
    "busy": "it is busy",
}


def outcome_words(action: Action, outcome: Outcome, name: str) -> str:
    """Say what came of an action, no more than is known."""
    match outcome:
        case Done(detail=detail):
            return _done(action, name, detail)
        case Pending() as pending:
            return waiting_words(action, pending, name)
        case Refused(reason=reason):
            return reason
        case Failed(code=code, reason=reason):
            why = _WHY.get(code, reason)
            return f"I could not {wish(action, name)}: {why}."
        case Unknown():
            return (
                f"I sent the command to {wish(action, name)}, but got no answer in time."
                " I do not know whether it happened: please look."
            )
        case _ as unreachable:
            assert_never(unreachable)


def need_words(needs: Sequence[str]) -> tuple[str, ...]:
    """Put missing approvals into words, in a fixed order."""
    return tuple(NEED_WORDS[need] for need in Need if need.value in needs)


def waiting_words(action: Action, pending: Pending, name: str, left: str = "") -> str:
    """Say what waits for whom; `left` is how long the request lasts, in words."""
    if not pending.needs:
        return f"The request to {wish(action, name)} is being carried out."
    if Need.CONFIRMATION in pending.needs:
        return f"Shall I {wish(action, name)}? Say yes or no."
    people = "two people" if len(pending.needs) > 1 else "one authorised person"
    if pending.needs == {Need.SECOND_SIGNATURE}:
        people = "one more person"
    lasts = f" within {left}" if left else ""
    return f"To {wish(action, name)}, {people} must sign{lasts}. I am waiting for them."


def settled_words(action: Action, outcome: Outcome, name: str) -> str:
    """Tell the conversation that asked how a waiting request ended."""
    if isinstance(outcome, Refused):
        return f"I did not {wish(action, name)}. {outcome.reason}"
    return outcome_words(action, outcome, name)


def acts_words(acts: Sequence[ActResult], name_of: NameOf) -> list[str]:
    """Say what came of several actions, the same things together."""
    lights: dict[bool, list[str]] = {}
    rest: list[str] = []
    for act in acts:
        name = name_of(str(act.action.device))
        if isinstance(act.action, actions.SwitchLight) and isinstance(act.outcome, Done):
            lights.setdefault(act.action.on, []).append(name)
        else:
            rest.append(outcome_words(act.action, act.outcome, name))
    together = [
        _done(actions_like(acts, on=on), names[0], "")
        if len(names) == 1
        else f"{capital(listed([_the(each) for each in names]))} are {'on' if on else 'off'}."
        for on, names in lights.items()
    ]
    return together + rest


def actions_like(acts: Sequence[ActResult], *, on: bool) -> Action:
    """Return one of the light actions that switched this way."""
    return next(
        act.action
        for act in acts
        if isinstance(act.action, actions.SwitchLight) and act.action.on is on
    )


def listed(parts: Sequence[str]) -> str:
    """Join with commas and a last "and"."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def time_left(expires_at: datetime, now: datetime) -> str:
    """Say how long is left: `5 minutes`, `40 seconds`."""
    left = max(0, round((expires_at - now).total_seconds()))
    if left < _MINUTE:
        return f"{left} seconds"
    minutes = round(left / _MINUTE)
    return f"{minutes} minutes" if minutes > 1 else "1 minute"


_MINUTE: Final = 60


def approve_path(event: Any) -> str:
    """Return the page where people sign an event."""
    return f"/approvals/{event}"
