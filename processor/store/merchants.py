"""Which companies have which id of our caller's: the index of them.

A merchant may have had more than one company: one was deleted and another made, or two of Codat's clients
send their messages here. A company is in the index of the id that stands in its hash, and in no other;
whoever writes the one watches the hash and writes the other in the same transaction. Companies of one
merchant are written by several at once, so each write adds or removes one member and reads nothing.
"""

from typing import Any

from redis.client import Pipeline

from processor.store import keys


def put(
    pipe: "Pipeline[Any]", company_id: str, merchant_id: str, *, before: str | None, heard_ms: int
) -> None:
    """Stage: the company, first heard of at ``heard_ms``, has this merchant id instead of ``before``."""
    if before is not None and before != merchant_id:
        remove(pipe, company_id, before)
    pipe.zadd(keys.merchant_companies(merchant_id), {company_id: heard_ms}, nx=True)


def remove(pipe: "Pipeline[Any]", company_id: str, merchant_id: str) -> None:
    """Stage: the company has this merchant id no more."""
    pipe.zrem(keys.merchant_companies(merchant_id), company_id)
