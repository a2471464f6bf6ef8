"""`edgetts convert gpt_sovits`: tiny checkpoints as published become voices that say what PyTorch says."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from edge_tts.convert import ConversionError, converter
from edge_tts.convert.gpt_sovits import HParams
from edge_tts.convert.gpt_sovits_sound import _resized
from edge_tts.models import gpt_sovits
from edge_tts.models.session import open_session
from edge_tts.speech import Prosody
from edge_tts.voice_folders import read_voice_yaml
from tests.test_gpt_sovits import HELLO, enrolled, tools
from tests.tiny_voices import sound
from training_tests import tiny_gpt_sovits_published as published_voice


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpt_sovits")
    published_voice.build(folder / "published")
    # Every graph is compared with PyTorch, at two lengths and two speeds, before this returns.
    converter("gpt_sovits")(folder / "published", folder / "voice", int8=False)
    return folder / "voice"


@pytest.fixture(scope="module")
def plus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """v2ProPlus, with BERT."""
    folder = tmp_path_factory.mktemp("plus")
    published_voice.build(folder / "published", is_plus=True)
    converter("gpt_sovits")(folder / "published", folder / "voice", int8=False)
    return folder / "voice"


def test_a_converted_voice_speaks_like_a_clip_at_any_speed(voice: Path, tmp_path: Path) -> None:
    spec = read_voice_yaml(voice / "voice.yaml")
    asked = replace(HELLO, references=(enrolled(tmp_path / "g", None, 200.0),))
    model = gpt_sovits.load(spec, tools())
    pieces, fast = sound(model, asked), sound(model, replace(asked, prosody=Prosody(speed=2.0)))
    assert len(fast) < 0.6 * len(pieces)
    whole = sound(gpt_sovits.load(spec, tools(stream=False)), asked)
    assert np.abs(whole).max() > 1e-3
    np.testing.assert_allclose(pieces, whole, atol=1e-4)


def test_v2proplus_speaks_with_the_vector_of_its_speaker(plus: Path, tmp_path: Path) -> None:
    spec = read_voice_yaml(plus / "voice.yaml")
    assert {"speaker_encoder", "bert", "vocabulary"} <= spec.files.keys()
    asked = replace(HELLO, references=(enrolled(tmp_path / "g", None, 200.0),))
    pieces, whole = (sound(gpt_sovits.load(spec, tools(stream=stream)), asked) for stream in (True, False))
    assert np.abs(whole).max() > 1e-3
    np.testing.assert_allclose(pieces, whole, atol=1e-4)
    latent = open_session(plus / "latent.onnx", None, 1)
    random = np.random.default_rng(0)
    given = {
        "text_seq": np.array([[1, 2]]), "pred_semantic": np.array([[[5, 6, 7]]]), "speed": np.ones(1, np.float32),
        "ref_audio": random.standard_normal((1, 9000)).astype(np.float32),
        "noise": np.zeros((1, 6, 9), np.float32), "sv_emb": np.zeros((1, 20480), np.float32),
    }  # fmt: skip
    one = latent.run(given)
    other = latent.run({**given, "sv_emb": random.standard_normal((1, 20480)).astype(np.float32)})
    for name in ("z", "g"):
        assert np.abs(one[name] - other[name]).max() > 1e-3


def test_chinese_is_understood_as_by_the_layer_before_the_last_two(plus: Path) -> None:
    """Against PyTorch's own transformer layers."""
    state = {name.removeprefix("bert."): value for name, value in published_voice.roberta().items()}
    ids = torch.tensor([[2, 4, 5, 9, 3]])
    x = functional.embedding(ids, state["embeddings.word_embeddings.weight"])
    x = (
        x
        + state["embeddings.position_embeddings.weight"][:5]
        + state["embeddings.token_type_embeddings.weight"][0]
    )
    weight, bias = (state[f"embeddings.LayerNorm.{part}"] for part in ("weight", "bias"))
    x = functional.layer_norm(x, (1024,), weight, bias, 1e-12)
    own = torch.nn.TransformerEncoderLayer(1024, 2, 16, 0.0, functional.gelu, 1e-12, batch_first=True).eval()
    names = {
        "self_attn.out_proj": "attention.output.dense", "linear1": "intermediate.dense", "linear2": "output.dense",
        "norm1": "attention.output.LayerNorm", "norm2": "output.LayerNorm",
    }  # fmt: skip
    weights = {}
    for part in ("weight", "bias"):
        layer = "encoder.layer.0"
        three = [state[f"{layer}.attention.self.{name}.{part}"] for name in ("query", "key", "value")]
        weights[f"self_attn.in_proj_{part}"] = torch.cat(three)
        weights |= {f"{mine}.{part}": state[f"{layer}.{name}.{part}"] for mine, name in names.items()}
    own.load_state_dict(weights)
    features = open_session(plus / "bert.onnx", None, 1).run({"input_ids": ids.numpy()})["bert_feature"]
    np.testing.assert_allclose(features, own(x).detach().numpy(), atol=1e-4)


def test_the_decoder_is_that_of_pytorch(voice: Path) -> None:
    """Against PyTorch's own transformer layers, which see everything at once."""
    state = {name.removeprefix("model."): value.float() for name, value in published_voice.gpt().items()}
    ids, codes = torch.arange(5, 12)[None], torch.tensor([[3, 900, 41, 7]])
    bert = torch.randn(1, 1024, 7, generator=torch.Generator().manual_seed(5))

    def placed(name: str, x: torch.Tensor) -> torch.Tensor:
        n, units = x.shape[1:]
        angle = torch.arange(n)[:, None] / 10000 ** (torch.arange(0, units, 2) / units)
        sines = torch.zeros(n, units)
        sines[:, 0::2], sines[:, 1::2] = angle.sin(), angle.cos()
        return x + state[f"ar_{name}_position.alpha"] * sines

    text = functional.embedding(ids, state["ar_text_embedding.word_embeddings.weight"])
    text = text + functional.linear(bert.transpose(1, 2), state["bert_proj.weight"], state["bert_proj.bias"])
    said = functional.embedding(codes, state["ar_audio_embedding.word_embeddings.weight"])
    x = torch.cat([placed("text", text), placed("audio", said)], 1)
    hidden = torch.triu(torch.ones(11, 11), 1).bool()
    hidden[:7, :7] = False
    for layer in range(2):
        own = torch.nn.TransformerEncoderLayer(16, 2, 64, dropout=0.0, batch_first=True).eval()
        own.load_state_dict({
            name.removeprefix(f"h.layers.{layer}."): value
            for name, value in state.items() if name.startswith(f"h.layers.{layer}.")
        })  # fmt: skip
        x = own(x, src_mask=hidden)
    expected = (x[:, -1] @ state["ar_predict_layer.weight"].T).detach().numpy()
    first, stage = (open_session(voice / f"t2s_{name}.onnx", None, 1) for name in ("first", "stage"))
    keeps = {name: f"i{name}" for name in first.outputs if name != "logits"}
    given = {"x": ids.numpy(), "bert": bert.numpy()}
    whole = first.run({**given, "prompts": codes.numpy()})["logits"]
    np.testing.assert_allclose(whole, expected, atol=1e-4)
    _, memory = first.step({**given, "prompts": codes[:, :2].numpy()}, {}, keeps)
    for idx in range(2):
        token = {"iy": codes[:, 2 + idx : 3 + idx].numpy(), "y_len": np.array([2]), "idx": np.array([idx])}
        made, memory = stage.step(token, memory, keeps)
    np.testing.assert_allclose(made["logits"], expected, atol=1e-4)


@pytest.mark.parametrize("speed", [0.5, 0.9, 1.7])
def test_speed_is_as_it_was_in_pytorch(speed: float) -> None:
    y = torch.randn(1, 3, 21, generator=torch.Generator().manual_seed(1))
    expected = functional.interpolate(y, size=int(21 / speed) + 1, mode="linear")
    np.testing.assert_allclose(_resized(y, torch.tensor([speed])), expected, atol=1e-5)
    np.testing.assert_array_equal(_resized(y, torch.ones(1)), y)


def test_older_checkpoints_carry_an_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published_voice.build(tmp_path / "published")
    path = tmp_path / "published" / "somebody_e4.pth"
    document = torch.load(path)
    module = types.ModuleType("utils")
    module.HParams = HParams  # type: ignore[attr-defined]
    hparams = HParams()
    hparams.__dict__["train"] = {"epochs": 8}
    with monkeypatch.context() as saving:
        saving.setitem(sys.modules, "utils", module)
        torch.save(document | {"config": hparams}, path)
    converter("gpt_sovits")(tmp_path / "published", tmp_path / "voice", int8=True)
    stage = tmp_path / "voice" / "t2s_stage.int8.onnx"
    assert b"MatMulInteger" in stage.read_bytes()
    assert len(sound(gpt_sovits.load(read_voice_yaml(tmp_path / "voice" / "voice.yaml"), tools()), replace(
        HELLO, references=(enrolled(tmp_path / "g", None, 200.0),)
    )))  # fmt: skip


def _plus(weights: dict[str, Any]) -> None:
    weights |= published_voice.plus()


def _less(weights: dict[str, Any]) -> None:
    del weights["dec.cond.weight"]


@pytest.mark.parametrize(
    ("change", "message"),
    [(_plus, "no graph of speaker vectors, which v2Pro"), (_less, r"has no 'cond\.weight'")],
)
def test_what_cannot_be_converted_is_named(
    change: Callable[[dict[str, Any]], None], message: str, tmp_path: Path
) -> None:
    published_voice.build(tmp_path / "published")
    path = tmp_path / "published" / "somebody_e4.pth"
    document = torch.load(path)
    change(document["weight"])
    torch.save(document, path)
    with pytest.raises(ConversionError, match=message):
        converter("gpt_sovits")(tmp_path / "published", tmp_path / "voice", int8=False)
