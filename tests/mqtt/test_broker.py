"""The broker as a process, and as a stranger meets it."""

import asyncio
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from infra.broker import BrokerProcess, BrokerStartError, Engine, _connect_packet
from infra.mqtt import Bus, Message
from tests.mqtt.conftest import WITHIN, Changes, Opener, bounded, settings_for

pytestmark = pytest.mark.anyio

PARENT = """
import asyncio, sys
from pathlib import Path
from infra.broker import BrokerProcess, Engine

async def main():
    broker = BrokerProcess(Path(sys.argv[1]), engine=Engine(sys.argv[2]))
    await broker.start()
    print("broker", broker.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def packet(kind: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes((kind, len(body))) + body


def text(value: str) -> bytes:
    return len(value).to_bytes(2, "big") + value.encode()


@pytest.mark.skipif(sys.platform != "linux", reason="the tether is Linux's")
async def test_it_ends_with_a_parent_that_was_killed(
    engine: Engine, tmp_path: Path, changes: Changes
) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path), engine, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    words: list[bytes] = []
    async with bounded():
        while words[:1] != [b"broker"]:  # after what is logged
            words = (await parent.stdout.readline()).split()
    pid = int(words[1])
    assert alive(pid)
    parent.send_signal(signal.SIGKILL)
    await parent.communicate()
    await changes.until(lambda: not alive(pid))


async def test_nothing_is_left_after_the_stop(broker: BrokerProcess) -> None:
    pid = broker.pid
    assert pid is not None
    assert alive(pid)
    await broker.stop()
    assert not alive(pid)
    await broker.stop()


def shown(pid: int | None) -> bytes:
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))


async def test_the_command_line_holds_no_password(broker: BrokerProcess) -> None:
    everybody_sees = shown(broker.pid)
    assert b"infra" in everybody_sees or b"mosquitto" in everybody_sees
    for secret in (broker.password, broker.devices.password):
        assert secret.encode() not in everybody_sees


async def test_a_home_keeps_its_passwords(broker: BrokerProcess, tmp_path: Path) -> None:
    again = BrokerProcess(tmp_path, engine=broker.engine)
    assert (again.password, again.devices) == (broker.password, broker.devices)
    other = BrokerProcess(tmp_path / "other", engine=broker.engine)
    assert other.password != broker.password
    assert broker.password != broker.devices.password


async def test_a_home_keeps_its_port_while_it_is_free(tmp_path: Path) -> None:
    first = BrokerProcess(tmp_path, engine=Engine.EMBEDDED)
    await first.start()
    await first.stop()
    again = BrokerProcess(tmp_path, engine=Engine.EMBEDDED)
    await again.start()
    await again.stop()
    assert again.port == first.port
    with socket.create_server(("127.0.0.1", first.port)):
        elsewhere = BrokerProcess(tmp_path, engine=Engine.EMBEDDED)
        await elsewhere.start()
        await elsewhere.stop()
    assert elsewhere.port != first.port


async def test_a_port_in_use_is_said(engine: Engine, tmp_path: Path) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as taken, bounded():
        port = taken.sockets[0].getsockname()[1]
        broker = BrokerProcess(tmp_path, engine=engine, port=port)
        with pytest.raises(BrokerStartError, match=r"broker\.log"):
            await broker.start()
    assert not broker.running


async def test_a_stranger_with_our_name_does_not_push_us_out(
    opener: Opener, broker: BrokerProcess, changes: Changes
) -> None:
    seen: list[bytes] = []

    async def handler(message: Message) -> None:
        seen.append(message.payload)

    bus = opener.kitty("kitty")
    bus.subscribe("kitty/devices/+/state", handler)
    await opener.open(bus)
    stranger = Bus(
        settings_for(broker, "kitty", login=type(broker.devices)(username="kitty", password="x"))
    )
    async with stranger:
        assert not await stranger.ready(WITHIN / 30)
    await bus.publish("kitty/devices/lamp/state", b"1")
    await changes.until(lambda: seen == [b"1"])
    assert bus.counters.connections == 1


async def test_a_newer_connection_of_ours_takes_over(
    opener: Opener, broker: BrokerProcess, changes: Changes
) -> None:
    reader, writer = await asyncio.open_connection(broker.host, broker.port)
    body = text("MQTT") + b"\x04\xc0\x00\x3c"
    body += text("kitty") + text(broker.username) + text(broker.password)
    writer.write(packet(0x10, body))
    async with bounded():
        assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
    seen: list[bytes] = []

    async def handler(message: Message) -> None:
        seen.append(message.payload)

    bus = opener.kitty("kitty")
    bus.subscribe("kitty/devices/+/state", handler)
    await opener.open(bus)
    async with bounded():
        assert await reader.read() == b""
    writer.close()
    await bus.publish("kitty/devices/lamp/state", b"1")
    await changes.until(lambda: seen == [b"1"])


async def test_a_client_that_falls_silent_is_missed(
    opener: Opener, broker: BrokerProcess, changes: Changes
) -> None:
    """Its connection stays open, but no ping comes: the last will is published."""
    seen: list[bytes] = []

    async def handler(message: Message) -> None:
        seen.append(message.payload)

    bus = opener.kitty()
    bus.subscribe("kitty/devices/+/state", handler)
    await opener.open(bus)
    login = broker.devices
    body = text("MQTT") + b"\x04\xee\x00\x01" + text("lamp") + text("kitty/devices/lamp/state")
    body += text("gone") + text(login.username) + text(login.password)
    reader, writer = await asyncio.open_connection(broker.host, broker.port)
    writer.write(packet(0x10, body))
    async with bounded():
        assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
    await changes.until(lambda: seen == [b"gone"])
    writer.close()


@pytest.mark.parametrize(
    "junk",
    [b"", b"\x00", b"GET / HTTP/1.1\r\n\r\n", b"\x10\xff\xff\xff\x7f", bytes(range(64, 128))],
    ids=["nothing", "zero", "http", "endless", "bytes"],
)
async def test_junk_does_not_stop_it(broker: BrokerProcess, junk: bytes) -> None:
    _, writer = await asyncio.open_connection(broker.host, broker.port)
    writer.write(junk)
    writer.close()
    with suppress(OSError):  # it may have hung up first
        await writer.wait_closed()
    reader, writer = await asyncio.open_connection(broker.host, broker.port)
    writer.write(_connect_packet(broker.username, broker.password))
    async with bounded():
        assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
    writer.close()
    assert broker.running
