"""The public checks, one file for each kind of code; everybody else takes them from ``torch_ref`` itself."""
