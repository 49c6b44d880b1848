"""The results table, the records beside it, and which of its rows may be compared. No torch."""
