"""A step of the convolutional network ``--network lenet``: its numbers, and everybody who computes it."""
