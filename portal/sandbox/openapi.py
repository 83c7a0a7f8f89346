"""OpenAPI documents of the served kinds, v2 and v3."""

from aiohttp import web


def answer(request: web.Request, path: str) -> web.Response:
    return web.Response(status=404)
