"""One training step: by hand, recorded and repeated, shared by several processes, with finite numbers, at its rate."""
