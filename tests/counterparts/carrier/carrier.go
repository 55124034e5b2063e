// Package carrier is the carriers of the day. Each reads the 204s that the suite puts out for it, acknowledges them, and follows the
// script of the purchase order: answers, says what happened on the way, hands in the signed receipt and bills by its own tariff.
// An order that no script names gets no answer. A carrier promises to do nothing before its time, and each thing once, also when
// it is ended between any two steps of it and made again.
//
// What a carrier is like, and what it does, is text: data/CXAA/partner.txt, envelope.txt, 997.txt, 210.txt and scripts/*.txt.
package carrier

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"
	_ "time/tzdata" // a carrier carries its own clocks

	"crossdock.dev/tests/counterparts/letter"
	"crossdock.dev/tests/counterparts/mailbox"
	"crossdock.dev/tests/counterparts/script"
	"crossdock.dev/tests/counterparts/segments"
	"crossdock.dev/tests/counterparts/tariff"
)

//go:embed data
var data embed.FS

// Data is what the carriers are like, a folder for each by SCAC.
func Data() (fs.FS, error) { return fs.Sub(data, "data") }

// Door is the partners' REST door.
type Door interface {
	Call(ctx context.Context, method, path, key string, body []byte) ([]byte, error)
}

// Carrier is one of them.
type Carrier struct {
	scac    string
	letter  letter.Letter
	price   tariff.Tariff
	form    *template.Template
	scripts map[string]plan // by purchase order
	door    Door
	mail    *mailbox.Mailbox

	groups []letter.Group // to be acknowledged
	loads  map[string]*order
}

// plan is a script that was looked through.
type plan struct {
	script.Script
	terms map[int]terms // of the bills, by number of the block
}

// order is a load that was offered, with what is done about it.
type order struct {
	tender
	plan
}

// names are the placeholders of scripts.
var names = []string{"load", "pro", "scac", "order", "pieces", "pickup", "delivery", "today", "at"}

// New makes a carrier from its folder of data. from is where the suite puts files for it, to the suite's inbox, own the carrier's
// folder.
func New(files fs.FS, scac, from, to, own string, door Door) (*Carrier, error) {
	files, err := fs.Sub(files, scac)
	if err != nil {
		return nil, err
	}
	c := &Carrier{scac: scac, door: door, loads: map[string]*order{}}
	if c.letter, err = letter.Open(files); err != nil {
		return nil, fmt.Errorf("%s: %w", scac, err)
	}
	if c.price, err = tariff.Of(scac); err != nil {
		return nil, err
	}
	if c.form, err = template.New("210.txt").Funcs(template.FuncMap{"inc": func(i int) int { return i + 1 }}).ParseFS(files, "210.txt"); err != nil {
		return nil, fmt.Errorf("%s: %w", scac, err)
	}
	if c.scripts, err = readScripts(files); err != nil {
		return nil, fmt.Errorf("%s: %w", scac, err)
	}
	c.mail, err = mailbox.Open(from, to, own)
	return c, err
}

func readScripts(files fs.FS) (map[string]plan, error) {
	found, err := fs.Glob(files, "scripts/*.txt")
	if err != nil {
		return nil, err
	}
	out := map[string]plan{}
	for _, name := range found {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		p, err := readPlan(name, string(text))
		if err != nil {
			return nil, err
		}
		for _, po := range p.Heads["orders"] {
			if _, ok := out[po]; ok {
				return nil, fmt.Errorf("%s: order %s has a script already", name, po)
			}
			out[po] = p
		}
	}
	return out, nil
}

var segment = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,2}(\*[^*]*)+$`)

// readPlan reads a script and looks at what each block would do.
func readPlan(name, text string) (plan, error) {
	s, err := script.Parse(name, text, []string{"orders", "pro"}, names)
	p := plan{s, map[int]terms{}}
	if err != nil {
		return p, err
	}
	if len(s.Heads["orders"]) == 0 {
		return p, fmt.Errorf("%s: no order is named", s.File)
	}
	labels := map[string]bool{}
	for _, b := range s.Blocks {
		set := strings.Join(b.Words, " ")
		if b.Verb == "send" && len(b.Words) == 3 && b.Words[1] == "as" {
			labels[b.Words[2]], set = true, b.Words[0]
		}
		switch {
		case b.Verb == "prove" && set == "":
			if !json.Valid([]byte(script.Fill(strings.Join(b.Body, "\n"), map[string]string{"pieces": "1"}))) {
				return p, b.Errorf("the proof is no JSON")
			}
		case b.Verb == "send" && (set == "990" || set == "214"):
			for i, line := range b.Body {
				if !segment.MatchString(line) {
					return p, b.Errorf("%q is no segment", b.Body[i])
				}
			}
			if len(b.Body) == 0 {
				return p, b.Errorf("an empty %s", set)
			}
		case b.Verb == "send" && set == "210":
			if p.terms[b.Number], err = readTerms(b); err != nil {
				return p, err
			}
		case b.Verb == "send" && len(b.Words) == 2 && b.Words[1] == "again" && labels[b.Words[0]] && len(b.Body) == 0:
		default:
			return p, b.Errorf("nobody knows how to %s %s", b.Verb, set)
		}
	}
	return p, nil
}

// Name is the SCAC.
func (c *Carrier) Name() string { return c.scac }

// Step does what is to be done at now: see counterparts.Partner.
func (c *Carrier) Step(ctx context.Context, now time.Time) (did bool, next time.Time, err error) {
	if err := c.read(); err != nil {
		return false, time.Time{}, fmt.Errorf("%s: %w", c.scac, err)
	}
	for _, g := range c.groups {
		name := g.Answer(c.scac)
		if c.mail.Has(name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return did, time.Time{}, err
		}
		if err := c.send(name, "997", c.letter.Acknowledge(g), now); err != nil {
			return did, time.Time{}, err
		}
		did = true
	}
	for _, d := range c.deeds() {
		if c.mail.Has(d.name) {
			continue
		}
		if d.at.After(now) {
			return did, d.at, nil
		}
		if err := c.do(ctx, d, now); err != nil {
			return did, time.Time{}, fmt.Errorf("%s: %w", c.scac, err)
		}
		did = true
	}
	return did, time.Time{}, nil
}

// read takes in what the suite put out since it was last looked at.
func (c *Carrier) read() error {
	return c.mail.New(func(f mailbox.File) error {
		groups, err := letter.Groups(f.Content)
		if err != nil {
			return err
		}
		for _, g := range groups {
			for _, set := range g.Sets {
				if err := c.take(set); err != nil {
					return err
				}
			}
		}
		c.groups = append(c.groups, groups...)
		return nil
	})
}

// take reads an offer, or that one is taken back.
func (c *Carrier) take(set segments.Set) error {
	t, err := readTender(set)
	if err != nil {
		return err
	}
	known := c.loads[t.load]
	switch {
	case t.withdrawn && known != nil:
		known.withdrawn = true
	case !t.withdrawn && known == nil:
		o := &order{tender: t}
		if i := slices.IndexFunc(t.orders, func(po string) bool { return c.scripts[po].File != "" }); i >= 0 {
			o.plan = c.scripts[t.orders[i]]
			if o.anchors, err = anchors(set.Written, t); err != nil {
				return fmt.Errorf("204 of %s: %w", t.load, err)
			}
		}
		c.loads[t.load] = o
	}
	return nil
}

// deed is a block of a script at the instant that follows from the offer.
type deed struct {
	at    time.Time
	name  string // of the file that it sends, or of what it leaves
	load  *order
	block script.Block
}

// deeds are all that the offers lead to, in the order of their instants.
func (c *Carrier) deeds() []deed {
	var out []deed
	for _, o := range c.loads {
		for _, b := range o.Blocks {
			if b.Withdrawn == o.withdrawn {
				out = append(out, c.deed(o, b))
			}
		}
	}
	slices.SortFunc(out, func(a, b deed) int {
		if n := a.at.Compare(b.at); n != 0 {
			return n
		}
		return strings.Compare(a.name, b.name)
	})
	return out
}

func (c *Carrier) deed(o *order, b script.Block) deed {
	at := b.When.In(o.anchors)
	// Sorts in the order of sending, since the suite takes files in by name.
	name := fmt.Sprintf("%s-%s-%s-%02d", at.Format("20060102150405"), c.scac, o.load, b.Number)
	if b.Verb == "send" {
		name += ".edi"
	}
	return deed{at, name, o, b}
}

func (c *Carrier) do(ctx context.Context, d deed, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	values := d.values(c.scac)
	body := make([]string, 0, len(d.block.Body))
	for _, line := range d.block.Body {
		body = append(body, script.Fill(line, values))
	}
	switch {
	case d.block.Verb == "prove":
		_, err := c.door.Call(ctx, "POST", "/v1/proofsOfDelivery", d.name, []byte(strings.Join(body, "\n")))
		if err != nil {
			return d.block.Errorf("%w", err)
		}
		return c.mail.Done(d.name)
	case d.block.Words[len(d.block.Words)-1] == "again":
		content, err := c.mail.Sent(c.labelled(d).name)
		if err != nil {
			return d.block.Errorf("%w", err)
		}
		return c.mail.Send(d.name, content)
	case d.block.Words[0] == "210":
		var err error
		if body, err = charge(c.form, c.price, d.load.terms[d.block.Number], d.load.tender, values, now); err != nil {
			return d.block.Errorf("%w", err)
		}
	}
	return c.send(d.name, d.block.Words[0], body, now)
}

// labelled is the deed whose file is sent again.
func (c *Carrier) labelled(again deed) deed {
	for _, b := range again.load.Blocks {
		if len(b.Words) == 3 && b.Words[2] == again.block.Words[0] {
			return c.deed(again.load, b)
		}
	}
	return deed{}
}

// values are what is put for placeholders.
func (d deed) values(scac string) map[string]string {
	o := d.load
	pro := scac[:3] + o.load[max(0, len(o.load)-7):]
	if given := o.Heads["pro"]; len(given) == 1 {
		pro = given[0]
	}
	return map[string]string{
		"load": o.load, "pro": pro, "scac": scac, "order": o.orders[0], "pieces": o.pieces, "pickup": o.pickup, "delivery": o.delivery,
		"today": d.at.Format("20060102"), "at": d.at.Format(time.RFC3339),
	}
}

func (c *Carrier) send(name, set string, body []string, now time.Time) error {
	before := c.mail.Count(func(name string) bool { return strings.HasSuffix(name, ".edi") })
	return c.mail.Send(name, c.letter.Write(set, body, before, now))
}
