"""The delivery channels as data: name, settings that enable it, what it receives, how it is redelivered.

To add a channel, write its module here, add it to ``registry``, and add its sender to
``workers.delivery.channels``.
"""
