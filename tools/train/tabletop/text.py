"""Tokenizer and UMT5-shaped text encoder with the official Wan tensor names."""

import json
import math
import sys

import sentencepiece
import torch
import torch.nn as nn
import torch.nn.functional as F

TEXT_LEN = 48  # tokens that the transformer attends to; captions of the grammar have at most 36


def train_tokenizer(captions, prefix, vocabulary=480):
    """Trains a SentencePiece model on a file of captions: whole words of the grammar become one piece each.

    Ids follow UMT5: 0 pads, 1 ends a sentence. Case is folded, so "A red ball" reads like "a red ball".
    """
    sentencepiece.SentencePieceTrainer.train(
        input=captions, model_prefix=prefix, vocab_size=vocabulary, model_type="bpe", pad_id=0, eos_id=1, unk_id=2,
        bos_id=-1, hard_vocab_limit=False, character_coverage=1.0, normalization_rule_name="nmt_nfkc_cf",
        input_sentence_size=20000, shuffle_input_sentence=True, minloglevel=1)


class Tokenizer:
    def __init__(self, path):
        self.model = sentencepiece.SentencePieceProcessor(model_file=path)

    def __call__(self, texts):
        """Returns ids [B, longest] (int64, padded with 0) and lengths [B]; every text ends with </s>."""
        rows = [self.model.encode(text)[: TEXT_LEN - 1] + [1] for text in texts]
        lengths = torch.tensor([len(row) for row in rows])
        ids = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
        return ids, lengths


class T5Norm(nn.Module):
    """x / rms(x) * weight, eps 1e-6."""

    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return x * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-6).to(x.dtype) * self.weight


class RelativeBias(nn.Module):
    """A learned bias per bucket of key position minus query position, 16 buckets each way (max distance 128)."""

    def __init__(self, heads, buckets=32):
        super().__init__()
        self.buckets = buckets
        self.embedding = nn.Embedding(buckets, heads)

    def bucket(self, relative):
        half = self.buckets // 2
        bucket = (relative > 0).long() * half
        distance, exact = relative.abs(), half // 2
        far = exact + (torch.log(distance.float() / exact) / math.log(128 / exact) * (half - exact)).long()
        far = torch.minimum(far, torch.full_like(far, half - 1))
        return bucket + torch.where(distance < exact, distance, far)

    def forward(self, length):
        """[1, heads, length, length]"""
        at = torch.arange(length)
        return self.embedding(self.bucket(at[None, :] - at[:, None])).permute(2, 0, 1)[None]


class T5Attention(nn.Module):
    """Self attention without scaling and without biases in its projections."""

    def __init__(self, dim, dim_attn, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = (nn.Linear(dim, dim_attn, bias=False) for _ in range(3))
        self.o = nn.Linear(dim_attn, dim, bias=False)

    def forward(self, x, bias):
        q, k, v = (layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        weights = torch.softmax((q @ k.transpose(-1, -2) + bias).float(), dim=-1).to(v.dtype)
        return self.o((weights @ v).transpose(1, 2).flatten(2))


class T5FeedForward(nn.Module):
    """fc2(fc1(x) * gelu(gate(x))), tanh form of GELU (`gate.1` in the official code has no weights)."""

    def __init__(self, dim, dim_ffn):
        super().__init__()
        self.gate = nn.Sequential(nn.Linear(dim, dim_ffn, bias=False))
        self.fc1 = nn.Linear(dim, dim_ffn, bias=False)
        self.fc2 = nn.Linear(dim_ffn, dim, bias=False)

    def forward(self, x):
        gate = self.gate(x)
        gelu = 0.5 * gate * (1 + torch.tanh(math.sqrt(2 / math.pi) * (gate + 0.044715 * gate.pow(3))))
        return self.fc2(self.fc1(x) * gelu)


class T5Block(nn.Module):
    def __init__(self, dim, dim_attn, dim_ffn, heads):
        super().__init__()
        self.norm1, self.attn = T5Norm(dim), T5Attention(dim, dim_attn, heads)
        self.norm2, self.ffn = T5Norm(dim), T5FeedForward(dim, dim_ffn)
        self.pos_embedding = RelativeBias(heads)

    def forward(self, x, mask):
        """mask [B, 1, 1, length]: 0 for words, a large negative number for padding."""
        x = x + self.attn(self.norm1(x), self.pos_embedding(x.shape[1]) + mask)
        return x + self.ffn(self.norm2(x))


class TextEncoder(nn.Module):
    """ids [B, L], lengths [B] -> states [B, L, dim] with zeros behind every text's end."""

    def __init__(self, vocabulary=480, dim=128, dim_attn=128, dim_ffn=256, heads=4, layers=2):
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, dim)
        self.blocks = nn.ModuleList([T5Block(dim, dim_attn, dim_ffn, heads) for _ in range(layers)])
        self.norm = T5Norm(dim)
        for name, parameter in self.named_parameters():
            if name.endswith(("q.weight",)):
                nn.init.normal_(parameter, std=(dim * dim_attn / heads) ** -0.5)
            elif "embedding" not in name and parameter.dim() == 2:
                nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
        for block in self.blocks:
            nn.init.normal_(block.pos_embedding.embedding.weight, std=0.1)

    def forward(self, ids, lengths):
        valid = torch.arange(ids.shape[1])[None] < lengths[:, None]
        mask = torch.zeros(valid.shape).masked_fill(~valid, torch.finfo(torch.float32).min)[:, None, None]
        x = self.token_embedding(ids)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x) * valid[..., None]


def pad_context(states):
    """[B, L, dim] -> [B, TEXT_LEN, dim], zeros behind: what the transformer's text MLP is given."""
    return F.pad(states, (0, 0, 0, TEXT_LEN - states.shape[1]))


def main(lines_path, prefix):
    """Tokenizer from the .jsonl file of tabletop-clips."""
    captions = prefix + ".txt"
    with open(lines_path, encoding="utf-8") as lines, open(captions, "w", encoding="utf-8") as out:
        for line in lines:
            info = json.loads(line)
            out.write(info["caption"] + "\n" + info["full"] + "\n")
    train_tokenizer(captions, prefix)


if __name__ == "__main__":
    main(*sys.argv[1:])
