"""The bare network in memory: packed batches, the encoder as a torch module, the training loop, the clock.

What training and distilling share. `budget` needs no torch; the other modules do, so they are imported by name, where
they are needed.
"""
