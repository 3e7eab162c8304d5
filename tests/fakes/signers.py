"""A person at a real browser with a security key of their own (Chromium's virtual one)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, Request, expect

from fakes.browsing import PATIENCE
from fakes.house import Demo


class SignerPage:
    """One page in a browser of its own, signed in."""

    def __init__(
        self,
        chromium: Browser,
        demo: Demo,
        handle: str,
        *,
        key: str | None,
        width: int = 1280,
        height: int = 900,
    ) -> None:
        """`key` is how the virtual authenticator is reached: `usb`, `internal`, None for none."""
        self._demo = demo
        self._context = chromium.new_context(viewport={"width": width, "height": height})
        self._context.set_default_timeout(PATIENCE * 1000)
        self.page: Page = self._context.new_page()
        self.trouble: list[str] = []
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self._devtools: Any = None
        self._authenticator = ""
        if key is not None:
            self._plug_in(key)
        token = (demo.home / "tokens" / f"{handle}.token").read_text().strip()
        self.page.goto(f"{demo.url}/sign-in")
        self.page.fill("#token", token)
        self.page.click("button[type=submit]")
        self.page.wait_for_selector("body[data-connected=true]")

    def _plug_in(self, transport: str) -> None:
        self._devtools = self._context.new_cdp_session(self.page)
        self._devtools.send("WebAuthn.enable", {"enableUI": False})
        added = self._devtools.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "ctap2Version": "ctap2_1",
                    "transport": transport,
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )
        self._authenticator = added["authenticatorId"]

    def know_person(self, yes: bool) -> None:
        """Let the key recognise its person, or not."""
        values = {"authenticatorId": self._authenticator, "isUserVerified": yes}
        self._devtools.send("WebAuthn.setUserVerified", values)

    def open(self, path: str) -> Page:
        self.page.goto(self._demo.url + path)
        self.page.wait_for_selector("body[data-connected=true]")
        return self.page

    def add_key(self, label: str) -> None:
        self.open("/keys")
        self.page.fill("#k-label", label)
        self.page.get_by_role("button", name="Add a key").click()
        expect(self.page.locator(".k-key").filter(has_text=label)).to_be_visible()

    def sign(self, event: str) -> None:
        page = self.open(f"/approvals/{event}")
        page.get_by_role("button", name="Sign with your key").click()
        page.locator("dialog[open]").get_by_role("button", name="Sign", exact=True).click()
        expect(page.locator(".k-signing")).to_contain_text("You have signed")

    @contextmanager
    def captured(self) -> Iterator[list[dict[str, Any]]]:
        """Collect what the page sends as signatures."""
        found: list[dict[str, Any]] = []

        def watch(request: Request) -> None:
            if request.url.endswith("/approve"):
                found.append(json.loads(request.post_data or "{}"))

        self.page.on("request", watch)
        yield found
        self.page.remove_listener("request", watch)

    def close(self) -> None:
        self._context.close()
        assert self.trouble == []
