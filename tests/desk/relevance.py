"""What people type, and what they mean by it: (query, what may stand at the top, who asks). Tops are keys of Hit, or
answer:<wish>:<key of the subject>. Dev develops and leads payments; Ada administers; Vic only views."""

from __future__ import annotations

from typing import NamedTuple


class Expected(NamedTuple):
    query: str
    tops: tuple[str, ...]
    who: str = "dev"


def c(name: str, namespace: str = "default") -> str:
    return f"component:{namespace}/{name}"


def meant(query: str, *tops: str, who: str = "dev") -> Expected:
    return Expected(query, tops, who)


TEAM_PAYMENTS, SYSTEM_PAYMENTS = "group:default/payments", "system:default/payments"

SET: tuple[Expected, ...] = (
    # The whole name, which others begin with or have in other namespaces.
    meant("payment-gateway", c("payment-gateway")),
    meant("refund-worker", c("refund-worker")),
    meant("dunning-job", c("dunning-job")),
    meant("shipment-db", "resource:default/shipment-db"),
    meant("quote-engine", c("quote-engine")),
    meant("tracking-service", c("tracking-service"), who="vic"),
    meant("label-service", c("label-service"), who="mae"),
    meant("tariff-service", c("tariff-service"), who="mae"),
    meant("warehouse", "resource:default/warehouse"),
    meant("event-backbone", "system:default/event-backbone"),
    meant("commerce", "domain:default/commerce"),
    meant("Delivery window API", "api:default/delivery-window-api"),
    meant("customer graph", "api:default/customer-graph"),
    # Written another way.
    meant("paymentGateway", c("payment-gateway")),
    meant("PaymentGateway", c("payment-gateway")),
    meant("paymentgateway", c("payment-gateway")),
    meant("payment gateway", c("payment-gateway")),
    meant("payment_gateway", c("payment-gateway")),
    meant("gateway payment", c("payment-gateway")),
    meant("dunningjob", c("dunning-job")),
    meant("DunningJob", c("dunning-job")),
    meant("quoteEngine", c("quote-engine")),
    meant("trackingWeb", c("tracking-web")),
    meant("sort.plan.viewer", c("sort-plan-viewer")),
    meant("proofofdelivery", c("proof-of-delivery")),
    meant("networkload", c("network-load")),
    # The beginning of it.
    meant("refund", c("refund-worker")),
    meant("dunn", c("dunning-job")),
    meant("settl", c("settlement-report")),
    meant("payment-g", c("payment-gateway")),
    meant("paymentg", c("payment-gateway")),
    meant("quote-eng", c("quote-engine")),
    meant("claims-d", c("claims-desk")),
    meant("ref wor", c("refund-worker")),
    # A part of it.
    meant("gateway", c("payment-gateway")),
    meant("photos", c("parcel-photos")),
    meant("kiosk", c("returns-kiosk")),
    meant("cameras", c("yard-cameras")),
    meant("chassis", c("service-chassis")),
    meant("firmware", c("locker-firmware")),
    meant("engine", c("quote-engine")),
    # Mistyped.
    meant("paymnets", TEAM_PAYMENTS, SYSTEM_PAYMENTS),
    meant("gatway", c("payment-gateway")),
    meant("payment gatway", c("payment-gateway")),
    meant("paymnet-gateway", c("payment-gateway")),
    meant("refnud worker", c("refund-worker")),
    meant("dunnning job", c("dunning-job")),
    meant("dunnigjob", c("dunning-job")),
    meant("shipmnet-db", "resource:default/shipment-db"),
    meant("settlment report", c("settlement-report")),
    meant("kisok", c("returns-kiosk")),
    meant("linehual planner", c("linehaul-planner")),
    meant("quote engin legcy", c("quote-engine-legacy")),
    # What it is, beside its name.
    meant("payment database", "resource:default/payment-db", "resource:harbor/payment-store"),
    meant("payment api", "api:default/payment-api"),
    meant("quote api deprecated", "api:default/quote-api-v1"),
    meant("payments system", SYSTEM_PAYMENTS),
    meant("courier mobile", c("courier-app")),
    # Only its description says so.
    meant("payment providers", c("payment-gateway")),
    meant("damaged late lost", "system:default/claims"),
    meant("e-invoice pdf", c("invoice-service")),
    # Teams and people.
    meant("payments", TEAM_PAYMENTS),
    meant("payments team", TEAM_PAYMENTS),
    meant("team booking", "group:default/booking"),
    meant("customer experience", "group:default/customer-experience"),
    meant("customerexperience", "group:default/customer-experience"),
    meant("operations tech", "group:default/operations-tech"),
    meant("Mae", "user:default/mae"),
    meant("tolliver", "user:default/mae"),
    meant("Ada Fenwright", "user:default/ada"),
    meant("ranasuri", "user:default/dev"),
    meant("vic@slipway.example", "user:default/vic"),
    # Golden paths and what is done.
    meant("python", "template:default/python-web-service"),
    meant("scheduled job", "template:default/scheduled-job"),
    meant("launch python", "do:launch:template:default/python-web-service"),
    meant("new python service", "do:launch:template:default/python-web-service"),
    meant("create scheduled job", "do:launch:template:default/scheduled-job"),
    meant("log out", "do:log-out"),
    meant("logout", "do:log-out"),
    meant("sign out", "do:log-out"),
    meant("dark", "do:theme-dark"),
    meant("dark mode", "do:theme-dark"),
    meant("light theme", "do:theme-light"),
    meant("new token", "do:token-new"),
    meant("create api token", "do:token-new"),
    meant("invite", "do:invite", who="ada"),
    meant("connect cluster", "do:cluster-new", who="ada"),
    meant("register source", "page:source-register"),
    meant("failed runs", "do:runs-failed"),
    meant("my runs", "do:runs-mine"),
    meant("2fa", "do:security"),
    meant("payment-gateway dependencies", "do:dependencies:component:default/payment-gateway"),
    meant("payment-api definition", "do:api:api:default/payment-api"),
    meant("refund-worker logs", "do:runtime:component:default/refund-worker"),
    meant("logs refundWorker", "do:runtime:component:default/refund-worker"),
    # Pages, clusters, runs.
    meant("catalog", "page:catalog"),
    meant("audit", "page:audit", who="ada"),
    meant("tokens", "page:tokens"),
    meant("golden paths", "page:paths"),
    meant("api docs", "page:api-docs"),
    meant("setings", "page:settings", who="ada"),
    meant("northern", "cluster:northern"),
    meant("customs-desk", "run:7003"),
    meant("berth planner", "run:7002"),
    meant("run 7001", "run:7001"),
    # Narrowed in words.
    meant(
        "owner:payments kind:api", "api:default/payment-api", "api:default/invoice-api", "api:default/payment-events"
    ),
    meant("kind:api payment", "api:default/payment-api"),
    meant("tag:pci worker", c("refund-worker")),
    meant("type:database payment", "resource:default/payment-db"),
    meant('owner:"customer experience" tracking', c("tracking-service"), "system:default/tracking"),
    meant("system:checkout web", c("checkout-web")),
    meant("lifecycle:deprecated quote engine", c("quote-engine-legacy")),
    meant("kind:team lockers", "group:default/lockers"),
    # Questions.
    meant("who owns payments", f"answer:owner:{SYSTEM_PAYMENTS}"),
    meant("Who owns the payment gateway?", f"answer:owner:{c('payment-gateway')}"),
    meant("whose is label-service", f"answer:owner:{c('label-service')}", who="mae"),
    meant("is refund-worker down", f"answer:health:{c('refund-worker')}"),
    meant("status of quote-engine", f"answer:health:{c('quote-engine')}"),
    meant("what breaks if payment-db stops", "answer:impact:resource:default/payment-db"),
    meant("what depends on event-stream", "answer:impact:resource:default/event-stream"),
    meant("on call for tracking", "answer:on-call:system:default/tracking"),
    meant("who is on call for paymnet-gateway?", f"answer:on-call:{c('payment-gateway')}"),
    meant("who leads payments", f"answer:lead:{TEAM_PAYMENTS}"),
    meant("who is in booking", "answer:members:group:default/booking"),
    meant("runbook for settlementReport", f"answer:runbook:{c('settlement-report')}"),
)
