"""The loop that every network learns in: checkpoints, loss curves, progress. A killed one goes on where it was."""

from __future__ import annotations

import math
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from scripts.train import pictures
from scripts.train.recipe import Recipe, RecipeError
from scripts.train.stage import Work, whole

_T = TypeVar("_T")
WARM_UP = 100
"""Steps until the full rate: Adam's second moments are wild at first."""

SEED_STRIDE = 1_000_003
"""Between the chances of the same step of two seeds: more than steps, and within the 32 bits that PyTorch looks at."""


class Training:
    """Networks and their optimizers, and how far they have come."""

    def __init__(
        self,
        folder: Path,
        work: Work,
        networks: Mapping[str, nn.Module],
        optimizers: Mapping[str, torch.optim.Optimizer],
    ) -> None:
        self._folder = folder
        self._settings = work.settings
        self._seed = work.recipe.seed
        self._networks = networks
        self._optimizers = optimizers
        self._rates = {
            name: [group["lr"] for group in each.param_groups] for name, each in optimizers.items()
        }
        self._curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self._sums: dict[str, list[float]] = defaultdict(list)
        self._step = 0
        self._checkpoint = folder / "checkpoint.pt"
        if self._checkpoint.exists():
            self._resume()

    def _resume(self) -> None:
        # Our own file, but weights_only all the same: it holds nothing else.
        state = torch.load(self._checkpoint, map_location="cpu", weights_only=True)
        for name, network in self._networks.items():
            network.load_state_dict(state["networks"][name])
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self._curves.update(
            {name: [tuple(each) for each in points] for name, points in state["curves"].items()}
        )
        self._step = state["step"]

    def steps(self, n_steps: int, title: str) -> Iterator[int]:
        """The steps that are left of *n_steps*; rates rise, then fall as half a cosine to a hundredth."""
        bar = tqdm(total=n_steps, initial=self._step, desc=title, mininterval=2)
        saved = time.monotonic()
        while self._step < n_steps:
            self._set_rates(self._step / n_steps)
            torch.manual_seed(self._step + SEED_STRIDE * self._seed)
            yield self._step
            self._step += 1
            bar.update()
            if self._step % 50 == 0 or self._step == n_steps:
                self._note_curves(bar)
            if self._step % self._settings.checkpoint_every == 0 or self._step == n_steps:
                self.save()
                if time.monotonic() - saved > 30 or self._step == n_steps:
                    pictures.losses(self._folder / "losses.png", self._curves)
                    saved = time.monotonic()
        bar.close()

    def _set_rates(self, done: float) -> None:
        factor = min(1.0, (self._step + 1) / WARM_UP) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
        for name, optimizer in self._optimizers.items():
            for group, rate in zip(optimizer.param_groups, self._rates[name], strict=True):
                group["lr"] = rate * factor

    def note(self, **losses: Tensor | float) -> None:
        for name, value in losses.items():
            self._sums[name].append(float(value.detach()) if isinstance(value, Tensor) else value)

    def _note_curves(self, bar: tqdm[Any]) -> None:
        for name, values in self._sums.items():
            mean = sum(values) / len(values)
            if not math.isfinite(mean):
                raise RecipeError(
                    f"{bar.desc}: the loss {name} is no number at step {self._step}; the last checkpoint is kept."
                    " Is a recording nothing but noise or silence?"
                )
            self._curves[name].append((self._step, mean))
        bar.set_postfix(
            {name: f"{points[-1][1]:.3f}" for name, points in self._curves.items()}, refresh=False
        )
        self._sums.clear()

    def save(self) -> None:
        state = {
            "step": self._step,
            "networks": {name: each.state_dict() for name, each in self._networks.items()},
            "optimizers": {name: each.state_dict() for name, each in self._optimizers.items()},
            "curves": {name: [list(each) for each in points] for name, points in self._curves.items()},
        }
        whole(self._checkpoint, lambda part: torch.save(state, part))

    def is_time_for_picture(self, step: int) -> bool:
        return (step + 1) % self._settings.picture_every == 0


def take_step(
    optimizer: torch.optim.Optimizer, loss: Tensor, networks: Sequence[nn.Module], clip: float = 1.0
) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_([each for network in networks for each in network.parameters()], clip)
    optimizer.step()


class Batches:
    """The items of each step: every item once an epoch, those of like length together, in an order that depends on the
    step alone (a resumed training goes on with what would have come)."""

    def __init__(self, sizes: Sequence[int], batch_size: int, seed: int) -> None:
        """*batch_size* is the sum of the sizes in a batch."""
        self._sizes = sizes
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = -1
        self._first_step = 0
        self._batches: list[list[int]] = []

    def at(self, step: int) -> list[int]:
        """Indices of the items; *step* never goes back."""
        while step >= self._first_step + len(self._batches):
            self._first_step += len(self._batches)
            self._epoch += 1
            self._batches = self._cut(random.Random(f"{self._seed} {self._epoch}"))
        return self._batches[step - self._first_step]

    def _cut(self, chance: random.Random) -> list[list[int]]:
        # A tenth of jitter: not always the same neighbours.
        order = sorted(
            range(len(self._sizes)), key=lambda index: self._sizes[index] * chance.uniform(0.9, 1.1)
        )
        batches: list[list[int]] = [[]]
        size = 0
        for index in order:
            if batches[-1] and size + self._sizes[index] > self._batch_size:
                batches.append([])
                size = 0
            batches[-1].append(index)
            size += self._sizes[index]
        chance.shuffle(batches)
        return batches


def sum_of(losses: Mapping[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum()


def start_from(network: nn.Module, recipe: Recipe, name: str) -> bool:
    """Take over the weights in file *name* of the training that *recipe* starts from; each speaker's row is that of
    whom it is like, and new tokens keep rows that have learned nothing. False if there is no such file. Raises
    RecipeError if the weights are another network's."""
    path = recipe.start_from / name if recipe.start_from else None
    if path is None or not path.exists():
        return False
    state = torch.load(path, map_location="cpu", weights_only=True)
    own = network.state_dict()
    if "spk.weight" in own and "spk.weight" in state:
        state["spk.weight"] = state["spk.weight"][recipe.rows_to_start_from]
    for key, value in own.items():
        found = state.get(key)
        if found is not None and found.shape == value.shape:
            own[key] = found
        elif found is not None and key == "emb.weight" and found.shape[1:] == value.shape[1:]:
            n = min(len(value), len(found))
            value[:n] = found[:n]
        else:
            shape = tuple(found.shape) if found is not None else "none of that name"
            raise RecipeError(f"start_from: {path} has {key} of {shape}; wanted {tuple(value.shape)}")
    network.load_state_dict(own)
    return True
