"""The text tokens of CosyVoice 3 that Qwen2's vocabulary lacks, and its trained instructions.

A token's id is its place in the list that the model was trained with, counted from FIRST_ID.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from edge_tts.text.pinyin import Syllable

FIRST_ID = 151644
END_OF_PROMPT = "<|endofprompt|>"

_SOUNDS = """[breath] <strong> </strong> [noise] [laughter] [cough] [clucking] [accent] [quick_breath] <laughter>
</laughter> [hissing] [sigh] [vocalized-noise] [lipsmack] [mn]"""
_ENGLISH = """AA* AE* AH* AO* AW* AY* B CH D DH EH* ER* EY* F G HH IH* IY* JH K L M N NG OW* OY* P R S SH T TH UH* UW*
V W Y Z ZH"""
"""A vowel with * stands without a stress digit and with each."""

_MANDARIN = """a ai an ang ao b c ch d e ei en eng f g h i ian in ing iu ià iàn iàng iào iá ián iáng iáo iè ié iòng ióng
iù iú iā iān iāng iāo iē iě iōng iū iǎ iǎn iǎng iǎo iǒng iǔ j k l m n o ong ou p q r s sh t u uang ue un uo uà uài uàn
uàng uá uái uán uáng uè ué uì uí uò uó uā uāi uān uāng uē uě uī uō uǎ uǎi uǎn uǎng uǐ uǒ vè w x y z zh à ài àn àng ào á
ái án áng áo è èi èn èng èr é éi én éng ér ì ìn ìng í ín íng ò òng òu ó óng óu ù ùn ú ún ā āi ān āng āo ē ēi ēn ēng ě ěi
ěn ěng ěr ī īn īng ō ōng ōu ū ūn ǎ ǎi ǎn ǎng ǎo ǐ ǐn ǐng ǒ ǒng ǒu ǔ ǔn ǘ ǚ ǜ"""


def _tokens() -> list[str]:
    english = [
        f"[{symbol.rstrip('*')}{digit}]"
        for symbol in _ENGLISH.split()
        for digit in (("", "0", "1", "2") if symbol.endswith("*") else ("",))
    ]
    mandarin = [f"[{each}]" for each in _MANDARIN.split()]
    return [
        "<|im_start|>", "<|im_end|>", END_OF_PROMPT, *_SOUNDS.split(), "<|endofsystem|>", *english, *mandarin,
    ]  # fmt: skip


IDS = {token: FIRST_ID + place for place, token in enumerate(_tokens())}

SOUND = re.compile("(" + "|".join(map(re.escape, _SOUNDS.split())) + ")")
"""What may stand in a text: a breath, laughter, stress on words."""

_DIALECTS = {
    "cantonese": "广东", "dongbei": "东北", "gansu": "甘肃", "guizhou": "贵州", "henan": "河南", "hubei": "湖北",
    "hunan": "湖南", "jiangxi": "江西", "minnan": "闽南", "ningxia": "宁夏", "shanxi": "山西", "shaanxi": "陕西",
    "shandong": "山东", "shanghai": "上海", "sichuan": "四川", "tianjin": "天津", "yunnan": "云南",
}  # fmt: skip

EMOTIONS = {
    "happy": "请非常开心地说一句话。",
    "sad": "请非常伤心地说一句话。",
    "angry": "请非常生气地说一句话。",
}
INSTRUCTIONS = {
    **{name: f"请用{dialect}话表达。" for name, dialect in _DIALECTS.items()},
    **{f"{dialect}话": f"请用{dialect}话表达。" for dialect in _DIALECTS.values()},
    **EMOTIONS,
    "loud": "Please say a sentence as loudly as possible.",
    "soft": "Please say a sentence in a very soft voice.",
    "slow": "请用尽可能慢地语速说一句话。",
    "fast": "请用尽可能快地语速说一句话。",
    "robot": "你可以尝试用机器人的方式解答吗？",
    "peppa": "我想体验一下小猪佩奇风格，可以吗？",
}
"""A short name → the sentence that the model was trained with."""

_MARKS = {1: "\u0304", 2: "\u0301", 3: "\u030c", 4: "\u0300", 5: ""}
_SPELLED = {"ir": "i", "iz": "i"}


def mandarin(syllable: Syllable) -> list[int] | None:
    """ "hao4" → the ids of [h][ào]; None if the model has no such final."""
    final = _SPELLED.get(syllable.final, syllable.final)
    if syllable.initial not in ("l", "n"):
        final = final.replace("ü", "u")
    written = _with_mark(final, syllable.tone)
    # The only final of two letters with ü.
    found = IDS.get("[vè]" if written == "üè" else f"[{written}]")
    if found is None:
        return None
    return [*([IDS[f"[{syllable.initial}]"]] if syllable.initial else []), found]


def _with_mark(final: str, tone: int) -> str:
    """The mark stands on a, e or o if there is one, else on the last vowel: "ui" is "uì"."""
    place = next((final.index(vowel) for vowel in "aeo" if vowel in final), None)
    if place is None:
        place = max(final.rfind(vowel) for vowel in "iuü")
    marked = final[: place + 1] + _MARKS[tone] + final[place + 1 :]
    return unicodedata.normalize("NFC", marked)


def english(symbols: Sequence[str]) -> tuple[list[int], list[str]]:
    """Ids of ARPAbet, and what the model has no token for."""
    unknown = [symbol for symbol in symbols if f"[{symbol}]" not in IDS]
    return [IDS[f"[{symbol}]"] for symbol in symbols if f"[{symbol}]" in IDS], unknown


def instruction(style: str) -> str:
    """The trained sentence that *style* is the name of, or *style* itself."""
    return INSTRUCTIONS.get(style.strip().lower(), style.strip())
