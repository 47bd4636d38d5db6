"""What ``train.py`` takes: options, settings, predict."""
