"""A run and its folder: where it stands, checkpoints, log, interruption, evaluation, progress, plots.

The room knows ``engine`` and ``images``; ``command`` and ``train.py`` come in. ``evaluation`` and ``whole_file`` are
for everybody and need no package of an extra; the others need the extra ``train``.
"""
