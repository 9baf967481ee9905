"""Batches as the API's description shows them."""

from typing import Any

INTAKE = {
    "code": "321084-QSK-0001",
    "name": "三垛镇第一提水站",
    "holder_name": "高邮市三垛镇水务站",
    "county_code": 321084,
    "lon": 119.6142,
    "lat": 32.8371,
    "place": "三垛镇北澄子河南岸",
    "source_type": "surface_water",
    "water_body": "北澄子河",
    "purpose": "irrigation",
    "works_type": "pump",
    "annual_volume_m3": 412000,
    "permit_nos": ["D321084S2023-0017"],
}
PERMIT = {
    "permit_no": "D321084S2023-0017",
    "event": "renew",
    "status": "valid",
    "holder_name": "高邮市三垛镇水务站",
    "county_code": 321084,
    "issuing_authority": "高邮市水利局",
    "issuing_level": "county",
    "source_type": "surface_water",
    "purpose": "irrigation",
    "annual_volume_m3": 412000,
    "valid_from": "2023-06-01",
    "valid_to": "2028-05-31",
    "limits": [
        {"period": "05-01/09-30", "annual_m3": 330000, "daily_m3": 4000},
        {"period": "10-01/04-30", "annual_m3": 82000},
    ],
    "intake_codes": ["321084-QSK-0001"],
}

POINT = {
    "permit_no": "D321084S2023-0017",
    "seq": 1,
    "name": "三垛镇第一提水站",
    "place": "三垛镇北澄子河南岸",
    "lon": 119.6142,
    "lat": 32.8371,
    "source_type": "surface_water",
    "annual_m3": 412000,
}


def _body(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"type": "array", "items": {"type": "object"}, "minItems": 1},
                    "example": [item],
                },
                "application/x-ndjson": {"schema": {"type": "string", "description": "an item a line"}},
            },
        },
        "responses": {
            "400": {"description": "the batch cannot be read whole; nothing was written"},
            "409": {"description": "the Idempotency-Key came with other content before"},
            "413": {"description": "the batch is too large"},
            "429": {"description": "too many requests; see Retry-After"},
            "503": {"description": "another batch or import is being written; send it again later"},
        },
    }


PUSH = {"intakes": _body(INTAKE), "permits": _body(PERMIT), "permit-points": _body(POINT)}
