"""Index of companies by merchant id.

A merchant has several companies if one was deleted and another created, or if two Codat clients send their
messages here. A company is in the index of the merchant id in its hash and in no other: a writer watches
the hash and writes both in one transaction. Each write adds or removes one member and reads nothing,
because several writers change the companies of one merchant at once.
"""

from typing import Any

from redis.client import Pipeline

from processor.store import keys


def put(
    pipe: "Pipeline[Any]", company_id: str, merchant_id: str, *, before: str | None, heard_ms: int
) -> None:
    """Stage that a company, first heard of at ``heard_ms``, has this merchant id instead of ``before``."""
    if before is not None and before != merchant_id:
        remove(pipe, company_id, before)
    pipe.zadd(keys.merchant_companies(merchant_id), {company_id: heard_ms}, nx=True)


def remove(pipe: "Pipeline[Any]", company_id: str, merchant_id: str) -> None:
    """Stage that a company loses this merchant id."""
    pipe.zrem(keys.merchant_companies(merchant_id), company_id)
