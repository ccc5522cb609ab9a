"""Recomputes loss and gradients of a small text or image classifier with torch's autograd.

usage: torch-oracle.py CASE.safetensors
The file holds parameters under their canonical names (linear weights as [in, out]), input_ids,
attention_mask or pixel_values, labels, weights, and `<parameter>.gradient` as computed by the ONNX graph; its
metadata holds `config` (JSON), `loss` and perhaps `smoothing` (JSON). Prints one JSON line: both losses, the worst relative
error (largest absolute difference of a tensor over the largest gradient of that tensor) and
where it is. Tensors whose gradient is everywhere below 1e-6 (key biases: softmax cancels them)
are compared in absolute terms.
"""

import json
import math
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


class Blocks:
    """The reference blocks, over parameters under their canonical names."""

    def __init__(self, p, config):
        self.p, self.config = p, config

    def linear(self, name, x):
        return x @ self.p[name + ".weight"] + self.p[name + ".bias"]

    def norm(self, name, x):
        p, c = self.p, self.config
        size, eps = (c["hiddenSize"],), c["layerNormEpsilon"]
        return F.layer_norm(x, size, p[name + ".weight"], p[name + ".bias"], eps)

    def gelu(self, x):
        if self.config["activation"] == "gelu_new":
            inner = (2 / math.pi) ** 0.5 * (x + 0.044715 * x**3)
            return 0.5 * x * (1 + torch.tanh(inner))
        return F.gelu(x)

    def attention(self, layer, x, score):
        batch, sequence, hidden = x.shape
        heads = self.config["headCount"]
        width = hidden // heads
        split = lambda role: (
            self.linear(f"{layer}.attention.self.{role}", x)
            .view(batch, sequence, heads, width)
            .permute(0, 2, 1, 3)
        )
        match = split("query") @ split("key").transpose(-1, -2) / width**0.5
        mixed = torch.softmax(match + score, -1) @ split("value")
        mixed = mixed.permute(0, 2, 1, 3).reshape(batch, sequence, hidden)
        return self.linear(f"{layer}.attention.output.dense", mixed)

    def feed_forward(self, layer, x):
        inner = self.gelu(self.linear(f"{layer}.intermediate.dense", x))
        return self.linear(f"{layer}.output.dense", inner)

    def text(self, ids, mask):
        p, c = self.p, self.config
        first, sequence = c["firstPosition"], ids.shape[1]
        x = p["embeddings.word_embeddings.weight"][ids]
        x = x + p["embeddings.position_embeddings.weight"][first : first + sequence]
        if c["tokenTypeCount"] > 0:
            x = x + p["embeddings.token_type_embeddings.weight"][0]
        x = self.norm("embeddings.LayerNorm", x)
        score = (mask[:, None, None, :].to(x.dtype) - 1) * 10000
        for i in range(c["layerCount"]):
            layer = f"encoder.layer.{i}"
            attended = self.attention(layer, x, score)
            x = self.norm(f"{layer}.attention.output.LayerNorm", x + attended)
            x = self.norm(f"{layer}.output.LayerNorm", x + self.feed_forward(layer, x))
        if c["pooling"] == "cls":
            return x[:, 0]
        weight = mask[:, :, None].to(x.dtype)
        return (x * weight).sum(1) / weight.sum(1)

    def image(self, pixels):
        """A convolution with the stride of a patch, as vision transformers are published."""
        p, c = self.p, self.config
        size, channels = c["image"]["patchSize"], c["image"]["channels"]
        kernel = p["embeddings.patch.weight"].t().reshape(-1, channels, size, size)
        patches = F.conv2d(pixels, kernel, p["embeddings.patch.bias"], stride=size)
        x = patches.flatten(2).transpose(1, 2)
        token = p["embeddings.cls_token"].expand(x.shape[0], 1, -1)
        x = torch.cat([token, x], 1) + p["embeddings.position_embeddings.weight"]
        for i in range(c["layerCount"]):
            layer = f"encoder.layer.{i}"
            x = x + self.attention(layer, self.norm(f"{layer}.before.LayerNorm", x), 0)
            x = x + self.feed_forward(layer, self.norm(f"{layer}.after.LayerNorm", x))
        return self.norm("final.LayerNorm", x)[:, 0]

    def head(self, x):
        if self.config["head"] == "dense":
            x = self.linear("pooler.dense", x)
            x = torch.relu(x) if self.config["family"] == "distilbert" else torch.tanh(x)
        return self.linear("classifier", x)


def cross_entropy(logits, labels, weights, smoothing):
    """Rows of weight 0 only fill the batch."""
    if smoothing is None:
        picked = F.cross_entropy(logits, labels, reduction="none")
        return (picked * weights).sum() / weights.sum()
    real = weights > 0
    return F.cross_entropy(
        logits[real],
        labels[real],
        weight=torch.tensor(smoothing["classWeights"], dtype=torch.float32),
        label_smoothing=smoothing["share"],
    )


def main():
    tensors, metadata = read(sys.argv[1])
    config = json.loads(metadata["config"])
    smoothing = json.loads(metadata.get("smoothing", "null"))
    names = ("input_ids", "attention_mask", "pixel_values", "labels", "weights")
    ids, mask, pixels, labels, weights = (tensors.pop(name, None) for name in names)
    ours = {k[: -len(".gradient")]: v for k, v in tensors.items() if k.endswith(".gradient")}
    parameters = {k: tensors[k].requires_grad_() for k in ours}
    blocks = Blocks(parameters, config)
    pooled = blocks.image(pixels) if config["image"] else blocks.text(ids, mask)
    loss = cross_entropy(blocks.head(pooled), labels, weights, smoothing)
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
