package seed

import (
	"context"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
)

// reader reads one file after the other; later ones refer to what earlier ones said.
type reader struct {
	*problems
	dir  fs.FS
	plan *plan
	late time.Time // of a late file

	entities        []*masterdatav1.LegalEntity // with ship_from
	shipping        map[string]string           // location id -> calendar of its shipping days
	partyOf         map[string]*masterdatav1.Party
	externalAtPlace map[string][]*typev1.ExternalId          // location id -> its names at partners
	fuelTables      map[string]*masterdatav1.FuelIndex_Table // by id
	fuelSeries      map[string]string                        // table id -> resource name of its series
}

func (r *reader) legalEntities() {
	const file = "legal_entities.csv"
	for _, x := range r.table(r.dir, file, "id", "name", "country", "currency", "tax_id", "address", "city", "state", "postcode",
		"dc_location", "zone", "invoice_series", "rounding") {
		x.only("rounding", "half-up per charge to minor unit")
		m := &masterdatav1.LegalEntity{
			Name: "legalEntities/" + x.text("id"), DisplayName: x.text("name"), CurrencyCode: x.text("currency"), TaxId: x.text("tax_id"),
			Address: address(x), Zone: x.text("zone"), InvoiceSeries: x.text("invoice_series"), ShipFrom: "locations/" + x.text("dc_location"),
		}
		r.entities = append(r.entities, m)
		// The location that it ships from belongs to it and comes later, so the mask leaves ship_from alone here.
		first := proto.Clone(m).(*masterdatav1.LegalEntity)
		first.ShipFrom = ""
		mask := &fieldmaskpb.FieldMask{Paths: []string{"display_name", "currency_code", "tax_id", "address", "zone", "invoice_series"}}
		r.plan.add(file, x.text("id"), func(ctx context.Context, c masterdatav1.MasterDataServiceClient, id string) error {
			_, err := c.UpdateLegalEntity(ctx, &masterdatav1.UpdateLegalEntityRequest{LegalEntity: first, UpdateMask: mask, AllowMissing: true, RequestId: id})
			return err
		})
		r.plan.summary.LegalEntities++
	}
}

// shipFrom gives each legal entity its location.
func (r *reader) shipFrom() {
	for _, m := range r.entities {
		key := strings.TrimPrefix(m.GetName(), "legalEntities/") + "/ship_from"
		mask := &fieldmaskpb.FieldMask{Paths: []string{"ship_from"}}
		r.plan.add("legal_entities.csv", key, func(ctx context.Context, c masterdatav1.MasterDataServiceClient, id string) error {
			_, err := c.UpdateLegalEntity(ctx, &masterdatav1.UpdateLegalEntityRequest{LegalEntity: m, UpdateMask: mask, RequestId: id})
			return err
		})
	}
}

func address(x row) *typev1.Address {
	return &typev1.Address{Lines: []string{x.text("address")}, City: x.text("city"), State: x.text("state"), Postcode: x.text("postcode"), Country: x.text("country")}
}

func (r *reader) calendars() {
	const file = "calendars.csv"
	r.shipping = map[string]string{}
	for _, x := range r.table(r.dir, file, "id", "applies_to", "zone", "working_days", "from", "to", "holidays_2026_03", "source") {
		m := &masterdatav1.Calendar{
			Name: "calendars/" + x.text("id"), Zone: x.text("zone"), WorkingWeekdays: x.weekdays("working_days"),
			WorkFrom: x.text("from"), WorkTo: x.text("to"),
		}
		x.only("holidays_2026_03", "none")
		if place, ok := strings.CutSuffix(x.text("applies_to"), " shipping"); ok {
			r.shipping[place] = m.GetName()
		} else {
			x.only("applies_to", "tender clock")
		}
		r.plan.add(file, x.text("id"), func(ctx context.Context, c masterdatav1.MasterDataServiceClient, id string) error {
			_, err := c.UpdateCalendar(ctx, &masterdatav1.UpdateCalendarRequest{Calendar: m, AllowMissing: true, RequestId: id})
			return err
		})
		r.plan.summary.Calendars++
	}
}

func (r *reader) taxRules() {
	const file = "tax_rules.csv"
	for _, x := range r.table(r.dir, file, "rule", "rate_percent", "printed_note", "applies") {
		m := &masterdatav1.TaxRule{Name: "taxRules/" + x.text("rule"), RatePercent: x.decimal("rate_percent"), PrintedNote: x.text("printed_note")}
		r.plan.add(file, x.text("rule"), func(ctx context.Context, c masterdatav1.MasterDataServiceClient, id string) error {
			_, err := c.UpdateTaxRule(ctx, &masterdatav1.UpdateTaxRuleRequest{TaxRule: m, AllowMissing: true, RequestId: id})
			return err
		})
		r.plan.summary.TaxRules++
	}
}

func (r *reader) parties() {
	const file = "parties.csv"
	r.partyOf = map[string]*masterdatav1.Party{}
	rows := r.table(r.dir, file, "id", "name", "role", "legal_entity", "currency", "channel", "payment_terms", "tax_rule", "vat_id", "contact_note")
	for _, x := range rows {
		m := &masterdatav1.Party{
			Name: "parties/" + x.text("id"), DisplayName: x.text("name"), LegalEntity: "legalEntities/" + x.text("legal_entity"),
			CurrencyCode: x.text("currency"), Channel: x.text("channel"), PaymentTerms: x.text("payment_terms"), PaymentDueDays: x.dueDays("payment_terms"),
			VatId: x.text("vat_id"),
			// Every customer may be billed, so bill-to says nothing that customer does not.
			Roles: []masterdatav1.Party_Role{choice(x, "role", map[string]masterdatav1.Party_Role{
				"customer": masterdatav1.Party_CUSTOMER, "customer+bill-to": masterdatav1.Party_CUSTOMER, "carrier": masterdatav1.Party_CARRIER,
			})},
		}
		x.only("channel", "X12", "REST")
		if isCarrier(m) { // carriers' invoices are taken without tax in the day
			x.only("tax_rule", "", "VAT outside the demo")
		} else {
			m.TaxRule = "taxRules/" + x.text("tax_rule")
		}
		r.partyOf[x.text("id")] = m
	}
	r.carriers()
	r.externalIDs()
	for _, x := range rows {
		m := r.partyOf[x.text("id")]
		if isCarrier(m) && m.GetCarrier() == nil {
			x.fail("id", "carrier without a row in carriers.csv")
		}
		r.plan.add(file, x.text("id"), func(ctx context.Context, c masterdatav1.MasterDataServiceClient, id string) error {
			_, err := c.UpdateParty(ctx, &masterdatav1.UpdatePartyRequest{Party: m, AllowMissing: true, RequestId: id})
			return err
		})
		r.plan.summary.Parties++
	}
}

func isCarrier(m *masterdatav1.Party) bool {
	return slices.Contains(m.GetRoles(), masterdatav1.Party_CARRIER)
}

// carrierID is how parties.csv calls the carrier of a SCAC.
func carrierID(scac string) string { return "CAR-" + scac }

func (r *reader) carriers() {
	for _, x := range r.table(r.dir, "carriers.csv", "scac", "modes", "equipment", "tender_calendar", "tender_timeout_business_hours", "late_accept",
		"expected_214_interval_hours", "tonu_amount", "tonu_window_hours", "currency", "stale_bill_days") {
		p := r.partyOf[carrierID(x.text("scac"))]
		if p == nil || !isCarrier(p) {
			x.fail("scac", "no carrier %s in parties.csv", carrierID(x.text("scac")))
			continue
		}
		x.only("currency", p.GetCurrencyCode())
		p.Carrier = &masterdatav1.CarrierProfile{
			Scac: x.text("scac"), Modes: x.words("modes"), Equipment: x.text("equipment"),
			TenderCalendar: "calendars/" + x.text("tender_calendar"), TenderTimeoutHours: x.number("tender_timeout_business_hours"),
			LateAccept: choice(x, "late_accept", map[string]masterdatav1.CarrierProfile_LateAccept{
				"reject": masterdatav1.CarrierProfile_REJECT, "allow_if_open": masterdatav1.CarrierProfile_ALLOW_IF_OPEN,
			}),
			ExpectedStatusIntervalHours: x.number("expected_214_interval_hours"),
			TonuCharge:                  x.amount("tonu_amount", p.GetCurrencyCode()), TonuWindowHours: x.number("tonu_window_hours"),
			StaleBillDays: x.number("stale_bill_days"),
		}
	}
}

// ofPlace is the end of a note that says which location a name belongs to.
var ofPlace = regexp.MustCompile(`\bof (LOC-[A-Z0-9-]+)$`)

// externalIDs gives parties and locations their names at partners. valid_from is read and not kept: an external id has no
// validity yet.
func (r *reader) externalIDs() {
	r.externalAtPlace = map[string][]*typev1.ExternalId{}
	for _, x := range r.table(r.dir, "external_ids.csv", "party", "system", "kind", "qualifier", "value", "valid_from", "note") {
		x.date("valid_from")
		x.only("system", "x12", "rest")
		x.only("kind", "isa_sender", "gs_sender", "n1_st", "n1_bt", "api_client")
		id := &typev1.ExternalId{System: x.text("system"), Kind: x.text("kind"), Qualifier: x.text("qualifier"), Value: x.text("value")}
		p := r.partyOf[x.text("party")]
		if p == nil {
			x.fail("party", "%q is not in parties.csv", x.text("party"))
			continue
		}
		if place := ofPlace.FindStringSubmatch(x.text("note")); place != nil && strings.HasPrefix(id.GetKind(), "n1_") {
			r.externalAtPlace[place[1]] = append(r.externalAtPlace[place[1]], id)
			continue
		}
		p.ExternalIds = append(p.ExternalIds, id)
	}
}
