"""Matrix products as int8: a quarter of the size, and quicker; convolutions stay, they would be slower and worse."""

from __future__ import annotations

from pathlib import Path


def quantize(path: Path) -> Path:
    """The graph that takes the place of the one in *path*: x.onnx becomes x.int8.onnx."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    small = path.with_suffix(".int8.onnx")
    quantize_dynamic(
        path, small, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True, weight_type=QuantType.QInt8
    )
    path.unlink()
    return small
