"""What error to expect on audio that nobody has labelled, and how far that may be believed."""
