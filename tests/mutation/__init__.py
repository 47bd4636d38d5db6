"""Mutants of `manual_bp`'s own source: how they are made (`mutant`, by `operators` on a `formula`) and run (`planting`)."""
