"""Sharpness of speech deepfake detectors, and what it says about error on unseen speech."""

from __future__ import annotations

__version__ = "0.1.0"
