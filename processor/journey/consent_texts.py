"""The text to which a user agrees before leaving for a platform: chosen by product and language."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from processor.journey.models import CompanyView
from processor.languages.catalogues import SOURCE, match
from processor.languages.current import gettext, mark, written_in
from processor.settings.brands import Brand, brand_of
from processor.settings.consent_templates import (
    DEFAULT_PRODUCT,
    ConsentTemplate,
    load_templates,
)
from processor.settings.definitions import Settings

UNNAMED_LENDER = mark("the company that sent you here")


@dataclass(frozen=True, slots=True)
class ConsentText:
    """One rendered text; ``version`` names its templates, and ``hash`` is the SHA-256 of the whole text."""

    version: str
    language: str
    text: str = field(repr=False)

    @property
    def hash(self) -> str:
        """What a form carries to say which text was on the page."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class ConsentTexts:
    """Renders the texts from the templates, which were tried when the settings were read."""

    def __init__(self, settings: Settings, brands: Mapping[str, Brand]) -> None:
        self._brands, self._default_language = brands, settings.default_language
        templates = load_templates(settings.consent_templates_dir)
        self._templates = {(template.product, template.language): template for template in templates}

    def of_company(self, company: CompanyView, languages: Sequence[str] = ()) -> ConsentText:
        """The text for a company, in the first of ``languages`` that there is one in.

        A company with several products agrees to the texts of all that have one of their own.
        """
        known_products = {product for product, _ in self._templates}
        products = [product for product in company.products if product in known_products] or [DEFAULT_PRODUCT]
        common = [word for word in languages if all((name, word) in self._templates for name in products)]
        templates = [
            self._template(product, (*common, self._default_language, SOURCE)) for product in products
        ]
        brand = brand_of(self._brands, company.brand)
        language = templates[0].language
        with written_in(match(language) or SOURCE):
            unnamed = gettext(UNNAMED_LENDER)
        values = {
            "lender": brand.name or unnamed,
            "company": company.display_name,
            "contact": brand.support_email,
            "privacy_policy": brand.privacy_policy_url,
        }
        return ConsentText(
            version="+".join(template.version for template in templates),
            language=language,
            text="\n\n".join(template.render(values) for template in templates),
        )

    def _template(self, product: str, languages: Sequence[str]) -> ConsentTemplate:
        """The product's template in the first of the languages that it has, else in any."""
        of_product = {word: template for (name, word), template in self._templates.items() if name == product}
        return next(of_product[word] for word in (*languages, *of_product) if word in of_product)
