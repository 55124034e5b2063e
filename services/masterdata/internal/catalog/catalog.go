// Package catalog is the table of the twelve kinds of master data: the message of each, the rules that it must meet, its
// business keys, and the fact that tells of it.
//
// It promises that everything a resource names is there, and is of the sort that is needed. It decodes messages to the
// small values of package rule, where the rules themselves are.
package catalog

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	"crossdock.dev/services/masterdata/internal/resource"
	"crossdock.dev/services/masterdata/internal/rule"
)

// The kinds, in the order in which a fresh install would fill them.
var (
	LegalEntity = resource.Kind{Field: "legal_entity", Collection: "legalEntities",
		New:   func() proto.Message { return &masterdatav1.LegalEntity{} },
		Check: check(checkLegalEntity),
		Fact: tell(func(m *masterdatav1.LegalEntity) resource.Fact {
			return resource.Fact{Type: "LegalEntityChanged", Payload: &masterdatav1.LegalEntityChanged{LegalEntity: m}, Related: names(m.GetShipFrom())}
		})}

	Calendar = resource.Kind{Field: "calendar", Collection: "calendars",
		New:   func() proto.Message { return &masterdatav1.Calendar{} },
		Check: check(checkCalendar),
		Fact: tell(func(m *masterdatav1.Calendar) resource.Fact {
			return resource.Fact{Type: "CalendarChanged", Payload: &masterdatav1.CalendarChanged{Calendar: m}}
		})}

	TaxRule = resource.Kind{Field: "tax_rule", Collection: "taxRules",
		New:   func() proto.Message { return &masterdatav1.TaxRule{} },
		Check: check(checkTaxRule),
		Fact: tell(func(m *masterdatav1.TaxRule) resource.Fact {
			return resource.Fact{Type: "TaxRuleChanged", Payload: &masterdatav1.TaxRuleChanged{TaxRule: m}}
		})}

	Party = resource.Kind{Field: "party", Collection: "parties",
		New:   func() proto.Message { return &masterdatav1.Party{} },
		Check: check(checkParty),
		Keys:  keys(func(m *masterdatav1.Party) []resource.Key { return externalKeys(m.GetExternalIds()) }),
		Keep:  keep(keepParty),
		Fact: tell(func(m *masterdatav1.Party) resource.Fact {
			return resource.Fact{Type: "PartyChanged", Payload: &masterdatav1.PartyChanged{Party: m}, Related: names(m.GetLegalEntity())}
		})}

	Location = resource.Kind{Field: "location", Collection: "locations",
		New:   func() proto.Message { return &masterdatav1.Location{} },
		Check: check(checkLocation),
		Keys:  keys(func(m *masterdatav1.Location) []resource.Key { return externalKeys(m.GetExternalIds()) }),
		Fact: tell(func(m *masterdatav1.Location) resource.Fact {
			return resource.Fact{Type: "LocationChanged", Payload: &masterdatav1.LocationChanged{Location: m}, Related: names(m.GetOwner())}
		})}

	Item = resource.Kind{Field: "item", Collection: "items",
		New:   func() proto.Message { return &masterdatav1.Item{} },
		Check: check(checkItem),
		Keys:  keys(func(m *masterdatav1.Item) []resource.Key { return externalKeys(m.GetExternalIds()) }),
		Fact: tell(func(m *masterdatav1.Item) resource.Fact {
			return resource.Fact{Type: "ItemChanged", Payload: &masterdatav1.ItemChanged{Item: m}}
		})}

	Lane = resource.Kind{Field: "lane", Collection: "lanes",
		New:   func() proto.Message { return &masterdatav1.Lane{} },
		Check: check(checkLane),
		Fact: tell(func(m *masterdatav1.Lane) resource.Fact {
			return resource.Fact{Type: "LaneChanged", Payload: &masterdatav1.LaneChanged{Lane: m}, Related: names(m.GetOrigin(), m.GetDestination())}
		})}

	RoutingGuide = resource.Kind{Field: "routing_guide", Collection: "routingGuides",
		New:   func() proto.Message { return &masterdatav1.RoutingGuide{} },
		Check: check(checkRoutingGuide),
		Keys: keys(func(m *masterdatav1.RoutingGuide) []resource.Key {
			return []resource.Key{{Path: "mode", Parts: []string{"routing_guide", m.GetLane(), m.GetMode()}}}
		}),
		Fact: tell(func(m *masterdatav1.RoutingGuide) resource.Fact {
			related := names(m.GetLane())
			for _, c := range m.GetChoices() {
				related = append(related, c.GetCarrier())
			}
			return resource.Fact{Type: "RoutingGuideChanged", Payload: &masterdatav1.RoutingGuideChanged{RoutingGuide: m}, Related: related}
		})}

	RateTable = resource.Kind{Field: "rate_table", Collection: "rateTables",
		New:   func() proto.Message { return &masterdatav1.RateTable{} },
		Check: check(checkRateTable),
		Keys: keys(func(m *masterdatav1.RateTable) []resource.Key {
			return []resource.Key{{Path: "version", Parts: []string{rateTableKey, m.GetTariff(), number(m.GetVersion())}}}
		}),
		Keep: keep(keepRateTable),
		Fact: tell(func(m *masterdatav1.RateTable) resource.Fact {
			return resource.Fact{Type: "RateTableChanged", Payload: &masterdatav1.RateTableChanged{RateTable: m}, Related: names("tariff:" + m.GetTariff())}
		})}

	FuelIndex = resource.Kind{Field: "fuel_index", Collection: "fuelIndexes",
		New:   func() proto.Message { return &masterdatav1.FuelIndex{} },
		Check: check(checkFuelIndex),
		Keep:  keep(keepFuelIndex),
		Fact: tell(func(m *masterdatav1.FuelIndex) resource.Fact {
			return resource.Fact{Type: "FuelIndexChanged", Payload: &masterdatav1.FuelIndexChanged{FuelIndex: m}}
		})}

	Contract = resource.Kind{Field: "contract", Collection: "contracts",
		New:   func() proto.Message { return &masterdatav1.Contract{} },
		Check: check(checkContract),
		Keys: keys(func(m *masterdatav1.Contract) []resource.Key {
			return []resource.Key{{Path: "version", Parts: []string{"contract", m.GetParty(), number(m.GetVersion())}}}
		}),
		Fact: tell(func(m *masterdatav1.Contract) resource.Fact {
			return resource.Fact{Type: "ContractApproved", Payload: &masterdatav1.ContractApproved{Contract: m}, Related: names(m.GetParty())}
		}),
		Approval: approval(
			[]string{"state", "approve_time"},
			func(m *masterdatav1.Contract) { m.State = masterdatav1.Contract_DRAFT },
			func(m *masterdatav1.Contract) bool { return m.GetState() == masterdatav1.Contract_APPROVED },
			func(m *masterdatav1.Contract, now time.Time) {
				m.State, m.ApproveTime = masterdatav1.Contract_APPROVED, timestamppb.New(now)
			})}

	CodeMap = resource.Kind{Field: "code_map", Collection: "codeMaps",
		New:   func() proto.Message { return &masterdatav1.CodeMap{} },
		Check: check(checkCodeMap),
		Keys: keys(func(m *masterdatav1.CodeMap) []resource.Key {
			return []resource.Key{{Path: "code", Parts: []string{"code_map", m.GetParty(), m.GetList(), m.GetCode(), dateOf(m.GetValidFrom()).String()}}}
		}),
		Fact: tell(func(m *masterdatav1.CodeMap) resource.Fact {
			return resource.Fact{Type: "CodeMapApproved", Payload: &masterdatav1.CodeMapApproved{CodeMap: m}, Related: names(m.GetParty(), "list:"+m.GetList())}
		}),
		Approval: approval(
			[]string{"state"},
			func(m *masterdatav1.CodeMap) { m.State = masterdatav1.CodeMap_PROPOSED },
			func(m *masterdatav1.CodeMap) bool { return m.GetState() == masterdatav1.CodeMap_APPROVED },
			func(m *masterdatav1.CodeMap, _ time.Time) { m.State = masterdatav1.CodeMap_APPROVED })}
)

// Kinds returns all twelve.
func Kinds() []resource.Kind {
	return []resource.Kind{LegalEntity, Calendar, TaxRule, Party, Location, Item, Lane, RoutingGuide, RateTable, FuelIndex, Contract, CodeMap}
}

// rateTableKey is the sort of key by which a contract finds the tables of a tariff.
const rateTableKey = "rate_table"

// The next functions let the rules of a kind speak of its own message type.

func check[M proto.Message](fn func(c *checker, m M)) func(context.Context, proto.Message, resource.Lookup) (rule.Fields, error) {
	return func(ctx context.Context, m proto.Message, look resource.Lookup) (rule.Fields, error) {
		c := &checker{ctx: ctx, look: look}
		fn(c, m.(M))
		return c.bad, c.err
	}
}

func keys[M proto.Message](fn func(M) []resource.Key) func(proto.Message) []resource.Key {
	return func(m proto.Message) []resource.Key { return fn(m.(M)) }
}

func keep[M proto.Message](fn func(old, now M) rule.Fields) func(old, now proto.Message) rule.Fields {
	return func(old, now proto.Message) rule.Fields { return fn(old.(M), now.(M)) }
}

func tell[M proto.Message](fn func(M) resource.Fact) func(proto.Message) resource.Fact {
	return func(m proto.Message) resource.Fact { return fn(m.(M)) }
}

func approval[M proto.Message](output []string, begin func(M), approved func(M) bool, approve func(M, time.Time)) *resource.Approval {
	return &resource.Approval{
		Output:   output,
		Begin:    func(m proto.Message) { begin(m.(M)) },
		Approved: func(m proto.Message) bool { return approved(m.(M)) },
		Approve:  func(m proto.Message, now time.Time) { approve(m.(M), now) },
	}
}

// checker collects what is wrong with one resource.
type checker struct {
	ctx  context.Context
	look resource.Lookup
	bad  rule.Fields
	err  error
}

func (c *checker) add(bad rule.Fields) { c.bad = append(c.bad, bad...) }

// find returns the resource of a name that stands at path. An empty name is no reference; a missing one is a bad field.
func (c *checker) find(path, name string) proto.Message {
	if name == "" || c.err != nil {
		return nil
	}
	m, err := c.look.Resource(c.ctx, name)
	switch {
	case errors.Is(err, resource.ErrNotFound):
		c.bad.Add(path, rule.UnknownReference, "%s is not there", name)
	case err != nil:
		c.err = err
	default:
		return m
	}
	return nil
}

// party wants the party of a name to have a role.
func (c *checker) party(path, name string, role masterdatav1.Party_Role) {
	p, ok := c.find(path, name).(*masterdatav1.Party)
	if ok && !hasRole(p, role) {
		c.bad.Add(path, rule.UnknownReference, "%s is no %s", name, role)
	}
}
