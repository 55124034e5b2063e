package story

import "path/filepath"

// Progress is how far the story was played on a data folder.
type Progress struct {
	Seeded bool  `json:"seeded"`
	Acts   int   `json:"acts"`
	Names  Names `json:"names"`

	path string
}

// OpenProgress reads the progress of a data folder; a folder without has none.
func OpenProgress(dataDir string) (*Progress, error) {
	p := &Progress{path: filepath.Join(dataDir, "story.json")}
	return p, readJSON(p.path, p)
}

// Save keeps the progress.
func (p *Progress) Save() error { return writeJSON(p.path, p) }
