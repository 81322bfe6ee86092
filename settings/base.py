"""What holds wherever Pushcore runs. Anything that differs comes from the environment."""

from __future__ import annotations

from pathlib import Path

import dj_database_url
from django_guid.integrations.celery import CeleryIntegration
from kombu import Queue

from settings import environment

BASE_DIR = Path(__file__).resolve().parent.parent

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "auditlog",
    "django_guid",
    "django_celery_beat",
    "django_typer",
    "devices",
    "devices.segments",
    "campaigns",
    "campaigns.access",
    "campaigns.idempotency",
    "campaigns.notifications",
    "campaigns.schedules",
]

MIDDLEWARE = [
    "django_guid.middleware.guid_middleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "campaigns.api.lengths.refuse_chunked_bodies",
    "settings.slashes.CommonMiddlewareKeepingRequests",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "campaigns.access.trail.TrailMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "settings.urls"
WSGI_APPLICATION = "settings.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DT_RICH_TRACEBACK_CONFIG = {"no_install": True}
"""Logs are read by programs: a traceback in them stays plain, and shows no local values."""
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"

# --- Data -------------------------------------------------------------------------------------

DATABASE_URL = environment.text("DATABASE_URL")
DATABASES = {
    "default": dj_database_url.parse(DATABASE_URL, conn_max_age=600, conn_health_checks=True),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTHENTICATION_BACKENDS = ["campaigns.access.login.SlowedDownBackend"]
LOGIN_URL = LOGOUT_REDIRECT_URL = "login"
LOGIN_REDIRECT_URL = "docs"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"

# --- API --------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "campaigns.access.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["campaigns.access.permissions.HasScope"],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_THROTTLE_CLASSES": ["campaigns.access.throttles.BudgetThrottle"],
    # Whose address is it? X-Forwarded-For is believed as far as our own proxies wrote it.
    "NUM_PROXIES": environment.integer("TRUSTED_PROXIES", 0),
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "campaigns.api.schema.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["devices.api.bodies.JsonParser"],
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "PAGE_SIZE": 50,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Pushcore",
    "DESCRIPTION": "Push campaigns to millions of devices, each one accounted for.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/",
    "COMPONENT_SPLIT_REQUEST": True,
    "TAGS": [
        {"name": "campaigns", "description": "What is sent, to whom, and what became of it."},
        {"name": "schedules", "description": "Campaigns that come again."},
        {"name": "devices", "description": "Who can be reached; files of them."},
        {"name": "segments", "description": "Audiences by rules."},
        {"name": "user-lists", "description": "Audiences by uploaded user ids."},
        {"name": "notification-channels", "description": "Who is told of what."},
        {"name": "api-keys", "description": "What programs may do."},
        {"name": "audit-log", "description": "Who did what."},
    ],
    "ENUM_NAME_OVERRIDES": {
        "CampaignStatusEnum": "campaigns.states.CampaignStatus",
        "DeliveryStatusEnum": "campaigns.models.PushLog.Status",
        "ChannelKindEnum": "campaigns.notifications.models.ChannelKind",
        "ApiKeyStateEnum": ["active", "expired", "revoked"],
        "NoticeStateEnum": "campaigns.notifications.models.DeliveryState",
        "SegmentKindEnum": "devices.segments.models.SegmentKind",
        "BuildStatusEnum": "devices.segments.models.BuildStatus",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "defaultModelsExpandDepth": 0},
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["campaigns.access.permissions.HasAnyScope"],
}
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "campaigns.api.errors.Handler",
    "EXCEPTION_FORMATTER_CLASS": "campaigns.api.errors.Formatter",
    "ALLOWED_ERROR_STATUS_CODES": [
        *(400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 429, 500),
    ],
}
DJANGO_GUID = {
    "GUID_HEADER_NAME": "X-Request-ID",
    "VALIDATE_GUID": True,
    "RETURN_HEADER": True,
    "EXPOSE_HEADER": True,
    "INTEGRATIONS": [CeleryIntegration()],
}
"""A request's id, its caller's or one of ours: in the answer, the log, and the tasks it starts."""
DATA_UPLOAD_MAX_MEMORY_SIZE = environment.integer("MAX_BODY_BYTES", 8 << 20)
"""The largest JSON body that is read; files of devices and bulk calls have limits of their own."""

MAX_TARGET_USER_IDS = environment.integer("MAX_TARGET_USER_IDS", 100_000)
"""What one campaign may name; they are read whole at its planning. More belong into a list."""

API_UNITS_PER_MINUTE = environment.integer("API_UNITS_PER_MINUTE", 12_000)
"""What each caller may ask of the API: a call costs a unit, large ones more; 0 for no bound."""

BULK_MAX_ROWS = environment.integer("BULK_MAX_ROWS", 10_000)
BULK_MAX_BYTES = environment.integer("BULK_MAX_BYTES", 32 << 20)
"""Of one bulk call: over 3 kB for each of the most devices that it may bring."""

# --- The audit trail --------------------------------------------------------------------------

AUDITLOG_STORE_JSON_CHANGES = True
AUDITLOG_CID_GETTER = "django_guid.get_guid"
"""An entry knows the request or the task by the id that the logs have."""

# --- Files of devices -------------------------------------------------------------------------

IMPORT_FOLDER = environment.text("IMPORT_FOLDER", str(BASE_DIR / ".data" / "imports"))
"""Where uploads wait and rejects stay; the web server and the workers share it."""
IMPORT_MAX_BYTES = environment.integer("IMPORT_MAX_BYTES", 4 << 30)
UPLOADS_KEPT_DAYS = environment.integer("UPLOADS_KEPT_DAYS", 30, least=1)
"""How long rejects stay there, and uploads that no worker came for."""

# --- The provider -----------------------------------------------------------------------------

FCM_ENDPOINT = environment.text("FCM_ENDPOINT", "https://fcm.googleapis.com")
FCM_CA_FILE = environment.text("FCM_CA_FILE", "") or None
FCM_TRANSPORT = environment.choice("FCM_TRANSPORT", "http2", "curl")
"""Our own HTTP/2, or libcurl's at four times the processor time."""
FCM_CONNECTIONS = environment.integer("FCM_CONNECTIONS", 5)
FCM_IN_FLIGHT = environment.integer("FCM_IN_FLIGHT", 500)
FCM_TIMEOUT_S = environment.integer("FCM_TIMEOUT_S", 15, least=10)
"""Google asks for at least 10 s: what is slower may have been accepted all the same."""
FERNET_KEYS = environment.words("FERNET_KEYS")
"""For credentials that are encrypted at rest; the first encrypts, all decrypt."""

# --- The engine -------------------------------------------------------------------------------

REDIS_URL = environment.text("REDIS_URL")
BATCH_SIZE = 500
WAVE_BATCHES = environment.integer("WAVE_BATCHES", 1_000)
"""At most so many batches of one campaign and project stand in the broker: 500,000 devices. Celery
holds a whole chord in memory while it is published, 6 MB for each thousand."""
LEASE_S = environment.integer("LEASE_S", 15)
"""How long a batch belongs to a worker that gives no sign of life; extended while it sends."""
SEND_DEADLINE_S = environment.integer("SEND_DEADLINE_S", 60)
"""How long one batch may start messages; what has not started by then goes back."""
RETRY_MAX_ATTEMPTS = environment.integer("RETRY_MAX_ATTEMPTS", 5)
RETRY_MAX_AGE_S = environment.integer("RETRY_MAX_AGE_S", 3_600)
QUOTA_SHARE_NORMAL = environment.number("QUOTA_SHARE_NORMAL", 0.9)
"""What normal and low campaigns together may use of a project's quota."""
QUOTA_SHARE_LOW = environment.number("QUOTA_SHARE_LOW", 0.8)
QUOTA_RAMP_S = environment.number("QUOTA_RAMP_S", 0)
"""In how many seconds an idle project's pace grows to full. Google advises 60 for large sends; off
by default, as it costs a short campaign most of its speed."""
MISMATCH_SHARE = environment.number("MISMATCH_SHARE", 0.5)
"""The share of answers SENDER_ID_MISMATCH in one batch that halts the project's campaigns."""
MISMATCH_MINIMUM = environment.integer("MISMATCH_MINIMUM", 50)
"""No share is drawn from fewer answers."""
RESCUE_INTERVAL_S = environment.integer("RESCUE_INTERVAL_S", 5)
SCHEDULE_LATENESS_S = environment.integer("SCHEDULE_LATENESS_S", 3_600)
"""A scheduled campaign that nobody could start for longer is not sent: it is a draft again."""
STANDSTILL_S = environment.integer("STANDSTILL_S", 10)
"""A campaign without any progress for so long has lost its messages: they are sent again."""

# --- Celery: measured reasons for each stand in docs/operations.md ------------------------------

CELERY_BROKER_URL = environment.text("CELERY_BROKER_URL", REDIS_URL)
CELERY_RESULT_BACKEND = environment.text("CELERY_RESULT_BACKEND", REDIS_URL)
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
_IS_AMQP = CELERY_BROKER_URL.startswith(("amqp", "pyamqp"))
CELERY_TASK_QUEUES = [
    # On RabbitMQ they are replicated: a lost node loses no message.
    Queue(name, queue_arguments={"x-queue-type": "quorum"} if _IS_AMQP else None)
    for name in ("rescue", "high_priority", "notices", "default", "low_priority")
]
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SOFT_TIME_LIMIT = 200
CELERY_TASK_TIME_LIMIT = 240
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = 3_600
CELERY_RESULT_CHORD_EXPIRES = 7 * 24 * 3_600
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = CELERY_BROKER_URL.startswith("redis")
CELERY_WORKER_MAX_TASKS_PER_CHILD = 5_000
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000  # KiB
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 60
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# A Redis whose disk or memory is full, or that is a replica for a moment, answers with an error: by
# default a worker ends at that, with this it waits for better times.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_DB_REUSE_MAX = 1_000
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {}
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS: dict[str, object] = {}
if CELERY_BROKER_URL.startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 1_800,
        "queue_order_strategy": "priority",
        "unacked_restore_throttle": 1,
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
    }
if _IS_AMQP:
    CELERY_BROKER_TRANSPORT_OPTIONS = {"confirm_publish": True}
    # Celery declares these wherever it finds quorum queues. Nothing here is sent with a delay.
    CELERY_BROKER_NATIVE_DELAYED_DELIVERY_QUEUE_TYPE = "classic"
CELERY_REDIS_SOCKET_TIMEOUT = 30.0
CELERY_REDIS_SOCKET_CONNECT_TIMEOUT = 5.0
CELERY_REDIS_SOCKET_KEEPALIVE = True
CELERY_BEAT_SCHEDULER = "settings.beat:Scheduler"
# Written into the database when beat starts; `expire_seconds` as its rows call `expires`.
CELERY_BEAT_SCHEDULE = {
    "rescue": {
        "task": "campaigns.rescue",
        "schedule": RESCUE_INTERVAL_S,
        # A queue of its own: in a campaign's it would stand behind a whole wave, and expire.
        "options": {"queue": "rescue", "expire_seconds": RESCUE_INTERVAL_S * 2},
    },
    "send-admin-notification": {
        "task": "campaigns.send_admin_notification",
        "schedule": 5,
        # A queue of its own: no word to people waits behind a wave, or keeps one waiting.
        "options": {"queue": "notices", "expire_seconds": 10},
    },
    "watch-campaigns": {
        "task": "campaigns.watch_campaigns",
        "schedule": 30,
        "options": {"queue": "notices", "expire_seconds": 60},
    },
    "purge-kept-answers": {
        "task": "idempotency.purge",
        "schedule": 3_600,
        "options": {"queue": "low_priority", "expire_seconds": 3_600},
    },
    "audit": {
        "task": "campaigns.audit",
        "schedule": 60,
        # Not with the rescue, which must not wait for it; where campaigns travel it would expire.
        "options": {"queue": "notices", "expire_seconds": 60},
    },
    "start-what-is-due": {
        "task": "campaigns.start_what_is_due",
        "schedule": 2,
        "options": {"queue": "rescue", "expire_seconds": 4},
    },
    "resume-imports": {
        "task": "devices.resume_imports",
        "schedule": 60,
        "options": {"queue": "low_priority", "expire_seconds": 60},
    },
    "forget-old-files": {
        "task": "devices.forget_old_files",
        "schedule": 3_600,
        "options": {"queue": "low_priority", "expire_seconds": 3_600},
    },
    "resume-segments": {
        "task": "segments.resume",
        "schedule": 60,
        "options": {"queue": "low_priority", "expire_seconds": 60},
    },
}

# --- Word to people and programs ----------------------------------------------------------------

PUBLIC_URL = environment.text("PUBLIC_URL", "").rstrip("/")
"""Where people reach this server, such as https://push.example.com; without it e-mails have no
links."""
STANDSTILL_NOTICE_S = environment.integer("STANDSTILL_NOTICE_S", 300)
"""People are told of a campaign that has not moved for so long."""
WEBHOOK_PRIVATE_HOSTS = environment.words("WEBHOOK_PRIVATE_HOSTS")
"""Hosts that webhooks may reach although they are not public, and without TLS."""
EMAIL_HOST = environment.text("EMAIL_HOST", "localhost")
EMAIL_PORT = environment.integer("EMAIL_PORT", 25)
EMAIL_HOST_USER = environment.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = environment.text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = environment.integer("EMAIL_USE_TLS", 0) == 1
EMAIL_USE_SSL = environment.integer("EMAIL_USE_SSL", 0) == 1
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = environment.text("DEFAULT_FROM_EMAIL", "pushcore@localhost")

# --- Metrics: pushcore/metrics.py declares them --------------------------------------------------

METRICS_OPEN = environment.integer("METRICS_OPEN", 0) == 1
"""Whether `/metrics` answers anybody who can reach it, and not only who has a key."""

# --- Logs: a sentence each, never an address or a bearer token ----------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s [%(correlation_id)s] %(message)s"},
    },
    "filters": {"request_id": {"()": "django_guid.log_filters.CorrelationId"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["request_id"],
        }
    },
    "root": {"handlers": ["console"], "level": environment.text("LOG_LEVEL", "INFO")},
    "loggers": {
        # A line for each batch says nothing that the ledger does not.
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        # Nor does a line for each id that was made.
        "django_guid": {"level": "WARNING"},
    },
}
