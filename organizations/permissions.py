"""The one table of rights: what a scope allows, and which role has which scopes.

API keys carry scopes; people have a role. A key never exceeds the present role of the person who
made it. `MANAGE_MEMBERS` (members and limits) belongs to owners alone and to no key.
"""

NUMBERS_READ = "numbers:read"
NUMBERS_PURCHASE = "numbers:purchase"
NUMBERS_RELEASE = "numbers:release"
NUMBERS_WRITE = "numbers:write"
ASSISTANTS_READ = "assistants:read"
ASSISTANTS_WRITE = "assistants:write"
ORGANIZATION_ADMIN = "organization:admin"
MANAGE_MEMBERS = "organization:members"
ANY = "*"  # whoever may do anything at all in the organization

# What a key may carry, with the words that explain it.
SCOPES: dict[str, str] = {
    NUMBERS_READ: "See phone numbers and purchases",
    NUMBERS_PURCHASE: "Search at the providers and buy numbers (spends money)",
    NUMBERS_RELEASE: "Release numbers",
    NUMBERS_WRITE: "Assign, rename and configure numbers",
    ASSISTANTS_READ: "See assistants",
    ASSISTANTS_WRITE: "Create and change assistants",
    ORGANIZATION_ADMIN: "Manage credentials, API keys and settings",
}

# All rights, with the words that explain them.
RIGHTS = SCOPES | {MANAGE_MEMBERS: "Manage members and limits"}

_VIEWER = frozenset({NUMBERS_READ, ASSISTANTS_READ})
_MEMBER = _VIEWER | {NUMBERS_PURCHASE, NUMBERS_WRITE, ASSISTANTS_WRITE}
_ADMIN = _MEMBER | {NUMBERS_RELEASE, ORGANIZATION_ADMIN}
_OWNER = _ADMIN | {MANAGE_MEMBERS}

ROLE_SCOPES: dict[str, frozenset[str]] = {
    "viewer": _VIEWER,
    "member": _MEMBER,
    "admin": _ADMIN,
    "owner": _OWNER,
}
ROLE_WORDS: dict[str, str] = {
    "viewer": "Sees numbers, purchases and assistants",
    "member": "Also buys and assigns numbers (spends money) and changes assistants",
    "admin": "Also releases numbers and manages credentials, API keys and settings",
    "owner": "Also manages members and limits",
}
EVERYTHING = _OWNER
