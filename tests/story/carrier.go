package story

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Carrier is a scripted carrier that speaks REST alone. Everything it says comes from its page.
type Carrier struct {
	World World
	Party string // "parties/CAR-CXBB"
	Page  CarrierPage
}

// CarrierPage is what a carrier has on paper for one load.
type CarrierPage struct {
	PRO        string
	Milestones []CarrierMilestone
	ReceivedBy string
	SignedAt   string // RFC 3339
	Pieces     int
	Bill       CarrierBill
}

// CarrierMilestone is one thing that happened, in the carrier's words and local time.
type CarrierMilestone struct {
	Milestone string // canonical name, as its agreement with us maps Code
	Code      string
	Stop      int
	LocalTime string // "2026-03-03T09:10"
	City      string
	State     string
}

// CarrierBill is the carrier's invoice. Amounts are decimal strings.
type CarrierBill struct {
	Number   string
	Date     [3]int // year, month, day
	Currency string
	Charges  []CarrierCharge
	Total    string
}

// CarrierCharge is one line of the bill.
type CarrierCharge struct{ Code, Description, Amount string }

// tender is what the carrier reads of an offer.
type tender struct {
	Name       string `json:"name"`
	Load       string `json:"load"`
	LoadNumber string `json:"loadNumber"`
}

// Offer returns the tender that is open, of the load that carries an order.
func (c *Carrier) Offer(ctx context.Context, order string) (tender, error) {
	var page struct {
		Tenders []struct {
			tender
			CustomerOrderNumbers []string `json:"customerOrderNumbers"`
		} `json:"tenders"`
	}
	if err := c.call(ctx, http.MethodGet, "/v1/tenders?state=SENT", "", nil, &page); err != nil {
		return tender{}, err
	}
	for _, t := range page.Tenders {
		for _, po := range t.CustomerOrderNumbers {
			if po == order {
				return t.tender, nil
			}
		}
	}
	return tender{}, fmt.Errorf("carrier %s: %w with order %s", c.Party, ErrNoOffer, order)
}

// ErrNoOffer says that no open offer carries an order.
var ErrNoOffer = errors.New("no load is offered")

// Accept takes the offer.
func (c *Carrier) Accept(ctx context.Context, t tender) error {
	body := map[string]any{"carrierReference": c.Page.PRO}
	return c.call(ctx, http.MethodPost, "/v1/"+t.Name+":accept", "accept-"+t.LoadNumber, body, nil)
}

// Report says what happened.
func (c *Carrier) Report(ctx context.Context, t tender, m CarrierMilestone) error {
	body := map[string]any{
		"milestone": m.Milestone, "stop": m.Stop, "localTime": m.LocalTime, "city": m.City, "state": m.State,
		"carrierCode": m.Code, "reasonCode": "NS",
	}
	return c.call(ctx, http.MethodPost, "/v1/"+t.Load+"/claims", m.Code+"-"+t.LoadNumber, body, nil)
}

// Prove hands in the signed receipt.
func (c *Carrier) Prove(ctx context.Context, t tender, order string) error {
	body := map[string]any{
		"load": t.LoadNumber, "order": order, "type": "SIGNED_RECEIPT", "signedAt": c.Page.SignedAt,
		"receivedBy": c.Page.ReceivedBy, "pieces": c.Page.Pieces, "exceptions": []any{},
	}
	return c.call(ctx, http.MethodPost, "/v1/proofsOfDelivery", "pod-"+t.LoadNumber, body, nil)
}

// Bill sends the invoice and returns what the suite made of it.
func (c *Carrier) Bill(ctx context.Context, t tender) (state string, err error) {
	b := c.Page.Bill
	var charges []any
	for _, ch := range b.Charges {
		charges = append(charges, map[string]any{"code": ch.Code, "description": ch.Description, "amount": MoneyJSON(ch.Amount, b.Currency)})
	}
	body := map[string]any{
		"invoiceNumber": b.Number, "loadNumber": t.LoadNumber, "carrierReference": c.Page.PRO,
		"billDate": map[string]int{"year": b.Date[0], "month": b.Date[1], "day": b.Date[2]},
		"charges":  charges, "total": MoneyJSON(b.Total, b.Currency),
	}
	var answer struct {
		State string `json:"state"`
	}
	err = c.call(ctx, http.MethodPost, "/v1/freightBills", b.Number, body, &answer)
	return answer.State, err
}

func (c *Carrier) call(ctx context.Context, method, path, key string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	answer, err := c.World.REST(ctx, c.Party, method, path, key, body)
	if err != nil {
		return fmt.Errorf("carrier %s: %s %s: %w", c.Party, method, path, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("carrier %s: answer to %s %s: %w", c.Party, method, path, err)
	}
	return nil
}
