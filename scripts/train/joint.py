"""Stage joint: the vocoder learns the mels that it will get, and the decoder what makes them sound.

Decoder and vocoder as one network from the recording's own durations and pitch to its sound, so that the losses of the
sound reach the decoder (as in Lim et al. 2022, JETS, but from two networks that can speak already). The encoder
stays as it is.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from edge_tts.models.source_filter import HOP
from edge_tts.models.two_stage import DECODER_MARGIN, frame_inputs
from scripts.train import pictures
from scripts.train.acoustic import decode, decode_hidden, held_out, pitch_losses, read_acoustic
from scripts.train.data import Frames, Item, batch_of, read_items, tokens_of
from scripts.train.discriminators import MelDiscriminator, discriminator_loss, rival_losses
from scripts.train.features import SAMPLE_RATE
from scripts.train.networks import Acoustic, Decoded, Vocoder
from scripts.train.stage import Work, whole
from scripts.train.synthesis import EDGE, SourceFilter, locked_pulses
from scripts.train.trainer import Training, sum_of, take_step
from scripts.train.vocoder import Crop, Crops, Ear, Rivals, read_vocoder

N_RECORDED = 4
"""Of a batch are vocoded from the recorded mel: so that it does not forget what a good one is."""

DECODER_RATE, VOCODER_RATE, DISCRIMINATOR_RATE = 1e-4, 2e-4, 5e-4
SOUND_MEL_WEIGHT = 2.0
"""Times what the vocoder had alone: its copies of recordings drifted away from them otherwise."""

FRAME_WEIGHT = 1.0
"""Of the decoder's own figures; low, or it would return to the average."""

MEL_MATCHING_WEIGHT = 1.0


def joint(work: Work) -> None:
    """Writes acoustic.pt and vocoder.pt."""
    folder = work.stage("joint")
    device = work.settings.device
    items = read_items(work)
    acoustic, vocoder = read_acoustic(work), read_vocoder(work)
    # Its encoder as it will be at run time.
    acoustic.eval()
    decoder = decoder_of(acoustic)
    rivals = Rivals(device)
    mel_judge = MelDiscriminator().to(device)
    _take_over(rivals, mel_judge, work)
    rivals.optimizer.param_groups[0]["lr"] = DISCRIMINATOR_RATE
    mel_opponent = torch.optim.AdamW(mel_judge.parameters(), DISCRIMINATOR_RATE, betas=(0.5, 0.9))
    optimizer = torch.optim.AdamW(
        [{"params": decoder, "lr": DECODER_RATE}, {"params": vocoder.parameters(), "lr": VOCODER_RATE}],
        betas=(0.8, 0.99), weight_decay=0.0,
    )  # fmt: skip
    training = Training(
        folder, work,
        {"acoustic": acoustic, "vocoder": vocoder, "sound": rivals.discriminator, "mel": mel_judge},
        {"both": optimizer, "sound": rivals.optimizer, "mel": mel_opponent},
    )  # fmt: skip
    draw = Crops([each for each in items if not each.is_held_out], work.recipe.seed + 2)
    ear = Ear(device)
    for step in training.steps(work.recipe.steps.joint, "joint"):
        crop = draw.at(step).to(device)
        decoded, frames = decode_crop(acoustic, crop, device)
        made_mel = decoded.mel.float()
        heard_mel = torch.cat([crop.mel[:N_RECORDED], made_mel[N_RECORDED:]])
        with torch.autocast(crop.mel.device.type, torch.bfloat16):
            filters = vocoder(heard_mel, crop.f0)
        made = ear.sound(crop, filters)
        training.note(sound_judge=rivals.learn(crop.sound, made))
        with torch.autocast(crop.mel.device.type, torch.bfloat16):
            opposed = discriminator_loss(mel_judge(crop.mel), mel_judge(made_mel.detach()))
        take_step(mel_opponent, opposed, [mel_judge], clip=10)
        losses = {
            **ear.losses(crop, made),
            **rivals.losses(crop.sound, made),
            **_frame_losses(crop, decoded, frames),
            **_mel_losses(mel_judge, crop.mel, made_mel),
        }
        losses["mel"] = SOUND_MEL_WEIGHT * losses["mel"]
        take_step(optimizer, sum_of(losses), [acoustic, vocoder], clip=5)
        training.note(**losses, mel_judge=opposed)
        if training.is_time_for_picture(step):
            show(work, folder, acoustic, vocoder, items, step + 1)
    for name, network in (("acoustic", acoustic), ("vocoder", vocoder)):
        whole(folder / f"{name}.pt", lambda part, of=network: torch.save(of.state_dict(), part))  # type: ignore[misc]


def decoder_of(acoustic: Acoustic) -> list[torch.nn.Parameter]:
    """Its decoder's parameters; the others no longer learn."""
    acoustic.requires_grad_(False)
    a = acoustic
    parts = (a.pe, a.ee, a.up, a.pos, a.sdec, a.dec, a.on, a.out)
    parameters = [each for part in parts for each in part.parameters()]
    for each in parameters:
        each.requires_grad_(True)
    return parameters


def _take_over(rivals: Rivals, mel_judge: MelDiscriminator, work: Work) -> None:
    """The discriminators of the stages before know recordings already."""
    for network, path in (
        (rivals.discriminator, work.stage("vocoder") / "checkpoint.pt"),
        (mel_judge, work.stage("acoustic") / "sharpen" / "checkpoint.pt"),
    ):
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state["networks"]["discriminator"])


def decode_crop(acoustic: Acoustic, crop: Crop, device: str) -> tuple[Decoded, Frames]:
    """Over the crop's frames; exactly what the decoder makes there of the whole utterance."""
    tokens, frames = tokens_of([item for item, _ in crop.items], device), with_margins(crop, device)
    with torch.autocast(crop.mel.device.type, torch.bfloat16):
        with torch.no_grad():
            hidden = acoustic.encode(tokens.tokens, tokens.accents, tokens.speaker, tokens.mask)
        decoded = decode_hidden(acoustic, hidden, tokens, frames)
    inner = slice(DECODER_MARGIN, -DECODER_MARGIN)
    own = Frames(*(getattr(frames, each.name)[:, inner] for each in fields(Frames)))
    mel = torch.where(own.mask > 0, decoded.mel[:, inner].float(), crop.mel)
    return Decoded(mel, decoded.f0[:, inner], decoded.voicing_logit[:, inner]), own


def with_margins(crop: Crop, device: str) -> Frames:
    """The crop's frames and DECODER_MARGIN more on each side of them."""
    n_frames = crop.mel.shape[1] + 2 * DECODER_MARGIN
    size = (len(crop.items), n_frames)
    token, position = np.zeros(size, np.int64), np.zeros((*size, 3), np.float32)
    mask = np.zeros((*size, 1), np.float32)
    f0_z, voiced = np.zeros((2, *size), np.float32)
    for row, (item, start) in enumerate(crop.items):
        tokens, positions = frame_inputs(item.frames)
        low, high = start - DECODER_MARGIN, start - DECODER_MARGIN + n_frames
        inside = slice(max(low, 0), min(high, len(tokens)))
        at = slice(inside.start - low, inside.stop - low)
        token[row, at], position[row, at], mask[row, at] = tokens[inside], positions[inside], 1
        f0_z[row, at], voiced[row, at] = item.f0_z[inside], item.f0[inside] > 0
    return Frames(*(torch.from_numpy(each).to(device) for each in (token, position, mask, f0_z, voiced)))


def _frame_losses(crop: Crop, decoded: Decoded, frames: Frames) -> dict[str, Tensor]:
    return {
        "frame_mel": FRAME_WEIGHT * (decoded.mel - crop.mel).abs().mean(),
        **pitch_losses(decoded, frames, frames.mask[..., 0]),
    }


def _mel_losses(judge: MelDiscriminator, recorded: Tensor, made: Tensor) -> dict[str, Tensor]:
    adversarial, matching = rival_losses(judge, recorded, made)
    return {"mel_adversarial": adversarial, "mel_matching": MEL_MATCHING_WEIGHT * matching}


@torch.no_grad()
def show(
    work: Work, folder: Path, acoustic: Acoustic, vocoder: Vocoder, items: list[Item], step: int
) -> None:
    """Held-out recordings by both networks, led by the recording's own durations and pitch: sound and a picture."""
    examples = []
    for item in held_out(items):
        decoded = decode(acoustic, batch_of([item], work.settings.device))
        f0 = torch.from_numpy(item.f0)[None].to(work.settings.device)
        pulses = torch.from_numpy(locked_pulses(item.source, 0, len(item.f0)))[None].to(work.settings.device)
        filters = vocoder(decoded.mel.float(), f0)
        made = SourceFilter(work.settings.device)(pulses, torch.randn_like(pulses), filters)[0].cpu().numpy()
        name = item.id.replace("/", "-")
        whole(
            folder / f"step-{step:06d}-{name}.wav",
            lambda part, sound=made: soundfile.write(part, sound, SAMPLE_RATE, format="WAV"),  # type: ignore[misc]
        )
        recorded = item.sound[EDGE * HOP : -EDGE * HOP] / np.float32(32768)
        examples.append((item.id, recorded, made))
    pictures.clean(folder / f"step-{step:06d}.png", examples, "made")
