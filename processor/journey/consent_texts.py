"""The text to which a user agrees before leaving for a platform: chosen by product and language."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from processor.journey.models import CompanyView
from processor.settings.brands import Brand, brand_of
from processor.settings.consent_templates import (
    DEFAULT_LANGUAGE,
    DEFAULT_PRODUCT,
    ConsentTemplate,
    load_templates,
)
from processor.settings.definitions import Settings

UNNAMED_LENDER = "the company that sent you here"


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
        self._brands = brands
        templates = load_templates(settings.consent_templates_dir)
        self._templates = {(template.product, template.language): template for template in templates}

    def of_company(self, company: CompanyView, languages: Sequence[str] = ()) -> ConsentText:
        """The text for a company, in the first of ``languages`` that there is one in.

        A company with several products agrees to the texts of all that have one of their own.
        """
        choices = (self._templates_in(language, company.products) for language in languages)
        templates = next(filter(None, choices), None) or self._templates_in(
            DEFAULT_LANGUAGE, company.products
        )
        brand = brand_of(self._brands, company.brand)
        values = {
            "lender": brand.name or UNNAMED_LENDER,
            "company": company.display_name,
            "contact": brand.support_email,
            "privacy_policy": brand.privacy_policy_url,
        }
        return ConsentText(
            version="+".join(template.version for template in templates),
            language=templates[0].language,
            text="\n\n".join(template.render(values) for template in templates),
        )

    def _templates_in(self, language: str, products: Sequence[str]) -> list[ConsentTemplate]:
        """The templates of the products in a language, else the one for any product; empty without either."""
        names = [(product, language) for product in products] + [(DEFAULT_PRODUCT, language)]
        templates = [self._templates[name] for name in names if name in self._templates]
        specific = [template for template in templates if template.product != DEFAULT_PRODUCT]
        return specific or templates
