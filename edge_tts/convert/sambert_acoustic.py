"""Sambert in the five graphs that a voice runs, of the weights as KAN-TTS names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_tts.convert.sambert_layers import (
    EPSILON,
    DecoderBlock,
    EncoderBlock,
    Fsmn,
    Prenet,
    attended,
    by_heads,
)

Sizes = Mapping[str, Any]
"""Model.KanTtsSAMBERT.params of the configuration, and `rows`: table → its length."""


class Encoder(nn.Module):
    """am_enc: the names of text_encoder, spk_tokenizer and emo_tokenizer."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        rows, width = sizes["rows"], sizes["encoder_num_units"]
        self.text_encoder = text = nn.Module()
        for name in ("sy", "tone", "syllable_flag", "ws"):
            setattr(text, f"{name}_emb", nn.Embedding(rows[name], sizes["embedding_dim"]))
        text.ling_enc = nn.Module()
        text.ling_enc.position_enc = nn.Module()
        table = torch.zeros(1, sizes["max_len"], sizes["embedding_dim"])
        text.ling_enc.position_enc.position_enc = nn.Parameter(table)
        widths = [sizes["embedding_dim"], *[width] * (sizes["encoder_num_layers"] - 1)]
        heads, inner = sizes["encoder_num_heads"], sizes["encoder_ffn_inner_dim"]
        text.ling_enc.fft = nn.ModuleList(EncoderBlock(n_in, width, heads, inner) for n_in in widths)
        text.ling_enc.ln = nn.LayerNorm(width, eps=EPSILON)
        text.ling_proj = nn.Linear(width, sizes["encoder_projection_units"], bias=False)
        self.emo_tokenizer = nn.Embedding(rows["emotion"], sizes["emotion_units"])
        has_vector = sizes.get("SE", False)
        self.spk_tokenizer = (
            nn.Identity() if has_vector else nn.Embedding(rows["speaker"], sizes["speaker_units"])
        )
        self.scale = width**0.5

    def forward(self, ling: Tensor, emotion: Tensor, speaker: Tensor, length: Tensor) -> tuple[Tensor, ...]:
        text: Any = self.text_encoder
        tables = (text.sy_emb, text.tone_emb, text.syllable_flag_emb, text.ws_emb)
        x = sum(table(ling[..., index]) for index, table in enumerate(tables)) * self.scale
        x = x + text.ling_enc.position_enc.position_enc[:, : ling.shape[1]]
        hidden = torch.arange(ling.shape[1])[None] >= length[:, None]
        for block in text.ling_enc.fft:
            x = block(x, hidden)
        return text.ling_proj(text.ling_enc.ln(x)), self.spk_tokenizer(speaker), self.emo_tokenizer(emotion)


class _Contour(nn.Module):
    def __init__(self, n_in: int, sizes: Sizes) -> None:
        super().__init__()
        units, lstm_units = sizes["predictor_num_memory_units"], sizes["predictor_lstm_units"]
        inner, n_layers = sizes["predictor_ffn_inner_dim"], sizes["predictor_fsmn_num_layers"]
        self.fsmn = Fsmn(
            n_in, units, inner, n_layers, sizes["predictor_filter_size"], sizes["predictor_shift"]
        )
        self.blstm = nn.LSTM(units, lstm_units, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * lstm_units, 1)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.fc(self.blstm(self.fsmn(x))[0])
        return made.squeeze(-1)


def condition_units(sizes: Sizes) -> int:
    return int(sizes["encoder_projection_units"] + sizes["emotion_units"] + sizes["speaker_units"])


class PitchEnergy(nn.Module):
    """pitch_energy: the names below variance_adaptor, and what the host applies of it."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        units = sizes["encoder_projection_units"]
        self.pitch_predictor = _Contour(condition_units(sizes), sizes)
        self.energy_predictor = _Contour(condition_units(sizes), sizes)
        self.pitch_emb = nn.Conv1d(1, units, 9, padding=4)
        self.energy_emb = nn.Conv1d(1, units, 9, padding=4)
        self.dur_position_encoder = nn.Module()
        self.dur_position_encoder.inv_timescales = nn.Parameter(torch.ones(units))

    def forward(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        return self.pitch_predictor(condition), self.energy_predictor(condition)


class Duration(nn.Module):
    """duration: one phone, the names below variance_adaptor.duration_predictor."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        prenet_units, units = sizes["dur_pred_prenet_units"], sizes["dur_pred_lstm_units"]
        self.prenet = Prenet(1, prenet_units)
        self.lstm = nn.LSTM(prenet_units[-1] + condition_units(sizes), units, num_layers=2, batch_first=True)
        self.fc = nn.Linear(units, 1)

    def forward(self, previous: Tensor, condition: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
        x, (h_next, c_next) = self.lstm(torch.cat([self.prenet(previous), condition], -1), (h, c))
        return functional.relu(self.fc(x).squeeze(-1)), h_next, c_next


class Decoder(nn.Module):
    """am_dec: one step, the names below mel_decoder.mel_dec."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        per_step, width, mels = sizes["outputs_per_step"], sizes["decoder_num_units"], sizes["num_mels"]
        memory = (
            sizes["encoder_projection_units"] * per_step + sizes["emotion_units"] + sizes["speaker_units"]
        )
        self.heads, inner = sizes["decoder_num_heads"], sizes["decoder_ffn_inner_dim"]
        self.prenet = Prenet(mels, sizes["decoder_prenet_units"], width)
        self.dec_in_proj = nn.Linear(width + memory, width)
        blocks = (DecoderBlock(width, memory, self.heads, inner) for _ in range(sizes["decoder_num_layers"]))
        self.pnca = nn.ModuleList(blocks)
        self.ln = nn.LayerNorm(width, eps=EPSILON)
        self.dec_out_proj = nn.Linear(width, mels * per_step)
        self.scale = width**0.5

    def forward(
        self, frame: Tensor, memory_step: Tensor, memory: Tensor, x_k: Tensor, x_v: Tensor, *numbers: Tensor
    ) -> tuple[Tensor, ...]:
        step, x_band, h_band, length = numbers
        place = torch.arange(memory.shape[1])
        unseen = (place < step - x_band) | (place > step)
        unheard = (place < step) | (place > step + h_band) | (place >= length)
        own = (place == step)[None, None, :, None]
        x = self.dec_in_proj(torch.cat([memory_step, self.prenet(frame)], -1)) * self.scale
        kept: tuple[list[Tensor], list[Tensor]] = ([], [])
        block: Any
        for layer, block in enumerate(self.pnca):
            attention = block.pnca_attn
            query, *made = attention.w_x_qkv(attention.layer_norm(x)).chunk(3, -1)
            new = [by_heads(each, self.heads) for each in made]
            past = [torch.where(own, one, old[:, layer]) for one, old in zip(new, (x_k, x_v), strict=True)]
            ahead = attention.w_h_kv(memory).chunk(2, -1)
            of_x = attention.fc_x(attended(self.heads, unseen, query, *past))
            of_memory = attention.fc_h(attended(self.heads, unheard, query, *ahead))
            x = block.pos_ffn(of_x + of_memory + x)
            for values, one in zip(kept, new, strict=True):
                values.append(one)
        return (self.dec_out_proj(self.ln(x)), *kept[0], *kept[1])


class Postnet(nn.Module):
    """postnet: the names below mel_postnet."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        units, mels, lstm_units = (
            sizes["postnet_num_memory_units"],
            sizes["num_mels"],
            sizes["postnet_lstm_units"],
        )
        inner, n_layers = sizes["postnet_ffn_inner_dim"], sizes["postnet_fsmn_num_layers"]
        self.fsmn = Fsmn(mels, units, inner, n_layers, sizes["postnet_filter_size"], sizes["postnet_shift"])
        self.lstm = nn.LSTM(units, lstm_units, batch_first=True)
        self.fc = nn.Linear(lstm_units, mels)

    def forward(self, mel: Tensor) -> Tensor:
        correction: Tensor = self.fc(self.lstm(self.fsmn(mel))[0])
        return correction + mel
