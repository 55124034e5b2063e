package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

// dist is built from web/ by `make web` and committed, so that nobody needs Node to build or test tower.
//
//go:embed dist
var dist embed.FS

// file is a built file, ready to be sent.
type file struct {
	kind, etag  string
	plain, gzip []byte
}

// built reads the embedded files, by name. It does so once for a process: nobody changes them.
var built = sync.OnceValues(func() (map[string]*file, error) {
	out := map[string]*file{}
	err := fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		var small bytes.Buffer
		z := gzip.NewWriter(&small)
		if _, err := z.Write(data); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		out[strings.TrimPrefix(name, "dist/")] = &file{mime.TypeByExtension(path.Ext(name)), `"` + hex.EncodeToString(sum[:12]) + `"`, data, small.Bytes()}
		return nil
	})
	if err == nil && out["index.html"] == nil {
		err = fmt.Errorf("dist/index.html is not embedded: run make web")
	}
	return out, err
})

// shell sends the page without data: the script that it loads shows what belongs to the path.
func (p *Page) shell(w http.ResponseWriter, r *http.Request, code int) {
	if code != http.StatusOK {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(code)
		p.send(w, p.files["index.html"].plain)
		return
	}
	p.file(w, r, p.files["index.html"])
}

func (p *Page) asset(w http.ResponseWriter, r *http.Request) {
	f := p.files["assets/"+r.PathValue("name")]
	if f == nil {
		http.NotFound(w, r)
		return
	}
	p.file(w, r, f)
}

// file sends a file, compressed where that is wanted, or nothing when the browser has it already.
func (p *Page) file(w http.ResponseWriter, r *http.Request, f *file) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	h.Set("Etag", f.etag)
	if strings.Contains(r.Header.Get("If-None-Match"), f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		p.send(w, f.gzip)
		return
	}
	p.send(w, f.plain)
}
