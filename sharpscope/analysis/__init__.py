"""What a results table says: correlations, their p-values and intervals, and the words for them. No torch."""
