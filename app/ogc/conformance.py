"""The conformance classes of the shared documents and of the features; each is held to its text in tests/conformance."""

S = "http://www.opengis.net/spec"
CLASSES = (
    *(f"{S}/ogcapi-common-1/1.0/conf/{name}" for name in ("core", "landing-page", "json", "html", "oas30")),
    f"{S}/ogcapi-common-2/1.0/conf/collections",
    *(f"{S}/ogcapi-features-1/1.0/conf/{name}" for name in ("core", "oas30", "html", "geojson")),
    *(f"{S}/ogcapi-features-3/1.0/conf/{name}" for name in ("queryables", "queryables-query-parameters")),
)
