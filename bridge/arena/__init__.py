"""An arena from a spec: models answer, judges and people decide, ratings are made; stage by stage, each on disk."""
