"""Web and mail addresses, IP addresses, version and telephone numbers, in any language written in Latin letters."""

from __future__ import annotations

import re

from edge_tts.text.rules import Rule, Words, rule

_TOP_LEVEL = "com|org|net|edu|gov|info|io|dev|app|local|lan|home|de|at|ch|eu|uk|us|fr|cn|nl|ai|tv|me"


def addresses(words: Words) -> list[Rule]:
    """Web and mail addresses, IP addresses and version numbers."""

    def address(match: re.Match[str]) -> str:
        written = match[0].rstrip(".,;:!?)'\"")
        rest = match[0][len(written) :]
        body = re.sub(r"^(?:[a-z]{2,6}://)?(?:www\.)?", "", written, flags=re.I).rstrip("/")
        return (
            "".join(_address_part(part, words) for part in re.findall(r"\d+|[^\W\d_]+|.", body)).strip()
            + rest
        )

    def version(match: re.Match[str]) -> str:
        if words.groups == "." and re.fullmatch(r"\d{1,3}(?:\.\d{3})+", match[0]):
            return match[0]
        return f" {words.point} ".join(words.integer(part) for part in match[0].split("."))

    def ip_address(match: re.Match[str]) -> str:
        host, _, port = match[0].partition(":")
        if any(int(part) > 255 for part in host.split(".")):
            return match[0]
        spoken = (words.digits(part) if len(part) == 3 else words.integer(part) for part in host.split("."))
        return f" {words.signs['.']} ".join(spoken) + (
            f" {words.signs[':']} {words.integer(port)}" if port else ""
        )

    return [
        rule(r"\b(?:https?|mqtts?|ftp|file|rtsp|wss?)://(?=\w)[^\s<>\"]++", address, re.I),
        rule(r"\bwww\.(?=\w)[^\s<>\"]++", address, re.I),
        rule(r"(?<![\w.+-])[\w.+-]++@(?=\w)[\w-]++(?:\.[\w-]++)+", address),
        rule(
            rf"(?<![\w.-])(?:[a-z0-9-]++\.){{1,8}}(?:{_TOP_LEVEL})(?![\w.-]*\w)(?::\d+)?(?:/[\w./-]*)?",
            address,
            re.I,
        ),
        rule(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?![\d.:]*\d)", ip_address),
        rule(r"(?<![\w.])\d{1,6}(?:\.\d{1,6}){2,8}(?![\d.]*\d)", version),
    ]


def _address_part(part: str, words: Words) -> str:
    if part.isdigit() and part.isascii():
        return f" {words.integer(part)} "
    return f" {words.signs[part]} " if part in words.signs else part


def phones(words: Words) -> list[Rule]:
    """Telephone numbers, digit by digit with a breath between the groups."""

    def phone(match: re.Match[str]) -> str:
        groups = re.findall(r"\d+", match[0])
        if not 7 <= sum(map(len, groups)) <= 15:
            return match[0]
        plus = f"{words.signs['+']} " if match[0].startswith("+") else ""
        return plus + ", ".join(words.digits(group) for group in groups)

    start, end = r"(?<![\w.,:/-])", r"(?!\w|[.,:/-]\d)"
    written = (
        r"\+\d{1,3}(?:[ ./-]{1,2}\(?\d{1,8}\)?){1,6}",
        r"\+\d{7,15}",
        r"\(\d{2,5}\) ?\d{3,8}(?:[ -]\d{2,6}){0,2}",
        r"(?:1[-. ])?\d{3}[-. ]\d{3}[-. ]\d{4}",
        r"\d{3}-\d{4}",
        r"0\d{2,5}(?: ?/ ?|[ -])\d{2,8}(?:[ -]\d{2,6}){0,3}",
        r"\d{1,6}(?:-\d{1,6}){2,5}",
    )
    return [rule(f"{start}{pattern}{end}", phone) for pattern in written]
