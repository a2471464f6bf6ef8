"""Stage acoustic: tokens, durations, pitch, energy → frames → log-mel and f0.

First against the recordings' own figures; then, as an average of all ways to say something sounds dull, sharpened
against a discriminator.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from scripts.train import pictures
from scripts.train.data import Batch, Frames, Item, Tokens, batch_of, learned, mean_over, read_items
from scripts.train.discriminators import MelDiscriminator, discriminator_loss, rival_losses
from scripts.train.networks import Acoustic, Decoded
from scripts.train.phonemes import n_tokens
from scripts.train.stage import Work, whole, write_json
from scripts.train.trainer import Batches, Training, start_from, sum_of, take_step

BATCH_FRAMES = 6000
RATE, RATE_TO_GO_ON = 1e-3, 3e-4
"""From nothing; from another training's weights."""

SHARPENING_RATE, DISCRIMINATOR_RATE = 2e-4, 4e-4
SHARPENING_FRAMES = 3000
CROP, MOST_CROPS = 96, 24
"""Frames the discriminator looks at, and crops of a batch that it is shown."""

MATCHING_WEIGHT = 2.0


def acoustic(work: Work) -> None:
    """Writes acoustic.pt."""
    folder = work.stage("acoustic")
    items = read_items(work)
    network = new_acoustic(work)
    learn(work, folder, network, items)
    sharpen(work, folder / "sharpen", network, items)
    whole(folder / "acoustic.pt", lambda part: torch.save(network.state_dict(), part))


def new_acoustic(work: Work) -> Acoustic:
    network = Acoustic(n_tokens(work), len(work.recipe.speakers))
    start_from(network, work.recipe, "acoustic.pt")
    return network.to(work.settings.device)


def read_acoustic(work: Work) -> Acoustic:
    network = Acoustic(n_tokens(work), len(work.recipe.speakers))
    network.load_state_dict(
        torch.load(work.stage("acoustic") / "acoustic.pt", map_location="cpu", weights_only=True)
    )
    return network.to(work.settings.device)


def learn(work: Work, folder: Path, network: Acoustic, items: list[Item]) -> None:
    """Until each utterance's own figures are met on average."""
    own = learned(work, items)
    optimizer = torch.optim.AdamW(network.parameters(), RATE_TO_GO_ON if work.recipe.start_from else RATE)
    training = Training(folder, work, {"acoustic": network}, {"acoustic": optimizer})
    batches = Batches([len(each.mel) for each in own], BATCH_FRAMES, work.recipe.seed)
    network.train()
    for step in training.steps(work.recipe.steps.acoustic, "acoustic"):
        batch = batch_of([own[index] for index in batches.at(step)], work.settings.device)
        losses = figures_losses(decode(network, batch), batch)
        take_step(optimizer, sum_of(losses), [network])
        training.note(**losses)
        if training.is_time_for_picture(step):
            _show(work, folder, network, items, step + 1)
    network.eval()


def decode(network: Acoustic, batch: Batch) -> Decoded:
    """The recording's own durations, pitch and energy lead the decoder."""
    with torch.autocast(batch.mel.device.type, torch.bfloat16):
        tokens = batch.tokens
        hidden = network.encode(tokens.tokens, tokens.accents, tokens.speaker, tokens.mask)
        return decode_hidden(network, hidden, tokens, batch.frames)


def decode_hidden(network: Acoustic, hidden: Tensor, tokens: Tokens, frames: Frames) -> Decoded:
    return network.decode(
        hidden, tokens.pitch, tokens.voiced, tokens.energy, tokens.speaker,
        frames.token, frames.position, frames.mask,
    )  # fmt: skip


def figures_losses(decoded: Decoded, batch: Batch) -> dict[str, Tensor]:
    """Each already with its weight."""
    mask = batch.frames.mask[..., 0]
    return {
        "mel": 2 * mean_over((decoded.mel - batch.mel).abs().mean(dim=2), mask),
        **pitch_losses(decoded, batch.frames, mask),
    }


def pitch_losses(decoded: Decoded, frames: Frames, mask: Tensor) -> dict[str, Tensor]:
    """Of *frames* where *mask* [B, F] is 1; each already with its weight."""
    voicing = functional.binary_cross_entropy_with_logits(
        decoded.voicing_logit.float(), frames.voiced, reduction="none"
    )
    return {
        "f0": 0.3 * mean_over((decoded.f0 - frames.f0_z).abs(), mask * frames.voiced),
        "voicing": 0.3 * mean_over(voicing, mask),
    }


def sharpen(work: Work, folder: Path, network: Acoustic, items: list[Item]) -> None:
    """Against a discriminator of log-mel crops."""
    own = learned(work, items)
    # Not from where `learn` has left chance: a resumed training does not pass there.
    torch.manual_seed(work.recipe.seed + 1)
    discriminator = MelDiscriminator().to(work.settings.device)
    optimizer = torch.optim.AdamW(network.parameters(), SHARPENING_RATE, betas=(0.5, 0.9))
    opponent = torch.optim.AdamW(discriminator.parameters(), DISCRIMINATOR_RATE, betas=(0.5, 0.9))
    training = Training(
        folder, work, {"acoustic": network, "discriminator": discriminator},
        {"acoustic": optimizer, "discriminator": opponent},
    )  # fmt: skip
    batches = Batches([len(each.mel) for each in own], SHARPENING_FRAMES, work.recipe.seed + 1)
    network.train()
    for step in training.steps(work.recipe.steps.sharpen, "sharpen"):
        batch = batch_of([own[index] for index in batches.at(step)], work.settings.device)
        decoded = decode(network, batch)
        recorded_crops, made_crops = crops(batch, decoded.mel.float())
        with torch.autocast(batch.mel.device.type, torch.bfloat16):
            opposed = discriminator_loss(discriminator(recorded_crops), discriminator(made_crops.detach()))
        take_step(opponent, opposed, [discriminator], clip=10)
        adversarial, matching = rival_losses(discriminator, recorded_crops, made_crops)
        losses = {
            **figures_losses(decoded, batch),
            "adversarial": adversarial,
            "matching": MATCHING_WEIGHT * matching,
        }
        take_step(optimizer, sum_of(losses), [network])
        training.note(**losses, discriminator=opposed)
        if training.is_time_for_picture(step):
            _show(work, folder, network, items, step + 1)
    network.eval()


def crops(batch: Batch, made: Tensor) -> tuple[Tensor, Tensor]:
    """Up to MOST_CROPS crops of CROP frames: of the recordings and of what was *made*, from the same places."""
    n_frames = batch.frames.mask[..., 0].sum(dim=1).long()
    places: list[tuple[int, int]] = []
    for row, n in enumerate(n_frames.tolist()):
        for start in range(0, n - CROP + 1, CROP):
            places.append((row, start + int(torch.randint(0, min(CROP, n - CROP - start + 1), ()))))
        if n < CROP:
            places.append((row, 0))
    places = [places[index] for index in torch.randperm(len(places))[:MOST_CROPS].tolist()]
    # Zeros after a short word are the same in both.
    recorded, own = (functional.pad(mel * batch.frames.mask, (0, 0, 0, CROP)) for mel in (batch.mel, made))
    return (
        torch.stack([recorded[row, start : start + CROP] for row, start in places]),
        torch.stack([own[row, start : start + CROP] for row, start in places]),
    )


def held_out(items: list[Item]) -> Iterator[Item]:
    """The first of each speaker; of one with few recordings, none of which may be left, the first that was learned."""
    seen = set()
    for each in sorted(items, key=lambda item: not item.is_held_out):
        if each.speaker not in seen:
            seen.add(each.speaker)
            yield each


@torch.no_grad()
def _show(work: Work, folder: Path, network: Acoustic, items: list[Item], step: int) -> None:
    """A picture of held-out spectrograms, and the error over all that is held out."""
    network.eval()
    errors = []
    examples = []
    shown = {each.id for each in held_out(items)}
    for item in (each for each in items if each.is_held_out or each.id in shown):
        batch = batch_of([item], work.settings.device)
        made = decode(network, batch).mel[0].float().cpu().numpy()
        if item.is_held_out:
            errors.append(float(np.abs(made - item.mel.astype(np.float32)).mean()))
        if item.id in shown:
            examples += [
                (f"{item.id}: recorded", item.mel.astype(np.float32)),
                (f"{item.id}: step {step}", made),
            ]
    network.train()
    pictures.spectrograms(folder / f"step-{step:06d}.png", examples)
    if not errors:
        return
    history = folder / "held_out.json"
    known = json.loads(history.read_text()) if history.exists() else {}
    write_json(history, {**known, str(step): {"mel": float(np.mean(errors))}})
