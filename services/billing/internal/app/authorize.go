package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/rating"
	platform "crossdock.dev/platform/store"

	"crossdock.dev/services/billing/internal/invoice"
	"crossdock.dev/services/billing/internal/ledger"
	"crossdock.dev/services/billing/internal/predicate"
	"crossdock.dev/services/billing/internal/shipment"
	"crossdock.dev/services/billing/internal/store"
)

// Authorize evaluates whether a shipment may be billed, keeps the permission with its evidence and figures, and posts the unbilled
// receivable. An authorised shipment is returned as it is. *UnmetError lists every condition that does not hold.
func (a *App) Authorize(ctx context.Context, cause platform.Cause, shipmentName, releaseName string) (invoice.Authorization, platform.Position, error) {
	name, at, err := a.store.Change(ctx, cause, func(tx *store.Tx) (string, error) {
		s, err := tx.Shipment(shipmentName)
		if err != nil {
			return "", err
		}
		if s.Release != releaseName {
			return "", store.ErrNotFound
		}
		if s.Authorization != "" {
			return s.Authorization, nil
		}
		return a.authorize(tx, s)
	})
	if err != nil {
		return invoice.Authorization{}, at, err
	}
	auth, err := a.Authorization(ctx, name)
	return auth, at, err
}

func (a *App) authorize(tx *store.Tx, s shipment.Shipment) (string, error) {
	release, err := tx.Release(s.Release)
	if err != nil {
		return "", err
	}
	load, err := tx.Load(s.Load)
	if err != nil {
		return "", err
	}
	holds, err := tx.Holds(s.Order)
	if err != nil {
		return "", err
	}
	terms, err := termsOf(tx, release, load)
	if err != nil {
		return "", err
	}
	evidence := predicate.Evidence{Shipment: s, Load: load, Holds: holds, Policy: predicate.Policy{
		Contract: terms.Contract, Proof: terms.Proof, BillCleanPart: terms.BillCleanPart,
	}}
	priced, err := price(tx, release, s, load, terms)
	if _, missing := errors.AsType[*MissingError](err); missing || errors.Is(err, invoice.ErrNoPrice) {
		evidence.Incomplete = append(evidence.Incomplete, err.Error())
	} else if err != nil {
		return "", err
	}
	conjuncts := predicate.Evaluate(evidence)
	if unmet := predicate.Unmet(conjuncts); len(unmet) > 0 {
		return "", &UnmetError{s.Name, unmet}
	}
	return a.keep(tx, release, s, load, conjuncts, priced, terms.Contract)
}

func (a *App) keep(tx *store.Tx, r shipment.Release, s shipment.Shipment, l shipment.Load, conjuncts []predicate.Conjunct, p figures, contract string) (string, error) {
	now := a.now()
	auth, err := invoice.Authorize("billingAuthorizations/"+a.ids.New("aut"), r, s, l, conjuncts, p.goods, p.goodsTotal, p.freight,
		p.freightTotal, p.why, contract, now)
	if err != nil {
		return "", err
	}
	s.Authorization = auth.Name
	if err := tx.SaveShipment(s); err != nil {
		return "", err
	}
	if err := tx.SaveAuthorization(auth, invoice.Authorized{Authorization: auth}); err != nil {
		return "", err
	}
	if auth.NetTotal.IsZero() { // samples and replacements at no price have nothing to post
		return auth.Name, nil
	}
	entry, err := ledger.Authorised(auth.GoodsTotal, auth.FreightTotal)
	if err != nil {
		return "", err
	}
	return auth.Name, tx.Post(posting(entry, auth.LegalEntity, auth.Name, auth.Related(), now))
}

// posting gives an entry its document and what leads to it.
func posting(e ledger.Entry, legalEntity, document string, related []string, at time.Time) ledger.Posting {
	if !slices.Contains(related, document) {
		related = append(slices.Clone(related), document)
	}
	return ledger.Posting{Entry: e, LegalEntity: legalEntity, Document: document, Related: related, Time: at}
}

// termsOf returns what the customer's contract says: the version that the release was made under, else the one in force on
// the ship date.
func termsOf(tx *store.Tx, r shipment.Release, l shipment.Load) (invoice.Terms, error) {
	contract := r.Contract
	if contract == "" {
		var err error
		if contract, err = tx.ContractInForce(r.Customer, l.ShipDate); err != nil {
			return invoice.Terms{}, err
		}
		if contract == "" {
			return invoice.Terms{}, &MissingError{"contract of " + r.Customer}
		}
	}
	terms, err := tx.Terms(contract)
	return terms, needed(contract, err)
}

// figures are what a shipment is billed.
type figures struct {
	goods        []invoice.Goods
	freight      []invoice.Freight
	goodsTotal   money.Amount
	freightTotal money.Amount
	why          rating.Node
}

// price makes the figures of a shipment: goods on what was accepted, freight on what was shipped.
func price(tx *store.Tx, r shipment.Release, s shipment.Shipment, l shipment.Load, t invoice.Terms) (figures, error) {
	var f figures
	var err error
	if f.goods, f.goodsTotal, err = invoice.PriceGoods(r, s.Lines); err != nil {
		return f, err
	}
	lane, err := tx.LaneBetween(s.ShipFrom, s.ShipTo)
	if err != nil {
		return f, err
	}
	extras, err := accessorials(tx, s, t)
	if err != nil {
		return f, err
	}
	f.freight, f.freightTotal, f.why, err = invoice.PriceFreight(t, invoice.Carriage{
		Terms: s.Terms, Currency: r.Currency, ShipDate: l.ShipDate, Mode: s.Mode, Lane: lane, Weight: s.GrossWeight, Accessorials: extras,
	})
	if len(f.freight) > 0 {
		f.why.Children = append(f.why.Children, rating.Node{
			Label: "Shipped gross weight", Value: s.GrossWeight.String(), Rule: "as shipped, also when fewer units are accepted", Source: s.Name,
		})
	}
	return f, err
}

// accessorials are the extras that the place of delivery needs and the contract charges on.
func accessorials(tx *store.Tx, s shipment.Shipment, t invoice.Terms) ([]rating.ChargeCode, error) {
	if t.Tariff == nil || len(t.Tariff.Accessorials) == 0 {
		return nil, nil
	}
	flags, err := tx.LocationFlags(s.ShipTo)
	if err != nil {
		return nil, needed(s.ShipTo, err)
	}
	var out []rating.ChargeCode
	for _, x := range []struct {
		flag string
		code rating.ChargeCode
	}{{"liftgate", rating.LiftgateCharge}, {"residential", rating.ResidentialCharge}} {
		if _, priced := t.Tariff.Accessorials[x.code]; priced && slices.Contains(flags, x.flag) {
			out = append(out, x.code)
		}
	}
	return out, nil
}
