"""Exports a small residual convolution network as an ONNX file with feature maps as its output.

usage: convnet.py FILE
Input pixel_values [batch, 3, 16, 16], output last_hidden_state [batch, 12, 4, 4], as ResNetModel has.
"""

import sys
import warnings

import torch
import torch.nn as nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.one, self.two = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x):
        return torch.relu(x + self.two(torch.relu(self.one(x))))


warnings.filterwarnings("ignore")
torch.manual_seed(5)
model = nn.Sequential(
    nn.Conv2d(3, 12, (3, 3), stride=2, padding=1),
    nn.BatchNorm2d(12),
    nn.ReLU(),
    Block(12),
    nn.MaxPool2d(2),
    Block(12),
).eval()
torch.onnx.export(
    model,
    torch.zeros(2, 3, 16, 16),
    sys.argv[1],
    input_names=["pixel_values"],
    output_names=["last_hidden_state"],
    dynamic_axes={"pixel_values": {0: "batch"}, "last_hidden_state": {0: "batch"}},
    opset_version=12,
)
