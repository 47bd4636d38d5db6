"""Images in memory: data sets, batches, distortions, and pictures from anywhere."""
