"""What tests/conftest.py promises."""

import socket

import pytest
from fakes.loopback import LeftTheMachineError

from infra.db import StorePool
from infra.migrate import read_migrations

pytestmark = pytest.mark.anyio


async def test_a_test_gets_a_migrated_database(pool: StorePool) -> None:
    async with pool.connection() as connection:
        cursor = await connection.execute("select count(*) from schema_migrations")
        assert await cursor.fetchone() == (len(read_migrations()),)


@pytest.mark.parametrize("again", [1, 2])
async def test_of_its_own(pool: StorePool, again: int) -> None:
    async with pool.connection() as connection:
        await connection.execute("create table only_mine ()")
        assert connection.info.dbname.startswith("test_")


@pytest.mark.parametrize("host", ["192.0.2.1", "example.com", "2001:db8::1"])
def test_cannot_reach_another_machine(host: str) -> None:
    with pytest.raises(LeftTheMachineError, match=host):
        socket.create_connection((host, 80), timeout=1)


def test_cannot_send_a_datagram_to_another_machine() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        with pytest.raises(LeftTheMachineError):
            sender.sendto(b"?", ("192.0.2.1", 9))
        with pytest.raises(LeftTheMachineError):
            sender.connect(("192.0.2.1", 9))


def test_can_reach_itself() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=1) as client,
    ):
        assert client.getpeername() == server.getsockname()
