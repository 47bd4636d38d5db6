"""A run and its folder: checkpoints, interruption, evaluation, progress, plots."""
