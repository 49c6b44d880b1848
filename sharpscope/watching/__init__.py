"""Looking at runs while they measure: what is finished, how fast it goes, what stands still."""
