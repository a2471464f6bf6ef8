"""SSML → segments. W3C SSML 1.1 (https://www.w3.org/TR/speech-synthesis11/) as far as a small box can do it,
the `mstts:express-as` of Microsoft's dialect, and `<emotion category="happy" intensity="0.5">`.

What is not supported is spoken without it, with a warning; nothing is silently lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol
from xml.etree.ElementTree import Element, ParseError

from edge_tts.errors import MarkupError
from edge_tts.speech import Alphabet, Pronunciation, Prosody, Segment
from edge_tts.text import arpabet, pinyin, say_as, ssml_values, xsampa

MAX_DEPTH = 64

# People paste fragments without a root, and prefixes without a declaration: the wrapper declares them.
_WRAPPER = "wrapped"
_PREFIX = re.compile(r"</?([A-Za-z][\w.-]{0,40}):|\s([A-Za-z][\w.-]{0,40}):[\w.-]+\s*=")
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_SILENT = frozenset({"metadata", "meta", "desc", "title"})
_TRANSPARENT = frozenset({_WRAPPER, "speak", "w", "token", "mark"})


def parse(text: str, language: str = "en") -> tuple[list[Segment], list[str]]:
    """The segments of *text* and what could not be done as asked ("unknown_element:blink").

    *language* is that of the text around, for what depends on it ("3" as an ordinal). Raises MarkupError, with
    line and column, for XML that is not well-formed, document types and entities, and for impossible values.
    """
    reader = _Reader()
    reader.element(_tree(text), _Context(language=None, around=language), 0)
    return reader.segments, list(reader.warnings)


@dataclass(frozen=True, slots=True)
class _Context:
    """What the elements around say."""

    language: str | None
    around: str
    voice: str | None = None
    prosody: Prosody = field(default_factory=Prosody)

    def segment(self, text: str, pronunciation: Pronunciation | None = None) -> Segment:
        return Segment(
            text, language=self.language, voice=self.voice, prosody=self.prosody, pronunciation=pronunciation
        )

    def spoken(self, prosody: Prosody) -> _Context:
        return replace(self, prosody=prosody.over(self.prosody))


class _Reader:
    """Walks the tree and collects."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.warnings: dict[str, None] = {}

    def element(self, element: Element, context: _Context, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise MarkupError(f"elements are nested more than {MAX_DEPTH} deep")
        name = _local(element.tag)
        attributes = {_local(key): value for key, value in element.attrib.items()}
        if "lang" in attributes:
            context = replace(context, language=attributes["lang"], around=attributes["lang"])
        if name in _SILENT:
            return
        if name in _LEAVES:
            _LEAVES[name](self, _Leaf(attributes, "".join(element.itertext())), context)
            return
        if name in ("p", "s"):
            self.end_sentence("")
        self.inside(element, self.changed(name, attributes, context), depth)
        if name in ("p", "s"):
            # A blank line is what a paragraph ends with in plain text.
            self.end_sentence("\n\n" if name == "p" else "")

    def inside(self, element: Element, context: _Context, depth: int) -> None:
        self.text(element.text, context)
        for child in element:
            self.element(child, context, depth + 1)
            self.text(child.tail, context)

    def changed(self, name: str, attributes: Mapping[str, str], context: _Context) -> _Context:
        """The context inside an element that changes how its content is said."""
        if name == "prosody":
            self.unsupported(f"prosody.{key}" for key in ("contour", "duration") if key in attributes)
            return context.spoken(ssml_values.prosody(attributes))
        if name == "emphasis":
            return context.spoken(ssml_values.emphasis(attributes.get("level", "moderate")))
        if name in ("express-as", "emotion"):
            style = attributes.get("style") or attributes.get("category") or attributes.get("name")
            if not style:
                raise MarkupError(f"<{name}> needs a style or category, such as happy")
            degree = attributes.get("styledegree") or attributes.get("intensity") or "1"
            return context.spoken(Prosody(emotion=ssml_values.emotion(style, degree)))
        if name == "voice":
            self.unsupported(f"voice.{key}" for key in ("gender", "age", "variant") if key in attributes)
            return replace(context, voice=attributes.get("name", context.voice))
        if name == "audio":
            self.warnings["unsupported_audio"] = None
        elif name not in _TRANSPARENT and name not in ("p", "s", "lang"):
            self.warnings[f"unknown_element:{name}"] = None
        return context

    def unsupported(self, attributes: Iterable[str]) -> None:
        self.warnings |= {f"unsupported_attribute:{attribute}": None for attribute in attributes}

    def text(self, text: str | None, context: _Context) -> None:
        if text:
            # Line breaks are layout in XML; a blank line is no paragraph.
            self.segments.append(context.segment(re.sub(r"\s+", " ", text)))

    def end_sentence(self, text: str) -> None:
        if self.segments:
            self.segments.append(Segment(text, ends_sentence=True))


@dataclass(frozen=True, slots=True)
class _Leaf:
    """An element whose content is one stretch of text."""

    attributes: Mapping[str, str]
    text: str

    def needs(self, attribute: str, example: str) -> str:
        value = self.attributes.get(attribute, "").strip()
        if not value:
            raise MarkupError(f"{attribute} is missing; expected {example}")
        return value


def _break(reader: _Reader, leaf: _Leaf, context: _Context) -> None:
    pause_s = ssml_values.break_s(leaf.attributes)
    if pause_s:
        reader.segments.append(replace(context.segment(""), pause_s=pause_s))


def _sub(reader: _Reader, leaf: _Leaf, context: _Context) -> None:
    reader.text(leaf.needs("alias", '<sub alias="World Wide Web">WWW</sub>'), context)


def _say_as(reader: _Reader, leaf: _Leaf, context: _Context) -> None:
    kind = leaf.attributes.get("interpret-as", leaf.attributes.get("type", ""))
    if not say_as.is_known(kind):
        reader.warnings[f"unsupported_say_as:{kind}"] = None
    text = say_as.spoken(leaf.text, kind, leaf.attributes.get("format", ""), context.around)
    reader.text(text, context)


def _phoneme(reader: _Reader, leaf: _Leaf, context: _Context) -> None:
    symbols = leaf.needs("ph", '<phoneme alphabet="ipa" ph="kˈleə">Clare</phoneme>')
    alphabet = leaf.attributes.get("alphabet", "ipa").lower()
    if alphabet not in _ALPHABETS:
        raise MarkupError(f"phoneme alphabet {alphabet!r} is unknown; expected {', '.join(_ALPHABETS)}")
    # <phoneme ph="…"/> is valid: the symbols stand for the text.
    reader.segments.append(context.segment(leaf.text or symbols, _ALPHABETS[alphabet](symbols)))


def _ipa(symbols: str) -> Pronunciation:
    return Pronunciation(Alphabet.IPA, symbols)


def _xsampa(symbols: str) -> Pronunciation:
    return Pronunciation(Alphabet.IPA, xsampa.to_ipa(symbols))


def _pinyin(symbols: str) -> Pronunciation:
    return Pronunciation(Alphabet.PINYIN, pinyin.to_symbols(pinyin.parse_tagged(symbols.split())))


def _arpabet(symbols: str) -> Pronunciation:
    arpabet.to_ipa(symbols)
    return Pronunciation(Alphabet.ARPABET, symbols)


_ALPHABETS: dict[str, Callable[[str], Pronunciation]] = {
    "ipa": _ipa,
    "x-sampa": _xsampa,
    "xsampa": _xsampa,
    "pinyin": _pinyin,
    "x-amazon-pinyin": _pinyin,
    "arpabet": _arpabet,
    "x-arpabet": _arpabet,
    "cmu-arpabet": _arpabet,
}


class _ReadLeaf(Protocol):
    def __call__(self, reader: _Reader, leaf: _Leaf, context: _Context) -> None: ...


_LEAVES: dict[str, _ReadLeaf] = {"break": _break, "sub": _sub, "say-as": _say_as, "phoneme": _phoneme}


def _tree(text: str) -> Element:
    """Parsed without document types and entities, which can make a small text huge or read files."""
    # Loading expat takes 10 ms: most houses send plain text.
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    bare = _DECLARATION.sub(lambda match: re.sub(r"\S", " ", match[0]), text, count=1)
    prefixes = {prefix for pair in _PREFIX.findall(bare) for prefix in pair if prefix} - {"xml", "xmlns"}
    declared = "".join(f' xmlns:{prefix}="{prefix}"' for prefix in sorted(prefixes))
    opening = f"<{_WRAPPER}{declared}>"
    try:
        tree: Element = fromstring(f"{opening}{bare}</{_WRAPPER}>", forbid_dtd=True)
    except ParseError as error:
        line, column = error.position
        column -= len(opening) if line == 1 else 0
        if re.search(r"<!(?:DOCTYPE|ENTITY)", bare):
            raise MarkupError(_at("document types and entities are not allowed", line, column)) from error
        reason = str(error).split(":")[0]
        raise MarkupError(_at(f"not well-formed SSML: {reason}", line, column)) from error
    except (DefusedXmlException, ValueError) as error:
        raise MarkupError("document types and entities are not allowed in SSML") from error
    return tree


def _at(problem: str, line: int, column: int) -> str:
    return f"{problem}, at line {line}, column {max(column, 0) + 1}"


def _local(name: str) -> str:
    """Without its namespace."""
    return name.rpartition("}")[2].lower()
