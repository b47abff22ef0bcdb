"""Times forward, contrastive loss and backward of one net in plain PyTorch: torchStep.py <net> <batch> <threads> <steps>. Prints milliseconds, one line a step."""
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

net, batch, threads, steps = sys.argv[1], *map(int, sys.argv[2:5])
torch.set_num_threads(threads)
torch.manual_seed(1)
DIM = 512


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        n, t, c = x.shape
        y = self.norm1(x)
        q, k, v = (part(y).view(n, t, self.heads, c // self.heads).transpose(1, 2) for part in (self.q, self.k, self.v))
        scores = torch.softmax(q @ k.transpose(2, 3) * (c // self.heads) ** -0.5, -1)
        x = x + self.out((scores @ v).transpose(1, 2).reshape(n, t, c))
        y = self.fc1(self.norm2(x))
        return x + self.fc2(y * torch.sigmoid(1.702 * y))


class ViT(nn.Module):
    def __init__(self, width, heads, patch, size=224):
        super().__init__()
        self.size = size
        self.patch = nn.Conv2d(3, width, patch, patch, bias=False)
        self.cls = nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width))
        self.pre, self.post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(12)])
        self.projection = nn.Parameter(torch.randn(width, DIM) * width ** -0.5)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.position
        return self.post(self.blocks(self.pre(x))[:, 0]) @ self.projection


class Residual(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        stride = 1 if before == after else 2
        self.conv1, self.conv2 = nn.Conv2d(before, after, 3, stride, 1), nn.Conv2d(after, after, 3, 1, 1)
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(before, after, 2, 2)

    def forward(self, x):
        return F.relu(self.shortcut(x) + 0.5 * self.conv2(F.relu(self.conv1(x))))


class SmallResNet(nn.Module):
    size = 56

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), Residual(16, 16), Residual(16, 32), Residual(32, 64))
        self.projection = nn.Linear(64, 64)

    def forward(self, x):
        return self.projection(self.body(x).mean((2, 3)))


model = {"sample": SmallResNet, "ViT-Ti/16": lambda: ViT(192, 3, 16), "ViT-B/32": lambda: ViT(768, 12, 32)}[net]()
images = torch.rand(batch, 3, model.size, model.size)
captions = F.normalize(torch.randn(batch, 64 if net == "sample" else DIM), dim=1)
labels = torch.arange(batch)
for step in range(steps + 1):
    start = time.perf_counter()
    model.zero_grad(set_to_none=True)
    logits = F.normalize(model(images), dim=1) @ captions.T / 0.07
    loss = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
    loss.backward()
    if step > 0:
        print((time.perf_counter() - start) * 1000, flush=True)
