package store

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	billingstoragev1 "crossdock.dev/gen/crossdock/billing/storage/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"
	platform "crossdock.dev/platform/store"

	"crossdock.dev/services/billing/internal/invoice"
	"crossdock.dev/services/billing/internal/shipment"
	"crossdock.dev/services/billing/internal/wire"
)

// LegalEntity is what billing needs to know of one of our companies.
type LegalEntity struct {
	Name   string
	Zone   *time.Location // of its books
	Series string         // invoice numbers
	TaxID  string         // printed
}

// Party is what billing needs to know of a customer or carrier.
type Party struct {
	Name    string
	Carrier bool
	TaxRule string
	VATID   string // printed; empty where it has none
	// BillWithin is how many days after the ship date a carrier may bill; 0 is any number.
	BillWithin int
	Payment    invoice.Payment
}

// copyOf reads a copy of master data, which is everybody's: nobody changes it. What has not arrived is ErrNotFound.
func copyOf[M proto.Message](r Reader, name string) (m M, err error) {
	resource, err := platform.Decoded(r.ctx, r.r, masterData, platform.Key(name), func(data []byte) (proto.Message, error) {
		rec := &billingstoragev1.MasterDataRecord{}
		if err := proto.Unmarshal(data, rec); err != nil {
			return nil, err
		}
		return rec.GetResource().UnmarshalNew()
	})
	if err != nil {
		return m, found(name, err)
	}
	m, ok := resource.(M)
	if !ok {
		return m, fmt.Errorf("%s is a %T, not a %T", name, resource, m)
	}
	return m, nil
}

// LegalEntity returns one of our companies.
func (r Reader) LegalEntity(name string) (LegalEntity, error) {
	m, err := copyOf[*masterdatav1.LegalEntity](r, name)
	if err != nil {
		return LegalEntity{}, err
	}
	zone, err := calendar.LoadZone(m.GetZone())
	return LegalEntity{Name: m.GetName(), Zone: zone, Series: m.GetInvoiceSeries(), TaxID: m.GetTaxId()}, err
}

// Party returns a customer or carrier.
func (r Reader) Party(name string) (Party, error) {
	m, err := copyOf[*masterdatav1.Party](r, name)
	if err != nil {
		return Party{}, err
	}
	return Party{
		Name: m.GetName(), Carrier: slices.Contains(m.GetRoles(), masterdatav1.Party_CARRIER), TaxRule: m.GetTaxRule(),
		VATID: m.GetVatId(), BillWithin: int(m.GetCarrier().GetStaleBillDays()),
		Payment: invoice.Payment{Terms: m.GetPaymentTerms(), DueDays: int(m.GetPaymentDueDays())},
	}, nil
}

// Tax returns a tax rule.
func (r Reader) Tax(name string) (invoice.Tax, error) {
	m, err := copyOf[*masterdatav1.TaxRule](r, name)
	if err != nil {
		return invoice.Tax{}, err
	}
	percent, err := decimal.Parse(m.GetRatePercent())
	return invoice.Tax{Rule: m.GetName(), Note: m.GetPrintedNote(), Percent: percent}, err
}

// LocationFlags returns what a carrier finds at a location, such as "liftgate"; none when the location has not arrived.
func (r Reader) LocationFlags(name string) ([]string, error) {
	m, err := copyOf[*masterdatav1.Location](r, name)
	if err != nil {
		return nil, err
	}
	return m.GetFlags(), nil
}

// LaneBetween returns the id of the lane between two locations, such as "LANE-CHI"; empty when there is none.
func (r Reader) LaneBetween(origin, destination string) (string, error) {
	names, err := r.names(lanesBetween, platform.Key(origin, destination))
	if err != nil || len(names) == 0 {
		return "", err
	}
	return names[0], nil
}

// ContractInForce returns the name of a party's approved version in force on a ship date: the latest effective date, then the
// highest version; empty when there is none.
func (r Reader) ContractInForce(party string, day calendar.Date) (string, error) {
	names, err := r.names(contractsOf, platform.Key(party))
	if err != nil {
		return "", err
	}
	var best *masterdatav1.Contract
	var since calendar.Date
	for _, name := range names {
		c, err := copyOf[*masterdatav1.Contract](r, name)
		if err != nil {
			return "", err
		}
		from, err := wire.FromDate(c.GetEffectiveFrom())
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		if c.GetState() != masterdatav1.Contract_APPROVED || from.After(day) {
			continue
		}
		if best == nil || from.After(since) || from == since && c.GetVersion() > best.GetVersion() {
			best, since = c, from
		}
	}
	return best.GetName(), nil
}

// Terms returns what a version of a customer's contract says.
func (r Reader) Terms(contract string) (invoice.Terms, error) {
	c, err := copyOf[*masterdatav1.Contract](r, contract)
	if err != nil {
		return invoice.Terms{}, err
	}
	terms := c.GetCustomerTerms()
	if terms == nil || c.GetState() != masterdatav1.Contract_APPROVED {
		return invoice.Terms{}, fmt.Errorf("%s: no approved customer terms: %w", contract, ErrNotFound)
	}
	out := invoice.Terms{Contract: c.GetName(), BillCleanPart: terms.GetBillCleanPart(), Proof: shipment.Received}
	if terms.GetPodRequired() == masterdatav1.CustomerTerms_VERIFIED {
		out.Proof = shipment.Verified
	}
	switch terms.GetFreightTerms() {
	case masterdatav1.CustomerTerms_PREPAID_AND_ADD:
		out.Freight = shipment.PrepaidAndAdd
	case masterdatav1.CustomerTerms_COLLECT:
		out.Freight = shipment.Collect
	default:
		out.Freight = shipment.Prepaid
	}
	out.Tariff, err = customerTariff(c, terms)
	return out, err
}

// customerTariff makes the kernel's tariff of a customer's freight prices; nil when there are none.
func customerTariff(c *masterdatav1.Contract, terms *masterdatav1.CustomerTerms) (*rating.Tariff, error) {
	from, err := wire.FromDate(c.GetEffectiveFrom())
	if err != nil {
		return nil, err
	}
	t := &rating.Tariff{
		ID: c.GetName(), Version: int(c.GetVersion()), Party: c.GetParty(), Currency: c.GetCurrencyCode(), EffectiveFrom: from,
		Interval: rating.LowInclusive, Accessorials: map[rating.ChargeCode]money.Amount{},
	}
	minimum, err := money.Zero(t.Currency)
	if err != nil {
		return nil, err
	}
	if terms.GetMinimum() != nil {
		if minimum, err = wire.FromMoney(terms.GetMinimum()); err != nil {
			return nil, err
		}
	}
	weight := func(mode, rate string, unit quantity.Unit) error {
		if rate == "" {
			return nil
		}
		per, err := decimal.Parse(rate)
		t.LineHaul = append(t.LineHaul, rating.LineHaul{
			Mode: mode, Weight: &rating.ByWeight{Rate: per, Per: decimal.Hundred, Unit: unit, Minimum: minimum},
		})
		return err
	}
	if len(terms.GetFlatByLane()) > 0 {
		flat := map[string]money.Amount{}
		for lane, amount := range terms.GetFlatByLane() {
			if flat[laneName(lane)], err = wire.FromMoney(amount); err != nil {
				return nil, err
			}
		}
		t.LineHaul = append(t.LineHaul, rating.LineHaul{Mode: "TL", Flat: flat})
	}
	if err := firstError(weight("LTL", terms.GetRatePerCwt(), quantity.Pound), weight("", terms.GetRatePer_100Kg(), quantity.Kilogram)); err != nil {
		return nil, err
	}
	if len(t.LineHaul) == 0 {
		return nil, nil
	}
	if terms.GetFuelPercent() != "" {
		percent, err := decimal.Parse(terms.GetFuelPercent())
		if err != nil {
			return nil, err
		}
		t.Fuel = &rating.Fuel{Percent: &percent}
	}
	for code, amount := range terms.GetAccessorials() {
		if t.Accessorials[rating.ChargeCode(code)], err = wire.FromMoney(amount); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// laneName lets a flat price name its lane with or without the collection: "LANE-CHI" and "lanes/LANE-CHI" are one.
func laneName(lane string) string {
	const lanes = "lanes/"
	if len(lane) > len(lanes) && lane[:len(lanes)] == lanes {
		return lane
	}
	return lanes + lane
}

// FuelOf computes a carrier's fuel surcharge anew from the index in force on the ship date, for tariffs whose fuel is a
// percentage of the net line-haul. Nil means that there is nothing to compute it from here: another basis, or fuel included.
func (r Reader) FuelOf(contract string, day calendar.Date, lineHaul money.Amount) (*money.Amount, error) {
	c, err := copyOf[*masterdatav1.Contract](r, contract)
	if err != nil {
		return nil, err
	}
	tariff := c.GetCarrierTariff()
	if tariff.GetFuelIndex() == "" {
		return nil, nil
	}
	m, err := copyOf[*masterdatav1.FuelIndex](r, tariff.GetFuelIndex())
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(m.GetTables(), func(t *masterdatav1.FuelIndex_Table) bool { return t.GetId() == tariff.GetFuelTable() })
	if at < 0 || m.GetTables()[at].GetBasis() != masterdatav1.FuelIndex_Table_PERCENT_OF_LINE_HAUL {
		return nil, nil
	}
	series, table, err := fuelTables(m, m.GetTables()[at])
	if err != nil {
		return nil, err
	}
	index, err := series.On(day)
	if err != nil {
		return nil, err
	}
	band, err := table.Band(index.Value, rating.LowInclusive)
	if err != nil {
		return nil, err
	}
	fuel, err := lineHaul.PercentRound(band.Value)
	return &fuel, err
}

func fuelTables(m *masterdatav1.FuelIndex, t *masterdatav1.FuelIndex_Table) (series rating.FuelSeries, table rating.FuelTable, err error) {
	series.ID, table.ID = m.GetName(), t.GetId()
	for _, v := range m.GetValues() {
		from, dateErr := wire.FromDate(v.GetEffectiveDate())
		value, valueErr := decimal.Parse(v.GetValue())
		err = firstError(err, dateErr, valueErr)
		series.Values = append(series.Values, rating.FuelIndex{EffectiveFrom: from, Value: value})
	}
	for _, b := range t.GetBands() {
		low, lowErr := decimal.Parse(b.GetLow())
		high, highErr := decimal.Parse(b.GetHigh())
		value, valueErr := decimal.Parse(b.GetValue())
		err = firstError(err, lowErr, highErr, valueErr)
		table.Bands = append(table.Bands, rating.FuelBand{Low: low, High: high, Value: value})
	}
	return series, table, err
}
