"""One step of training: forward, loss, backward, update.

Start with ``protocol``, then ``step`` (by hand) and ``repetition`` (recorded and repeated). ``processes`` meet, and
share a step by ``parallel``. ``schedule`` says at which rate, ``finite`` which number was the first that is not finite.
Everybody may come in; the room itself knows ``manual_bp`` alone, and needs no package of an extra.
"""
