"""Sentence → IPA by espeak-ng, as a library call. espeak-ng's peculiarities end in this file."""

from __future__ import annotations

import ctypes
import re
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from edge_tts.errors import VoiceError

REMEMBERED_TEXTS = 256

_AUDIO_OUTPUT_RETRIEVAL = 1
_DONT_EXIT = 0x8000
_UTF8 = 1
_IPA = 2
_SYSTEM_LIBRARY = "libespeak-ng.so.1"

_REGIONS = frozenset(
    {"en-us", "en-gb", "en-029", "pt-br", "pt-pt", "fr-be", "fr-ch", "fr-fr", "es-419", "es-mx"}
)
"""Tags with a region that espeak-ng knows; of any other, only the language counts ("de-AT" → "de")."""

_FILES = {
    "en-gb": "en", "fr-fr": "fr", "pt-pt": "pt", "es-mx": "es-419", "no": "nb", "zh": "cmn", "zh-cmn": "cmn",
    "zh-yue": "yue",
}  # fmt: skip
"""Languages that espeak-ng lists but opens under another name only (observed with 1.52)."""

_TERMINATORS = {
    **{mark: mark for mark in ".,?!;:"},
    **dict(zip("。．，、？！；：…—–؟،؛।", "..,,?!;:.;;?,;.", strict=True)),
}

# A NUL would end the C string and lose what follows; a lone surrogate has no UTF-8.
_UNREADABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Some versions of espeak-ng crash on this letter with their fr and pt voices; it is a written variant of pi.
_FATAL = str.maketrans({"ϖ": "π"})
# Its buffers overflow: 33 zeros in Greenlandic are enough, or 53 characters that Sinhala reads by a name of several
# syllables each, or a Danish word of 167 letters. A text is given in parts with room for so many letters; what is read
# by name takes the room of nine.
_ROOM, _NAMED_ROOM = 288, 9
_LONGEST_WORD = 100
_MARKS = frozenset(".,;:!?'\"()-–—’„“”«»，。！？；：、")
_IDEOGRAPHS = "\u2e80"
_IDEOGRAPHIC = frozenset({"cmn", "yue", "hak", "ja"})
_WITHOUT_DICTIONARY = frozenset({"fo", "kaa", "xex"})
"""Languages that espeakng-loader's library lists and opens, and then reads from memory that is not its own."""

_NOBODY = b"nobody"
"""A voice that espeak-ng looks for in vain. That overwrites what the last text left on the stack, where some of its
readings of numbers take it from (8 of 25 000 that were tried); the voice stays."""

_LANGUAGE_SWITCH = re.compile(r"\([a-z][a-z0-9-]*\)")
_AFTER_TERMINATOR = " \t\r\n\"'»”’›)]}*_"


@dataclass(frozen=True, slots=True)
class Clause:
    """What espeak-ng reads in one breath."""

    ipa: str
    """Without language-switch flags, NFC, stress marks in place."""

    terminator: str
    """The punctuation that ended it: one of . , ? ! ; : or "" at the end of a text without any."""


def espeak_voice(language: str) -> str:
    """espeak-ng's name of a BCP-47 *language* tag: "en-US" → "en-us", "de-DE" → "de"."""
    tag = language.lower().replace("_", "-")
    if tag in _REGIONS:
        return tag
    primary = tag.split("-")[0]
    # A bare "en" would be British to espeak-ng.
    return {"en": "en-us", "zh": "cmn", "no": "nb"}.get(primary, primary)


class Phonemizer:
    """espeak-ng, entered by one thread only: its state is global to the process and it corrupts silently.

    The library starts at the first call; the thread of that call is the owner.
    """

    _chosen: ClassVar[str | None] = None

    def __init__(self) -> None:
        self._library: ctypes.CDLL | None = None
        self._owner: int | None = None
        self._remembered: OrderedDict[tuple[str, str], list[Clause]] = OrderedDict()

    def clauses(self, text: str, voice: str) -> list[Clause]:
        """The IPA of *text* clause by clause; *voice* is espeak-ng's name of a language ("en-us", "de").

        Clauses without a sound are left out. Raises VoiceError (no library, no such language), and
        RuntimeError on a second thread.
        """
        thread = threading.get_ident()
        if self._owner is None:
            self._owner = thread
        if thread != self._owner:
            raise RuntimeError("espeak-ng belongs to the thread that called it first")
        key = (text, voice)
        if key in self._remembered:
            self._remembered.move_to_end(key)
        else:
            self._remembered[key] = self._read(text, voice)
            if len(self._remembered) > REMEMBERED_TEXTS:
                self._remembered.popitem(last=False)
        return list(self._remembered[key])

    def _choose(self, library: ctypes.CDLL, name: str) -> bool:
        """Let espeak-ng read as *name* does, whatever it has read before; False if there is no such voice."""
        # Each time it keeps 1.4 kB for ever: a copy for its wave generator, which never runs here.
        if name != Phonemizer._chosen:
            Phonemizer._chosen = None
            if library.espeak_SetVoiceByName(name.encode()) != 0:
                return False
            Phonemizer._chosen = name
        # A number takes thousands and decimals from the text before it, else ("21.5", then "10 000").
        library.espeak_SetVoiceByName(_NOBODY)
        _clauses(library, b".")
        return True

    def _read(self, text: str, voice: str) -> list[Clause]:
        if self._library is None:
            self._library = _start()
            Phonemizer._chosen = None
        if voice in _WITHOUT_DICTIONARY or not self._choose(self._library, _FILES.get(voice, voice)):
            raise VoiceError(
                f"espeak-ng knows no language {voice!r}; it knows for example en-us, en-gb, de, fr-fr"
            )
        readable = _UNREADABLE.sub(" ", text).translate(_FATAL)
        parts = [_clauses(self._library, part.encode()) for part in _parts(readable, voice)]
        return [clause for clauses in parts for clause in clauses if clause.ipa]


def _parts(text: str, voice: str) -> Iterator[str]:
    """*text* in parts that espeak-ng has room for, cut behind a space where there is one."""
    taken = [1 if _is_plain(character, voice) else _NAMED_ROOM for character in text]
    start = behind_space = used = 0
    for at, character in enumerate(text):
        used += taken[at]
        is_endless = at - max(start, behind_space) >= _LONGEST_WORD and voice not in _IDEOGRAPHIC
        if used > _ROOM or is_endless:
            end = behind_space if behind_space > start and not is_endless else at
            yield text[start:end]
            start, used = end, sum(taken[end : at + 1])
        if character.isspace():
            behind_space = at + 1
    yield text[start:]


def _is_plain(character: str, voice: str) -> bool:
    """Whether it is read as a letter, or not at all, and not by a name."""
    if character.isalpha():
        return character < _IDEOGRAPHS or voice in _IDEOGRAPHIC
    return character.isspace() or character in _MARKS


def _start() -> ctypes.CDLL:
    library_path, data_path = _installation()
    try:
        library = ctypes.CDLL(library_path)
    except OSError as error:
        raise VoiceError(
            f"espeak-ng cannot be loaded from {library_path} ({error}); install the Python package "
            "espeakng-loader or the Debian package libespeak-ng1"
        ) from error
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
    library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
    library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
    folder = data_path.encode() if data_path else None
    if library.espeak_Initialize(_AUDIO_OUTPUT_RETRIEVAL, 0, folder, _DONT_EXIT) <= 0:
        # espeak-ng keeps the folder in a buffer of 160 bytes: a deep virtual environment overflows it.
        raise VoiceError(
            f"espeak-ng cannot read its data in {data_path or 'its usual folder'} (at most 140 characters)"
        )
    return library


def _installation() -> tuple[str, str | None]:
    """Library and data folder; None for the folder compiled into the system's library."""
    try:
        import espeakng_loader
    except ImportError:
        return _SYSTEM_LIBRARY, None
    return str(espeakng_loader.get_library_path()), str(espeakng_loader.get_data_path())


def _clauses(library: ctypes.CDLL, encoded: bytes) -> list[Clause]:
    buffer = ctypes.create_string_buffer(encoded)
    start = ctypes.addressof(buffer)
    position = ctypes.c_void_p(start)
    found = []
    while position.value is not None:
        before = position.value - start
        output = library.espeak_TextToPhonemes(ctypes.byref(position), _UTF8, _IPA) or b""
        at_end = position.value is None
        after = len(encoded) if position.value is None else position.value - start
        if after <= before and not at_end:
            break  # no progress would be an endless loop
        consumed = encoded[before:after].decode("utf-8", "ignore")
        ipa = unicodedata.normalize("NFC", _LANGUAGE_SWITCH.sub("", output.decode("utf-8"))).strip()
        found.append(Clause(ipa, _terminator(consumed, at_end)))
    return found


def _terminator(consumed: str, at_end: bool) -> str:
    """The punctuation that ended a clause, read back from what espeak-ng consumed for it.

    The pointer stops one character past the next clause's first character ("Hello there, D" of "Hello there,
    Doctor"; observed with 1.52), except at the end of the text.
    """
    own = consumed if at_end else consumed[:-1]
    return _TERMINATORS.get(own.rstrip(_AFTER_TERMINATOR)[-1:], "")
