"""Images in memory: the digits that come along (``data``), published data sets, batches, distortions, any picture.

Everybody may come in; the room itself knows ``manual_bp`` alone. ``data`` and ``batches`` need no package of an extra,
``decoding``, ``picture`` and ``datasets`` need pillow, and ``datasets`` calls torchvision where a published data set is
read.
"""
