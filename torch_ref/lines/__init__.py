"""Somebody's code while it runs: its statements, the values of its variables, and which of them belong together."""
