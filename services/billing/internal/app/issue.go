package app

import (
	"context"

	platform "crossdock.dev/platform/store"

	"crossdock.dev/services/billing/internal/invoice"
	"crossdock.dev/services/billing/internal/ledger"
	"crossdock.dev/services/billing/internal/store"
)

// Preview returns the invoice that Issue would make of an authorisation, as a draft without name, number and dates.
func (a *App) Preview(ctx context.Context, authorization string) (out invoice.Invoice, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		auth, err := r.Authorization(authorization)
		if err != nil {
			return err
		}
		out, err = draft(r, "", auth)
		return err
	})
	return out, err
}

// Issue makes the invoice of an authorisation, approves it, draws its number and posts it, in one commit. An authorisation that
// was invoiced before gives the same invoice.
func (a *App) Issue(ctx context.Context, cause platform.Cause, authorization string) (invoice.Invoice, platform.Position, error) {
	name, at, err := a.store.Change(ctx, cause, func(tx *store.Tx) (string, error) {
		auth, err := tx.Authorization(authorization)
		if err != nil {
			return "", err
		}
		if auth.Invoice != "" {
			return auth.Invoice, nil
		}
		return a.issue(tx, auth)
	})
	if err != nil {
		return invoice.Invoice{}, at, err
	}
	out, err := a.Invoice(ctx, name)
	return out, at, err
}

func (a *App) issue(tx *store.Tx, auth invoice.Authorization) (string, error) {
	entity, err := tx.LegalEntity(auth.LegalEntity)
	if err != nil {
		return "", needed(auth.LegalEntity, err)
	}
	if entity.Series == "" {
		return "", &MissingError{"invoice series of " + auth.LegalEntity}
	}
	inv, err := draft(tx.Reader, "invoices/"+a.ids.New("inv"), auth)
	if err != nil {
		return "", err
	}
	approved, _, err := inv.Approve()
	if err != nil {
		return "", err
	}
	series, err := tx.Series(entity.Series, entity.Name)
	if err != nil {
		return "", err
	}
	series, number := series.Draw(inv.Name, a.now())
	issued, _, err := approved.Issue(number.Number, number.Time, entity.Zone)
	if err != nil {
		return "", err
	}
	auth.Invoice = issued.Name
	if err := tx.SaveAuthorization(auth); err != nil {
		return "", err
	}
	if err := tx.SaveNumber(series, number); err != nil {
		return "", err
	}
	if err := tx.SaveInvoice(issued, invoice.ApprovedFact{Invoice: approved}, invoice.IssuedFact{Invoice: issued}); err != nil {
		return "", err
	}
	if issued.Total.IsZero() {
		return issued.Name, nil
	}
	entry, err := ledger.Issued(auth.NetTotal, issued.TaxTotal)
	if err != nil {
		return "", err
	}
	return issued.Name, tx.Post(posting(entry, issued.LegalEntity, issued.Name, issued.Related(), number.Time))
}

// taxOf returns a customer's tax rule with the tax numbers that are printed beside it.
func taxOf(r store.Reader, seller string, customer store.Party) (invoice.Tax, error) {
	entity, err := r.LegalEntity(seller)
	if err != nil {
		return invoice.Tax{}, needed(seller, err)
	}
	tax, err := r.Tax(customer.TaxRule)
	tax.Seller, tax.Customer = entity.TaxID, customer.VATID
	return tax, needed(customer.TaxRule, err)
}

// draft makes the invoice of an authorisation by master data as it now is.
func draft(r store.Reader, name string, auth invoice.Authorization) (invoice.Invoice, error) {
	party, err := r.Party(auth.Customer)
	if err != nil {
		return invoice.Invoice{}, needed(auth.Customer, err)
	}
	if party.TaxRule == "" {
		return invoice.Invoice{}, &MissingError{"tax rule of " + auth.Customer}
	}
	tax, err := taxOf(r, auth.LegalEntity, party)
	if err != nil {
		return invoice.Invoice{}, err
	}
	return invoice.Draft(name, auth, tax, party.Payment)
}
