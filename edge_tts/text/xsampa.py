"""X-SAMPA (IPA typed on a keyboard) to IPA. Source of the table: https://en.wikipedia.org/wiki/X-SAMPA."""

from __future__ import annotations

import unicodedata

from edge_tts.errors import MarkupError

_PLAIN = {symbol: symbol for symbol in "abcdefhijklmnopqrstuvwxyz .|"} | {"g": "ɡ", "-": ""}
_CAPITALS = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "ɑβçðɛɱɣɥɪɲɬʎɯŋɔʋɒʁʃθʊʌʍχʏʒ", strict=True))
_MARKED = {
    "b_<": "ɓ", "d`": "ɖ", "d_<": "ɗ", "g_<": "ɠ", "h\\": "ɦ", "j\\": "ʝ", "l`": "ɭ", "l\\": "ɺ", "n`": "ɳ",
    "p\\": "ɸ", "r`": "ɽ", "r\\": "ɹ", "r\\`": "ɻ", "s`": "ʂ", "s\\": "ɕ", "t`": "ʈ", "v\\": "ʋ", "x\\": "ɧ",
    "z`": "ʐ", "z\\": "ʑ", "B\\": "ʙ", "G\\": "ɢ", "H\\": "ʜ", "I\\": "ᵻ", "J\\": "ɟ", "K\\": "ɮ", "L\\": "ʟ",
    "N\\": "ɴ", "O\\": "ʘ", "R\\": "ʀ", "U\\": "ᵿ", "X\\": "ħ", "@": "ə", "@`": "ɚ", "@\\": "ɘ", "{": "æ",
    "}": "ʉ", "1": "ɨ", "2": "ø", "3": "ɜ", "3`": "ɝ", "3\\": "ɞ", "4": "ɾ", "5": "ɫ", "6": "ɐ", "7": "ɤ",
    "8": "ɵ", "9": "œ", "&": "ɶ", "?": "ʔ", "?\\": "ʕ", "\"": "ˈ", "%": "ˌ", ":": "ː", ":\\": "ˑ", "'": "ʲ",
    "_h": "ʰ", "_j": "ʲ", "_w": "ʷ", "~": "\u0303", "_~": "\u0303", "=": "\u0329", "_=": "\u0329",
    "_0": "\u0325", "_v": "\u032c", "_d": "\u032a", "_^": "\u032f", "_t": "\u0324", "_k": "\u0330", "`": "˞",
}  # fmt: skip
_TABLE = _PLAIN | _CAPITALS | _MARKED
_LONGEST = max(map(len, _TABLE))


def to_ipa(symbols: str) -> str:
    """The IPA of *symbols*: 'h@"l@U' → "həˈləʊ". Raises MarkupError naming what is no X-SAMPA."""
    found = ""
    index = 0
    while index < len(symbols):
        lengths = range(_LONGEST, 0, -1)
        symbol = next((s for n in lengths if (s := symbols[index : index + n]) in _TABLE), None)
        if symbol is None:
            raise MarkupError(f"{symbols[index]!r} in {symbols!r} is no X-SAMPA symbol")
        found += _TABLE[symbol]
        index += len(symbol)
    return unicodedata.normalize("NFC", found)
