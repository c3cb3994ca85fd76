"""Runs in an environment with torch, by its path: a server that tells how likely texts are. Knows nothing of bridge."""
