"""The public checks; everybody else takes them from ``torch_ref`` itself."""
