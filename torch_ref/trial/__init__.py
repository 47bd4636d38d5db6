"""The checker on trial: ``python -m torch_ref faults``."""
