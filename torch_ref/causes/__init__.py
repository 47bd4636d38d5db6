"""Likely causes by mathematics: what a known mistake in one operation of the reference would give."""
