"""`edgetts convert emotivoice`: tiny checkpoints as published become voices that say what PyTorch says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from click.testing import CliRunner

from edge_tts.__main__ import cli
from edge_tts.convert import ConversionError, checkpoints, converter
from edge_tts.convert.bert import Bert
from edge_tts.convert.emotivoice import dictionary
from edge_tts.convert.emotivoice_networks import Decoder, Encoder, Vocoder
from edge_tts.models import emotivoice
from edge_tts.models.level import limit
from edge_tts.speech import Prosody
from edge_tts.text.pronouncing import PronouncingDictionary
from edge_tts.voice_folders import read_voice_yaml
from tests.tiny_voices import make_tools, sentence, sound
from training_tests import tiny_emotivoice_published as published_voice
from training_tests.tiny_emotivoice_published import BERT, MELS, MODEL, N_SPEAKERS, N_TOKENS

PROMPT = "开心"


@pytest.fixture(params=[True, False], ids=["new_names", "old_names"])
def published(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    published_voice.build(tmp_path / "published", is_new=request.param)
    return tmp_path / "published"


def spoken(
    ids: list[int], speaker: int, pieces: list[int], semitones: float
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The samples that PyTorch makes of the tiny checkpoints."""
    state = checkpoints.fused(published_voice.generator(is_new=True))
    acoustic = checkpoints.below(state, "am.")
    encoder, decoder = Encoder(MODEL, N_TOKENS, N_SPEAKERS), Decoder(MODEL, MELS)
    vocoder, bert = Vocoder(MODEL), Bert(BERT)
    for network in (encoder, decoder):
        network.load_state_dict({name: acoustic[name] for name in network.state_dict()})
    vocoder.load_state_dict(checkpoints.below(state, "generator."))
    bert.load_state_dict(checkpoints.below(published_voice.style_encoder(), "module.bert."), strict=False)
    factor = 2 ** (semitones / 12)
    with torch.no_grad():
        vector = bert.eval()(torch.tensor([pieces]))
        x, frames = encoder.eval()(
            torch.tensor([ids]), torch.tensor([speaker]), vector, vector,
            torch.tensor([factor]), torch.tensor([225.089 / 53.78 * (factor - 1)]), torch.zeros(1),
        )  # fmt: skip
        return np.asarray(vocoder.eval()(decoder.eval()(x, frames)).numpy().ravel())


def test_a_converted_voice_says_what_pytorch_says(published: Path, tmp_path: Path) -> None:
    converter("emotivoice")(published, tmp_path / "voice", int8=False)
    model = emotivoice.load(read_voice_yaml(tmp_path / "voice" / "voice.yaml"), make_tools())
    vocabulary = {
        **{name: k for k, name in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"普通开心你好世界"])}
    }
    pieces = [vocabulary[piece] for piece in ("[CLS]", *PROMPT, "[SEP]")]
    tokens = ["<sos/eos>", "n", "i3", "sp0", "h", "ao3", "<sos/eos>"]
    names = (Path(published) / "data/youdao/text/tokenlist").read_text().split("\n")
    vector = model._embed(pieces)
    manner = emotivoice.Manner(2, vector, vector, Prosody(pitch_semitones=2))
    made = np.concatenate([piece.samples for piece in model.say(tokens, manner)])
    expected = spoken([names.index(token) for token in tokens], 2, pieces, semitones=2)
    limit(expected)
    assert len(made) == len(expected) > 20 * 256
    # The product fades 5 ms at both ends.
    np.testing.assert_allclose(made[100:-100], expected[100:-100], atol=1e-4)


def test_the_folder_has_what_the_working_copy_has(published: Path, tmp_path: Path) -> None:
    out = tmp_path / "voice"
    result = CliRunner().invoke(cli, ["convert", "emotivoice", str(published), "--out", str(out)])
    assert result.exit_code == 0, result.output
    document = yaml.safe_load((out / "voice.yaml").read_text(encoding="utf-8"))
    assert document["speakers"] == {"8051": 0, "11614": 1, "92": 2}
    assert document["emotions"]["happy"] == {"prompt": "开心"}
    assert PronouncingDictionary((out / "lexicon.txt").read_bytes()).get("read") == ["R", "EH1", "D"]
    assert (out / "tokenlist").read_bytes() == (published / "data/youdao/text/tokenlist").read_bytes()


def test_int8_is_for_the_style_encoder_alone(tmp_path: Path) -> None:
    published_voice.build(tmp_path / "published")
    converter("emotivoice")(tmp_path / "published", tmp_path / "voice", int8=True)
    operators = {
        path.stem: {node.op_type for node in onnx.load(path).graph.node}
        for path in (tmp_path / "voice").glob("*.onnx")
    }
    assert "MatMulInteger" in operators.pop("embedding.int8")
    assert len(operators) == 3
    assert not any("MatMulInteger" in found for found in operators.values())
    model = emotivoice.load(read_voice_yaml(tmp_path / "voice" / "voice.yaml"), make_tools())
    assert len(sound(model, sentence("你好世界", "zh")))


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("outputs/prompt_tts_open_source_joint/ckpt/g_00140000", "no checkpoint of the generator"),
        ("outputs/style_encoder/ckpt/checkpoint_163431", "no checkpoint of the style encoder"),
        ("data/youdao/text/speaker2", "no file speaker2"),
        ("config/joint/config.yaml", "no configuration"),
        ("WangZeJun/simbert-base-chinese/config.json", "is no configuration of a BERT model"),
    ],
)
def test_what_is_missing_is_named(missing: str, reason: str, tmp_path: Path) -> None:
    published_voice.build(tmp_path / "published")
    (tmp_path / "published" / missing).unlink()
    with pytest.raises(ConversionError, match=reason):
        converter("emotivoice")(tmp_path / "published", tmp_path / "voice", int8=False)


def test_another_architecture_is_refused_with_the_weight_that_differs(tmp_path: Path) -> None:
    published_voice.build(tmp_path / "published")
    path = tmp_path / "published" / "config/joint/config.yaml"
    document = yaml.safe_load(path.read_text())
    document["model"]["decoder_n_layers"] = 3
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(ConversionError, match=r"decoder\.encoders\.2.*no such weight"):
        converter("emotivoice")(tmp_path / "published", tmp_path / "voice", int8=False)


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_file_that_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    published_voice.build(tmp_path / "published")
    path = tmp_path / "published" / "outputs/prompt_tts_open_source_joint/ckpt/g_00140000"
    path.write_bytes(content)
    with pytest.raises(ConversionError, match="g_00140000: cannot be read as a checkpoint"):
        converter("emotivoice")(tmp_path / "published", tmp_path / "voice", int8=False)


def test_the_first_reading_of_a_word_counts() -> None:
    assert dictionary("READ\tR EH1 D\nread R IY1 D\nA''S EY1 Z\n\n") == b"a''s EY1 Z\nread R EH1 D\n"
