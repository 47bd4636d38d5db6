"""One formula alone, fed with the reference's inputs, and what it gave: layers, losses, functions, a whole pass."""
