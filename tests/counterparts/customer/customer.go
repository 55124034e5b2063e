// Package customer is the customers of the day: those that send purchase orders as files, and those that call the REST door. They
// promise, as all partners, to do nothing before its time, and each thing once, also when ended between any two steps and made
// again.
//
// What they do is text: data/CUS-XYZ/script.txt with the files beside it, and data/rest_orders.json.
package customer

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"crossdock.dev/tests/counterparts/letter"
	"crossdock.dev/tests/counterparts/mailbox"
	"crossdock.dev/tests/counterparts/script"
)

//go:embed data
var data embed.FS

// Data is what the customers send.
func Data() (fs.FS, error) { return fs.Sub(data, "data") }

// Filing is a customer that sends files, and acknowledges what is sent to it.
type Filing struct {
	name   string
	files  fs.FS
	letter letter.Letter
	script script.Script
	mail   *mailbox.Mailbox
	groups []letter.Group
}

// NewFiling makes a customer from its folder of data. from is where the suite puts files for it, to the suite's inbox, own the
// customer's folder.
func NewFiling(files fs.FS, name, from, to, own string) (*Filing, error) {
	files, err := fs.Sub(files, name)
	if err != nil {
		return nil, err
	}
	c := &Filing{name: name, files: files}
	if c.letter, err = letter.Open(files); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if c.script, err = readScript(files); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, b := range c.script.Blocks {
		if b.Verb != "bring" || len(b.Words) != 1 {
			return nil, fmt.Errorf("%s: %w", name, b.Errorf("nobody knows how to %s", b.Verb))
		}
		if _, err := fs.Stat(files, b.Words[0]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, b.Errorf("%w", err))
		}
	}
	c.mail, err = mailbox.Open(from, to, own)
	return c, err
}

// readScript reads a customer's script, whose instants are all fixed and in order.
func readScript(files fs.FS) (script.Script, error) {
	text, err := fs.ReadFile(files, "script.txt")
	if err != nil {
		return script.Script{}, err
	}
	s, err := script.Parse("script.txt", string(text), nil, nil)
	if err != nil {
		return s, err
	}
	var last time.Time
	for _, b := range s.Blocks {
		if b.When.Instant.Before(last) || b.When.Anchor != "" {
			return s, b.Errorf("the instant is before the last one, or none")
		}
		last = b.When.Instant
	}
	return s, nil
}

// Name is the party.
func (c *Filing) Name() string { return c.name }

// Step does what is to be done at now: see counterparts.Partner.
func (c *Filing) Step(ctx context.Context, now time.Time) (did bool, next time.Time, err error) {
	err = c.mail.New(func(f mailbox.File) error {
		groups, err := letter.Groups(f.Content)
		c.groups = append(c.groups, groups...)
		return err
	})
	if err != nil {
		return false, next, fmt.Errorf("%s: %w", c.name, err)
	}
	for _, g := range c.groups {
		name := g.Answer(c.name)
		if c.mail.Has(name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return did, next, err
		}
		before := c.mail.Count(func(name string) bool { return strings.Contains(name, "-997-") })
		if err := c.mail.Send(name, c.letter.Write("997", c.letter.Acknowledge(g), before, now)); err != nil {
			return did, next, err
		}
		did = true
	}
	for _, b := range c.script.Blocks {
		at := b.When.Instant
		name := at.Format("20060102150405") + "-" + c.name + "-" + path.Base(b.Words[0])
		if c.mail.Has(name) {
			continue
		}
		if at.After(now) {
			return did, at, nil
		}
		content, err := fs.ReadFile(c.files, b.Words[0])
		if err != nil {
			return did, next, err
		}
		if err := ctx.Err(); err != nil {
			return did, next, err
		}
		if err := c.mail.Send(name, content); err != nil {
			return did, next, err
		}
		did = true
	}
	return did, next, nil
}
