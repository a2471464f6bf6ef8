"""`edgetts convert sambert`: tiny checkpoints as published become voices that say what PyTorch says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner

from edge_tts.__main__ import cli
from edge_tts.convert import ConversionError, converter
from edge_tts.convert.checkpoints import fused
from edge_tts.convert.sambert import ROLES, read
from edge_tts.models import sambert
from edge_tts.models.sambert_config import SambertConfig, read_config
from edge_tts.models.sambert_source import Source
from edge_tts.speech import Prosody
from edge_tts.text import sambert_symbols
from edge_tts.text.sambert_symbols import Syllable, Word
from edge_tts.voice_folders import read_voice_yaml
from tests.tiny_voices import make_tools
from training_tests import tiny_kan_tts

WORDS = [
    Word((Syllable(("n_c", "i_c"), 2), Syllable(("h_c", "ao_c"), 3)), 3),
    Word((Syllable(("sh_c", "ih_c"), 4), Syllable(("j_c", "ie_c"), 4)), 4),
]


@pytest.mark.parametrize("kind", tiny_kan_tts.KINDS)
def test_a_converted_voice_says_what_pytorch_says(kind: str, tmp_path: Path) -> None:
    published, out = tmp_path / "published", tmp_path / "voice"
    tiny_kan_tts.build(published, kind)
    result = CliRunner().invoke(cli, ["convert", "sambert", str(published), "--out", str(out)])
    assert result.exit_code == 0, result.output
    spec = read_voice_yaml(out / "voice.yaml")
    model = sambert.load(spec, make_tools())
    config = read_config(spec)
    ids = np.array([symbol.ids for symbol in sambert_symbols.spelled(WORDS)])
    expected = tiny_kan_tts.spoken(read(published), ids, 1, 0, lambda mel: _source(mel, config))
    made = np.concatenate([piece.samples for piece in model.say(WORDS, 0, Prosody())])
    assert len(made) == len(expected)
    # Three pieces and more.
    assert len(made) >= 80 * config.hop_samples
    # The product fades 5 ms at both ends, and bends what is above 0.8.
    assert np.abs(expected).max() < 0.8
    np.testing.assert_allclose(made[100:-100], expected[100:-100], atol=1e-4)
    assert spec.speakers == ({"F7": 0} if kind == "se" else {"F7": 0, "M7": 1})
    assert (spec.sample_rate, config.hop_samples, len(spec.emotions)) == (16000, 200, 23)


def _source(mel: Any, config: SambertConfig) -> dict[str, Any]:
    return dict(Source(mel, config, 16000).inputs(0, len(mel)))


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    tiny_kan_tts.build(tmp_path / "published", "mel")
    return tmp_path / "published"


def test_int8_is_for_the_products_of_the_encoder(plain: Path, tmp_path: Path) -> None:
    converter("sambert")(plain, tmp_path / "voice", int8=True)
    spec = read_voice_yaml(tmp_path / "voice" / "voice.yaml")
    n_products = {role: spec.files[role].read_bytes().count(b"MatMulInteger") for role in ROLES}
    assert [role for role, n in n_products.items() if n] == ["am_enc"]
    assert sum(len(piece.samples) for piece in sambert.load(spec, make_tools()).say(WORDS, 0, Prosody()))


def test_normalized_weights_are_put_together_as_pytorch_does() -> None:
    layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.ConvTranspose1d(3, 2, 4))
    original = layer.parametrizations.weight
    state = {
        "up.weight_g": original.original0.detach() * 2,
        "up.weight_v": original.original1.detach(),
        "up.bias": layer.bias,
    }
    torch.testing.assert_close(fused(state)["up.weight"], layer.weight.detach() * 2)


def change(path: Path, **changes: Any) -> None:
    document = yaml.safe_load(path.read_text())
    document.update(changes)
    path.write_text(yaml.safe_dump(document))


def test_what_cannot_be_converted_is_said(plain: Path, tmp_path: Path) -> None:
    unit = {"speaker_list": "F7", "language": "Sichuan"}
    change(plain / "am" / "config.yaml", linguistic_unit=unit)
    with pytest.raises(ConversionError, match="its language is Sichuan"):
        read(plain)
    change(plain / "am" / "config.yaml", linguistic_unit={"speaker_list": "F7"})
    larger = {"KanTtsSAMBERT": {"params": tiny_kan_tts.SIZES | {"postnet_lstm_units": 7}}}
    change(plain / "am" / "config.yaml", Model=larger)
    reason = r"mel_postnet.: lstm.weight_ih_l0: expected the shape \[28, 8\], found \[24, 8\]"
    with pytest.raises(ConversionError, match=reason):
        converter("sambert")(plain, tmp_path / "voice", int8=False)
    (plain / "voc" / "ckpt" / "checkpoint_7.pth").write_bytes(b"nothing")
    with pytest.raises(ConversionError, match=r"checkpoint_7.pth: cannot be read"):
        read(plain)
    (plain / "voc" / "config.yaml").unlink()
    with pytest.raises(ConversionError, match="expected a voice of KAN-TTS, am/ and voc/"):
        read(plain)


def test_a_family_without_a_converter_is_named() -> None:
    with pytest.raises(
        ConversionError, match=r"nothing converts 'piper'; there are converters for .*sambert"
    ):
        converter("piper")
