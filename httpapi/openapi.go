package httpapi

import _ "embed"

// OpenAPI is the OpenAPI 3.0 document of the public API, as YAML. It must not be
// changed.
//
//go:embed openapi.yaml
var OpenAPI []byte
