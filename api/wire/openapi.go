package wire

import _ "embed"

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI returns the description of the HTTP API. Callers must not change it.
func OpenAPI() []byte { return openAPI }
