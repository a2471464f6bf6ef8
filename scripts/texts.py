"""Random announcements as a house makes them: the same forty again and again, and new ones of any length."""

from __future__ import annotations

import random

WORDS = """
the front door back window washing machine dryer garage cellar kitchen garden light heating battery lamp is was
has been open closed done running empty full warm cold and but since until before after about nearly left right
please look soon now tonight tomorrow morning Monday friday minutes hours degrees litres water power sensor found
lost again never always 3 17 21.5°C 8:30 1,200 50% $5.20 12 km/h 2026-11-20 3rd Dr. e.g. Wi-Fi NAS kWh
""".split()  # noqa: SIM905 (a list of a hundred lines)
GERMAN = (
    "Die Waschmaschine im Keller ist seit 20 Minuten fertig.",
    "Es sind 21,5 °C und es regnet bis 18:30 Uhr.",
)
CHINESE = ("洗衣机已经洗好了。", "现在是8点30分，室外21.5度。")
MARKED = (
    "[pause 0.3s] Listen: [[ hɛˈloʊ ]] again.",
    "😀 Dinner is ready 🎉🎉!",
    "A\u200bB\u00ad \u202eright to left\u202c (see [1]) -- &amp; so on…",
)
SSML = (
    '<speak>It is <say-as interpret-as="time">8:30</say-as>. <break time="200ms"/>'
    '<prosody rate="fast">Hurry!</prosody></speak>',
    "<speak><s>One.</s><emphasis>Two.</emphasis><unknown>Three.</unknown></speak>",
)
MAX_WORDS = 2000


def n_words(rng: random.Random) -> int:
    """1 to MAX_WORDS: most are short, one in a hundred is a page or more."""
    least, most = rng.choices([(1, 30), (30, 200), (200, MAX_WORDS)], [90, 9, 1])[0]
    return rng.randint(least, most)


def prose(rng: random.Random, length: int) -> str:
    """*length* words in sentences of 4 to 25."""
    words = rng.choices(WORDS, k=length)
    at = 0
    while at < length:
        at += rng.randint(4, 25)
        last = min(at, length) - 1
        words[last] += rng.choice(".?!;")
    return " ".join(words)


def longest_sentences(number: int) -> str:
    """Each longer than is said in one go."""
    rng = random.Random(0)
    return " ".join(" ".join(rng.choices(WORDS, k=60)) + "." for _ in range(number))


def announcement(rng: random.Random) -> str:
    kind = rng.choices(["house", "new", "German", "Chinese", "marked"], [30, 60, 4, 3, 3])[0]
    if kind == "house":
        number = rng.randrange(40)
        return prose(random.Random(number), 3 + number % 12)
    if kind == "new":
        return prose(rng, n_words(rng))
    return rng.choice({"German": GERMAN, "Chinese": CHINESE, "marked": MARKED}[kind])
