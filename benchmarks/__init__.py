"""Speed, measured against a slow reference in the same run; `python -m benchmarks` runs them all."""
