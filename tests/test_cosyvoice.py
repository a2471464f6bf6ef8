"""CosyVoice voices on small graphs of their contracts: tokens, the loop against a plain one, guidance, pieces against
the whole, what is told to the language model, stages in memory, and guards. Blocks: test_cosyvoice_blocks."""

from __future__ import annotations

import gc
import hashlib
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edge_tts.cache import Embedding, EmbeddingCache
from edge_tts.errors import (
    BadClipError,
    InvalidFieldError,
    SynthesisError,
    UnsupportedPronunciationError,
    VoiceLoadError,
)
from edge_tts.metrics import Metrics
from edge_tts.models import (
    cosyvoice,
    cosyvoice2,
    cosyvoice3,
    cosyvoice_features,
    cosyvoice_files,
    cosyvoice_flow,
    cosyvoice_speech,
)
from edge_tts.models.base import ModelTools, VoiceSpec
from edge_tts.models.cosyvoice import CosyVoice
from edge_tts.models.cosyvoice3 import START, TASK
from edge_tts.models.cosyvoice_files import Settings, Stages
from edge_tts.models.cosyvoice_layout import Conditions, Layout
from edge_tts.models.cosyvoice_speech import N_TOKENS, Prompt
from edge_tts.speech import Alphabet, Emotion, Pronunciation, Prosody, Reference, Sentence, Span
from edge_tts.text import cosyvoice_tokens
from edge_tts.text.cosyvoice_tokens import IDS
from edge_tts.text.phonemes import Phonemizer
from edge_tts.text.pinyin import parse
from edge_tts.voices import LoadedVoice, as_said
from tests import tiny_cosyvoice, tiny_gpt_sovits
from tests.tiny_voices import heard, make_tools, sentence, sound, tiny_cosyvoice_spec

HELLO = sentence("Hello there.")
END = IDS["<|endofprompt|>"]


def load(spec: VoiceSpec, warnings: list[str] | None = None, *, stream: bool = True) -> CosyVoice:
    metrics = Metrics()
    kept: list[str] = [] if warnings is None else warnings
    tools = ModelTools(
        Phonemizer(), EmbeddingCache(64 << 20, metrics), metrics, warn=kept.append, stream=stream
    )
    return cosyvoice.load(spec, tools)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> VoiceSpec:
    return tiny_cosyvoice_spec(tmp_path_factory.mktemp("voice") / "tiny")


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> VoiceSpec:
    """A CosyVoice 2 voice."""
    return tiny_cosyvoice_spec(tmp_path_factory.mktemp("voice") / "older", generation=2)


@pytest.fixture(scope="module", params=[2, 3])
def either(request: pytest.FixtureRequest, tiny: VoiceSpec, older: VoiceSpec) -> VoiceSpec:
    return {2: older, 3: tiny}[request.param]


def opened(spec: VoiceSpec, *, keep: bool = False) -> Stages:
    return Stages(spec, make_tools(), cosyvoice_files.layout_of(spec), keep=keep)


def spoken(spec: VoiceSpec, prompt: Prompt, seed: int) -> list[int]:
    backbone = cosyvoice_files.layout_of(spec).backbone(opened(spec))
    return list(cosyvoice_speech.spoken(backbone, prompt, np.random.default_rng(seed), lambda warning: None))


def with_settings(spec: VoiceSpec, **settings: Any) -> VoiceSpec:
    return replace(spec, settings={"cosyvoice": spec.settings["cosyvoice"] | settings})


def enrolled(
    folder: Path, *, emotion: str | None = None, language: str | None = "en", duration_s: float = 3.0
) -> Reference:
    path = folder / f"{emotion or 'neutral'}.wav"
    tiny_gpt_sovits.clip(path, 220.0, duration_s)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Reference("grandma", str(path), "Good day.", sha256, language, emotion)


@pytest.mark.parametrize(
    ("token", "number"),
    [
        ("<|endofprompt|>", 151646), ("[breath]", 151647), ("[laughter]", 151651), ("[AA]", 151664), ("[a]", 151748),
        ("[h]", 151763), ("[ào]", 151854), ("[ǜ]", 151923),
    ],
)  # fmt: skip
def test_added_tokens_have_the_published_ids(token: str, number: int) -> None:
    assert IDS[token] == number
    assert len(IDS) == 280


@pytest.mark.parametrize(
    ("written", "tokens"),
    [
        ("hao4", "[h] [ào]"), ("ji3", "[j] [ǐ]"), ("lü4", "[l] [ǜ]"), ("nüe4", "[n] [vè]"), ("gui4", "[g] [uì]"),
        ("liu2", "[l] [iú]"), ("yue4", "[y] [uè]"), ("zhi1", "[zh] [ī]"), ("er4", "[èr]"), ("xiong2", "[x] [ióng]"),
        ("quan2", "[q] [uán]"), ("ma5", "[m] [a]"),
    ],
)  # fmt: skip
def test_pinyin_is_spelled_as_the_model_knows_it(written: str, tokens: str) -> None:
    assert cosyvoice_tokens.mandarin(parse(written)) == [IDS[token] for token in tokens.split()]


def spoken_as(model: CosyVoice, *spans: Span) -> str:
    return model.explain(Sentence(spans, "zh")).phonemes


def test_pronunciations_and_sounds_are_spliced_into_the_text(tiny: VoiceSpec) -> None:
    model = load(tiny)
    hao = Span("好", "zh", Pronunciation(Alphabet.PINYIN, "hao4"))
    clear = Span("clear", "en", Pronunciation(Alphabet.ARPABET, "K L IH1 R"))
    ipa = Span("x", "en", Pronunciation(Alphabet.IPA, "kliː"))
    assert spoken_as(model, Span("她", "zh"), hao, Span("干净", "zh")) == "她[h][ào]干净"
    assert spoken_as(model, clear) == "[K][L][IH1][R]"
    assert spoken_as(model, ipa).startswith("[K][L][IY")
    assert spoken_as(model, Span("嗯[breath]<strong>好</strong>", "zh")) == "嗯[breath]<strong>好</strong>"
    # Brackets that the model does not know are text.
    assert IDS["[h]"] not in model._reader.ids(sentence("[nonsense]"))[0]


def test_what_the_model_has_no_token_for_is_told(tiny: VoiceSpec) -> None:
    given = Span("x", "en", Pronunciation(Alphabet.ARPABET, "K NX"))
    assert load(tiny).explain(Sentence((given,), "en")).warnings == (
        "unknown_phoneme: this voice has no sound near 'NX'",
    )


def test_the_vocabulary_merges_within_words_only(tiny: VoiceSpec) -> None:
    tokenizer = cosyvoice_files.read_tokenizer(tiny)
    assert tokenizer.encode("he the").tokens == ["he", "Ġt", "he"]
    assert tokenizer.encode("1212").tokens == ["1", "2", "1", "2"]


def test_the_memory_gives_what_seeing_everything_again_would(tiny: VoiceSpec) -> None:
    said = spoken(tiny, Prompt((1, 2, END), (3, 4), (5, 6, 7)), 1)
    assert len(said) > 5
    graphs, random = opened(tiny).stage("llm"), np.random.default_rng(1)
    again: list[int] = []

    def run(role: str, name: str, ids: list[int]) -> Any:
        return graphs[role].run({name: np.array([ids])})["embeddings"]

    while len(again) < len(said):
        speech = run("llm_speech_embedding", "token", [START, TASK, 5, 6, 7, *again])
        text = run("text_embedding", "input_ids", [1, 2, END, 3, 4])
        given = np.concatenate([speech[:, :1], text, speech[:, 1:]], axis=1)
        mask = np.ones(given.shape[:2], np.float32)
        made = graphs["llm_backbone_initial"].run({"inputs_embeds": given, "attention_mask": mask})
        logits = graphs["llm_decoder"].run({"hidden_state": made["hidden"][:, -1:]})["logits"].ravel()
        again.append(cosyvoice_speech.choose(logits, again, random, may_end=len(again) >= 4))
    assert said == again


def test_the_older_memory_does_so_too(older: VoiceSpec) -> None:
    said = spoken(older, Prompt((1, 2, END), (3, 4), (5, 6, 7)), 1)
    assert len(said) > 5
    voice, random = opened(older), np.random.default_rng(1)
    graphs, tables = voice.stage("llm"), voice.tables
    nothing = {name: np.zeros((1, 2, 0, 64), np.float32) for name in cosyvoice2.MEMORY}
    again: list[int] = []
    while len(again) < len(said):
        text = graphs["embed_tokens"].run({"input": np.array([[1, 2, END, 3, 4]])})["embeddings"][0]
        start, task = tables["llm_embedding"]
        speech = tables["speech_embedding"][[5, 6, 7, *again]]
        xs = np.concatenate([start[None], text, task[None], speech])[None]
        n_seen = xs.shape[1]
        masks = np.tril(np.ones((1, n_seen, n_seen), np.bool_))
        hidden = graphs["llm"].run({"xs": xs, "masks": masks, **nothing})["y_pred"][0, -1]
        scores = tables["llm_decoder_weight"] @ hidden + tables["llm_decoder_bias"]
        again.append(cosyvoice_speech.choose(scores[: N_TOKENS + 1], again, random, may_end=len(again) >= 4))
    assert said == again


def test_the_choice_keeps_to_the_likely_and_does_not_repeat() -> None:
    logits = np.full(6761, -20.0, np.float32)
    logits[[10, 11, 6600]] = 5.0, 4.0, 9.0
    drawn = {
        cosyvoice_speech.choose(logits, [], np.random.default_rng(seed), may_end=False) for seed in range(30)
    }
    # 0.73 and 0.27: 0.8 needs both.
    assert drawn == {10, 11}
    assert cosyvoice_speech.choose(logits, [], np.random.default_rng(0), may_end=True) == 6600
    logits[11] = -20.0
    assert cosyvoice_speech.choose(logits, [10], np.random.default_rng(0), may_end=False) != 10
    # What is farther back than ten tokens may come again.
    assert (
        cosyvoice_speech.choose(logits, [10, *range(20, 30)], np.random.default_rng(0), may_end=False) == 10
    )


def test_long_silence_is_cut_to_five_tokens() -> None:
    said = [7, 1, 2, 28, 29, 55, 248, 494, 8, 1]
    assert list(cosyvoice_speech.without_long_silence(said)) == [7, 1, 2, 28, 29, 55, 8, 1]


def test_the_flow_goes_away_from_what_knows_nothing(tiny: VoiceSpec) -> None:
    estimator = opened(tiny).stage("flow")["flow_estimator"]
    random = np.random.default_rng(0)
    noise, mu, cond = (random.standard_normal((1, 80, 12)).astype(np.float32) for _ in range(3))
    speaker = random.standard_normal((1, 80)).astype(np.float32)
    x, none = noise, np.zeros_like(mu)
    for now, after in ((0.0, 1 - np.cos(np.pi / 4)), (1 - np.cos(np.pi / 4), 1.0)):
        given = {
            "x": np.concatenate([x, x]), "mask": np.ones((2, 1, 12), np.float32), "t": np.full(2, now, np.float32),
            "mu": np.concatenate([mu, none]), "spks": np.concatenate([speaker, 0 * speaker]),
            "cond": np.concatenate([cond, none]),
        }  # fmt: skip
        with_all, without = estimator.run(given)["estimator_out"]
        x = (x + (after - now) * (1.7 * with_all - 0.7 * without)[None]).astype(np.float32)
    flow = cosyvoice_flow.Flow(Conditions(mu, speaker, cond), noise, 2)
    for step in flow.steps():
        flow.step(estimator, *step)
    np.testing.assert_allclose(flow.x, x, atol=1e-5)


def test_the_noise_of_more_frames_begins_as_that_of_fewer() -> None:
    few, many = (cosyvoice_flow.noise_of(5, n_frames) for n_frames in (10, 1000))
    np.testing.assert_array_equal(many[:, :, :10], few)
    assert abs(many.mean()) < 0.02
    assert abs(many.std() - 1) < 0.02


def test_pieces_equal_the_whole(either: VoiceSpec) -> None:
    pieces = heard(load(either), HELLO)
    whole = heard(load(either, stream=False), HELLO)
    assert len(pieces) > len(whole) == 1
    np.testing.assert_allclose(
        np.concatenate([piece.samples for piece in pieces]), whole[0].samples, atol=1e-5
    )


def test_a_seed_is_a_way_of_saying_it(tiny: VoiceSpec) -> None:
    first = sound(load(tiny), HELLO)
    np.testing.assert_array_equal(sound(load(tiny), HELLO), first)
    other = sound(load(with_settings(tiny, seed=1)), HELLO)
    assert len(other) != len(first) or np.abs(other - first).max() > 1e-4


def known(model: CosyVoice, clip: Reference) -> Embedding:
    return model._packs.of(clip, model._hear)


def prompt_of(model: CosyVoice, asked: Sentence) -> Prompt:
    clip = model._whom(asked)
    return model._prompt(asked, [1, 2], clip, known(model, clip))


def ids(model: CosyVoice, text: str) -> tuple[int, ...]:
    return tuple(model._reader.bpe(text))


def test_a_clip_is_gone_on_from_with_its_words(tiny: VoiceSpec) -> None:
    model = load(tiny)
    prompt = prompt_of(model, HELLO)
    assert prompt.before == (*ids(model, "You are a helpful assistant."), END, *ids(model, "Hi."))
    # 3 s of 25 tokens.
    assert len(prompt.clip) == pytest.approx(75, abs=1)


def test_an_instruction_stands_before_the_text_and_the_clip_is_only_heard(tiny: VoiceSpec) -> None:
    model = load(tiny)
    for style, said in (
        ("sichuan", "请用四川话表达。"),
        ("轻轻地说", "轻轻地说"),
        ("happy", "请非常开心地说一句话。"),
    ):
        prompt = prompt_of(model, replace(HELLO, style=style))
        assert prompt.before == (*ids(model, f"You are a helpful assistant. {said}"), END)
        assert prompt.clip == ()


def test_an_emotion_is_its_instruction_or_its_clip(tiny: VoiceSpec, tmp_path: Path) -> None:
    model = load(tiny)
    sad = replace(HELLO, prosody=Prosody(emotion=Emotion("sad")))
    assert prompt_of(model, sad).before == prompt_of(model, replace(HELLO, style="sad")).before
    hardly = replace(HELLO, prosody=Prosody(emotion=Emotion("sad", 0.2)))
    assert prompt_of(model, hardly) == prompt_of(model, HELLO)
    clips = (enrolled(tmp_path), enrolled(tmp_path, emotion="sad"))
    assert model._whom(replace(sad, references=clips)) == clips[1]
    assert prompt_of(model, replace(sad, references=clips)).clip


def test_an_emotion_that_the_voice_does_not_list_is_not_said_as_it_is_told(tiny: VoiceSpec) -> None:
    # It was said, warned of, and so never cached.
    sad = replace(HELLO, prosody=Prosody(emotion=Emotion("sad")))
    for emotions, warned in (({}, ["unknown_emotion:sad"]), ({"sad": {}}, [])):
        spec = replace(tiny, emotions=emotions)
        model = load(spec)
        assert as_said(sad, LoadedVoice(model, spec, 0, ""))[1] == warned
        assert (prompt_of(model, sad) == prompt_of(model, HELLO)) == bool(warned)


def test_a_clip_in_another_language_gives_its_sound_only(tiny: VoiceSpec, tmp_path: Path) -> None:
    model = load(tiny)
    prompt = prompt_of(model, replace(HELLO, references=(enrolled(tmp_path, language="zh-CN"),)))
    assert prompt.before == (*ids(model, "You are a helpful assistant."), END)
    assert prompt.clip == ()


def test_the_words_of_a_japanese_clip_are_given_as_those_to_be_said(tiny: VoiceSpec, tmp_path: Path) -> None:
    model = load(tiny)
    clip = replace(enrolled(tmp_path, language="ja-JP"), text="今日は雨です。")
    prompt = prompt_of(model, replace(HELLO, language="ja", references=(clip,)))
    assert prompt.before[-len(ids(model, "キョー ワ アメ デス。")) :] == ids(model, "キョー ワ アメ デス。")


def test_what_was_heard_of_a_clip_is_kept_beside_it(tiny: VoiceSpec, tmp_path: Path) -> None:
    clip = enrolled(tmp_path)
    first = known(load(tiny), clip)
    assert len(list(tmp_path.glob("neutral.cosyvoice.*.npz"))) == 1
    Path(clip.path).write_bytes(b"gone")
    again = known(load(tiny), clip)
    assert all(np.array_equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("keep", [False, True])
def test_one_stage_is_open_at_a_time_unless_all_are_kept(either: VoiceSpec, keep: bool) -> None:
    stages = opened(either, keep=keep)
    heard, llm = (weakref.ref(next(iter(stages.stage(name).values()))) for name in ("enrolment", "llm"))
    stages.stage("flow")
    gc.collect()
    assert heard() is None
    assert (llm() is not None) == keep


def test_spectra_are_inverted() -> None:
    samples = np.random.default_rng(0).standard_normal(4800).astype(np.float32) * 0.1
    spectrum = cosyvoice_features.vocoder_spectrum(samples)
    assert spectrum.shape == (1, 18, 1201)
    values = spectrum[0, :9] + 1j * spectrum[0, 9:]
    np.testing.assert_allclose(
        cosyvoice_features.vocoder_sound(np.abs(values), np.angle(values)), samples, atol=1e-5
    )


@pytest.mark.parametrize("pitch_hz", [300.0, 3000.0])
def test_a_tone_is_where_it_belongs(pitch_hz: float) -> None:
    low, high = (
        np.sin(2 * np.pi * pitch_hz * np.arange(rate) / rate).astype(np.float32) for rate in (16000, 24000)
    )
    speech, speaker, mel = (
        cosyvoice_features.speech_spectrum(low),
        cosyvoice_features.speaker_spectrum(low),
        cosyvoice_features.mel(high, 12000.0),
    )
    assert (speech.shape, speaker.shape, mel.shape) == ((1, 128, 100), (1, 98, 80), (1, 80, 50))
    bands = cosyvoice_features.slaney(24000, 1920, 80, 12000.0)
    assert mel[0].mean(axis=1).argmax() == bands[round(pitch_hz / 12.5)].argmax()
    # Whisper's levels span 8 of log10 at most, 2 after scaling.
    assert speech.max() - speech.min() <= 2 + 1e-6
    np.testing.assert_allclose(speaker[0].mean(axis=0), 0, atol=1e-4)


def test_what_does_not_end_is_cut_and_told(tmp_path: Path) -> None:
    warnings: list[str] = []
    spec = tiny_cosyvoice_spec(tmp_path / "v", end_after=900)
    samples = sound(load(spec, warnings), sentence("ab"))
    assert len(samples) <= 2 * 20 * 960
    assert warnings == ["endless_sentence: the voice did not find its end, and was cut"]


@pytest.mark.parametrize("generation", [2, 3])
def test_nothing_ends_before_it_began(generation: int, tmp_path: Path) -> None:
    spec = tiny_cosyvoice_spec(tmp_path / "v", generation=generation, end_after=-100)
    said = spoken(spec, Prompt((), (1, 2, 3), ()), 0)
    assert len(said) == 6
    assert max(said) < N_TOKENS


def test_without_a_clip_somebody_must_be_named(tmp_path: Path) -> None:
    model = load(tiny_cosyvoice_spec(tmp_path / "v", has_clip=False))
    with pytest.raises(InvalidFieldError, match="has no clip of its own"):
        next(model.synthesize(HELLO))
    assert len(sound(model, replace(HELLO, references=(enrolled(tmp_path),))))


def test_a_clip_that_is_too_long_is_refused(tiny: VoiceSpec, tmp_path: Path) -> None:
    asked = replace(HELLO, references=(enrolled(tmp_path, duration_s=31.0),))
    with pytest.raises(BadClipError, match=r"31\.0 s long"):
        next(load(tiny).synthesize(asked))


def roles_of(layout: Layout) -> list[str]:
    graphs = (role for stage in layout.stages.values() for role in stage)
    return ["vocabulary", "merges", *layout.tables, *graphs]


def without(spec: VoiceSpec, role: str) -> VoiceSpec:
    return replace(spec, files={name: path for name, path in spec.files.items() if name != role})


@pytest.mark.parametrize("role", roles_of(cosyvoice3.LAYOUT))
def test_each_file_is_needed(tiny: VoiceSpec, role: str) -> None:
    with pytest.raises(VoiceLoadError, match=f"lists no file for {role}"):
        load(without(tiny, role))


@pytest.mark.parametrize("role", [role for role in roles_of(cosyvoice2.LAYOUT) if role != "flow_encoder"])
def test_each_older_file_is_needed(older: VoiceSpec, role: str) -> None:
    with pytest.raises(VoiceLoadError, match=f"lists no file for {role}"):
        load(without(older, role))


def test_a_graph_of_another_contract_is_named(tiny: VoiceSpec) -> None:
    files = {**tiny.files, "flow_estimator": tiny.files["campplus"]}
    with pytest.raises(VoiceLoadError, match=r"campplus.*takes the inputs input; expected cond, mask"):
        sound(load(replace(tiny, files=files)), HELLO)


def test_a_mel_of_another_length_is_another_contract(tiny: VoiceSpec) -> None:
    model = load(tiny)
    person = known(model, model._whom(HELLO))
    none = np.zeros((80, 0), np.float32)
    with pytest.raises(SynthesisError, match="at most 15000"):
        next(model._maker.longer(none, [5] * 7500, 15000, person))


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 0},
        {"steps": True},
        {"seed": -1},
        {"keep_stages": "yes"},
        {"blocks": 1},
        {"blocks": True},
        {"colour": 1},
        {"clip_text": ""},
    ],
)
def test_settings_that_make_no_sense_are_refused(tiny: VoiceSpec, settings: dict[str, Any]) -> None:
    with pytest.raises(VoiceLoadError, match="cosyvoice"):
        load(with_settings(tiny, **settings))


def test_an_emotion_that_the_model_does_not_know_is_refused(tiny: VoiceSpec) -> None:
    with pytest.raises(VoiceLoadError, match="emotions: bored: these voices know happy, sad, angry"):
        load(replace(tiny, emotions={"bored": {}}))


def test_settings_have_the_published_values() -> None:
    assert Settings().steps == 10
    assert cosyvoice_flow.GUIDANCE == 0.7
    assert (cosyvoice3.LAYOUT.highest_hz, cosyvoice2.LAYOUT.highest_hz) == (12000, 8000)
    assert tiny_cosyvoice.N_LOGITS == N_TOKENS + 200


def test_an_older_voice_is_told_the_same_without_the_assistant(older: VoiceSpec, tmp_path: Path) -> None:
    model = load(older)
    assert prompt_of(model, HELLO).before == ids(model, "Hi.")
    told = prompt_of(model, replace(HELLO, style="sichuan"))
    assert (told.before, told.clip) == ((*ids(model, "请用四川话表达。"), END), ())
    foreign = prompt_of(model, replace(HELLO, references=(enrolled(tmp_path, language="zh-CN"),)))
    assert (foreign.before, foreign.clip) == ((), ())


def test_an_older_voice_takes_sounds_but_no_pronunciations(older: VoiceSpec) -> None:
    model = load(older)
    breath = Span("[breath]", "zh", Pronunciation(Alphabet.SOUND, "[breath]"))
    assert spoken_as(model, Span("嗯", "zh"), breath) == "嗯[breath]"
    explained = model.explain(Sentence((Span("gif", "en", Pronunciation(Alphabet.IPA, "dʒɪf")),), "en"))
    assert (explained.phonemes, explained.warnings) == ("gif", ("unsupported_control:pronunciation",))
    tag = Span("[h][ào]", "zh", Pronunciation(Alphabet.PINYIN, "hao4"))
    with pytest.raises(UnsupportedPronunciationError, match=r"cannot be told how to say \[h\]\[ào\]"):
        model.explain(Sentence((tag,), "zh"))


def test_tables_that_do_not_fit_are_refused(older: VoiceSpec, tmp_path: Path) -> None:
    path = tmp_path / "bias.npy"
    np.save(path, np.zeros(7, np.float32))
    files = {**older.files, "llm_decoder_bias": path}
    with pytest.raises(VoiceLoadError, match=r"tables do not fit together: .* llm_decoder_bias \(7,\)"):
        load(replace(older, files=files))
    path.write_bytes(b"no numbers")
    with pytest.raises(VoiceLoadError, match=r"bias\.npy.*is no table of numbers"):
        load(replace(older, files=files))


def test_an_encoder_of_another_order_is_another_contract(older: VoiceSpec, tmp_path: Path) -> None:
    graph = onnx.load(older.files["flow_encoder"])
    outputs = list(reversed(graph.graph.output))
    del graph.graph.output[:]
    graph.graph.output.extend(outputs)
    onnx.save(graph, tmp_path / "flow_encoder.onnx")
    files = {**older.files, "flow_encoder": tmp_path / "flow_encoder.onnx"}
    with pytest.raises(SynthesisError, match=r"flow is given .* another contract"):
        sound(load(replace(older, files=files, sha256={})), HELLO)
