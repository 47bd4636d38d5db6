"""The reference: the same network, one training step and any optimizer of torch, all by autograd."""
