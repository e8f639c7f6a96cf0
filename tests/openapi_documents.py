"""OpenAPI documents of our own, for tests."""

from __future__ import annotations

from typing import Any

__all__ = ["BASE", "PETS", "document"]

BASE = "https://api.example.com/v2"


def document(**changes: Any) -> dict[str, Any]:
    """The least that is a document, with changes."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Acme", "version": "1"},
        "servers": [{"url": BASE}],
        "paths": {"/things": {"get": {"operationId": "listThings", "responses": {}}}},
        **changes,
    }


_TEXT = {"type": "string"}
_SIZE = {"type": "integer", "maximum": 50}

PETS: dict[str, Any] = document(
    info={"title": "Pet shop", "version": "1.2", "description": "Animals\nand   more."},
    servers=[
        {
            "url": "https://{region}.example.com/{v}/",
            "variables": {"region": {"default": "api"}, "v": {"default": "v2"}},
        }
    ],
    security=[{"key": []}],
    components={
        "securitySchemes": {
            "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
            "inQuery": {"type": "apiKey", "in": "query", "name": "api_key"},
            "inCookie": {"type": "apiKey", "in": "cookie", "name": "sid"},
            "login": {"type": "http", "scheme": "Basic"},
            "token": {"type": "http", "scheme": "bearer"},
            "client": {
                "type": "oauth2",
                "flows": {
                    "clientCredentials": {"tokenUrl": "/oauth/token", "scopes": {"pets:read": "x"}}
                },
            },
            "digest": {"type": "http", "scheme": "digest"},
        },
        "parameters": {
            "petId": {"name": "petId", "in": "path", "required": True, "schema": _TEXT},
            "loop": {"$ref": "#/components/parameters/loop"},
        },
        "schemas": {
            "Pet": {
                "allOf": [
                    {"$ref": "#/components/schemas/Named"},
                    {
                        "type": "object",
                        "required": ["kind"],
                        "properties": {
                            "id": {"type": "string", "readOnly": True},
                            "kind": {"type": "string", "enum": ["cat", "dog"]},
                            "parent": {"$ref": "#/components/schemas/Pet"},
                            "born": {"type": "string", "format": "date-time"},
                            "chip": {"type": ["integer", "null"]},
                            "note": {"type": "string", "nullable": True},
                            "tags": {"type": "array", "items": _TEXT},
                            "size": {"type": "number", "default": 1.5, "example": 2},
                            "owner": {"oneOf": [{"$ref": "#/components/schemas/Named"}, _TEXT]},
                            "vet": {"anyOf": [{"type": "null"}, {"type": "integer"}]},
                            "from": _TEXT,
                        },
                    },
                ]
            },
            "Named": {"type": "object", "required": ["name"], "properties": {"name": _TEXT}},
            "Ring": {"$ref": "#/components/schemas/Ring"},
            "Bottomless": {"allOf": [{"$ref": "#/components/schemas/Bottomless"}] * 20},
        },
    },
    paths={
        "/pets": {
            "get": {
                "operationId": "list-pets",
                "summary": "all pets of the shop",
                "parameters": [
                    {"name": "limit", "in": "query", "schema": _SIZE},
                    {"name": "page", "in": "query", "schema": {"type": "integer", "default": 1}},
                    {
                        "name": "kind",
                        "in": "query",
                        "schema": {"type": "array", "items": _TEXT},
                        "explode": False,
                    },
                    {
                        "name": "where",
                        "in": "query",
                        "style": "deepObject",
                        "schema": {"type": "object"},
                    },
                    {"name": "X-Trace", "in": "header", "schema": _TEXT},
                    {"name": "Accept", "in": "header", "schema": _TEXT},
                    {"$ref": "#/components/parameters/loop"},
                ],
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {
                                "schema": {
                                    "properties": {
                                        "data": {
                                            "type": "array",
                                            "items": {"$ref": "#/components/schemas/Pet"},
                                        }
                                    }
                                }
                            }
                        }
                    }
                },
            },
            "post": {
                "operationId": "addPet",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/xml": {},
                        "application/json": {"schema": {"$ref": "#/components/schemas/Pet"}},
                    },
                },
                "responses": {"201": {"content": {"application/json": {"schema": {}}}}},
                "security": [{"login": []}, {"key": [], "token": []}, {"digest": []}],
            },
        },
        "/pets/{petId}.json": {
            "parameters": [{"$ref": "#/components/parameters/petId"}],
            "get": {"responses": {"200": {"content": {"application/json": {}}}}},
            "put": {
                "operationId": "addPet",
                "x-junctor-label": "Rename a pet",
                "requestBody": {
                    "content": {
                        "application/x-www-form-urlencoded": {
                            "schema": {
                                "type": "object",
                                "properties": {"petId": _TEXT, "tags": {"type": "array"}},
                            }
                        }
                    }
                },
            },
            "delete": {"operationId": "removePet", "deprecated": True},
        },
        "/pets/{petId}/photo": {
            "post": {
                "operationId": "addPhoto",
                "requestBody": {
                    "required": True,
                    "content": {
                        "multipart/form-data": {
                            "schema": {
                                "type": "object",
                                "required": ["file"],
                                "properties": {
                                    "file": {"type": "string", "format": "binary"},
                                    "text": _TEXT,
                                },
                            }
                        }
                    },
                },
            },
            "put": {
                "operationId": "setPhoto",
                "requestBody": {"required": True, "content": {"image/png": {}}},
            },
        },
        "/search": {
            "post": {
                "operationId": "searchPets",
                "x-junctor-effect": "read",
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Bottomless"}}
                    }
                },
            },
            "get": {"operationId": "hidden", "x-junctor-hidden": True},
        },
        "/elsewhere": {"get": {"servers": [{"url": "https://evil.example.net"}]}},
        "/me": {"get": {"operationId": "whoAmI", "security": [{"client": []}, {"inQuery": []}]}},
        "/cookie": {"get": {"operationId": "cookie", "security": [{"inCookie": []}]}},
        "x-extra": 1,
    },
)
"""A pet shop with what documents have in practice: references in rings, all kinds of account."""
