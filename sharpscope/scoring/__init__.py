"""Scores and labels to error rates, costs and their intervals. No torch."""
