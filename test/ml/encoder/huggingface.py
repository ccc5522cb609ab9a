"""Makes small text classifiers with the module names of Hugging Face's BERT, DistilBERT and RoBERTa.

usage: huggingface.py FOLDER
For each family writes FOLDER/<family>/{config.json, model.safetensors, onnx/model.onnx, expected.json}.
The ONNX file is what torch's own exporter makes of the module; expected.json holds token ids, their
mask and the logits that the module computes.
"""

import json
import math
import os
import struct
import sys
import warnings

import torch
import torch.nn as nn

HIDDEN, LAYERS, HEADS, INNER, WORDS, PLACES, LABELS = 16, 2, 2, 32, 50, 14, 3


class Attention(nn.Module):
    """Scaled dot products over projections that the families name in their own ways."""

    def mix(self, q, k, v, mask):
        batch, length, _ = q.shape
        cut = lambda x: x.view(batch, length, HEADS, HIDDEN // HEADS).transpose(1, 2)
        score = cut(q) @ cut(k).transpose(-1, -2) / math.sqrt(HIDDEN // HEADS)
        score = score + (1.0 - mask[:, None, None, :].float()) * -10000.0
        mixed = torch.softmax(score, -1) @ cut(v)
        return mixed.transpose(1, 2).reshape(batch, length, HIDDEN)


class SelfAttention(Attention):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(HIDDEN, HIDDEN) for _ in range(3))

    def forward(self, x, mask):
        return self.mix(self.query(x), self.key(x), self.value(x), mask)


class Output(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.dense = nn.Linear(width, HIDDEN)
        self.LayerNorm = nn.LayerNorm(HIDDEN, eps=1e-12)

    def forward(self, x, residual):
        return self.LayerNorm(self.dense(x) + residual)


class BertLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.ModuleDict({"self": SelfAttention(), "output": Output(HIDDEN)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(HIDDEN, INNER)})
        self.output = Output(INNER)

    def forward(self, x, mask):
        x = self.attention["output"](self.attention["self"](x, mask), x)
        return self.output(nn.functional.gelu(self.intermediate["dense"](x)), x)


class Embeddings(nn.Module):
    def __init__(self, types):
        super().__init__()
        self.word_embeddings = nn.Embedding(WORDS, HIDDEN)
        self.position_embeddings = nn.Embedding(PLACES, HIDDEN)
        if types:
            self.token_type_embeddings = nn.Embedding(types, HIDDEN)
        self.LayerNorm = nn.LayerNorm(HIDDEN, eps=1e-12)
        self.types = types

    def forward(self, ids, places):
        x = self.word_embeddings(ids) + self.position_embeddings(places)
        if self.types:
            x = x + self.token_type_embeddings(torch.zeros_like(ids))
        return self.LayerNorm(x)


class BertBody(nn.Module):
    def __init__(self, types, pooler):
        super().__init__()
        self.embeddings = Embeddings(types)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(BertLayer() for _ in range(LAYERS))})
        if pooler:
            self.pooler = nn.ModuleDict({"dense": nn.Linear(HIDDEN, HIDDEN)})

    def forward(self, ids, mask, places):
        x = self.embeddings(ids, places)
        for layer in self.encoder["layer"]:
            x = layer(x, mask)
        return x


class Bert(nn.Module):
    config = {"model_type": "bert", "type_vocab_size": 2, "pad_token_id": 0}

    def __init__(self):
        super().__init__()
        self.bert = BertBody(2, True)
        self.classifier = nn.Linear(HIDDEN, LABELS)

    def forward(self, input_ids, attention_mask):
        places = torch.arange(input_ids.shape[1])[None, :].expand_as(input_ids)
        first = self.bert(input_ids, attention_mask, places)[:, 0]
        return self.classifier(torch.tanh(self.bert.pooler["dense"](first)))


class Roberta(nn.Module):
    """Positions count the real tokens from pad_token_id + 1, as fairseq's do."""

    config = {"model_type": "roberta", "type_vocab_size": 1, "pad_token_id": 1}

    def __init__(self):
        super().__init__()
        self.roberta = BertBody(1, False)
        self.classifier = nn.ModuleDict(
            {"dense": nn.Linear(HIDDEN, HIDDEN), "out_proj": nn.Linear(HIDDEN, LABELS)}
        )

    def forward(self, input_ids, attention_mask):
        real = (input_ids != 1).long()
        places = torch.cumsum(real, 1) * real + 1
        first = self.roberta(input_ids, attention_mask, places)[:, 0]
        return self.classifier["out_proj"](torch.tanh(self.classifier["dense"](first)))


class DistilLayer(nn.Module):
    def __init__(self):
        super().__init__()
        projections = {f"{name}_lin": nn.Linear(HIDDEN, HIDDEN) for name in ("q", "k", "v", "out")}
        self.attention = nn.ModuleDict(projections)
        self.sa_layer_norm = nn.LayerNorm(HIDDEN, eps=1e-12)
        self.ffn = nn.ModuleDict({"lin1": nn.Linear(HIDDEN, INNER), "lin2": nn.Linear(INNER, HIDDEN)})
        self.output_layer_norm = nn.LayerNorm(HIDDEN, eps=1e-12)

    def forward(self, x, mask):
        a = self.attention
        mixed = Attention().mix(a["q_lin"](x), a["k_lin"](x), a["v_lin"](x), mask)
        x = self.sa_layer_norm(a["out_lin"](mixed) + x)
        inner = nn.functional.gelu(self.ffn["lin1"](x))
        return self.output_layer_norm(self.ffn["lin2"](inner) + x)


class DistilBody(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = Embeddings(0)
        self.transformer = nn.ModuleDict(
            {"layer": nn.ModuleList(DistilLayer() for _ in range(LAYERS))}
        )


class DistilBert(nn.Module):
    config = {"model_type": "distilbert", "pad_token_id": 0}

    def __init__(self):
        super().__init__()
        self.distilbert = DistilBody()
        self.pre_classifier = nn.Linear(HIDDEN, HIDDEN)
        self.classifier = nn.Linear(HIDDEN, LABELS)

    def forward(self, input_ids, attention_mask):
        places = torch.arange(input_ids.shape[1])[None, :].expand_as(input_ids)
        x = self.distilbert.embeddings(input_ids, places)
        for layer in self.distilbert.transformer["layer"]:
            x = layer(x, attention_mask)
        return self.classifier(torch.relu(self.pre_classifier(x[:, 0])))


def config_of(module):
    own = dict(module.config)
    if own["model_type"] == "distilbert":
        own.update(dim=HIDDEN, n_layers=LAYERS, n_heads=HEADS, hidden_dim=INNER)
    else:
        own.update(hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS)
        own.update(intermediate_size=INNER, hidden_act="gelu", layer_norm_eps=1e-12)
    own.update(vocab_size=WORDS, max_position_embeddings=PLACES)
    own["id2label"] = {str(i): name for i, name in enumerate("abc")}
    return own


def write_safetensors(path, tensors):
    header, body = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        raw = tensor.detach().contiguous().numpy().astype("<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [len(body), len(body) + len(raw)],
        }
        body += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)


def write(module, folder):
    os.makedirs(folder + "/onnx")
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.3)
        else:
            parameter.data += 0.1 * torch.randn_like(parameter)
    module.eval()
    pad = module.config["pad_token_id"]
    ids = torch.tensor([[5, 9, 13, 7, 22, 6], [5, 31, 6, pad, pad, pad]])
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]])
    axes = {0: "batch", 1: "sequence"}
    torch.onnx.export(
        module,
        (ids, mask),
        folder + "/onnx/model.onnx",
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes},
        opset_version=14,
    )
    write_safetensors(folder + "/model.safetensors", module.state_dict())
    with torch.no_grad():
        logits = module(ids, mask)
    expected = {"ids": ids.tolist(), "mask": mask.tolist(), "logits": logits.tolist()}
    json.dump(expected, open(folder + "/expected.json", "w"))
    json.dump(config_of(module), open(folder + "/config.json", "w"))


warnings.filterwarnings("ignore")
torch.manual_seed(3)
for kind in (Bert, DistilBert, Roberta):
    write(kind(), sys.argv[1] + "/" + kind.config["model_type"])
