"""Slices of a detector's loss along comparable directions."""
