"""The conformance classes of the shared documents and of the features; each is held to its text in tests/conformance."""

S = "http://www.opengis.net/spec"
CLASSES = (
    *(f"{S}/ogcapi-common-1/1.0/conf/{name}" for name in ("core", "landing-page", "json", "html", "oas30")),
    f"{S}/ogcapi-common-2/1.0/conf/collections",
    *(f"{S}/ogcapi-features-1/1.0/conf/{name}" for name in ("core", "oas30", "html", "geojson")),
    f"{S}/ogcapi-features-2/1.0/conf/crs",
    *(
        f"{S}/ogcapi-features-3/1.0/conf/{name}"
        for name in ("queryables", "queryables-query-parameters", "filter", "features-filter")
    ),
    *(
        f"{S}/ogcapi-features-4/1.0/conf/{name}"
        for name in ("create-replace-delete", "update", "features", "optimistic-locking-etags")
    ),
    *(
        f"{S}/ogcapi-features-5/1.0/conf/{name}"
        for name in ("schemas", "core-roles-features", "returnables-and-receivables", "queryables", "sortables")
    ),
    *(
        f"{S}/cql2/1.0/conf/{name}"
        for name in (
            "cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators", "case-insensitive-comparison",
            "accent-insensitive-comparison", "basic-spatial-functions", "basic-spatial-functions-plus", "spatial-functions",
            "temporal-functions", "array-functions", "property-property", "functions", "arithmetic",
        )
    ),
)  # fmt: skip
