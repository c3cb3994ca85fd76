"""What was just fine-tuned against what it was made of: a training's folder → a spec → a run → is it better."""
