package customer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"crossdock.dev/tests/counterparts/mailbox"
)

// Door is the partners' REST door.
type Door interface {
	Call(ctx context.Context, method, path, key string, body []byte) ([]byte, error)
}

// Order is one that a customer sends by REST, as rest_orders.json has it.
type Order struct {
	PO                  string    `json:"po"`
	Customer            string    `json:"customer"` // "CUS-HHS"
	SentAt              time.Time `json:"sent_at"`
	ShipFrom            string    `json:"ship_from"` // "LOC-CMH"
	ShipTo              string    `json:"ship_to"`
	Mode                string    `json:"mode"`
	Currency            string    `json:"currency"`
	Lines               []Line    `json:"lines"`
	PickupAppointment   string    `json:"pickup_appointment_local"`   // "2026-03-07T18:00"
	DeliveryAppointment string    `json:"delivery_appointment_local"` // "2026-03-08T08:00"
	Consolidate         bool      `json:"consolidate"`
	EtaWatch            bool      `json:"eta_watch"`
}

// Line is one line of an order. Quantity and price are decimals.
type Line struct {
	Line     string `json:"line"`
	SKU      string `json:"sku"`
	Quantity string `json:"quantity"`
	Unit     string `json:"unit"`
	Price    string `json:"price"`
}

// Orders are all that come by REST.
func Orders(files fs.FS) ([]Order, error) {
	raw, err := fs.ReadFile(files, "rest_orders.json")
	if err != nil {
		return nil, err
	}
	var out []Order
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("rest_orders.json: %w", err)
	}
	return out, nil
}

// body is the order in the words of the door.
func (o Order) body() ([]byte, error) {
	var lines []map[string]any
	for _, l := range o.Lines {
		lines = append(lines, map[string]any{
			"line": l.Line, "item": "items/" + l.SKU, "quantity": map[string]string{"value": l.Quantity, "unit": l.Unit}, "unitPrice": l.Price,
		})
	}
	out := map[string]any{
		"customerOrderNumber": o.PO, "shipFrom": "locations/" + o.ShipFrom, "shipTo": "locations/" + o.ShipTo, "mode": o.Mode,
		"currencyCode": o.Currency, "lines": lines,
	}
	if o.PickupAppointment != "" {
		out["pickupAppointmentLocal"] = o.PickupAppointment
	}
	if o.DeliveryAppointment != "" {
		out["deliveryAppointmentLocal"] = o.DeliveryAppointment
	}
	if o.Consolidate {
		out["consolidate"] = true
	}
	if o.EtaWatch {
		out["etaWatch"] = true
	}
	return json.Marshal(out)
}

// Calling is a customer that calls the REST door.
type Calling struct {
	name  string
	door  Door
	deeds []deed
	mail  *mailbox.Mailbox
}

// deed is a call; its name is its key.
type deed struct {
	at   time.Time
	name string
	do   func(ctx context.Context, key string) error
}

// NewCalling makes a customer from the orders in its name, and from its script when it has one. own is the customer's folder.
func NewCalling(files fs.FS, name, to, own string, door Door) (*Calling, error) {
	c := &Calling{name: name, door: door}
	orders, err := Orders(files)
	if err != nil {
		return nil, err
	}
	for _, o := range orders {
		if o.Customer == name {
			c.deeds = append(c.deeds, deed{o.SentAt, "order-" + o.PO, func(ctx context.Context, key string) error { return c.order(ctx, key, o) }})
		}
	}
	if files, err = fs.Sub(files, name); err != nil {
		return nil, err
	}
	s, err := readScript(files)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, b := range s.Blocks {
		if b.Verb != "cancel" || len(b.Words) != 1 {
			return nil, fmt.Errorf("%s: %w", name, b.Errorf("nobody knows how to %s", b.Verb))
		}
		po, reason := b.Words[0], strings.Join(b.Body, " ")
		c.deeds = append(c.deeds, deed{b.When.Instant, "cancel-" + po, func(ctx context.Context, key string) error { return c.cancel(ctx, key, po, reason) }})
	}
	slices.SortStableFunc(c.deeds, func(a, b deed) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.name, b.name)) })
	// Nothing comes to it and nothing goes out as a file; the mailbox keeps what was done.
	c.mail, err = mailbox.Open(own, to, own)
	return c, err
}

// Name is the party.
func (c *Calling) Name() string { return c.name }

// Step does what is to be done at now: see counterparts.Partner.
func (c *Calling) Step(ctx context.Context, now time.Time) (did bool, next time.Time, err error) {
	for _, d := range c.deeds {
		if c.mail.Has(d.name) {
			continue
		}
		if d.at.After(now) {
			return did, d.at, nil
		}
		if err := d.do(ctx, c.name+"-"+d.name); err != nil {
			return did, next, fmt.Errorf("%s: %s: %w", c.name, d.name, err)
		}
		if err := c.mail.Done(d.name); err != nil {
			return did, next, err
		}
		did = true
	}
	return did, next, nil
}

func (c *Calling) order(ctx context.Context, key string, o Order) error {
	body, err := o.body()
	if err != nil {
		return err
	}
	_, err = c.door.Call(ctx, http.MethodPost, "/v1/orders", key, body)
	return err
}

// cancel asks for the order by the customer's own number, as it knows no other, and calls it off.
func (c *Calling) cancel(ctx context.Context, key, po, reason string) error {
	answer, err := c.door.Call(ctx, http.MethodGet, "/v1/orders?customerOrderNumber="+url.QueryEscape(po), "", nil)
	if err != nil {
		return err
	}
	var found struct {
		Orders []struct {
			Name string `json:"name"`
		} `json:"orders"`
	}
	if err := json.Unmarshal(answer, &found); err != nil {
		return err
	}
	if len(found.Orders) != 1 {
		return fmt.Errorf("%d orders have the number %s", len(found.Orders), po)
	}
	body, err := json.Marshal(map[string]string{"reason": reason})
	if err != nil {
		return err
	}
	_, err = c.door.Call(ctx, http.MethodPost, "/v1/"+found.Orders[0].Name+":cancel", key, body)
	return err
}
