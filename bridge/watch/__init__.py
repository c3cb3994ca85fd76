"""Evaluates a training's checkpoints while it goes on."""
