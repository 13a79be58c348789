"""The platforms that the simulated Codat offers, and the pictures it serves for them.

The names are of real products, for a demonstration ought to look like one; the pictures are drawn here.
Keys: https://docs.codat.io/integrations (those we could not look up are made up).
"""

import uuid
from dataclasses import dataclass
from html import escape
from typing import Any

JsonObject = dict[str, Any]

_NAMESPACE = uuid.UUID("6d5f7a3e-0f0b-4a55-8d6c-2f0f5a1c7b42")

_ACCOUNTING = (
    "bankAccounts",
    "bills",
    "chartOfAccounts",
    "company",
    "customers",
    "invoices",
    "payments",
    "suppliers",
)
_BANKING = ("banking-accounts", "banking-accountBalances", "banking-transactions")
_COMMERCE = ("commerce-customers", "commerce-orders", "commerce-payments", "commerce-products")
_DATA_TYPES = {"Accounting": _ACCOUNTING, "Banking": _BANKING, "Commerce": _COMMERCE}


@dataclass(frozen=True, slots=True)
class SimulatedPlatform:
    """An integration of Codat; ``colour`` and ``initials`` are what its picture is drawn from.

    ``is_offline``: software on the customer's own computer. It is read while that computer is on: a first
    read stays queued until somebody ends it.
    """

    key: str
    name: str
    source_type: str
    colour: str
    initials: str
    enabled: bool = True
    is_beta: bool = False
    is_offline: bool = False

    @property
    def integration_id(self) -> str:
        """Codat's id of the integration: always the same for one key."""
        return str(uuid.uuid5(_NAMESPACE, f"integration {self.key}"))

    @property
    def source_id(self) -> str:
        """Codat's id of the data source: always the same for one key."""
        return str(uuid.uuid5(_NAMESPACE, f"source {self.key}"))

    @property
    def link_lasts_s(self) -> int:
        """How long the one-time password of its links works, in seconds."""
        return 3600 if self.key == "hcws" else 86_400

    @property
    def data_types(self) -> tuple[str, ...]:
        """What a first read of this platform reads."""
        return _DATA_TYPES.get(self.source_type, ("company",))

    def as_integration(self, base_url: str) -> JsonObject:
        """The platform as ``GET /integrations`` shows it."""
        return {
            "key": self.key,
            "logoUrl": f"{base_url}/branding/{self.key}/square.svg",
            "name": self.name,
            "enabled": self.enabled,
            "sourceId": self.source_id,
            "sourceType": self.source_type,
            "integrationId": self.integration_id,
            "isOfflineConnector": self.is_offline,
            "isBeta": self.is_beta,
        }

    def as_branding(self, base_url: str) -> JsonObject:
        """The addresses of its pictures, as ``GET /integrations/{key}/branding`` shows them."""

        def image(kind: str, alt: str) -> JsonObject:
            return {"image": {"src": f"{base_url}/branding/{self.key}/{kind}.svg", "alt": alt}}

        return {
            "logo": {
                "full": image("full", f"{self.name} logo"),
                "square": image("square", f"{self.name} icon"),
            },
            "button": {
                "default": image("button", f"Connect to {self.name}"),
                "hover": image("button-hover", f"Connect to {self.name}"),
            },
            "sourceId": self.source_id,
        }


PLATFORMS: tuple[SimulatedPlatform, ...] = (
    SimulatedPlatform("gbol", "Xero", "Accounting", "#0b7aa6", "X"),
    SimulatedPlatform("qhyg", "QuickBooks Online", "Accounting", "#2a7d16", "QB"),
    SimulatedPlatform("fbrh", "FreeAgent", "Accounting", "#1b5fa8", "FA"),
    SimulatedPlatform("sgbc", "Sage Business Cloud", "Accounting", "#0a6b3d", "S"),
    SimulatedPlatform("akxx", "Oracle NetSuite", "Accounting", "#4a5560", "NS", is_beta=True),
    SimulatedPlatform("exon", "Exact Online", "Accounting", "#7a4a00", "EO", enabled=False),
    SimulatedPlatform("pqsw", "QuickBooks Desktop", "Accounting", "#1f6b2b", "QD", is_offline=True),
    SimulatedPlatform("sgfi", "Sage 50", "Accounting", "#3f5f2a", "S5", is_offline=True),
    SimulatedPlatform("shpf", "Shopify", "Commerce", "#4c6f1f", "Sh"),
    SimulatedPlatform("strp", "Stripe", "Commerce", "#5546c9", "St"),
    SimulatedPlatform("sqre", "Square", "Commerce", "#2d2d35", "Sq"),
    SimulatedPlatform("pldx", "Plaid", "Banking", "#1f1f27", "P"),
    SimulatedPlatform("trlr", "TrueLayer", "Banking", "#14687a", "TL"),
    SimulatedPlatform("hcws", "QuickBooks Online Bank Feeds", "BankFeed", "#3b6e22", "QF"),
    SimulatedPlatform("expn", "Expense Cards", "Expense", "#8a3b5e", "E"),
    SimulatedPlatform("upld", "Accounting File Upload", "Other", "#5c5470", "F"),
    SimulatedPlatform("sand", "Codat Sandbox", "Unknown", "#33507a", "CS"),
)

_BY_KEY = {platform.key: platform for platform in PLATFORMS}

PICTURES = ("full", "square", "button", "button-hover")


def platform_of(key: str) -> SimulatedPlatform | None:
    return _BY_KEY.get(key)


def picture(platform: SimulatedPlatform, kind: str) -> str:
    """One of ``PICTURES`` of a platform as an SVG document."""
    name, initials, colour = escape(platform.name), escape(platform.initials), platform.colour
    font = 'font-family="system-ui, sans-serif" font-weight="700"'
    tile = f'<rect width="96" height="96" rx="22" fill="{colour}"/>'
    tile += (
        f'<text x="48" y="51" {font} font-size="40" fill="#fff" text-anchor="middle" '
        f'dominant-baseline="middle">{initials}</text>'
    )
    if kind == "square":
        return _svg(96, 96, name, tile)
    width = 128 + 22 * len(platform.name)
    if kind == "full":
        label = f'<text x="116" y="51" {font} font-size="38" fill="{colour}" dominant-baseline="middle">'
        return _svg(width, 96, name, f"{tile}{label}{name}</text>")
    width += 210
    shade = ' fill-opacity="0.82"' if kind == "button-hover" else ""
    back = f'<rect width="{width}" height="96" rx="16" fill="{colour}"{shade}/>'
    label = (
        f'<text x="{width // 2}" y="51" {font} font-size="36" fill="#fff" text-anchor="middle" '
        f'dominant-baseline="middle">Connect to {name}</text>'
    )
    return _svg(width, 96, f"Connect to {name}", back + label)


def _svg(width: int, height: int, title: str, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img"><title>{title}</title>{body}</svg>'
    )
