"""The words by which protocols and keys call the two classes, one list for every reader."""

from __future__ import annotations

BONAFIDE = (
    "bonafide",
    "bona-fide",
    "bona fide",
    "bona_fide",
    "real",
    "genuine",
    "human",
    "original",
    "natural",
)
SPOOF = ("spoof", "spoofed", "fake", "synthetic", "deepfake", "tts")
