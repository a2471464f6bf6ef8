"""Stage vocoder: recorded log-mel and pitch → filters → sound that equals the recording, and fools a discriminator."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from edge_tts.models.source_filter import HOP
from scripts.train import pictures
from scripts.train.acoustic import held_out
from scripts.train.data import Item, read_items
from scripts.train.discriminators import SoundDiscriminator, discriminator_loss, rival_losses
from scripts.train.features import FLOOR, N_MELS, SAMPLE_RATE, Floats
from scripts.train.networks import Vocoder
from scripts.train.stage import Work, whole
from scripts.train.synthesis import (
    EDGE,
    LogMel,
    SourceFilter,
    cepstrum_loss,
    locked_pulses,
    phase_loss,
    spectrum_loss,
)
from scripts.train.trainer import Training, start_from, sum_of, take_step

BATCH = 8
CROP = 64
"""Frames whose sound is compared; EDGE more on each side are made."""

RATE = 6e-4
ADVERSARIAL_RATE, DISCRIMINATOR_RATE = 2e-4, 1e-3
ALONE = 0.4
"""Of the steps are without the discriminator, if the network starts from nothing."""

MEL_WEIGHT, CEPSTRUM_WEIGHT, SPECTRUM_WEIGHT, PHASE_WEIGHT = 5.0, 0.7, 2.0, 1.0
ADVERSARIAL_WEIGHT, MATCHING_WEIGHT = 1.0, 2.0


def vocoder(work: Work) -> None:
    """Writes vocoder.pt."""
    folder = work.stage("vocoder")
    items = read_items(work)
    network = Vocoder()
    goes_on = start_from(network, work.recipe, "vocoder.pt")
    network.to(work.settings.device)
    rivals = Rivals(work.settings.device)
    optimizer = torch.optim.AdamW(
        network.parameters(), ADVERSARIAL_RATE if goes_on else RATE, betas=(0.8, 0.99)
    )
    training = Training(
        folder, work, {"vocoder": network, "discriminator": rivals.discriminator},
        {"vocoder": optimizer, "discriminator": rivals.optimizer},
    )  # fmt: skip
    draw = Crops([each for each in items if not each.is_held_out], work.recipe.seed)
    ear = Ear(work.settings.device)
    n_alone = 0 if goes_on else round(ALONE * work.recipe.steps.vocoder)
    for step in training.steps(work.recipe.steps.vocoder, "vocoder"):
        crop = draw.at(step).to(work.settings.device)
        with torch.autocast(crop.mel.device.type, torch.bfloat16):
            filters = network(crop.mel, crop.f0)
        made = ear.sound(crop, filters)
        losses = ear.losses(crop, made)
        if step >= n_alone:
            training.note(discriminator=rivals.learn(crop.sound, made))
            losses |= rivals.losses(crop.sound, made)
        take_step(optimizer, sum_of(losses), [network], clip=5)
        training.note(**losses)
        if training.is_time_for_picture(step):
            show(work, folder, network, items, step + 1)
    whole(folder / "vocoder.pt", lambda part: torch.save(network.state_dict(), part))


def read_vocoder(work: Work) -> Vocoder:
    network = Vocoder()
    network.load_state_dict(
        torch.load(work.stage("vocoder") / "vocoder.pt", map_location="cpu", weights_only=True)
    )
    return network.to(work.settings.device)


@dataclass(frozen=True)
class Crop:
    """Of BATCH recordings; n = CROP + 2 EDGE frames."""

    items: list[tuple[Item, int]]
    """Each item and the frame it starts at."""

    mel: Tensor
    """[B, n, 80]"""

    f0: Tensor
    """[B, n] Hz, 0 where unvoiced."""

    pulses: Tensor
    """[B, n * HOP]"""

    sound: Tensor
    """[B, CROP * HOP]"""

    def to(self, device: str) -> Crop:
        moved = (each.to(device) for each in (self.mel, self.f0, self.pulses, self.sound))
        return Crop(self.items, *moved)


class Crops:
    """Random crops: every speaker as often, every moment of theirs as likely. Step k always draws the same."""

    def __init__(self, items: Sequence[Item], seed: int) -> None:
        self._seed = seed
        by_speaker: dict[int, list[Item]] = defaultdict(list)
        for each in items:
            if len(each.mel) >= CROP // 2 and not each.is_joined:
                by_speaker[each.speaker].append(each)
        self._speakers = list(by_speaker.values())
        self._weights = [np.cumsum([len(each.mel) for each in group]).tolist() for group in self._speakers]

    def at(self, step: int) -> Crop:
        chance = random.Random(f"{self._seed} {step}")
        drawn = []
        for _ in range(BATCH):
            speaker = chance.randrange(len(self._speakers))
            item = chance.choices(self._speakers[speaker], cum_weights=self._weights[speaker])[0]
            drawn.append((item, chance.randint(0, max(len(item.mel) - CROP - 2 * EDGE, 0))))
        parts = [_cut(item, start) for item, start in drawn]
        return Crop(drawn, *(torch.from_numpy(np.stack(each)) for each in zip(*parts, strict=True)))


def _cut(item: Item, start: int) -> tuple[Floats, Floats, Floats, Floats]:
    """mel, f0, pulses, sound; silence after an item that is too short."""
    n = CROP + 2 * EDGE
    end = min(start + n, len(item.mel))
    mel = np.full((n, N_MELS), np.log(FLOOR), np.float32)
    mel[: end - start] = item.mel[start:end]
    f0 = np.zeros(n, np.float32)
    f0[: end - start] = item.f0[start:end]
    pulses, sound = np.zeros(n * HOP, np.float32), np.zeros(n * HOP, np.float32)
    pulses[: (end - start) * HOP] = locked_pulses(item.source, start, end)
    sound[: (end - start) * HOP] = item.sound[start * HOP : end * HOP] / np.float32(32768)
    return mel, f0, pulses, sound[EDGE * HOP : -EDGE * HOP]


class Ear:
    """Makes the sound of a crop and compares it with the recording."""

    def __init__(self, device: str) -> None:
        self._source_filter = SourceFilter(device)
        self._log_mel = LogMel(device)

    def sound(self, crop: Crop, filters: object) -> Tensor:
        return self._source_filter(crop.pulses, torch.randn_like(crop.pulses), filters)  # type: ignore[arg-type]

    def losses(self, crop: Crop, made: Tensor) -> dict[str, Tensor]:
        """Each already with its weight."""
        log_mel = self._log_mel
        voiced = (crop.f0[:, EDGE:-EDGE] > 0).float().repeat_interleave(2, dim=1)
        recorded_mel, made_mel = log_mel(crop.sound), log_mel(made)
        return {
            "mel": MEL_WEIGHT * (recorded_mel - made_mel).abs().mean(),
            "cepstrum": CEPSTRUM_WEIGHT * cepstrum_loss(recorded_mel, made_mel),
            "spectrum": SPECTRUM_WEIGHT * spectrum_loss(crop.sound, made),
            # The first window of an uncentred spectrum lies around filter frame 2.
            "phase": PHASE_WEIGHT * phase_loss(crop.sound, made, voiced[:, 2:]),
        }


class Rivals:
    """The discriminator and its optimizer."""

    def __init__(self, device: str) -> None:
        self.discriminator = SoundDiscriminator().to(device)
        self.optimizer = torch.optim.AdamW(
            self.discriminator.parameters(), DISCRIMINATOR_RATE, betas=(0.5, 0.9)
        )

    def learn(self, recorded: Tensor, made: Tensor) -> Tensor:
        with torch.autocast(made.device.type, torch.bfloat16):
            loss = discriminator_loss(self.discriminator(recorded), self.discriminator(made.detach()))
        take_step(self.optimizer, loss, [self.discriminator], clip=10)
        return loss

    def losses(self, recorded: Tensor, made: Tensor) -> dict[str, Tensor]:
        """Each already with its weight."""
        adversarial, matching = rival_losses(self.discriminator, recorded, made)
        return {"adversarial": ADVERSARIAL_WEIGHT * adversarial, "matching": MATCHING_WEIGHT * matching}


@torch.no_grad()
def copy_synthesis(network: Vocoder, item: Item, device: str) -> Floats:
    """The sound of a whole recording's own mel and pitch; a little shorter than it at both ends."""
    mel = torch.from_numpy(item.mel.astype(np.float32))[None].to(device)
    f0 = torch.from_numpy(item.f0)[None].to(device)
    pulses = torch.from_numpy(locked_pulses(item.source, 0, len(item.f0)))[None].to(device)
    made = SourceFilter(device)(pulses, torch.randn_like(pulses), network(mel, f0))
    return made[0].cpu().numpy()


def show(work: Work, folder: Path, network: Vocoder, items: list[Item], step: int) -> None:
    """Sound of the held-out recordings by the network as it is, and a picture."""
    examples = []
    for item in held_out(items):
        made = copy_synthesis(network, item, work.settings.device)
        name = item.id.replace("/", "-")
        whole(
            folder / f"step-{step:06d}-{name}.wav",
            lambda part, sound=made: soundfile.write(part, sound, SAMPLE_RATE, format="WAV"),  # type: ignore[misc]
        )
        examples.append((item.id, item.sound[EDGE * HOP : -EDGE * HOP] / np.float32(32768), made))
    pictures.clean(folder / f"step-{step:06d}.png", examples, "made")
