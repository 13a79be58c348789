"""Everything that is wrong now, as one list of conditions: code, severity, start, sentence, advice.

``/readyz``, ``/ops``, ``/v1/stats``, ``/metrics``, ``check`` and the operators' alerts use this list alone.
``facts`` reads Redis, the modules of rules are pure, ``registry`` has all codes.
"""
