package sim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Commit is what becomes of a commit on the simulated disk. What was synced before is always kept.
type Commit int

// A commit is synced, unless the power fails.
const (
	Synced Commit = iota
	// Lost: the power fails before anything is written.
	Lost
	// Torn: the power fails while it is written. Any part of its pages reaches the disk, and half of the page that makes it valid.
	Torn
	// Unheard: the power fails when it is on the disk, and before anybody hears of it.
	Unheard
)

// power is what a power failure leaves.
type power struct {
	failed bool
	image  []byte // of the store's file, when it is not as it was last written
}

var errPower = errors.New("the power has failed")

// commit makes a commit as the faults will have it.
func (s *Suite) commit(p *part, commit func() error) error {
	if p.power.failed {
		return errPower
	}
	fate := Synced
	if s.faults != nil {
		fate = s.faults.Commit(p.name)
	}
	switch fate {
	case Synced:
		return commit()
	case Unheard:
		must(s.T, commit())
	case Torn:
		before, err := os.ReadFile(s.file(p.name))
		must(s.T, err)
		must(s.T, commit())
		after, err := os.ReadFile(s.file(p.name))
		must(s.T, err)
		p.power.image = torn(before, after, s.tear)
	}
	p.power.failed = true
	return errPower
}

// file is where a service's store lies.
func (s *Suite) file(name string) string { return filepath.Join(s.Dir, name, name+".db") }

// alive is a service that is open and has power.
func (s *Suite) alive(name string) *part {
	if p := s.parts[name]; p != nil && !p.power.failed {
		return p
	}
	return nil
}

// Bury closes a service whose power has failed, and leaves of its file what the disk has kept. It reports whether there was one.
func (s *Suite) Bury(name string) bool {
	s.T.Helper()
	p := s.parts[name]
	if p == nil || !p.power.failed {
		return false
	}
	s.Close(name)
	if p.power.image != nil {
		must(s.T, os.WriteFile(s.file(name), p.power.image, 0o600))
	}
	return true
}

// used is what bbolt uses of a file, which it makes larger than it needs to.
func used(file []byte) []byte {
	const end = 16 + 40 // in a meta page: how many pages are used
	pages := max(binary.NativeEndian.Uint64(file[end:]), binary.NativeEndian.Uint64(file[page+end:]))
	return file[:min(len(file), int(pages)*page)]
}

const (
	page    = 4096
	metaEnd = 16 + 64 // bbolt's page header and meta, of which the last eight bytes are a checksum
)

// torn is what may be found of a file when the power fails while one commit is written. bbolt writes pages that nothing refers
// to, syncs them, and then one of the two meta pages, which refers to them: each page is the old one, the new one, or begins as
// the new one and goes on as the old one, and the meta page is not wholly new.
func torn(before, after []byte, r *rand.Rand) []byte {
	out := bytes.Clone(after)
	if r.IntN(2) == 0 {
		out = out[:max(len(before), 2*page)] // the file had not grown yet
	}
	whole := true
	for at := 2 * page; at < len(out); at += page {
		end := min(at+page, len(out))
		old := make([]byte, end-at)
		if at < len(before) {
			copy(old, before[at:])
		}
		if bytes.Equal(old, out[at:end]) {
			continue
		}
		switch r.IntN(4) {
		case 0:
			copy(out[at:end], old)
			whole = false
		case 1:
			half := at + 512*r.IntN(8)
			copy(out[half:end], old[half-at:])
			whole = false
		}
	}
	for at := 0; at < 2*page; at += page {
		if bytes.Equal(before[at:at+page], after[at:at+page]) {
			continue
		}
		copy(out[at:at+page], before[at:at+page])
		if whole { // else the first sync had not ended, and the meta page was not written yet
			copy(out[at:], after[at:at+r.IntN(metaEnd-8)])
		}
	}
	return out
}
