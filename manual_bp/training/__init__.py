"""What surrounds the mathematics when a network is trained; ``train.py`` puts it together.

engine     one training step: by hand, recorded and repeated, shared by several processes
images     images in memory: data sets, batches, distortions, pictures
run        a run and its folder: checkpoints, interruption, evaluation, progress, plots
command    what train.py takes: options, settings, predict
"""
