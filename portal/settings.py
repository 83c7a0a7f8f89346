"""Settings, all from the environment: one code path, whatever the engines behind the addresses."""

from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONE, SELF

from portal.accounts.providers import APPS as IDENTITY_APPS
from portal.accounts.providers import providers_from
from portal.kit import env

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.text("SLIPWAY_VAR", str(BASE_DIR / "var")))

SECRET_KEY = env.text("SECRET_KEY", example="$(openssl rand -hex 32)")
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
DEBUG = False
PUBLIC_URL = env.text("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
_public = urlsplit(PUBLIC_URL)
_secure = _public.scheme == "https"
ALLOWED_HOSTS = [
    *env.words("ALLOWED_HOSTS"),
    *(host for host in [_public.hostname, "localhost", "127.0.0.1", "[::1]"] if host),
]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL, *env.words("CSRF_TRUSTED_ORIGINS")]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "template_partials",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    *IDENTITY_APPS,
    "portal.kit",
    "portal.accounts",
    "portal.jobs",
    "portal.clusters",
    "portal.githosts",
    "portal.notices",
    "catalog",
    "catalog.lists",
    "catalog.ownership",
    "catalog.handing",
    "portal.goldenpaths",
    "portal.provisioning",
    "portal.desk",
    "portal.live",
    "portal.sandbox",
]

MIDDLEWARE = [
    "portal.kit.middleware.PlainAddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.kit.middleware.PrivateMiddleware",
    "portal.kit.middleware.CompressMiddleware",
    "portal.kit.middleware.FragmentMiddleware",
    "csp.middleware.CSPMiddleware",
    "portal.accounts.middleware.RootedMiddleware",
    "portal.accounts.middleware.EnteringMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "portal.accounts.middleware.LeaveByPageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.accounts.fresh.FreshMiddleware",
    "portal.accounts.zone.ZoneMiddleware",
    "portal.accounts.middleware.SeenMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.kit.middleware.RefusalMiddleware",
]

ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"
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
                "portal.accounts.context.organisation",
                "portal.accounts.context.sign_up",
            ],
        },
    }
]

# --- data -------------------------------------------------------------------------------------------------------------

_database_url = env.text("DATABASE_URL", example="postgresql://slipway_app@db/slipway")
DATABASES = {"default": dj_database_url.parse(_database_url, engine="portal.kit.postgres")}
# A connection for each thread, kept; portal/kit/connecting.py looks at it before a thread uses it again.
DATABASES["default"]["CONN_MAX_AGE"] = None
DATABASES["default"].setdefault("OPTIONS", {})
# Values travel beside the statement, and a statement that comes often is planned once.
DATABASES["default"]["OPTIONS"].setdefault("server_side_binding", True)
DATABASES["default"]["OPTIONS"].setdefault("prepare_threshold", 5)
# A server that says nothing is told from a slow one by portal/kit/postgres; these end what the kernel alone can see.
for _name, _value in {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}.items():
    DATABASES["default"]["OPTIONS"].setdefault(_name, _value)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

VALKEY_URL = env.text("VALKEY_URL", example="redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "portal.kit.cache.TolerantCache",
        "LOCATION": VALKEY_URL,
        "KEY_PREFIX": "cache",
        "OPTIONS": {"pool_class": "portal.kit.valkey.Pool", "socket_connect_timeout": 1, "socket_timeout": 1.5},
    }
}

# --- people -----------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "portal.accounts.adapter.AccountAdapter"
SOCIALACCOUNT_ADAPTER = "portal.accounts.adapter.SocialAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_SIGNUP_FORM_CLASS = "portal.accounts.forms.SignupForm"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 15 * 60
ACCOUNT_DEFAULT_HTTP_PROTOCOL = _public.scheme
SOCIALACCOUNT_PROVIDERS = providers_from(env.text)
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
MFA_ADAPTER = "portal.accounts.adapter.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not _secure
MFA_TOTP_ISSUER = "Slipway"
USERSESSIONS_TRACK_ACTIVITY = True
SIGNUP = env.text("SIGNUP", "invited")  # invited | open
ORGANISATIONS = env.text("ORGANISATIONS", "operator")  # who makes organisations after the first: operator | open
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if env.text("EMAIL_HOST", "")
    else "django.core.mail.backends.console.EmailBackend"
)
EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
EMAIL_PORT = env.integer("EMAIL_PORT", 587)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.boolean("EMAIL_USE_TLS", default=True)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", "Slipway <slipway@localhost>")

# --- the browser's side -----------------------------------------------------------------------------------------------

SESSION_ENGINE = "portal.accounts.sessions"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _secure
SESSION_COOKIE_NAME = "slipway_session"
CSRF_COOKIE_NAME = "slipway_csrf"
CSRF_FAILURE_VIEW = "portal.errors.forbidden_form"
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = env.integer("HSTS_SECONDS", 31536000 if _secure else 0)
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "portal.kit.bundles.BundleFinder",
]
# Hashed names need a collected folder; `make up` collects and says so, a bare test run serves the files as they lie.
STATIC_HASHED = env.boolean("STATIC_HASHED")
WHITENOISE_USE_FINDERS = not STATIC_HASHED
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_HASHED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
MEDIA_ROOT = VAR_DIR / "media"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_HANDLERS = ["portal.kit.uploads.BoundedUploadHandler"]
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "portal.accounts.authentication.TokenAuthentication",
        "portal.accounts.authentication.BrowserSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["portal.kit.parsing.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "portal.accounts.contract.Schema",
    "EXCEPTION_HANDLER": "portal.kit.middleware.api_exception",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Slipway",
    "DESCRIPTION": "Everything the pages do, for programs. Sign in with a browser session or an API token.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/o/[^/]+",
    "COMPONENT_SPLIT_REQUEST": True,
    "OAS_VERSION": "3.1.0",
}

# --- background work --------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = VALKEY_URL

# How long a worker may go silent before another takes its run, and how often it says that it is alive.
RUN_LEASE_SECONDS = env.integer("RUN_LEASE_SECONDS", 30)
RUN_HEARTBEAT_SECONDS = env.integer("RUN_HEARTBEAT_SECONDS", 10)
# The same for jobs, and how many of them one person and one organisation may have under way.
JOB_LEASE_SECONDS = env.integer("JOB_LEASE_SECONDS", 30)
JOB_HANGS_SECONDS = 3600
JOBS_PER_PERSON = env.integer("JOBS_PER_PERSON", 10)
JOBS_PER_ORGANISATION = env.integer("JOBS_PER_ORGANISATION", 100)
# How long an API request waits for its job before it answers 202.
JOB_ANSWER_SECONDS = env.integer("JOB_ANSWER_SECONDS", 25)
SWEEP_SECONDS = env.integer("SWEEP_SECONDS", 3)
# How long a cluster waits for another live process when the one that watched it was killed.
CLUSTER_LEASE_SECONDS = env.integer("CLUSTER_LEASE_SECONDS", 5)
# The same for the live process's other duties, such as sweeping runs.
DUTY_LEASE_SECONDS = env.integer("DUTY_LEASE_SECONDS", 15)

# --- clusters, git, the outside ---------------------------------------------------------------------------------------

# X25519, base64. Web can seal cluster credentials with the first; only live and worker get the second.
CLUSTER_PUBLIC_KEY = env.text("CLUSTER_PUBLIC_KEY", "")
CLUSTER_PRIVATE_KEY = env.text("CLUSTER_PRIVATE_KEY", "")
# Networks that servers of ours may be reached in although they are private: CIDRs.
ALLOWED_NETWORKS = env.words("ALLOWED_NETWORKS")
# What of ours listens (host:port) beyond PUBLIC_URL, the database and Valkey: never connected to for anybody.
OWN_ADDRESSES = env.words("OWN_ADDRESSES")
# The embedded cluster's API server (host:port): open to cluster connections and to nothing else.
SANDBOX_ADDRESS = env.text("SANDBOX_ADDRESS", "")
# Further API servers on private networks (host:port): open to cluster connections and to nothing else.
CLUSTER_ADDRESSES = env.words("CLUSTER_ADDRESSES")
# Folders that catalog sources and local git URLs may lie in.
SOURCE_FOLDERS = [Path(folder) for folder in env.words("SOURCE_FOLDERS")]
# How much one source may hold; and what each of the processes that read its files may take: memory, and seconds a file.
SOURCE_FILES = env.integer("SOURCE_FILES", 300_000)
SOURCE_ENTITIES = env.integer("SOURCE_ENTITIES", 300_000)
READING_PROCESSES = env.integer("READING_PROCESSES", 2)
READING_MEBIBYTES = env.integer("READING_MEBIBYTES", 384)
READING_SECONDS = env.integer("READING_SECONDS", 30)
GIT_ROOT = Path(env.text("GIT_ROOT", str(VAR_DIR / "git")))
# Certificate authorities (PEM) that vouch for git hosts, in place of the system's; for hosts with one of their own.
GIT_CA_FILE = env.text("GIT_CA_FILE", "")
# The largest push, in bytes.
GIT_PUSH_LIMIT = env.integer("GIT_PUSH_MEBIBYTES", 100) * 1024 * 1024

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"one-line": {"()": "portal.kit.logs.OneLine"}},
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.request": {"level": "ERROR"},
        # Whoever knocks with a made-up Host header fills no screen with it.
        "django.security.DisallowedHost": {"filters": ["one-line"]},
        "aiohttp.access": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
    },
}
SILENCED_SYSTEM_CHECKS: list[str] = []
