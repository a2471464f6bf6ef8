"""The page at / in a real browser, with a real daemon behind it and a real broker."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import APIResponse, Browser, Page, Route, expect

from tests.browser import chromium, post, state
from tests.house import Daemon, running_daemon, wait_until
from tests.mosquitto import Mosquitto
from tests.phone import BASE, Phone
from tests.test_references import SAMPLE_RATE, buzz

pytestmark = pytest.mark.browser

# Chromium on a box that does much else; what a context waits for at most does not count here.
expect.set_options(timeout=15_000)

LONG = "Nobody in this house wants to hear this long announcement to its very end. " * 10
VIEWS = ("speak", "voices", "words", "clips", "health")
LANGUAGES = ("en", "de", "zh")
VALUES = re.compile(r"middle [\d.]+.*latest [\d.]+.*announcements")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, broker: Mosquitto) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("page")
    config = {
        "voices": {"default": "hum"},
        "audio": {"sink": "null"},
        "mqtt": {"url": f"mqtt://127.0.0.1:{broker.port}", "device": "kitchen"},
        "text": {"lexicon": str(folder / "lexicon.yaml")},
    }
    with running_daemon(folder, config) as daemon:
        # HTTP opens first; what is published before it listens to the broker reaches nobody.
        wait_until(lambda: "mqtt connected" in daemon.log)
        yield daemon


@pytest.fixture
def page(browser: Browser, daemon: Daemon) -> Iterator[Page]:
    """The page, ready. Nothing may be written to its console, and it may ask nobody but the box."""
    context = browser.new_context(locale="en-US")
    context.set_default_timeout(15_000)
    page = context.new_page()
    told: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: told.append(f"error: {error}"))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(daemon.url)
    expect(page.locator("#doing")).to_contain_text("Ready")
    yield page
    context.close()
    post(daemon, "/api/resume")
    post(daemon, "/api/stop")
    post(daemon, "/api/state", muted=False, voice="hum")
    # What was refused on purpose the browser itself notes.
    assert [
        each for each in told if each.startswith(("error", "warning")) and "status of 400" not in each
    ] == []
    assert [url for url in asked if not url.startswith((f"{daemon.url}/", "blob:", "data:"))] == []


def test_what_is_said_on_the_box_has_its_outcome_and_warnings(page: Page) -> None:
    page.fill("#text", "Dinner is ready.")
    expect(page.locator("#count")).to_have_text("16 characters")
    page.locator("summary").click()
    page.fill("#style", "whispering")
    page.press("#text", "Control+Enter")
    expect(page.locator("#result")).to_contain_text("said: sound after")
    expect(page.locator("#result .warm")).to_have_text("This voice has no control for: energy")
    expect(page.locator("#recent li").first).to_contain_text("Dinner is ready.")


def test_it_can_be_heard_here(page: Page) -> None:
    page.fill("#text", "Hello, hello.")
    page.click("#hear")
    expect(page.locator("#player")).to_be_visible()
    wait_until(lambda: page.locator("#audio").evaluate("audio => audio.duration > 0.5"))
    assert page.locator(".wave path").get_attribute("d")
    expect(page.locator("#player figcaption")).to_contain_text("Sound here after")
    # It was played while it came, and ends by itself.
    expect(page.locator("#hear")).to_have_text("Listen here")
    page.fill("#text", LONG)
    page.click("#hear")
    expect(page.locator("#hear")).to_have_text("Stop listening")
    page.click("#hear")
    expect(page.locator("#hear")).to_have_text("Listen here")


def test_an_error_says_what_would_work(daemon: Daemon, browser: Browser) -> None:
    page = browser.new_page(locale="en-US")
    page.goto(daemon.url)
    for button in ("#say", "#hear", "#explain"):
        page.fill("#text", "…")
        page.click(button)
        expect(page.get_by_role("alert")).to_contain_text("nothing to say")
        page.fill("#text", "x" * 10_001)
        page.click(button)
        expect(page.get_by_role("alert")).to_contain_text("the limit is 10000")
    page.close()


def test_the_queue_is_live_and_each_can_be_cancelled(page: Page, daemon: Daemon, phone: Phone) -> None:
    phone.publish(f"{BASE}/say", LONG)
    rows = page.locator("#queue li")
    expect(rows.first).to_contain_text(re.compile(r"sentence \d+ of 10"))
    expect(rows.first).to_contain_text("speaks")
    expect(page.locator("body")).to_have_class("is-speaking")
    post(daemon, "/api/say", text="The second.")
    expect(rows).to_have_count(2)
    expect(page.locator("#doing")).to_have_text("Speaking · 1 waiting")
    page.get_by_role("button", name="Cancel: The second.").click()
    expect(rows).to_have_count(1)
    expect(page.locator("#recent li").first).to_contain_text("ended early")
    expect(page.locator("#queueTitle")).to_be_focused()
    page.get_by_role("button", name="Stop all").click()
    expect(page.locator("#nothing")).to_be_visible()
    expect(page.locator("#doing")).to_have_text("Ready")


def test_the_box_is_controlled(page: Page, daemon: Daemon) -> None:
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    post(daemon, "/api/say", text="Waits.")
    expect(page.locator("#queue li")).to_contain_text("waits")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#nothing")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#doing")).to_have_text("Ready")
    page.get_by_role("button", name="Mute").click()
    expect(page.locator("#mute")).to_have_attribute("aria-pressed", "true")
    assert state(daemon)["is_muted"]
    page.get_by_role("button", name="Mute").click()
    expect(page.locator("#mute")).to_have_attribute("aria-pressed", "false")
    page.locator("#boxVolume").fill("35")
    expect(page.locator("output[for=boxVolume]")).to_have_text("35 %")
    wait_until(lambda: state(daemon)["volume"] == 35)
    # And what others set is seen.
    post(daemon, "/api/state", volume=60)
    expect(page.locator("#boxVolume")).to_have_value("60")
    page.locator("#boxVoice").select_option("kathleen-kerstin-yuetan")
    expect(page.locator("#emotionField")).to_be_visible()
    page.locator("#boxVoice").select_option("hum")
    expect(page.locator("#emotionField")).to_be_hidden()


def test_what_others_set_meanwhile_stays(page: Page, daemon: Daemon) -> None:
    """The answer to a change came after the news of a later one, and the page went back to it."""
    held: list[tuple[Route, APIResponse]] = []
    page.route("**/api/state", lambda route: held.append((route, route.fetch())))
    page.locator("#boxVolume").fill("35")
    expect(page.locator("output[for=boxVolume]")).to_have_text("35 %")
    # A call of the page lets the route be asked.
    wait_until(lambda: page.evaluate("1") and held)
    post(daemon, "/api/state", volume=60, muted=True)
    expect(page.locator("#mute")).to_have_attribute("aria-pressed", "true")
    route, answer = held[0]
    route.fulfill(response=answer)
    expect(page.locator("#boxVolume")).to_have_value("60")
    post(daemon, "/api/state", muted=False)


def test_text_from_elsewhere_stays_text(page: Page, daemon: Daemon, phone: Phone) -> None:
    evil = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
    # It stays in the queue until it has been seen there.
    post(daemon, "/api/pause")
    phone.publish(f"{BASE}/say", json.dumps({"text": evil, "id": evil}))
    expect(page.locator("#queue li .said")).to_have_text(evil)
    post(daemon, "/api/stop")
    expect(page.locator("#recent li").first).to_contain_text(evil)
    page.fill("#text", evil)
    page.click("#explain")
    expect(page.locator("#reading")).to_contain_text("onerror")
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1
    assert page.title() == "edge_tts"


def test_how_a_text_is_read_by_a_lexicon_that_is_edited_here(page: Page, daemon: Daemon) -> None:
    page.goto(f"{daemon.url}/#words")
    page.fill("#lexicon", "gif: jiff\nNAS: {arpabet: XX}\n")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").last).to_contain_text("at line 2")
    assert page.evaluate("getSelection().toString()") == "NAS: {arpabet: XX}"
    page.fill("#lexicon", "gif: jiff\n")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#lexiconResult")).to_contain_text("Saved.")
    page.get_by_role("link", name="Speak").click()
    page.fill("#text", "A gif. And 21 more.")
    page.click("#explain")
    expect(page.locator("#reading .reading")).to_have_text("A jiff. And twenty-one more.")
    expect(page.locator("#reading li")).to_have_count(2)
    expect(page.locator("#reading")).to_be_focused()


def test_clips_are_enrolled_and_forgotten(page: Page, daemon: Daemon, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.flac", buzz(4), SAMPLE_RATE)
    page.goto(f"{daemon.url}/#clips")
    page.fill("#clipName", "Anna")
    page.fill("#clipText", "Hello.")
    page.set_input_files("#clipFile", tmp_path / "clip.flac")
    page.locator("#clipForm button.primary").click()
    expect(page.locator("#clipList")).to_contain_text("Anna")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Forget Anna").click()
    expect(page.locator("#noClips")).to_be_visible()


def test_a_recording_is_made_here_and_judged_by_the_box(browser: Browser, daemon: Daemon) -> None:
    page = browser.new_page(locale="en-US")
    page.goto(f"{daemon.url}/#clips")
    page.fill("#clipName", "Anna")
    page.fill("#clipText", "Beep.")
    page.get_by_role("button", name="Record").click()
    expect(page.locator("#recorded")).to_have_text(re.compile(r"^[1-9]\d* s recorded$"))
    page.get_by_role("button", name="End recording").click()
    expect(page.get_by_role("button", name="Record", exact=True)).to_be_visible()
    page.locator("#clipForm button.primary").click()
    expect(page.get_by_role("alert")).to_contain_text("the clip cannot be used")
    page.close()


def test_voices_and_figures_are_shown(page: Page, daemon: Daemon) -> None:
    post(daemon, "/api/say?wait=finished", text="Hello.")
    page.goto(f"{daemon.url}/#health")
    expect(page.locator("#latencyPlot")).to_have_attribute("aria-label", VALUES)
    expect(page.locator("#rtfPlot")).to_have_attribute("aria-label", VALUES)
    expect(page.locator("#version")).to_contain_text("0.")
    page.get_by_role("link", name="Voices").click()
    card = page.locator("#voiceList li", has_text="kathleen-kerstin-yuetan")
    for fact in ("German", "kerstin", "happy", "CC-BY-SA-4.0", "22,050 Hz", "MB", "two_stage"):
        expect(card).to_contain_text(fact)
    card.get_by_role("button", name="Try it").click()
    expect(page.locator("#voice")).to_have_value("kathleen-kerstin-yuetan")
    expect(page.locator("#text")).to_be_focused()


def test_every_word_is_there_in_every_language(page: Page) -> None:
    seen = set()
    for language in LANGUAGES:
        page.locator("#language").select_option(language)
        assert page.locator("html").get_attribute("lang") == language
        words = page.eval_on_selector_all("[data-t]", "all => all.map(each => each.textContent)")
        assert all(words)
        seen.add(tuple(words))
    assert len(seen) == len(LANGUAGES)
    assert page.evaluate("Object.values(WORDS).every(texts => texts.length == 3 && texts.every(Boolean))")
    page.reload()
    expect(page.locator("#say")).to_contain_text("在设备上播报")


def test_it_begins_in_the_language_of_the_browser(browser: Browser, daemon: Daemon) -> None:
    page = browser.new_page(locale="de-AT")
    page.goto(daemon.url)
    expect(page.locator("#say")).to_contain_text("Am Gerät sagen")
    page.close()


def test_it_is_used_by_keyboard_alone(page: Page) -> None:
    page.keyboard.press("Tab")
    visited = []
    while (focused := page.evaluate("document.activeElement.id")) != "say":
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", focused
        visited.append(focused)
        assert len(visited) < 30, visited
        if focused == "text":
            page.keyboard.type("Typed.")
        page.keyboard.press("Tab")
    assert {"language", "text", "explain", "voice", "speed"} <= set(visited)
    page.keyboard.press("Enter")
    expect(page.locator("#recent li").first).to_contain_text("Typed.")


def test_it_is_accessible(page: Page, daemon: Daemon) -> None:
    """axe-core: contrast, labels, roles; with everything that can be seen, by day and by night."""
    page.fill("#text", "Hello. Hello again.")
    page.locator("summary").click()
    page.click("#explain")
    expect(page.locator("#reading")).to_be_visible()
    post(daemon, "/api/say", text=LONG)
    expect(page.locator("#queue progress")).to_be_visible()
    page.get_by_role("button", name="Stop all").click()
    for view in VIEWS:
        page.goto(f"{daemon.url}/#{view}")
        expect(page.locator(f"#{view}")).to_be_visible()
        page.emulate_media(color_scheme="light")
        complaints = Axe().run(page)
        assert complaints.violations_count == 0, f"{view}: {complaints.generate_report()}"
        page.emulate_media(color_scheme="dark")
        complaints = Axe().run(page, options={"runOnly": ["color-contrast"]})
        assert complaints.violations_count == 0, f"{view}, dark: {complaints.generate_report()}"


def test_it_fits_on_a_phone(page: Page, daemon: Daemon) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.locator("summary").click()
    for language in LANGUAGES:
        page.locator("#language").select_option(language)
        for view in VIEWS:
            page.goto(f"{daemon.url}/#{view}")
            expect(page.locator(f"#{view}")).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") == 360, f"{view} in {language}"


def test_the_token_is_asked_for_and_kept_by_the_tab(browser: Browser, tmp_path: Path) -> None:
    config = {"voices": {"default": "hum"}, "audio": {"sink": "null"}, "http": {"token": "open sesame"}}
    with running_daemon(tmp_path, config) as daemon:
        page = browser.new_page(locale="en-US")
        page.goto(daemon.url)
        expect(page.locator("#door")).to_be_visible()
        assert page.locator("#doing").text_content() == "Connecting …"
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#wrongToken")).to_be_visible()
        page.fill("#token", "open sesame")
        page.keyboard.press("Enter")
        expect(page.locator("#doing")).to_have_text("Ready")
        page.fill("#text", "Open.")
        page.click("#say")
        expect(page.locator("#result")).to_contain_text("said")
        page.reload()
        expect(page.locator("#recent li")).to_contain_text("Open.")
        assert page.evaluate("[sessionStorage.token, localStorage.length]") == ["open sesame", 0]
        # A box that goes away and comes back is followed.
        assert daemon.stop() == 0
        expect(page.locator("#banner")).to_be_visible()
        daemon.start()
        expect(page.locator("#banner")).to_be_hidden(timeout=20_000)
        page.close()
