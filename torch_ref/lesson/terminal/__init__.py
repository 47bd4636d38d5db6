"""A walk as text and as JSON: ``python -m torch_ref compare``."""
