"""Put the REST door together."""

from importlib.metadata import version

from fastapi import FastAPI

from assistant.channels.http import admin, devices, query, safety, tools, views
from assistant.channels.http.people import current_user
from assistant.channels.http.shell import Shell, install
from assistant.services import Services


def build(services: Services) -> FastAPI:
    """Return the FastAPI application with all routes; the console is mounted on it later."""
    app = FastAPI(
        title="KITTY",
        version=version("kitty-assistant"),
        description="The assistant that people on a shop floor can talk to.",
        docs_url="/docs",
        redoc_url=None,
    )
    install(app)
    user_of = current_user(services)
    for part in (
        views.health(services, user_of),
        views.router(services, user_of),
        query.router(services, user_of),
        tools.router(services, user_of),
        devices.router(services, user_of),
        safety.router(services, user_of),
        admin.router(services, user_of),
    ):
        app.include_router(part)
    app.add_middleware(
        Shell, body_bytes=services.settings.limits.body_bytes, metrics=services.metrics
    )
    return app
