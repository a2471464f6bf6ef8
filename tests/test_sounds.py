"""Sounds such as `[breath]`, from the text of a request to every family."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from edge_tts.app import build_synthesizer
from edge_tts.config import CacheConfig, Config, StateConfig, TextConfig, VoicesConfig
from edge_tts.errors import NothingToSayError
from edge_tts.metrics import Metrics
from edge_tts.models import FAMILIES
from edge_tts.speech import Alphabet, Pronunciation, Sentence, Span, SpeakRequest
from edge_tts.synthesizer import Synthesizer
from edge_tts.text import cosyvoice_tokens
from edge_tts.text.frontend import Frontend
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.sounds import SOUNDS, words_only
from edge_tts.voices import LoadedVoice, as_said
from tests.doors_house import ROOMY
from tests.tiny_voices import make_tools, tiny_spec

WARNING = "unsupported_control:sounds"


def sentences(text: str, language: str = "en") -> list[Sentence]:
    frontend = Frontend(TextConfig(), Lexicon(None))
    return frontend.sentences(SpeakRequest(text), languages=("en-US", "zh-CN"), language=language)[0]


def word(text: str, language: str = "en") -> Span:
    return Span(text, language)


def tag(text: str) -> Span:
    return Span(text, "en", Pronunciation(Alphabet.SOUND, text))


@pytest.fixture(scope="module")
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture(scope="module")
def synthesizer(tmp_path_factory: pytest.TempPathFactory, metrics: Metrics) -> Synthesizer:
    """With the voices hum and cosyvoice."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "voices" / "hum").mkdir(parents=True)
    hum = {"name": "hum", "family": "hum", "sample_rate": 22050, "languages": ["en-US"], "files": {}}
    (folder / "voices" / "hum" / "voice.yaml").write_text(yaml.safe_dump(hum))
    tiny_spec("cosyvoice", folder / "voices" / "cosyvoice")
    config = Config(
        voices=VoicesConfig(default="hum", folders=(folder / "voices",)),
        cache=CacheConfig(dir=folder / "cache"),
        state=StateConfig(dir=folder / "state"),
        memory=ROOMY,
    )
    return build_synthesizer(config, metrics)


def heard(synthesizer: Synthesizer, text: str, voice: str) -> tuple[float, set[str]]:
    """Seconds of sound, and warnings."""
    pieces = list(synthesizer.render(synthesizer.plan(SpeakRequest(text, voice=voice), "hum")))
    warnings = {warning for piece in pieces for warning in piece.warnings}
    return sum(piece.audio.duration_s for piece in pieces), warnings


def test_every_sound_is_a_token_of_cosyvoice() -> None:
    assert set(SOUNDS) <= set(cosyvoice_tokens.IDS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("嗯，[breath]我[laughter]知道。", "嗯，[breath]我[laughter]知道。"),
        ("Well [sigh]. Yes!", "Well [sigh]."),
        ("<laughter>So funny</laughter>!", "<laughter>So funny</laughter>！"),
        ("她[h][ào][cough]干净。", "她[h][ào][cough]干净。"),
        ("她很[h][ǎo]！", "她很[h][ǎo]！"),
    ],
)
def test_a_voice_that_knows_sounds_is_given_their_tokens(
    synthesizer: Synthesizer, text: str, said: str
) -> None:
    shown = synthesizer.explain(SpeakRequest(text, voice="cosyvoice"), "hum")
    assert shown["sentences"][0]["phonemes"] == said
    assert shown["warnings"] == []


def test_a_sound_reaches_the_voice_through_the_pipeline(synthesizer: Synthesizer) -> None:
    duration_s, warnings = heard(synthesizer, "Hello [laughter] there.", "cosyvoice")
    assert duration_s > 0.2
    assert warnings == set()


def test_elsewhere_a_sound_is_told_counted_and_not_read(synthesizer: Synthesizer, metrics: Metrics) -> None:
    counter = metrics.warnings.labels("unsupported_control")
    before = counter._value.get()
    plain_s, none = heard(synthesizer, "Hello there.", "hum")
    assert none == set()
    duration_s, warnings = heard(synthesizer, "Hello [laughter] there.", "hum")
    assert duration_s == pytest.approx(plain_s)
    assert warnings == {WARNING}
    assert counter._value.get() == before + 1


def test_nothing_but_a_sound_is_nothing_to_a_voice_of_words(synthesizer: Synthesizer) -> None:
    with pytest.raises(NothingToSayError):
        heard(synthesizer, "[cough]", "hum")
    assert heard(synthesizer, "[cough]", "cosyvoice")[0] > 0


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "cosyvoice"])
@pytest.mark.parametrize(
    ("tagged", "plain"),
    [
        ("Hello [laughter] there.", "Hello there."),
        ("[breath]Are you there [sigh]?", "Are you there?"),
        ("<laughter>Hello</laughter>!", "Hello!"),
    ],
)
def test_every_other_family_says_what_stands_around_it(
    family: str, tagged: str, plain: str, tmp_path: Path
) -> None:
    spec = tiny_spec(family, tmp_path)
    voice = LoadedVoice(FAMILIES[family](spec, make_tools()), spec, 0, "")
    (with_sound,), (without,) = sentences(tagged), sentences(plain)
    said, warnings = as_said(with_sound, voice)
    assert warnings == [WARNING]
    assert voice.model.explain(said) == voice.model.explain(without)


def test_a_sound_does_not_change_the_language_or_end_a_sentence() -> None:
    (said,) = sentences("嗯[vocalized-noise]好的", "zh")
    assert said.language == "zh"
    first, second = sentences("One is done. [laughter] Two is not.")
    assert [first.text, second.text] == ["One is done.", "[laughter] Two is not."]
    assert [each.text for each in sentences("One is done. [laughter]")] == ["One is done. [laughter]"]


def test_words_around_a_sound_are_one_text_again() -> None:
    warnings: dict[str, None] = {}
    spans = [word("Well "), tag("[sigh]"), word(" I "), tag("[cough]"), tag("[mn]"), word("。好", "zh")]
    assert words_only(spans, warnings) == [word("Well I."), word("好", "zh")]
    assert list(warnings) == [WARNING]
    assert words_only([word("Well "), tag("[sigh]"), word("好", "zh")], {}) == [
        word("Well "),
        word("好", "zh"),
    ]
    untouched = [word("a "), word(" b")]
    assert words_only(untouched, warnings := {}) == untouched
    assert not warnings
