"""Code of numpy, as it is, under torch's autograd."""
