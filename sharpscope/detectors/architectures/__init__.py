"""One file an architecture: the network, how its state dict is recognised, what it cannot tell."""
