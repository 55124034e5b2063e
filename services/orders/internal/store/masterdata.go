package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	ordersstoragev1 "crossdock.dev/gen/crossdock/orders/storage/v1"
	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/quantity"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/orders/internal/order"
	"crossdock.dev/services/orders/internal/wire"
)

// PutMasterData replaces the copy of a resource of master data, and returns the keys that orders may have waited for.
func (t *Tx) PutMasterData(ctx context.Context, m proto.Message) ([]string, error) {
	keys := masterDataKeys(m)
	if len(keys) == 0 {
		return nil, fmt.Errorf("no use for master data of type %T", m)
	}
	key := platform.Key(keys[0])
	var was []row
	old := &ordersstoragev1.MasterDataRecord{}
	switch err := platform.GetProto(ctx, t.tx, masterData, key, old); {
	case err == nil:
		before, err := old.GetResource().UnmarshalNew()
		if err != nil {
			return nil, err
		}
		was = masterDataRows(before)
	case !errors.Is(err, platform.ErrNotFound):
		return nil, err
	}
	resource := &anypb.Any{}
	if err := anypb.MarshalFrom(resource, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		return nil, err
	}
	if err := platform.PutProto(ctx, t.tx, masterData, key, &ordersstoragev1.MasterDataRecord{Resource: resource}); err != nil {
		return nil, err
	}
	return keys, t.reindex(ctx, was, masterDataRows(m))
}

// masterDataKeys are the keys that a resource is found by, its name first; none for what orders have no use for.
func masterDataKeys(m proto.Message) []string {
	switch m := m.(type) {
	case *masterdatav1.LegalEntity:
		return []string{m.Name}
	case *masterdatav1.Party:
		return []string{m.Name}
	case *masterdatav1.Calendar:
		return []string{m.Name}
	case *masterdatav1.Location:
		keys := []string{m.Name}
		for _, id := range m.ExternalIds {
			keys = append(keys, order.KeyOfSiteID(wire.ExternalID(id)))
		}
		return keys
	case *masterdatav1.Item:
		keys := []string{m.Name}
		for _, id := range m.ExternalIds {
			keys = append(keys, order.KeyOfItemID(wire.ExternalID(id)))
		}
		return keys
	case *masterdatav1.Lane:
		return []string{m.Name, order.KeyOfLane(m.Origin, m.Destination)}
	case *masterdatav1.Contract:
		return []string{m.Name, order.KeyOfTerms(m.Party)}
	}
	return nil
}

// masterDataRows are the index rows of a resource: all its keys but its name.
func masterDataRows(m proto.Message) []row {
	var rows []row
	for i, key := range masterDataKeys(m) {
		if name := masterDataKeys(m)[0]; i > 0 {
			rows = append(rows, row{masterDataBy, platform.Key(key, name), []byte(name)})
		}
	}
	return rows
}

// Catalog is the service's copy of master data as the domain asks for it.
func (r Reader) Catalog(ctx context.Context) order.Catalog { return catalog{ctx, r.r} }

// catalog lives no longer than one transaction, and so holds its context.
type catalog struct {
	ctx context.Context
	r   platform.Reader
}

// get reads a resource of the wanted type, which is everybody's: nobody changes it. ok is false when there is none of this name.
func get[M proto.Message](c catalog, name string) (m M, ok bool, err error) {
	if name == "" {
		return m, false, nil
	}
	resource, err := platform.Decoded(c.ctx, c.r, masterData, platform.Key(name), func(data []byte) (proto.Message, error) {
		rec := &ordersstoragev1.MasterDataRecord{}
		if err := proto.Unmarshal(data, rec); err != nil {
			return nil, err
		}
		return rec.GetResource().UnmarshalNew()
	})
	if errors.Is(err, platform.ErrNotFound) {
		return m, false, nil
	}
	if err != nil {
		return m, false, fmt.Errorf("master data %s: %w", name, err)
	}
	m, ok = resource.(M)
	return m, ok, nil
}

// maxFound bounds how many resources one key leads to.
const maxFound = 1000

// find reads the resources that a key leads to.
func find[M proto.Message](c catalog, key string) ([]M, error) {
	rg := platform.Prefix(platform.Key(key))
	rg.Limit = maxFound
	rows, err := c.r.Scan(c.ctx, masterDataBy, rg)
	if err != nil {
		return nil, err
	}
	var out []M
	for _, kv := range rows {
		m, ok, err := get[M](c, string(kv.Value))
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, m)
		}
	}
	return out, nil
}

func (c catalog) Customer(name string) (order.Customer, bool, error) {
	m, ok, err := get[*masterdatav1.Party](c, name)
	if err != nil || !ok {
		return order.Customer{}, false, err
	}
	for _, role := range m.Roles {
		if role == masterdatav1.Party_CUSTOMER {
			return order.Customer{Name: m.Name, LegalEntity: m.LegalEntity, Currency: m.CurrencyCode}, true, nil
		}
	}
	return order.Customer{}, false, nil
}

func (c catalog) LegalEntity(name string) (order.LegalEntity, bool, error) {
	m, ok, err := get[*masterdatav1.LegalEntity](c, name)
	return order.LegalEntity{Name: m.GetName(), ShipFrom: m.GetShipFrom()}, ok, err
}

func (c catalog) Site(name string) (order.Site, bool, error) {
	m, ok, err := get[*masterdatav1.Location](c, name)
	if err != nil || !ok {
		return order.Site{}, false, err
	}
	s, err := site(m)
	return s, err == nil, err
}

func (c catalog) SitesByExternalID(id order.ExternalID) ([]order.Site, error) {
	found, err := find[*masterdatav1.Location](c, order.KeyOfSiteID(id))
	var out []order.Site
	for _, m := range found {
		s, err := site(m)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, err
}

// site reads a location. Hours that were not given stay zero; the domain asks for what it needs.
func site(m *masterdatav1.Location) (order.Site, error) {
	s := order.Site{Name: m.Name, Owner: m.Owner, Zone: m.Zone, Open: weekdays(m.OpenWeekdays), ShippingCalendar: m.ShippingCalendar,
		HasCutOff: m.CutOff != ""}
	for _, f := range []struct {
		to   *calendar.TimeOfDay
		text string
	}{{&s.From, m.OpenFrom}, {&s.To, m.OpenTo}, {&s.CutOff, m.CutOff}} {
		if f.text == "" {
			continue
		}
		var err error
		if *f.to, err = calendar.ParseTimeOfDay(f.text); err != nil {
			return s, fmt.Errorf("master data %s: %w", m.Name, err)
		}
	}
	return s, nil
}

// weekdays reads ISO 8601 numbers: Monday 1 to Sunday 7.
func weekdays(iso []int32) []time.Weekday {
	var out []time.Weekday
	for _, d := range iso {
		out = append(out, time.Weekday(d%7))
	}
	return out
}

func (c catalog) Item(name string) (order.Item, bool, error) {
	m, ok, err := get[*masterdatav1.Item](c, name)
	if err != nil || !ok {
		return order.Item{}, false, err
	}
	i, err := item(m)
	return i, err == nil, err
}

func (c catalog) ItemsByExternalID(id order.ExternalID) ([]order.Item, error) {
	found, err := find[*masterdatav1.Item](c, order.KeyOfItemID(id))
	var out []order.Item
	for _, m := range found {
		i, err := item(m)
		if err != nil {
			return nil, err
		}
		out = append(out, i)
	}
	return out, err
}

func item(m *masterdatav1.Item) (order.Item, error) {
	weight, err := quantity.Parse(m.GetGrossWeight().GetValue(), quantity.Unit(m.GetGrossWeight().GetUnit()))
	if err != nil {
		return order.Item{}, fmt.Errorf("master data %s: gross weight: %w", m.Name, err)
	}
	return order.Item{Name: m.Name, BaseUnit: m.BaseUnit, GrossWeight: weight, UnitsPerCarton: int(m.UnitsPerCarton), ValidFrom: wire.ParseDate(m.ValidFrom)}, nil
}

func (c catalog) Calendar(name string) (calendar.Calendar, bool, error) {
	m, ok, err := get[*masterdatav1.Calendar](c, name)
	if err != nil || !ok {
		return calendar.Calendar{}, false, err
	}
	spec := calendar.Spec{ID: m.Name, Zone: m.Zone, WorkingDays: weekdays(m.WorkingWeekdays)}
	if spec.From, err = calendar.ParseTimeOfDay(m.WorkFrom); err != nil {
		return calendar.Calendar{}, false, fmt.Errorf("master data %s: %w", name, err)
	}
	if spec.To, err = calendar.ParseTimeOfDay(m.WorkTo); err != nil {
		return calendar.Calendar{}, false, fmt.Errorf("master data %s: %w", name, err)
	}
	for _, d := range m.Holidays {
		spec.Holidays = append(spec.Holidays, wire.ParseDate(d))
	}
	cal, err := calendar.New(spec)
	if err != nil {
		return cal, false, fmt.Errorf("master data %s: %w", name, err)
	}
	return cal, true, nil
}

func (c catalog) Lane(from, to string) (order.Lane, bool, error) {
	found, err := find[*masterdatav1.Lane](c, order.KeyOfLane(from, to))
	if err != nil || len(found) == 0 {
		return order.Lane{}, false, err
	}
	l := order.Lane{Name: found[0].Name, TransitDays: map[order.Mode]int{}}
	for mode, days := range found[0].TransitDays {
		l.TransitDays[order.Mode(mode)] = int(days)
	}
	return l, true, nil
}

func (c catalog) Terms(customer string) ([]order.Terms, error) {
	found, err := find[*masterdatav1.Contract](c, order.KeyOfTerms(customer))
	var out []order.Terms
	for _, m := range found {
		if m.GetCustomerTerms() != nil && m.State == masterdatav1.Contract_APPROVED {
			out = append(out, order.Terms{Contract: m.Name, Version: int(m.Version), EffectiveFrom: wire.ParseDate(m.EffectiveFrom),
				AutoRelease: m.GetCustomerTerms().AutoRelease})
		}
	}
	return out, err
}
