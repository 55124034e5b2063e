package store

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	storagev1 "crossdock.dev/gen/crossdock/freight/storage/v1"
	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
	"crossdock.dev/kernel/money"
	"crossdock.dev/kernel/quantity"
	"crossdock.dev/kernel/rating"
	"crossdock.dev/platform/store"

	"crossdock.dev/services/freight/internal/network"
	"crossdock.dev/services/freight/internal/refusal"
	"crossdock.dev/services/freight/internal/wire"
)

// masterdataRows are the look-up keys of a resource: a lane by its ends, a guide by lane and mode, versions by what they are
// versions of, first effective date and version.
func masterdataRows(m proto.Message) []row {
	put := func(name string, parts ...any) []row {
		return []row{{masterdataByKey, store.Key(parts...), name}}
	}
	switch m := m.(type) {
	case *masterdatav1.Lane:
		return put(m.GetName(), "lane", m.GetOrigin(), m.GetDestination(), m.GetName())
	case *masterdatav1.RoutingGuide:
		return put(m.GetName(), "guide", m.GetLane(), m.GetMode(), m.GetName())
	case *masterdatav1.Contract:
		if m.GetState() != masterdatav1.Contract_APPROVED {
			return nil
		}
		return put(m.GetName(), "contract", m.GetParty(), isoDate(m.GetEffectiveFrom()), uint32(m.GetVersion()), m.GetName())
	case *masterdatav1.RateTable:
		return put(m.GetName(), "rateTable", m.GetTariff(), isoDate(m.GetEffectiveFrom()), uint32(m.GetVersion()), m.GetName())
	}
	return nil
}

func isoDate(d interface {
	GetYear() int32
	GetMonth() int32
	GetDay() int32
}) string {
	return fmt.Sprintf("%04d-%02d-%02d", d.GetYear(), d.GetMonth(), d.GetDay())
}

// SetMasterdata replaces the copy of a resource of masterdata.
func (t *Tx) SetMasterdata(m interface {
	proto.Message
	GetName() string
}) error {
	key := store.Key(m.GetName())
	var old storagev1.MasterdataRecord
	switch err := store.GetProto(t.ctx, t.tx, masterdata, key, &old); {
	case err == nil:
		was, err := old.GetResource().UnmarshalNew()
		if err != nil {
			return err
		}
		for _, r := range masterdataRows(was) {
			if err := t.tx.Delete(t.ctx, r.bucket, r.key); err != nil {
				return err
			}
		}
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	var resource anypb.Any
	if err := anypb.MarshalFrom(&resource, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		return err
	}
	if err := store.PutProto(t.ctx, t.tx, masterdata, key, &storagev1.MasterdataRecord{Resource: &resource}); err != nil {
		return err
	}
	return t.index(masterdataRows(m))
}

// resource reads a resource, which is everybody's: nobody changes it.
func resource[M proto.Message](r Reader, name string) (m M, err error) {
	found, err := store.Decoded(r.ctx, r.r, masterdata, store.Key(name), func(data []byte) (proto.Message, error) {
		var rec storagev1.MasterdataRecord
		if err := proto.Unmarshal(data, &rec); err != nil {
			return nil, err
		}
		return rec.GetResource().UnmarshalNew()
	})
	if errors.Is(err, store.ErrNotFound) {
		return m, fmt.Errorf("%s: %w", name, refusal.ErrNotFound)
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	m, ok := found.(M)
	if !ok {
		return m, fmt.Errorf("%s is a %T, not a %T", name, found, m)
	}
	return m, nil
}

// lookUp reads the first resource of a range of look-up keys; what says in words what is missing otherwise.
func lookUp[M proto.Message](r Reader, what string, rg store.Range) (m M, err error) {
	kvs, err := r.r.Scan(r.ctx, masterdataByKey, first(rg))
	if err != nil {
		return m, err
	}
	if len(kvs) == 0 {
		return m, fmt.Errorf("%s: %w", what, refusal.ErrNotFound)
	}
	return resource[M](r, string(kvs[0].Value))
}

// inForce is the range of the versions in force on a day, the one to use first: latest effective date, then highest version.
func inForce(kind, of string, day calendar.Date) store.Range {
	return store.Range{From: store.Key(kind, of), To: store.Key(kind, of, day.AddDays(1).String()), Reverse: true}
}

// Location reads a site; like all of the following, refusal.ErrNotFound when masterdata has not told it.
func (r Reader) Location(name string) (network.Location, error) {
	m, err := resource[*masterdatav1.Location](r, name)
	if err != nil {
		return network.Location{}, err
	}
	a := m.GetAddress()
	return network.Location{
		Name: m.GetName(), Zone: m.GetZone(), City: a.GetCity(), State: a.GetState(), Postcode: a.GetPostcode(), Country: a.GetCountry(),
		Flags: m.GetFlags(),
	}, nil
}

// Item reads an item.
func (r Reader) Item(name string) (network.Item, error) {
	m, err := resource[*masterdatav1.Item](r, name)
	if err != nil {
		return network.Item{}, err
	}
	w, err := wire.ToQuantity(m.GetGrossWeight())
	if err != nil {
		return network.Item{}, unusable(name, err)
	}
	out := network.Item{
		Name: m.GetName(), Description: m.GetDisplayName(), BaseUnit: quantity.Unit(m.GetBaseUnit()), GrossWeight: w,
		UnitsPerCarton: max(m.GetUnitsPerCarton(), 1), DimensionUnit: quantity.Unit(m.GetDimensionUnit()), FreightClass: m.GetFreightClass(),
	}
	for _, s := range m.GetCartonDimensions() {
		side, err := decimal.Parse(s)
		if err != nil {
			return network.Item{}, unusable(name, err)
		}
		out.CartonSides = append(out.CartonSides, side)
	}
	return out, nil
}

// Lane finds the lane between two sites.
func (r Reader) Lane(origin, destination string) (network.Lane, error) {
	m, err := lookUp[*masterdatav1.Lane](r, "lane "+origin+" to "+destination, store.Prefix(store.Key("lane", origin, destination)))
	if err != nil {
		return network.Lane{}, err
	}
	return toLane(m)
}

// LaneNamed reads a lane.
func (r Reader) LaneNamed(name string) (network.Lane, error) {
	m, err := resource[*masterdatav1.Lane](r, name)
	if err != nil {
		return network.Lane{}, err
	}
	return toLane(m)
}

func toLane(m *masterdatav1.Lane) (network.Lane, error) {
	d, err := wire.ToQuantity(m.GetDistance())
	if err != nil {
		return network.Lane{}, unusable(m.GetName(), err)
	}
	return network.Lane{
		Name: m.GetName(), Origin: m.GetOrigin(), Destination: m.GetDestination(), Distance: d, DistanceSource: m.GetDistanceSource(),
	}, nil
}

// Guide finds the routing guide of a lane and mode.
func (r Reader) Guide(lane, mode string) (network.Guide, error) {
	m, err := lookUp[*masterdatav1.RoutingGuide](r, "routing guide of "+lane+" "+mode, store.Prefix(store.Key("guide", lane, mode)))
	if err != nil {
		return network.Guide{}, err
	}
	out := network.Guide{Lane: m.GetLane(), Mode: m.GetMode(), SameCarrierAgain: m.GetSameCarrierAgain()}
	for _, c := range m.GetChoices() {
		out.Choices = append(out.Choices, network.Choice{Rank: c.GetRank(), Carrier: c.GetCarrier()})
	}
	return out, nil
}

// Carrier reads a carrier with its tender calendar.
func (r Reader) Carrier(name string) (network.Carrier, error) {
	m, err := resource[*masterdatav1.Party](r, name)
	if err != nil {
		return network.Carrier{}, err
	}
	p := m.GetCarrier()
	if p == nil {
		return network.Carrier{}, fmt.Errorf("%s is no carrier: %w", name, refusal.ErrNotFound)
	}
	c, err := r.calendar(p.GetTenderCalendar())
	if err != nil {
		return network.Carrier{}, fmt.Errorf("tender calendar of %s: %w", name, err)
	}
	out := network.Carrier{
		Name: name, SCAC: p.GetScac(), Equipment: p.GetEquipment(), Calendar: c, TimeoutHours: int(p.GetTenderTimeoutHours()),
		LateAccept: network.Reject, TONUWindow: time.Duration(p.GetTonuWindowHours()) * time.Hour,
		Interval: time.Duration(p.GetExpectedStatusIntervalHours()) * time.Hour,
	}
	if p.GetLateAccept() == masterdatav1.CarrierProfile_ALLOW_IF_OPEN {
		out.LateAccept = network.AllowIfOpen
	}
	return out, nil
}

func (r Reader) calendar(name string) (calendar.Calendar, error) {
	m, err := resource[*masterdatav1.Calendar](r, name)
	if err != nil {
		return calendar.Calendar{}, err
	}
	from, err := calendar.ParseTimeOfDay(m.GetWorkFrom())
	if err != nil {
		return calendar.Calendar{}, unusable(name, err)
	}
	to, err := calendar.ParseTimeOfDay(m.GetWorkTo())
	if err != nil {
		return calendar.Calendar{}, unusable(name, err)
	}
	spec := calendar.Spec{ID: name, Zone: m.GetZone(), From: from, To: to}
	for _, d := range m.GetWorkingWeekdays() {
		spec.WorkingDays = append(spec.WorkingDays, time.Weekday(d%7)) // ISO 8601 counts Monday 1 to Sunday 7
	}
	for _, h := range m.GetHolidays() {
		d, err := wire.ToDate(h)
		if err != nil {
			return calendar.Calendar{}, unusable(name, err)
		}
		spec.Holidays = append(spec.Holidays, d)
	}
	c, err := calendar.New(spec)
	if err != nil {
		return calendar.Calendar{}, unusable(name, err)
	}
	return c, nil
}

// Terms are who pays the freight of a customer, by its contract in force on a ship date.
func (r Reader) Terms(customer string, shipDate calendar.Date) (network.FreightTerms, error) {
	what := "contract of " + customer + " in force on " + shipDate.String()
	m, err := lookUp[*masterdatav1.Contract](r, what, inForce("contract", customer, shipDate))
	if err != nil {
		return "", err
	}
	switch m.GetCustomerTerms().GetFreightTerms() {
	case masterdatav1.CustomerTerms_PREPAID:
		return network.Prepaid, nil
	case masterdatav1.CustomerTerms_PREPAID_AND_ADD:
		return network.PrepaidAndAdd, nil
	case masterdatav1.CustomerTerms_COLLECT:
		return network.Collect, nil
	}
	return "", fmt.Errorf("freight terms of %s: %w", m.GetName(), refusal.ErrNotFound)
}

// Contract is the carrier's contract in force on a ship date, with its rate table and fuel index. distance is the unit of the
// lane, in which rates per distance are meant.
func (r Reader) Contract(carrier string, shipDate calendar.Date, distance quantity.Unit) (network.Contract, error) {
	what := "contract of " + carrier + " in force on " + shipDate.String()
	m, err := lookUp[*masterdatav1.Contract](r, what, inForce("contract", carrier, shipDate))
	if err != nil {
		return network.Contract{}, err
	}
	return r.contract(m, shipDate, distance)
}

// ContractNamed is one version of a carrier's contract, the one that priced a load, as Contract reads it.
func (r Reader) ContractNamed(name string, shipDate calendar.Date, distance quantity.Unit) (network.Contract, error) {
	m, err := resource[*masterdatav1.Contract](r, name)
	if err != nil {
		return network.Contract{}, err
	}
	return r.contract(m, shipDate, distance)
}

func (r Reader) contract(m *masterdatav1.Contract, shipDate calendar.Date, distance quantity.Unit) (network.Contract, error) {
	carrier := m.GetParty()
	t := m.GetCarrierTariff()
	if t == nil {
		return network.Contract{}, fmt.Errorf("carrier tariff of %s: %w", m.GetName(), refusal.ErrNotFound)
	}
	from, err := wire.ToDate(m.GetEffectiveFrom())
	if err != nil {
		return network.Contract{}, unusable(m.GetName(), err)
	}
	out := network.Contract{Name: m.GetName(), Tariff: rating.Tariff{
		ID: m.GetName(), Version: int(m.GetVersion()), Party: carrier, Currency: m.GetCurrencyCode(), EffectiveFrom: from,
		Interval: rating.LowInclusive,
	}}
	p := parser{currency: m.GetCurrencyCode()}
	line := p.lineHaul(r, t, shipDate, distance)
	out.Tariff.LineHaul = []rating.LineHaul{line}
	out.Tariff.Fuel = p.fuel(r, t, distance)
	if t.GetStopOff() != nil {
		out.Tariff.StopOff = &rating.StopOff{FromStop: int(t.GetStopOffFrom()), Amount: p.money(t.GetStopOff())}
	}
	if d := t.GetDetention(); d != nil {
		out.Tariff.Detention = &rating.Detention{
			FreeMinutes: int(d.GetFreeMinutes()), IncrementMinutes: int(d.GetIncrementMinutes()), RatePerHour: p.money(d.GetRatePerHour()).Decimal(),
		}
		if d.GetCap() != nil {
			limit := p.money(d.GetCap())
			out.Tariff.Detention.Cap = &limit
		}
	}
	for code, amount := range t.GetAccessorials() {
		a := p.money(amount)
		if rating.ChargeCode(code) == rating.TONUCharge {
			out.Tariff.TONU = &a
			continue
		}
		if out.Tariff.Accessorials == nil {
			out.Tariff.Accessorials = map[rating.ChargeCode]money.Amount{}
		}
		out.Tariff.Accessorials[rating.ChargeCode(code)] = a
	}
	if p.err != nil {
		return network.Contract{}, fmt.Errorf("%s: %w", m.GetName(), p.err)
	}
	return out, nil
}

// unusable says that a resource holds what masterdata should not have let through.
func unusable(name string, err error) error {
	return fmt.Errorf("%s: %w: %w", name, refusal.ErrUnusable, err)
}

// parser collects the first error, so that a tariff reads as a list.
type parser struct {
	currency string
	err      error
}

func (p *parser) fail(err error) {
	if p.err == nil && err != nil {
		p.err = err
	}
}

func (p *parser) decimal(s string) decimal.Decimal {
	if s == "" {
		return decimal.Zero
	}
	d, err := decimal.Parse(s)
	p.bad(err)
	return d
}

// bad notes that a value says what cannot be.
func (p *parser) bad(err error) {
	if err != nil {
		p.fail(fmt.Errorf("%w: %w", refusal.ErrUnusable, err))
	}
}

// money reads an amount; an absent one is nothing, in the contract's currency.
func (p *parser) money(m interface {
	GetUnits() int64
	GetNanos() int32
	GetCurrencyCode() string
}) money.Amount {
	if m.GetCurrencyCode() == "" {
		a, err := money.Zero(p.currency)
		p.bad(err)
		return a
	}
	a, err := money.FromUnitsNanos(m.GetUnits(), m.GetNanos(), m.GetCurrencyCode())
	p.bad(err)
	return a
}

func (p *parser) lineHaul(r Reader, t *masterdatav1.CarrierTariff, shipDate calendar.Date, distance quantity.Unit) rating.LineHaul {
	switch t.GetBasis() {
	case masterdatav1.CarrierTariff_PER_DISTANCE:
		return rating.LineHaul{Distance: &rating.ByDistance{Rate: p.decimal(t.GetRate()), Unit: distance, Minimum: p.money(t.GetMinimum())}}
	case masterdatav1.CarrierTariff_FLAT_PER_LANE:
		flat := map[string]money.Amount{}
		for lane, amount := range t.GetFlatByLane() {
			flat[strings.TrimPrefix(lane, "lanes/")] = p.money(amount)
		}
		return rating.LineHaul{Flat: flat}
	case masterdatav1.CarrierTariff_LTL_CLASS:
		return rating.LineHaul{Class: &rating.ByClass{
			Table: p.rateTable(r, t.GetRateTable(), shipDate), DiscountPercent: p.decimal(t.GetDiscountPercent()), Minimum: p.money(t.GetMinimum()),
			DeficitBillsActualWeight: t.GetDeficitBillsActualWeight(),
		}}
	}
	p.fail(fmt.Errorf("basis %s: %w", t.GetBasis(), rating.ErrTariff))
	return rating.LineHaul{}
}

func (p *parser) rateTable(r Reader, tariff string, shipDate calendar.Date) rating.RateTable {
	what := "rate table " + tariff + " in force on " + shipDate.String()
	m, err := lookUp[*masterdatav1.RateTable](r, what, inForce("rateTable", tariff, shipDate))
	if err != nil {
		p.fail(err)
		return rating.RateTable{}
	}
	from, err := wire.ToDate(m.GetEffectiveFrom())
	p.bad(err)
	const group = "lanes" // a table of masterdata is of one group of lanes
	out := rating.RateTable{
		ID: m.GetName(), Version: int(m.GetVersion()), EffectiveFrom: from, Unit: quantity.Pound, Per: decimal.Hundred,
		Groups: []rating.LaneGroup{{ID: group, Origins: m.GetOriginPrefixes(), Destinations: m.GetDestinationPrefixes()}},
	}
	for i, b := range m.GetBreaks() {
		name := "from " + b
		if i < len(m.GetBreakNames()) {
			name = m.GetBreakNames()[i]
		}
		out.Breaks = append(out.Breaks, rating.Break{Code: name, From: p.decimal(b)})
	}
	for _, x := range m.GetRows() {
		rates := rating.Row{Group: group, Class: x.GetFreightClass()}
		for _, rate := range x.GetRates() {
			rates.Rates = append(rates.Rates, p.decimal(rate))
		}
		out.Rows = append(out.Rows, rates)
	}
	return out
}

func (p *parser) fuel(r Reader, t *masterdatav1.CarrierTariff, distance quantity.Unit) *rating.Fuel {
	if t.GetFuelIndex() == "" {
		return nil
	}
	m, err := resource[*masterdatav1.FuelIndex](r, t.GetFuelIndex())
	if err != nil {
		p.fail(err)
		return nil
	}
	out := rating.IndexedFuel{Series: rating.FuelSeries{ID: m.GetName(), Unit: m.GetUnit()}}
	for _, v := range m.GetValues() {
		published, err := wire.ToDate(v.GetPublishDate())
		p.bad(err)
		effective, err := wire.ToDate(v.GetEffectiveDate())
		p.bad(err)
		out.Series.Values = append(out.Series.Values, rating.FuelIndex{Published: published, EffectiveFrom: effective, Value: p.decimal(v.GetValue())})
	}
	for _, x := range m.GetTables() {
		if x.GetId() != t.GetFuelTable() {
			continue
		}
		out.Table = rating.FuelTable{ID: x.GetId(), Series: m.GetName(), Basis: rating.PercentOfLineHaul}
		if x.GetBasis() == masterdatav1.FuelIndex_Table_PER_DISTANCE {
			out.Table.Basis, out.Table.Unit = rating.PerDistance, distance
		}
		for _, b := range x.GetBands() {
			out.Table.Bands = append(out.Table.Bands, rating.FuelBand{Low: p.decimal(b.GetLow()), High: p.decimal(b.GetHigh()), Value: p.decimal(b.GetValue())})
		}
		return &rating.Fuel{Index: &out}
	}
	p.fail(fmt.Errorf("fuel table %s of %s: %w", t.GetFuelTable(), m.GetName(), refusal.ErrNotFound))
	return nil
}
