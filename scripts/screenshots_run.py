"""docs/page.png and docs/page-phone.png: the page in front of a daemon that has said a few things."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser import chromium, post
from tests.house import Daemon, running_daemon

DOCS = Path(__file__).parent.parent / "docs"
CONFIG = {"audio": {"sink": "null", "null_pace": 20.0}}
SAID = (
    {"text": "The washing machine is done."},
    {"text": "Es sind 21,5 °C im Wohnzimmer."},
    {"text": "Dinner is ready.", "emotion": "happy"},
    {"text": "The door to the garden is open.", "style": "whispering"},
)
WAITS = {"text": "Good night. The doors are locked.", "at": "2100-01-01T22:00:00Z"}


def picture(browser: Browser, daemon: Daemon, name: str, text: str, **context: object) -> None:
    page = browser.new_context(**context).new_page()  # type: ignore[arg-type]
    page.goto(daemon.url)
    page.fill("#text", text)
    page.click("#explain")
    expect(page.locator("#reading")).to_be_visible()
    page.click("#hear")
    expect(page.locator("#player")).to_be_visible()
    page.click("#hear")
    page.locator("h1").click()
    page.screenshot(path=DOCS / name)
    page.context.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running_daemon(Path(folder), CONFIG) as daemon:
        for body in SAID:
            post(daemon, "/api/say?wait=finished", **body)
        post(daemon, "/api/say", **WAITS)
        with chromium() as browser:
            desktop = {"locale": "en-US", "viewport": {"width": 1200, "height": 960}}
            picture(
                browser,
                daemon,
                "page.png",
                "It is 21.5°C in the kitchen, and 3/4 of the cake is left.",
                **desktop,
            )
            phone = {"locale": "de-DE", "viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
            picture(browser, daemon, "page-phone.png", "Um 7:30 Uhr kommt der Bus.", **phone)


if __name__ == "__main__":
    main()
