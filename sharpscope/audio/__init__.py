"""Audio files to waves of one rate and length: decoding, batches, and decoded audio kept on disk."""
