"""What surrounds the mathematics when a network is trained; ``train.py`` puts it together.

data, batches, shifts, datasets/   images in memory, mini-batches as slices, the data sets of others
networks, schedule                 the network and the learning rate that the settings name
step, recorder                     one training step by hand, and its repetition
processes                          the same step shared by several processes
run, session, finite, evaluation   where a run stands, what it consists of, what stops it, how good it is
checkpoint, whole_file, run_folder, settings, interruption    what is kept, and how a run goes on
arguments, progress, plots, board  what is asked and what is shown
predict, picture                   a picture from anywhere, and what it shows
"""
