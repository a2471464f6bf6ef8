"""Keywords of a free-text style as prosody, for families that take no instructions."""

from __future__ import annotations

import re

from edge_tts.speech import Emotion, Prosody

_WHISPERED = Prosody(speed=0.9, pitch_range=0.6, energy=-2.0, volume=0.6)
_SLOW = Prosody(speed=0.8)
_FAST = Prosody(speed=1.25)
_LOUD = Prosody(energy=1.5, volume=1.3)
_SOFT = Prosody(energy=-1.0, volume=0.75)
_HIGH = Prosody(pitch_semitones=2.5)
_LOW = Prosody(pitch_semitones=-2.5)
_HAPPY = Prosody(emotion=Emotion("happy"))
_SAD = Prosody(emotion=Emotion("sad"))
_ANGRY = Prosody(emotion=Emotion("angry"))
_CALM = Prosody(emotion=Emotion("calm"))

KEYWORDS: dict[str, Prosody] = {
    "whisper": _WHISPERED, "whispering": _WHISPERED, "whispered": _WHISPERED, "flüstern": _WHISPERED,
    "flüsternd": _WHISPERED, "geflüstert": _WHISPERED, "耳语": _WHISPERED, "悄悄": _WHISPERED, "低语": _WHISPERED,
    "slow": _SLOW, "slowly": _SLOW, "langsam": _SLOW, "慢": _SLOW, "缓慢": _SLOW,
    "fast": _FAST, "quick": _FAST, "quickly": _FAST, "schnell": _FAST, "快速": _FAST, "快点": _FAST,
    "loud": _LOUD, "loudly": _LOUD, "shouting": _LOUD, "laut": _LOUD, "大声": _LOUD, "响亮": _LOUD,
    "soft": _SOFT, "softly": _SOFT, "quiet": _SOFT, "quietly": _SOFT, "leise": _SOFT, "sanft": _SOFT,
    "轻声": _SOFT, "小声": _SOFT,
    "high": _HIGH, "high-pitched": _HIGH, "hoch": _HIGH, "高音": _HIGH,
    "low": _LOW, "deep": _LOW, "tief": _LOW, "低沉": _LOW, "低音": _LOW,
    "happy": _HAPPY, "cheerful": _HAPPY, "joyful": _HAPPY, "fröhlich": _HAPPY, "glücklich": _HAPPY,
    "高兴": _HAPPY, "开心": _HAPPY, "快乐": _HAPPY,
    "sad": _SAD, "traurig": _SAD, "悲伤": _SAD, "难过": _SAD, "伤心": _SAD,
    "angry": _ANGRY, "wütend": _ANGRY, "zornig": _ANGRY, "生气": _ANGRY, "愤怒": _ANGRY,
    "calm": _CALM, "ruhig": _CALM, "gelassen": _CALM, "平静": _CALM, "温柔": _CALM,
}  # fmt: skip


def _pattern() -> re.Pattern[str]:
    longest_first = sorted(KEYWORDS, key=len, reverse=True)
    # Chinese has no word boundaries; "slow" must not be found in "below".
    words = [word if word[0] >= "\u3400" else rf"(?<!\w){re.escape(word)}(?![\w-])" for word in longest_first]
    return re.compile("|".join(words))


_KEYWORD = _pattern()


def prosody(style: str) -> Prosody | None:
    """What the known words of *style* ask for, together; None if it has none."""
    # Not IGNORECASE, which finds "high" in "hıgh", too.
    found = {id(KEYWORDS[word]): KEYWORDS[word] for word in _KEYWORD.findall(style.lower())}
    if not found:
        return None
    # "slow, very slowly" is slow once.
    together = Prosody()
    for each in found.values():
        together = each.over(together)
    return together
