"""One training step of BERT-tiny's shape in torch, timed on demand: bench/ml-training.ts drives it.

usage: ml-training-torch.py STEPS
For every line on standard input it does STEPS steps and prints milliseconds per step. Two threads,
dropout 0.1, gradients clipped to norm 1, AdamW: the work of the graph it is compared with.
"""

import sys
import time

import torch
import torch.nn as nn

torch.set_num_threads(2)
torch.manual_seed(1)
BATCH, SEQUENCE, WORDS, HIDDEN, HEADS, INNER, LABELS = 16, 64, 30522, 128, 2, 512, 3


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(HIDDEN, HIDDEN) for _ in range(4))
        self.norm1, self.norm2 = nn.LayerNorm(HIDDEN, eps=1e-12), nn.LayerNorm(HIDDEN, eps=1e-12)
        self.up, self.down = nn.Linear(HIDDEN, INNER), nn.Linear(INNER, HIDDEN)
        self.drop = nn.Dropout(0.1)

    def forward(self, x, score):
        cut = lambda y: y.view(BATCH, SEQUENCE, HEADS, HIDDEN // HEADS).transpose(1, 2)
        match = cut(self.query(x)) @ cut(self.key(x)).transpose(-1, -2) / (HIDDEN // HEADS) ** 0.5
        share = self.drop(torch.softmax(match + score, -1))
        mixed = (share @ cut(self.value(x))).transpose(1, 2).reshape(BATCH, SEQUENCE, HIDDEN)
        x = self.norm1(x + self.drop(self.out(mixed)))
        return self.norm2(x + self.drop(self.down(nn.functional.gelu(self.up(x)))))


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, HIDDEN), nn.Embedding(512, HIDDEN)
        self.types = nn.Embedding(2, HIDDEN)
        self.norm = nn.LayerNorm(HIDDEN, eps=1e-12)
        self.layers = nn.ModuleList(Layer() for _ in range(2))
        self.pooler, self.classifier = nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, LABELS)
        self.drop = nn.Dropout(0.1)

    def forward(self, ids, mask):
        places = torch.arange(SEQUENCE)[None]
        x = self.words(ids) + self.places(places) + self.types(torch.zeros_like(ids))
        x = self.drop(self.norm(x))
        score = (1.0 - mask[:, None, None, :].float()) * -10000.0
        for layer in self.layers:
            x = layer(x, score)
        return self.classifier(self.drop(torch.tanh(self.pooler(x[:, 0]))))


model = Tiny()
optimiser = torch.optim.AdamW(model.parameters(), lr=2e-5, weight_decay=0.01)
labels = torch.zeros(BATCH, dtype=torch.long)
mask = torch.ones(BATCH, SEQUENCE, dtype=torch.long)
for _ in sys.stdin:
    before = time.perf_counter()
    for _ in range(int(sys.argv[1])):
        ids = torch.randint(1000, 30000, (BATCH, SEQUENCE))
        loss = nn.functional.cross_entropy(model(ids, mask), labels)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    print((time.perf_counter() - before) * 1000 / int(sys.argv[1]), flush=True)
