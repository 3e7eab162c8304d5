"""What a command costs at the least: one route, one INSERT, one MQTT publish and its answer.

Run as `python bare_server.py DSN MQTT_HOST MQTT_PORT USERNAME PASSWORD`; says its port on stdout.
"""

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import paho.mqtt.client as mqtt
import uvicorn
import uvloop
from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel


class Server(uvicorn.Server):
    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        print(json.dumps({"port": self.servers[0].sockets[0].getsockname()[1]}), flush=True)


class Body(BaseModel):
    text: str


def application(dsn: str, client: mqtt.Client) -> FastAPI:
    waiting: dict[str, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def lifespan(app: FastAPI):
        loop = asyncio.get_running_loop()

        def answered(_client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
            loop.call_soon_threadsafe(waiting.pop(message.payload.decode()).set_result, None)

        client.on_message = answered
        client.loop_start()
        async with AsyncConnectionPool(dsn, kwargs={"autocommit": True}, open=False) as pool:
            async with pool.connection() as connection:
                await connection.execute(
                    "create table if not exists bare (id uuid primary key, text text)"
                )
            app.state.pool = pool
            yield
        client.loop_stop()

    app = FastAPI(lifespan=lifespan)

    @app.post("/")
    async def command(body: Body) -> dict[str, str]:
        identity = uuid4()
        async with app.state.pool.connection() as connection:
            await connection.execute("insert into bare values (%s, %s)", (identity, body.text))
        done = waiting[str(identity)] = asyncio.get_running_loop().create_future()
        client.publish("kitty/devices/bare/cmd", str(identity), qos=1)
        await done
        return {"id": str(identity)}

    return app


async def main(dsn: str, host: str, port: str, username: str, password: str) -> None:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.username_pw_set(username, password)
    client.connect(host, int(port))
    client.subscribe("kitty/devices/bare/ack", qos=1)
    config = uvicorn.Config(application(dsn, client), port=0, log_config=None, access_log=False)
    await Server(config).serve()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
