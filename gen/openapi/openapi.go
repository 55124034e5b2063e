// Package openapi holds the generated OpenAPI documents of the partners' REST interfaces, by their path
// crossdock/<service>/v1/<name>.openapi.json.
package openapi

import "embed"

// Files are the documents.
//
//go:embed crossdock
var Files embed.FS
