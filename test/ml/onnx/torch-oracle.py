"""Recomputes loss and gradients of a small BERT classifier with torch's autograd.

usage: torch-oracle.py CASE.safetensors
The file holds parameters under their canonical names (linear weights as [in, out]), input_ids,
attention_mask, labels, weights, and `<parameter>.gradient` as computed by the ONNX graph; its
metadata holds `config` (JSON) and `loss`. Prints one JSON line: both losses, the worst relative
error (largest absolute difference of a tensor over the largest gradient of that tensor) and
where it is. Tensors whose gradient is everywhere below 1e-6 (key biases: softmax cancels them)
are compared in absolute terms.
"""

import json
import struct
import sys

import torch
import torch.nn.functional as F


def read(path):
    """(tensors by name, metadata) of a safetensors file."""
    raw = open(path, "rb").read()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    body = bytearray(raw[8 + length :])
    kinds = {"F32": torch.float32, "I64": torch.int64}
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(body[begin:end], dtype=kinds[entry["dtype"]]).clone()
        tensors[name] = flat.view(*entry["shape"])
    return tensors, metadata


def forward(p, config, ids, mask):
    hidden, heads = config["hiddenSize"], config["headCount"]
    width, eps = hidden // heads, config["layerNormEpsilon"]
    batch, sequence = ids.shape

    def linear(name, x):
        return x @ p[name + ".weight"] + p[name + ".bias"]

    def norm(name, x):
        return F.layer_norm(x, (hidden,), p[name + ".weight"], p[name + ".bias"], eps)

    first = config["firstPosition"]
    x = p["embeddings.word_embeddings.weight"][ids]
    x = x + p["embeddings.position_embeddings.weight"][first : first + sequence]
    if config["tokenTypeCount"] > 0:
        x = x + p["embeddings.token_type_embeddings.weight"][0]
    x = norm("embeddings.LayerNorm", x)
    score = (mask[:, None, None, :].to(x.dtype) - 1) * 10000
    for i in range(config["layerCount"]):
        layer = f"encoder.layer.{i}"
        split = lambda role: (
            linear(f"{layer}.attention.self.{role}", x)
            .view(batch, sequence, heads, width)
            .permute(0, 2, 1, 3)
        )
        share = torch.softmax(
            split("query") @ split("key").transpose(-1, -2) / width**0.5 + score, -1
        )
        mixed = (share @ split("value")).permute(0, 2, 1, 3).reshape(batch, sequence, hidden)
        x = norm(
            f"{layer}.attention.output.LayerNorm",
            x + linear(f"{layer}.attention.output.dense", mixed),
        )
        inner = F.gelu(linear(f"{layer}.intermediate.dense", x))
        x = norm(f"{layer}.output.LayerNorm", x + linear(f"{layer}.output.dense", inner))
    if config["pooling"] == "cls":
        pooled = x[:, 0]
    else:
        weight = mask[:, :, None].to(x.dtype)
        pooled = (x * weight).sum(1) / weight.sum(1)
    return linear("classifier", pooled)


def main():
    tensors, metadata = read(sys.argv[1])
    config = json.loads(metadata["config"])
    inputs = ("input_ids", "attention_mask", "labels", "weights")
    ids, mask, labels, weights = (tensors.pop(name) for name in inputs)
    ours = {k[: -len(".gradient")]: v for k, v in tensors.items() if k.endswith(".gradient")}
    parameters = {k: tensors[k].requires_grad_() for k in ours}
    picked = F.cross_entropy(forward(parameters, config, ids, mask), labels, reduction="none")
    loss = (picked * weights).sum() / weights.sum()
    loss.backward()
    worst, where = 0.0, ""
    for name, parameter in parameters.items():
        largest = parameter.grad.abs().max().item()
        scale = largest if largest > 1e-6 else 1.0
        error = (ours[name] - parameter.grad).abs().max().item() / scale
        if error > worst:
            worst, where = error, name
    print(
        json.dumps(
            {
                "torch": torch.__version__,
                "loss": float(metadata["loss"]),
                "torchLoss": loss.item(),
                "worst": worst,
                "where": where,
                "tensors": len(parameters),
            }
        )
    )


main()
