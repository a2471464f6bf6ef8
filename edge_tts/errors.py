"""The error tree.

SpeechError
├── ConfigError           the configuration file: stops the start
├── RequestError          what the caller sent (HTTP 4xx, MQTT error event)
│   ├── UnknownVoiceError, UnknownSpeakerError, UnknownLanguageError
│   ├── TextTooLongError, NothingToSayError, MarkupError, UnsupportedPronunciationError
│   ├── BadJsonError, InvalidFieldError, BodyTooLargeError, SoundTooLargeError
│   ├── UnknownJobError, UnknownReferenceError, UnknownChimeError, BadClipError, ClockNotSetError
│   ├── BadSoundError, SoundTooLongError, SoundBrokenOffError
│   ├── BadLexiconError, LexiconChangedError, NoLexiconError
│   ├── ShuttingDownError, KeptForRestartError, NotSupervisedError
│   └── QueueFullError    try again later (HTTP 429): SoundsFullError, WholeFilesFullError
├── PoisonError           a text that ends the daemon
├── VoiceError            an installed voice: VoiceLoadError, SynthesisError, MemoryBudgetError
├── LexiconFileError      the lexicon's file
├── DeviceError           the sound device
└── OthersError           other players, who should be quiet while we speak: only ever a problem in health

Every class has a stable `code`, part of the public contract; the message tells a person what was found and
what would have worked.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

MAX_SHOWN = 20
"""Names in one message: some voices have thousands of speakers."""


class SpeechError(Exception):
    """Root of everything this product raises on purpose."""

    code = "internal"


class ConfigError(SpeechError):
    """The configuration is wrong; the message lists every problem, one per line."""

    code = "bad_config"


class RequestError(SpeechError):
    """The request cannot be served as it is; asking again unchanged will fail again."""

    code = "bad_request"


class UnknownVoiceError(RequestError):
    """No voice of that name is installed."""

    code = "unknown_voice"

    def __init__(self, name: str, installed: Iterable[str]) -> None:
        super().__init__(f"no voice named {name!r}; installed: {', '.join(sorted(installed)) or 'none'}")


class UnknownSpeakerError(RequestError):
    """The voice has no speaker of that name."""

    code = "unknown_speaker"

    def __init__(self, name: str, voice: str, speakers: Iterable[str]) -> None:
        known = sorted(speakers)
        shown = ", ".join(known[:MAX_SHOWN]) or "none (a single-speaker voice)"
        more = f" and {len(known) - MAX_SHOWN} more" if len(known) > MAX_SHOWN else ""
        super().__init__(f"voice {voice!r} has no speaker {name!r}; it has: {shown}{more}")


class UnknownLanguageError(RequestError):
    """The voice does not speak that language."""

    code = "unknown_language"

    def __init__(self, language: str, voice: str, languages: Iterable[str]) -> None:
        super().__init__(f"voice {voice!r} does not speak {language!r}; it speaks: {', '.join(languages)}")


class UnknownReferenceError(RequestError):
    """Nobody of that name is enrolled."""

    code = "unknown_reference"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no reference named {name!r}; enrolled: {', '.join(sorted(known)) or 'none'}")


class BadClipError(RequestError):
    """A recording that no voice can be taken from."""

    code = "bad_clip"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the clip cannot be used: {reason}")


class BadSoundError(RequestError):
    """Given in place of a text, and no sound that can be played."""

    code = "bad_sound"


class SoundTooLongError(RequestError):
    """Given in place of a text, and longer than is kept in memory."""

    code = "sound_too_long"

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"a sound of this sample rate may be {limit_s:.0f} s long; send it in parts")


class SoundBrokenOffError(RequestError):
    """The rest of a sound that was being sent did not come."""

    code = "sound_broken_off"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the sound broke off: {reason}")


class ClockNotSetError(RequestError):
    """A time was asked for, and the box does not know what time it is."""

    code = "clock_not_set"

    def __init__(self) -> None:
        super().__init__(
            "at: the clock of this box is not set, so it cannot know when that is; send it without `at`, or let the "
            "box be told the time (timedatectl)"
        )


class UnknownChimeError(RequestError):
    """No sound of that name, or one that cannot be played."""

    code = "unknown_chime"

    def __init__(self, name: str, known: Iterable[str], reason: str = "there is none of that name") -> None:
        super().__init__(f"chime {name[:100]!r}: {reason}; there are: {', '.join(known)}")


class TextTooLongError(RequestError):
    """More text than `queue.max_text_characters`."""

    code = "text_too_long"

    def __init__(self, n_characters: int, limit: int, whose: str = "queue.max_text_characters") -> None:
        super().__init__(f"the text has {n_characters} characters; the limit is {limit} ({whose})")


class NothingToSayError(RequestError):
    """The text has no words: empty, or only emoji, punctuation or pauses."""

    code = "nothing_to_say"

    def __init__(self) -> None:
        super().__init__("the text has nothing to say: no words are left after emoji and markup are removed")


class MarkupError(RequestError):
    """SSML that is not well-formed, or an inline tag with an impossible value."""

    code = "bad_markup"


class UnsupportedPronunciationError(RequestError):
    """The voice cannot say these symbols."""

    code = "unsupported_pronunciation"


class BadJsonError(RequestError):
    """It should be a JSON object and is not."""

    code = "bad_json"


class InvalidFieldError(RequestError):
    """A field of the wrong type or out of its range."""

    def __init__(self, field: str, found: object, expected: str) -> None:
        shown = repr(found)
        super().__init__(
            f"{field}: expected {expected}, found {shown if len(shown) <= 60 else shown[:59] + '…'}"
        )
        self.field = field


class BodyTooLargeError(RequestError):
    """More bytes than a door takes."""

    code = "body_too_large"

    def __init__(self, size_bytes: int | None, limit_bytes: int, key: str) -> None:
        found = "more" if size_bytes is None else f"{size_bytes} bytes"
        super().__init__(f"at most {limit_bytes} bytes ({key}), found {found}")


class SoundTooLargeError(RequestError):
    """A file of sound that is sent whole would be larger than is kept in memory."""

    code = "sound_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            f"the sound is more than {limit_bytes >> 20} MB, and this format is sent whole; ask for wav, pcm, mp3 or "
            "opus, which are streamed, or for less text at a time"
        )


class BadLexiconError(RequestError):
    """A lexicon with an entry that cannot be read; the one in force stays."""

    code = "bad_lexicon"

    def __init__(self, problem: str) -> None:
        super().__init__(f"the lexicon stays as it was: {problem}")


class LexiconChangedError(RequestError):
    """Somebody else has changed the lexicon since it was read."""

    code = "lexicon_changed"

    def __init__(self) -> None:
        super().__init__(
            "the lexicon was changed by somebody else meanwhile; read it again and repeat your change"
        )


class NoLexiconError(RequestError):
    """There is no lexicon to be shown or changed."""

    code = "no_lexicon"

    def __init__(self) -> None:
        super().__init__(
            "no lexicon is configured; set text.lexicon to the name of a file and restart the daemon"
        )


class UnknownJobError(RequestError):
    """No such job, or it ended too long ago to be remembered."""

    code = "unknown_job"

    def __init__(self, job: str) -> None:
        super().__init__(f"no job {job!r} is waiting, speaking or remembered")


class QueueFullError(RequestError):
    """The queue's limit is reached; try again later."""

    code = "queue_full"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} requests are waiting already (queue.max_jobs); try again when some are spoken"
        )


class SoundsFullError(QueueFullError):
    """Sounds wait that take all the memory there is for them."""

    def __init__(self, limit_bytes: int) -> None:
        RequestError.__init__(
            self, f"sounds of {limit_bytes >> 20} MB wait or are being sent; try again when some are played"
        )


class WholeFilesFullError(QueueFullError):
    """Files of sound that are sent whole take all the memory there is for them."""

    def __init__(self, limit_bytes: int) -> None:
        RequestError.__init__(
            self,
            f"{limit_bytes >> 20} MB of sound are being made or sent as whole files; try again later, or ask for wav, "
            "pcm, mp3 or opus, which are streamed",
        )


class ShuttingDownError(RequestError):
    """The daemon is ending; it will be back if systemd starts it again."""

    code = "shutting_down"

    def __init__(self) -> None:
        super().__init__("the daemon is stopping and takes no more announcements; try again in a moment")


class KeptForRestartError(ShuttingDownError):
    """Answers those who wait for the outcome of an announcement when the daemon stops."""

    def __init__(self, job: str) -> None:
        RequestError.__init__(
            self, f"the daemon is stopping; {job} is kept and spoken after the restart: do not send it again"
        )


class NotSupervisedError(RequestError):
    """The daemon is to start again, and nobody would start it."""

    code = "not_supervised"

    def __init__(self) -> None:
        super().__init__(
            "nothing would start the daemon again: it was not started by systemd (NOTIFY_SOCKET)"
        )


class PoisonError(SpeechError):
    """The daemon ended twice while it was speaking this."""

    code = "poison"

    def __init__(self) -> None:
        super().__init__("the daemon ended twice while it was speaking this text, so it is not tried again")


class VoiceError(SpeechError):
    """Something is wrong with an installed voice."""

    code = "voice_error"


class VoiceLoadError(VoiceError):
    """A voice's file is missing, damaged or not of its family's contract."""

    code = "voice_load_failed"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


class SynthesisError(VoiceError):
    """The model failed on this text, or yielded sound that is no sound (NaN, stuck samples)."""

    code = "synthesis_failed"


class MemoryBudgetError(VoiceError):
    """The voice does not fit into `memory.limit_mb`, even with every other voice unloaded."""

    code = "out_of_memory_budget"


class LexiconFileError(SpeechError):
    """The lexicon's file cannot be read or written."""

    code = "lexicon_file"


class DeviceError(SpeechError):
    """The sound device cannot be opened or stopped answering."""

    code = "device_unavailable"


class OthersError(SpeechError):
    """Other players cannot be quieted."""

    code = "others_unavailable"
