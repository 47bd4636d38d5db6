"""What surrounds the mathematics when a network is trained; ``train.py`` puts it together.

engine     one step of training: forward, loss, backward, update; by hand, repeated, shared by several processes
images     images in memory: data sets, batches, distortions, pictures from anywhere
run        a run and its folder: where it stands, checkpoints, log, interruption, evaluation, progress, plots
command    what a user says and hears: options, settings, where a run begins and how it ends, predict

Arrows run one way: command -> run -> engine, and command -> images <- run. Engine and images know no other room.
"""
