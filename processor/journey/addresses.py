"""Adding parameters to addresses that others made."""

from urllib.parse import quote_plus, unquote_plus, urlencode


def with_query(url: str, **parameters: str | None) -> str:
    """``url`` with the parameters added to those that it has; its fragment stays last.

    What ``url`` has is left as it is written, except for parameters of the same name, which are
    replaced. ``None`` leaves a parameter out.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    address, hash_, fragment = url.partition("#")
    path, _, query = address.partition("?")
    kept = [pair for pair in query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in given]
    pairs = [*kept, *([urlencode(given, quote_via=quote_plus)] if given else [])]
    return path + ("?" + "&".join(pairs) if pairs else "") + hash_ + fragment
