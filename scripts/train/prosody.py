"""Stage prosody: tokens → how long, how high and how loud each is said.

Recordings of one text differ in all three, so that there is little to learn and much to learn by heart: hence a network
of its own, with much dropout (networks.Prosody).
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from scripts.train.data import Item, Tokens, learned, mean_over, read_items, tokens_of
from scripts.train.networks import Prosody, Said
from scripts.train.phonemes import n_tokens
from scripts.train.stage import Work, whole, write_json
from scripts.train.trainer import Batches, Training, start_from, sum_of, take_step

BATCH_TOKENS = 3000
RATE, RATE_TO_GO_ON = 1e-3, 1e-4
"""From nothing; from another training's weights."""

WEIGHT_DECAY = 0.1


def prosody(work: Work) -> None:
    """Writes prosody.pt."""
    folder = work.stage("prosody")
    items = read_items(work)
    own = learned(work, items)
    network = Prosody(n_tokens(work), len(work.recipe.speakers))
    goes_on = start_from(network, work.recipe, "prosody.pt")
    network.to(work.settings.device)
    optimizer = torch.optim.AdamW(
        network.parameters(), RATE_TO_GO_ON if goes_on else RATE, weight_decay=WEIGHT_DECAY
    )
    training = Training(folder, work, {"prosody": network}, {"prosody": optimizer})
    batches = Batches([len(each.tokens) for each in own], BATCH_TOKENS, work.recipe.seed)
    network.train()
    for step in training.steps(work.recipe.steps.prosody, "prosody"):
        batch = tokens_of([own[index] for index in batches.at(step)], work.settings.device)
        losses = prosody_losses(say(network, batch), batch)
        take_step(optimizer, sum_of(losses), [network])
        training.note(**losses)
        if training.is_time_for_picture(step):
            _note_held_out(folder, network, items, work.settings.device, step + 1)
    whole(folder / "prosody.pt", lambda part: torch.save(network.state_dict(), part))


def say(network: Prosody, batch: Tokens) -> Said:
    with torch.autocast(batch.pitch.device.type, torch.bfloat16):
        said: Said = network(batch.tokens, batch.accents, batch.speaker, batch.mask)
    return said


def prosody_losses(said: Said, batch: Tokens) -> dict[str, Tensor]:
    """Mean squared errors of ln frames, and of z-scores; of voicing, cross entropy."""
    mask = batch.mask[..., 0]
    voicing = functional.binary_cross_entropy_with_logits(
        said.voiced_logit.float(), batch.voiced, reduction="none"
    )
    return {
        "duration": mean_over((said.log_duration - batch.log_duration) ** 2, mask),
        "pitch": mean_over((said.pitch - batch.pitch) ** 2, mask * batch.voiced),
        "voiced": mean_over(voicing, mask),
        "energy": mean_over((said.energy - batch.energy) ** 2, mask),
    }


@torch.no_grad()
def _note_held_out(folder: Path, network: Prosody, items: list[Item], device: str, step: int) -> None:
    """Into held_out.json: step → error by name."""
    own = [each for each in items if each.is_held_out]
    if not own:
        return
    network.eval()
    batch = tokens_of(own, device)
    errors = {name: float(loss) for name, loss in prosody_losses(say(network, batch), batch).items()}
    network.train()
    history = folder / "held_out.json"
    known = json.loads(history.read_text()) if history.exists() else {}
    write_json(history, {**known, str(step): errors})
