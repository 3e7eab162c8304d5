"""The driver of everything that listens on MQTT: a permit in, a command on the wire."""

from collections.abc import Awaitable, Callable

from pydantic import ValidationError

from infra.drivers.mqtt_devices import Ack, CommandLink, NoAck, NotSent
from infra.wire import CommandMessage
from safety.actions import Action
from safety.envelope import EnvelopeError
from safety.permit import Permit
from safety.records import Carried, NoAnswer, Receipt, Rejected


class MqttDriver:
    """Carries out any action on a device that takes commands over MQTT."""

    def __init__(self, link: CommandLink) -> None:
        self._link = link

    async def __call__(
        self, permit: Permit[Action], /, *, before_send: Callable[[], Awaitable[None]]
    ) -> Receipt:
        """Send the permitted command and wait for the device's answer."""
        try:
            command = _command(permit)
        except ValidationError as error:
            fields = ", ".join(str(each["loc"][0]) for each in error.errors())
            return Rejected(code="bad_command", detail=f"it cannot be written: {fields}")
        except EnvelopeError as error:
            return Rejected(code="bad_command", detail=f"it cannot be written: {error}")
        answer = await self._link.send(command, before_send=before_send)
        match answer:
            case Ack(ok=True, detail=detail, at=at):
                return Carried(at=at, detail=detail or "")
            case Ack(code=code, detail=detail):
                return Rejected(code=code or "device_error", detail=detail or "it refused")
            case NotSent(code=code):
                return Rejected(code=code, detail="nothing was sent")
            case NoAck():
                return NoAnswer()


def _command(permit: Permit[Action]) -> CommandMessage:
    action = permit.action
    return CommandMessage(
        command_id=permit.command,
        device=permit.device.external_id,
        intent=action.intent,
        payload=action.arguments,
        issued_at=permit.issued_at,
        deadline=permit.deadline,
        correlation_id=permit.correlation,
        safety_event_id=permit.event,
        envelope=None if permit.envelope is None else permit.envelope.document(),
    )
