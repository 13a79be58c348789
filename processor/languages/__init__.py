"""The languages of the merchants' pages and e-mails: catalogues, the current language, and its formats.

English is the language of the source. Every other language is one file in ``catalogues``, named by its tag.
"""
