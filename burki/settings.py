"""All settings. Values come from the environment (`.env` is read if it exists); `.env.example`
lists every one of them. With DEBUG off nothing that matters has a default."""

import sys
from decimal import Decimal
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from burki import embedded_postgres

BASE_DIR = Path(__file__).resolve().parent.parent
TESTING = "pytest" in sys.modules

env = environ.Env()
if not TESTING:
    env.read_env(env.str("ENV_FILE", default=str(BASE_DIR / ".env")))
# Development only: the embedded PostgreSQL and what `make run` keeps.
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".data")))

DEBUG = env.bool("DEBUG", default=False)
DEVELOPMENT = DEBUG or TESTING


def required(name: str, development: str) -> str:
    """An environment variable that only development may leave out."""
    value = env.str(name, default=development if DEVELOPMENT else "")
    if not value:
        raise ImproperlyConfigured(f"Set {name} in the environment (see .env.example).")
    return value


SECRET_KEY = required("SECRET_KEY", "development-only-not-a-secret-0123456789abcdefghijklmnop")
# Keys that SECRET_KEY replaced: who signed in under one stays signed in.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
# Fernet keys, newest first; older ones still decrypt. `manage.py rotate_credentials` re-encrypts.
CREDENTIALS_KEYS = [
    key.strip()
    for key in required("CREDENTIALS_KEY", "ZGV2ZWxvcG1lbnQtb25seS1ub3QtYS1zZWNyZXQtISE=").split(
        ","
    )
    if key.strip()
]
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"] if DEVELOPMENT else [])
# Where the providers reach us: webhooks are set to paths under it.
PUBLIC_BASE_URL = required("PUBLIC_BASE_URL", "http://127.0.0.1:8000").rstrip("/")
CSRF_TRUSTED_ORIGINS = [PUBLIC_BASE_URL]

INSTALLED_APPS = [
    "burki",
    # Before ours, which take their pages out of the admin: those show secrets.
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "organizations",
    "assistants",
    "numbers.apps.NumbersConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_htmx",
    "csp",
    "procrastinate.contrib.django",
]

MIDDLEWARE = [
    "burki.middleware.RequestLogMiddleware",
    "burki.room.RoomForCallsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Pages hold secrets, so BREACH was thought of: Django masks its CSRF tokens anew in each answer
    # and pads what it compresses by a random length, and what is shown once is in one answer.
    "django.middleware.gzip.GZipMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "burki.urls"
WSGI_APPLICATION = "burki.wsgi.application"
# A redirect would lose the body of a POST; our routes have no trailing slash.
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "burki.context.installation",
            ],
        },
    },
]

# --- Database -----------------------------------------------------------------------------------

if not env.str("DATABASE_URL", default=""):
    if not DEVELOPMENT:
        raise ImproperlyConfigured("Set DATABASE_URL to a PostgreSQL database.")
    embedded_postgres.start(DATA_DIR / "postgres")

DATABASES = {"default": env.db("DATABASE_URL")}
if DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
    raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL database.")
# No ATOMIC_REQUESTS, ever: a provider is never called inside a transaction (claim, call, record).
DATABASES["default"] |= {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True}
# A process that is frozen, or whose machine is gone, in the middle of a transaction holds its
# organization's lock: PostgreSQL ends such a transaction, and nobody waits for a lock for ever.
DATABASES["default"].setdefault("OPTIONS", {}).setdefault(
    "options", "-c idle_in_transaction_session_timeout=10s -c lock_timeout=5s"
)
DATABASES["default"]["OPTIONS"]["pool"] = {
    "min_size": 0,
    "max_size": env.int("DB_POOL_MAX", default=4),
    "timeout": 5,  # well inside a request's deadline of 25 s
}
# How many purchases a web process works on at a time, not counting those whose provider is being
# asked. One: a thread computes at a time, and those that wait for their turn in the middle of a
# transaction keep its locks. More for a PostgreSQL that is far away.
PURCHASE_TURNS = env.int("PURCHASE_TURNS", default=1)
# Of a web process's threads (gunicorn tells how many) an eighth is kept for calls.
_THREADS = env.int("WEB_THREADS", default=0)
REQUESTS_AT_ONCE = _THREADS - _THREADS // 8 if _THREADS else None
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Throttles and prices are kept here. Several machines want one shared cache (CACHE_URL).
CACHES = {"default": env.cache_url("CACHE_URL", default="locmemcache://?max_entries=20000")}

# --- People -------------------------------------------------------------------------------------

AUTH_USER_MODEL = "organizations.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Of the second factor; its tries are limited like those of passwords (organizations.throttling).
OTP_TOTP_ISSUER = "Burki Numbers"
OTP_TOTP_THROTTLE_FACTOR = OTP_STATIC_THROTTLE_FACTOR = 0
LOGIN_URL, LOGIN_REDIRECT_URL = "sign-in", "overview"

# Invitations and links to set a password; development prints them.
_MAIL = env.email_url("EMAIL_URL", "consolemail://" if DEVELOPMENT else "smtp://localhost:25")
vars().update(_MAIL)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Burki Numbers <no-reply@localhost>")

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# --- Static files -------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Development looks for files when they are asked for, instead of listing them all at the start.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEVELOPMENT
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEVELOPMENT
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Security -----------------------------------------------------------------------------------

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEVELOPMENT
SECURE_SSL_REDIRECT = not DEVELOPMENT
# Asked over plain HTTP by load balancers and monitoring.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 0 if DEVELOPMENT else 31_536_000
if env.bool("BEHIND_TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Subdomains and the browsers' preload list are the domain owner's decision, not this program's.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

# --- REST API -----------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "organizations.authentication.ApiKeyAuthentication",
        "organizations.authentication.StaffSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "burki.throttling.WithinLimits",
        "organizations.authentication.HasScope",
    ],
    "DEFAULT_PARSER_CLASSES": ["burki.api.JSONObjectParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "burki.api.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "organizations.openapi.Schema",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,  # ?format= is an unknown parameter, not a 404
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS is a method like others that we do not have
    "COMPACT_JSON": True,
}

# How often each may ask, by what is asked (burki.throttling): of the staff pages as well.
THROTTLE_RATES = {
    "purchase": env.str("THROTTLE_PURCHASE", default="60/min"),
    "search": env.str("THROTTLE_SEARCH", default="120/min"),
    "default": env.str("THROTTLE_DEFAULT", default="1200/min"),
    "purchase_organization": env.str("THROTTLE_PURCHASE_ORGANIZATION", default="120/min"),
    "search_organization": env.str("THROTTLE_SEARCH_ORGANIZATION", default="240/min"),
    "default_organization": env.str("THROTTLE_DEFAULT_ORGANIZATION", default="2400/min"),
    "failed_authentication": env.str("THROTTLE_FAILED_AUTHENTICATION", default="60/min"),
}

# `make openapi` writes openapi.yaml; burki/openapi.py says how endpoints are described.
SPECTACULAR_SETTINGS = {
    "TITLE": "Burki Numbers",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",
    "PREPROCESSING_HOOKS": ["burki.openapi_schema.without_doubles"],
    "POSTPROCESSING_HOOKS": ["burki.openapi_schema.finish", "organizations.openapi.with_security"],
    "ENABLE_DJANGO_DEPLOY_CHECK": False,  # a test compares the file
}

# --- Money and providers ------------------------------------------------------------------------

# True says that the providers' addresses below lead to a stand-in, and that this is meant.
SANDBOX = env.bool("SANDBOX", default=False)
# With it, addresses that are not given are those of `make run`'s own, never the real ones.
_SANDBOX_URL = SANDBOX and f"http://127.0.0.1:{env.int('SANDBOX_PORT', default=8100)}"
TWILIO_API_BASE_URL = env.str(
    "TWILIO_API_BASE_URL", default=_SANDBOX_URL or "https://api.twilio.com"
).rstrip("/")
TWILIO_PRICING_BASE_URL = env.str(
    "TWILIO_PRICING_BASE_URL", default=_SANDBOX_URL or "https://pricing.twilio.com"
).rstrip("/")
TELNYX_API_BASE_URL = env.str(
    "TELNYX_API_BASE_URL",
    default=f"{_SANDBOX_URL}/v2" if SANDBOX else "https://api.telnyx.com/v2",
).rstrip("/")

# The platform's own provider accounts (`ProviderAccount.source = environment`).
TWILIO_ACCOUNT_SID = env.str("TWILIO_ACCOUNT_SID", default="")
TWILIO_AUTH_TOKEN = env.str("TWILIO_AUTH_TOKEN", default="")
# The token that TWILIO_AUTH_TOKEN replaced, while Twilio may still sign with it.
TWILIO_PREVIOUS_AUTH_TOKEN = env.str("TWILIO_PREVIOUS_AUTH_TOKEN", default="")
TELNYX_API_KEY = env.str("TELNYX_API_KEY", default="")
TELNYX_CONNECTION_ID = env.str("TELNYX_CONNECTION_ID", default="")
TELNYX_MESSAGING_PROFILE_ID = env.str("TELNYX_MESSAGING_PROFILE_ID", default="")
TELNYX_PUBLIC_KEY = env.str("TELNYX_PUBLIC_KEY", default="")

# Money a month that a new organization may commit, in USD; empty = no limit.
DEFAULT_MONTHLY_LIMIT = (
    Decimal(env.str("DEFAULT_MONTHLY_LIMIT")) if env.str("DEFAULT_MONTHLY_LIMIT", "") else None
)
# From this total on, whoever buys many numbers on the staff pages types it (in its currency).
CONFIRM_TYPED_ABOVE = Decimal(env.str("CONFIRM_TYPED_ABOVE", default="100"))

# Multiply every waiting time: of requests to providers, and of settling what is in doubt. Only
# tests change them, all together.
CLOCK_SCALE = env.float("CLOCK_SCALE", default=1.0)
SETTLE_CLOCK_SCALE = env.float("SETTLE_CLOCK_SCALE", default=CLOCK_SCALE)

# --- Webhooks -----------------------------------------------------------------------------------

# How long what the providers sent us is kept as it came.
WEBHOOK_RETENTION_DAYS = env.int("WEBHOOK_RETENTION_DAYS", default=30)
# How long events to customers are kept, with what became of delivering them.
EVENT_RETENTION_DAYS = env.int("EVENT_RETENTION_DAYS", default=30)
# Whether customers' webhooks may lead to private addresses, such as this machine, and by http.
ALLOW_PRIVATE_WEBHOOKS = env.bool("ALLOW_PRIVATE_WEBHOOKS", default=DEBUG)

# --- Logging ------------------------------------------------------------------------------------

# Without it there is no /metrics.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"context": {"()": "burki.logs.ContextFilter"}},
    "formatters": {
        "json": {"()": "burki.logs.MaskingJsonFormatter"},
        "text": {"()": "burki.logs.MaskingTextFormatter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "filters": ["context"],
            "formatter": "text" if DEVELOPMENT else "json",
        }
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True, "level": "WARNING"},
        # 4xx answers are logged by our own request log; Django would write the raw path.
        "django.request": {"level": "ERROR"},
        "twilio.http_client": {"level": "WARNING"},  # would write URLs with phone numbers
        "procrastinate": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
        "embedded_postgres": {"level": "WARNING"},
    },
}

# Errors go to Sentry when it is named: without request bodies, variables or people, and masked.
if SENTRY_DSN := env.str("SENTRY_DSN", default=""):
    import sentry_sdk

    from burki.logs import masked_event

    sentry_sdk.init(
        dsn=SENTRY_DSN,
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
        before_send=masked_event,
        traces_sample_rate=0.0,
    )
