"""BERT as its checkpoints name their weights, for one text without padding: what its first piece says of the whole, or
what a layer before the last says of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Dense(nn.Module):
    """A product, and for what is added to what went in, the norm of the sum."""

    def __init__(self, n_in: int, n_out: int, epsilon: float | None = None) -> None:
        super().__init__()
        self.dense = nn.Linear(n_in, n_out)
        if epsilon is not None:
            self.LayerNorm = nn.LayerNorm(n_out, epsilon)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.dense(x)
        return made

    def onto(self, x: Tensor, residual: Tensor) -> Tensor:
        made: Tensor = self.LayerNorm(self.dense(x) + residual)
        return made


class _Layer(nn.Module):
    def __init__(self, units: int, inner: int, n_heads: int, epsilon: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        parts = {name: nn.Linear(units, units) for name in ("query", "key", "value")}
        self.attention = nn.ModuleDict(
            {"self": nn.ModuleDict(parts), "output": _Dense(units, units, epsilon)}
        )
        self.intermediate = _Dense(units, inner)
        self.output = _Dense(inner, units, epsilon)

    def forward(self, x: Tensor) -> Tensor:
        parts: Any = self.attention["self"]
        mixed = functional.scaled_dot_product_attention(
            *(
                parts[name](x).reshape(1, -1, self.n_heads, x.shape[2] // self.n_heads).transpose(1, 2)
                for name in ("query", "key", "value")
            )
        )
        attended: Any = self.attention["output"]
        x = attended.onto(mixed.transpose(1, 2).flatten(2), x)
        return self.output.onto(functional.gelu(self.intermediate(x)), x)


class Layers(nn.Module):
    """input_ids [1, n] → what the last layer says [1, n, units]."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        units, epsilon = config["hidden_size"], config.get("layer_norm_eps", 1e-12)
        sizes = {
            "word_embeddings": config["vocab_size"],
            "position_embeddings": config["max_position_embeddings"],
            "token_type_embeddings": config["type_vocab_size"],
        }
        tables: dict[str, nn.Module] = {name: nn.Embedding(rows, units) for name, rows in sizes.items()}
        self.embeddings = nn.ModuleDict({**tables, "LayerNorm": nn.LayerNorm(units, epsilon)})
        layers = (
            _Layer(units, config["intermediate_size"], config["num_attention_heads"], epsilon)
            for _ in range(config["num_hidden_layers"])
        )
        self.encoder = nn.ModuleDict({"layer": nn.Sequential(*layers)})

    def forward(self, ids: Tensor) -> Tensor:
        tables = self.embeddings
        places = torch.arange(ids.shape[1]).unsqueeze(0)
        x = tables["word_embeddings"](ids) + tables["position_embeddings"](places)
        x = tables["LayerNorm"](x + tables["token_type_embeddings"](torch.zeros_like(ids)))
        made: Tensor = self.encoder["layer"](x)
        return made


class Bert(Layers):
    """input_ids [1, n] → pooler_output [1, units]."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.pooler = _Dense(config["hidden_size"], config["hidden_size"])

    def forward(self, ids: Tensor) -> Tensor:
        return torch.tanh(self.pooler(super().forward(ids)[:, 0]))
