"""Tests of scripts/train. Apart from the others, because PyTorch fills the memory that those measure."""
