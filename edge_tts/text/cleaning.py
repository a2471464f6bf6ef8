"""Written text → plain text: what is no language goes (emoji, Markdown, control characters), words stay.

Every pattern here runs over text nobody has checked, so each must be linear: it may start only where a token
starts, and its repeats are bounded or possessive.
"""

from __future__ import annotations

import html
import re
import unicodedata

_LINE_ENDS = re.compile(r"\r\n?|[\v\f\x85\u2028\u2029]")
_INVISIBLE = ("Cc", "Cf", "Cs")
"""Unicode categories that make no sound: control, format (zero-width, bidi, soft hyphen), lone surrogates."""

_FOREIGN_DIGIT = re.compile(r"[^\D0-9]")
"""٣ and ３ are 3 to every rule that follows."""

_KEYCAP = re.compile(r"([0-9#*])\uFE0F?\u20E3")
_MAYBE_EMOJI = re.compile(
    r"[‼⁉ℹ↕-↪⌚-⏿Ⓜ▪-◾☀-➿⤴⤵⬅-⭕〰〽\U0001F000-\U0001FAFF][\uFE0E\uFE0F\u200D\U000E0020-\U000E007F"
    r"☀-➿⬅-⭕\U0001F000-\U0001FAFF]*+"
)
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{1,6});")
_TAG = re.compile(
    r"</?(?:a|b|i|u|s|em|strong|small|span|div|code|pre|p|br|hr|ul|ol|li|h[1-6])(?: [^<>\n]{0,200})?/?>", re.I
)
_BREAKING_TAG = re.compile(r"(?:br|hr|p|div|li|ul|ol|pre|h[1-6])\b", re.I)

_LINK = re.compile(r"!?\[([^\[\]\n]{1,300})\]\(([^()\s]{1,2000})(?: \"[^\"\n]{0,200}\")?\)")
_AUTOLINK = re.compile(r"<(?:mailto:)?((?:https?://|(?<=mailto:))[^\s<>]{1,2000})>")
_BACKTICKS = re.compile(r"`{1,3}")
_OPENING = re.compile(r"(?<![^\W_])(\*{1,3}|_{1,3}|~~)(?=[^\s*_~])")
_CLOSING = re.compile(r"(?<=[^\s*_~])(\*{1,3}|_{1,3}|~~)(?![^\W_])")

_FENCE = re.compile(r"\s{0,3}(?:`{3,9}|~{3,9})[\w+.-]{0,30}\s*$")
_RULE = re.compile(r"\s{0,3}(?:-{3,}|\*{3,}|_{3,}|={3,}|(?:[-*_] ){2,20}[-*_])\s*$")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+")
_BULLET = re.compile(r"\s{0,20}[-*+•‣◦·▪●–]\s+(?:\[[ xX]\]\s+)?")
_NUMBERED = re.compile(r"\s{0,20}(\d{1,3})[.)]\s+")
_QUOTE = re.compile(r"^\s{0,3}(?:>\s?)+(?=[^\d\s])")
_TABLE_ROW = re.compile(r"\s*\|.*\|\s*$")
_TABLE_RULE = re.compile(r"[\s|:-]+$")
_SENTENCE_ENDS = tuple(".!?…:;。！？；：")


def clean(text: str) -> str:
    """Return *text* as NFC words and punctuation only.

    Whitespace becomes single spaces, a blank line "\\n\\n"; the result has none at its edges. Headings, list
    entries and table rows without an end mark get a full stop. Text of emoji only becomes "".
    """
    text = _LINE_ENDS.sub("\n", text).replace("\t", " ")
    text = _without_emoji(text)
    text = "".join(c for c in text if c == "\n" or unicodedata.category(c) not in _INVISIBLE)
    text = _FOREIGN_DIGIT.sub(lambda match: str(unicodedata.decimal(match[0])), text)
    text = unicodedata.normalize("NFC", text)
    return "\n\n".join(filter(None, map(_paragraph, _blocks(_without_html(text)))))


def _without_emoji(text: str) -> str:
    text = _KEYCAP.sub(r"\1 ", text)  # a keycap is an emoji and a digit: "1️⃣ Open the door"
    return _MAYBE_EMOJI.sub(_drop_emoji, text.replace("➡", "→"))


def _drop_emoji(match: re.Match[str]) -> str:
    # Loading emoji's tables costs 8 MB: most houses never send one.
    import emoji

    left = emoji.replace_emoji(match[0], "").strip("\ufe0e\ufe0f\u200d")
    # "done✅next" are two words.
    return left or " "


def _without_html(text: str) -> str:
    return without_tags(_ENTITY.sub(lambda match: html.unescape(match[0]), text))


def without_tags(text: str) -> str:
    """*text* without the tags of HTML; those that end a line do so."""

    def spoken(match: re.Match[str]) -> str:
        return "\n" if _BREAKING_TAG.match(match[0].strip("</ ")) else ""

    return _TAG.sub(spoken, text)


def _blocks(text: str) -> list[list[str]]:
    """Lines grouped into paragraphs; a ruler or a code fence ends one."""
    blocks: list[list[str]] = [[]]
    for line in text.split("\n"):
        if not line.strip() or _FENCE.match(line) or _RULE.match(line):
            blocks.append([])
        else:
            blocks[-1].append(line)
    return blocks


def _paragraph(lines: list[str]) -> str:
    # One "3. Oktober" at the start of a line is a date; two lines that begin with numbers are a list.
    is_numbered = sum(bool(_NUMBERED.match(line)) for line in lines) > 1
    parts = [_line(line, is_numbered) for line in lines]
    spoken = ""
    for index, (part, stands_alone) in enumerate(parts):
        is_closed = stands_alone or (index + 1 < len(parts) and parts[index + 1][1])
        needs_stop = is_closed and part and not part.endswith((*_SENTENCE_ENDS, ","))
        spoken += part + ("." if needs_stop else "") + " "
    return " ".join(spoken.split())


def _line(line: str, is_numbered: bool) -> tuple[str, bool]:
    """The words of one line, and whether it is a sentence of its own (heading, list entry, table row)."""
    if _TABLE_ROW.match(line):
        if _TABLE_RULE.match(line):
            return "", True
        cells = (cell.strip() for cell in line.strip().strip("|").split("|"))
        return _inline(", ".join(filter(None, cells))), True
    line = _QUOTE.sub("", line, count=1)
    stands_alone = True
    if match := _HEADING.match(line):
        line = line[match.end() :].rstrip().rstrip("#")
    elif match := _BULLET.match(line):
        line = line[match.end() :]
    elif is_numbered and (match := _NUMBERED.match(line)):
        line = f"{match[1]}: {line[match.end() :]}"
    else:
        stands_alone = False
    return _inline(line).strip(), stands_alone


def _inline(line: str) -> str:
    line = _AUTOLINK.sub(r"\1", _LINK.sub(r"\1", line))
    line = _BACKTICKS.sub("", line)
    # "*.txt" and "5 * 3" have no counterpart: only a pair is emphasis.
    if _OPENING.search(line) and _CLOSING.search(line):
        line = _CLOSING.sub("", _OPENING.sub("", line))
    return line
