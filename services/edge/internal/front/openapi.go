package front

import (
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
)

// documents are the OpenAPI documents by service name.
type documents map[string][]byte

// readDocuments reads crossdock/<service>/<version>/*.openapi.json for each service; a service has one document.
func readDocuments(files fs.FS, services []string) (documents, error) {
	out := documents{}
	for _, service := range services {
		names, err := fs.Glob(files, path.Join("crossdock", service, "*", "*.openapi.json"))
		if err != nil {
			return nil, fmt.Errorf("openapi of %s: %w", service, err)
		}
		if len(names) != 1 {
			return nil, fmt.Errorf("openapi of %s: %d documents, want one", service, len(names))
		}
		if out[service], err = fs.ReadFile(files, names[0]); err != nil {
			return nil, fmt.Errorf("openapi of %s: %w", service, err)
		}
	}
	return out, nil
}

const openapiPrefix = "/openapi/"

// find returns the document of /openapi/<service>.json.
func (d documents) find(urlPath string) ([]byte, bool) {
	name, ok := strings.CutPrefix(urlPath, openapiPrefix)
	if !ok {
		return nil, false
	}
	service, ok := strings.CutSuffix(name, ".json")
	doc, found := d[service]
	return doc, ok && found
}

func (d documents) serve(w http.ResponseWriter, doc []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "max-age=300")
	_, _ = w.Write(doc) // the caller has left; there is nobody to tell
}

func servicesOf(routes []Route) []string {
	var out []string
	for _, r := range routes {
		out = append(out, r.Service)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
