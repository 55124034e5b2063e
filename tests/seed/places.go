package seed

import (
	"context"
	"encoding/json"
	"io/fs"
	"maps"
	"slices"
	"strings"

	masterdatav1 "crossdock.dev/gen/crossdock/masterdata/v1"
	typev1 "crossdock.dev/gen/crossdock/type/v1"
)

// locations reads sites. geofence_m is read and not kept: positions are no part of the suite yet.
func (r *reader) locations() {
	const file = "locations.csv"
	cutOff := r.cutOffs()
	places := map[string]bool{}
	for _, x := range r.table(r.dir, file, "id", "party", "name", "role", "address", "city", "state", "postcode", "country", "zone", "lat", "lon",
		"geofence_m", "open_days", "open_from", "open_to", "flags", "appointment") {
		id := x.text("id")
		places[id] = true
		m := &masterdatav1.Location{
			Name: "locations/" + id, Owner: "parties/" + x.text("party"), DisplayName: x.text("name"), Address: address(x), Zone: x.text("zone"),
			OpenWeekdays: x.weekdays("open_days"), OpenFrom: x.text("open_from"), OpenTo: x.text("open_to"), Flags: x.words("flags"),
			Latitude: x.decimal("lat"), Longitude: x.decimal("lon"),
			ExternalIds: r.externalAtPlace[id], ShippingCalendar: r.shipping[id], CutOff: cutOff[id],
		}
		x.number("geofence_m")
		x.only("appointment", "no")
		x.only("role", "ship-from", "ship-to")
		if x.text("role") == "ship-from" {
			m.Owner = "legalEntities/" + x.text("party")
			if m.GetShippingCalendar() == "" || m.GetCutOff() == "" {
				x.fail("role", "ship-from without a shipping calendar in calendars.csv or a cut-off in planning.json")
			}
		} else if p := r.partyOf[x.text("party")]; p == nil || isCarrier(p) {
			x.fail("party", "%q is no customer of parties.csv", x.text("party"))
		}
		r.plan.add(file, id, func(ctx context.Context, c masterdatav1.MasterDataServiceClient, id string) error {
			_, err := c.UpdateLocation(ctx, &masterdatav1.UpdateLocationRequest{Location: m, AllowMissing: true, RequestId: id})
			return err
		})
		r.plan.summary.Locations++
	}
	for _, from := range []struct {
		file   string
		places []string
	}{
		{"external_ids.csv", slices.Sorted(maps.Keys(r.externalAtPlace))},
		{"calendars.csv", slices.Sorted(maps.Keys(r.shipping))},
		{"planning.json", slices.Sorted(maps.Keys(cutOff))},
	} {
		for _, place := range from.places {
			if !places[place] {
				r.add(from.file, place, "", "is not in %s", file)
			}
		}
	}
}

// cutOffs reads when an order of the day must be confirmed to ship on the next shipping day, by location. The other keys of
// planning.json are rules that the services hold.
func (r *reader) cutOffs() map[string]string {
	const file = "planning.json"
	raw, err := fs.ReadFile(r.dir, file)
	if err != nil {
		r.add(file, "", "", "%v", err)
		return nil
	}
	var planning struct {
		CutOff map[string]string `json:"cut_off_local"`
	}
	if err := json.Unmarshal(raw, &planning); err != nil {
		r.add(file, "cut_off_local", "", "%v", err)
	}
	return planning.CutOff
}

// itemQualifiers are the columns of part numbers, named by X12 element 235: buyer's, vendor's, UPC case.
var itemQualifiers = []string{"CB", "VN", "UA"}

// items reads items.csv or the late file, which has one more column. density_pcf is read and not kept: rating computes it.
func (r *reader) items(file string) {
	columns := []string{"sku", "description", "base_unit", "CB", "VN", "UA", "gross_weight_per_unit", "weight_unit", "units_per_carton",
		"carton_l", "carton_w", "carton_h", "dim_unit", "density_pcf", "nmfc_class", "class_source", "hazmat", "valid_from"}
	if file == ItemsLate {
		columns = append(columns, "loaded_at")
	}
	for _, x := range r.table(r.dir, file, columns...) {
		m := &masterdatav1.Item{
			Name: "items/" + x.text("sku"), DisplayName: x.text("description"), BaseUnit: x.text("base_unit"),
			GrossWeight:      &typev1.Quantity{Value: x.decimal("gross_weight_per_unit"), Unit: x.text("weight_unit")},
			UnitsPerCarton:   x.number("units_per_carton"),
			CartonDimensions: []string{x.decimal("carton_l"), x.decimal("carton_w"), x.decimal("carton_h")}, DimensionUnit: x.text("dim_unit"),
			FreightClass: x.text("nmfc_class"), FreightClassSource: x.text("class_source"), ValidFrom: x.date("valid_from"),
		}
		x.only("hazmat", "none")
		if x.text("density_pcf") != "" {
			x.decimal("density_pcf")
		}
		for _, q := range itemQualifiers {
			if v := x.text(q); v != "" {
				m.ExternalIds = append(m.ExternalIds, &typev1.ExternalId{System: "x12", Kind: "item", Qualifier: q, Value: v})
			}
		}
		if file == ItemsLate {
			r.lateAt(x)
		}
		r.plan.add(file, x.text("sku"), func(ctx context.Context, c masterdatav1.MasterDataServiceClient, id string) error {
			_, err := c.UpdateItem(ctx, &masterdatav1.UpdateItemRequest{Item: m, AllowMissing: true, RequestId: id})
			return err
		})
		r.plan.summary.Items++
	}
}

// lateAt notes when a late file arrives: all its rows at once.
func (r *reader) lateAt(x row) {
	at := x.instant("loaded_at")
	if !r.late.IsZero() && !r.late.Equal(at) {
		x.fail("loaded_at", "rows of one file arrive at different times")
	}
	r.late = at
}

func (r *reader) lanes() {
	const file = "lanes.csv"
	for _, x := range r.table(r.dir, file, "id", "from", "to", "distance", "distance_unit", "distance_source", "transit_days_TL", "transit_days_LTL") {
		m := &masterdatav1.Lane{
			Name: "lanes/" + x.text("id"), Origin: "locations/" + x.text("from"), Destination: "locations/" + x.text("to"),
			Distance:       &typev1.Quantity{Value: x.decimal("distance"), Unit: x.text("distance_unit")},
			DistanceSource: x.text("distance_source"),
			TransitDays:    map[string]int32{"TL": x.number("transit_days_TL"), "LTL": x.number("transit_days_LTL")},
		}
		r.plan.add(file, x.text("id"), func(ctx context.Context, c masterdatav1.MasterDataServiceClient, id string) error {
			_, err := c.UpdateLane(ctx, &masterdatav1.UpdateLaneRequest{Lane: m, AllowMissing: true, RequestId: id})
			return err
		})
		r.plan.summary.Lanes++
	}
}

// routingGuides reads one guide per lane and mode, in the order of their first rows.
func (r *reader) routingGuides() {
	const file = "routing_guide.csv"
	byName := map[string]*masterdatav1.RoutingGuide{}
	for _, x := range r.table(r.dir, file, "lane", "mode", "rank", "scac", "strategy", "same_carrier_again") {
		key := x.text("lane") + "-" + x.text("mode")
		x.only("strategy", "waterfall")
		again := choice(x, "same_carrier_again", map[string]bool{"yes": true, "no": false})
		m := byName[key]
		if m == nil {
			m = &masterdatav1.RoutingGuide{Name: "routingGuides/" + key, Lane: "lanes/" + x.text("lane"), Mode: x.text("mode"), SameCarrierAgain: again}
			byName[key] = m
			r.plan.add(file, key, func(ctx context.Context, c masterdatav1.MasterDataServiceClient, id string) error {
				_, err := c.UpdateRoutingGuide(ctx, &masterdatav1.UpdateRoutingGuideRequest{RoutingGuide: m, AllowMissing: true, RequestId: id})
				return err
			})
			r.plan.summary.RoutingGuides++
		}
		if m.GetSameCarrierAgain() != again {
			x.fail("same_carrier_again", "differs from the row before of %s", key)
		}
		m.Choices = append(m.Choices, &masterdatav1.RoutingGuide_Choice{Rank: x.number("rank"), Carrier: "parties/" + carrierID(x.text("scac"))})
	}
}

// partnerOf is the resource name of the party that a code map names: "" for "*", every partner.
func partnerOf(x row, column string) string {
	if x.text(column) == "*" {
		return ""
	}
	return "parties/" + carrierID(x.text(column))
}

// codeName is the name of a code map: what it maps, whose, which code.
func codeName(set, partner, code string) string {
	return strings.Join(slices.DeleteFunc([]string{"x12", set, partner, code}, func(s string) bool { return s == "" || s == "*" }), "-")
}

// codeMap sends a code map and approves it.
func (r *reader) codeMap(file, key string, m *masterdatav1.CodeMap) {
	m.Name = "codeMaps/" + key
	r.plan.add(file, key, func(ctx context.Context, c masterdatav1.MasterDataServiceClient, id string) error {
		_, err := c.UpdateCodeMap(ctx, &masterdatav1.UpdateCodeMapRequest{CodeMap: m, AllowMissing: true, RequestId: id})
		return err
	})
	r.plan.add(file, key+"/approve", func(ctx context.Context, c masterdatav1.MasterDataServiceClient, id string) error {
		_, err := c.ApproveCodeMap(ctx, &masterdatav1.ApproveCodeMapRequest{Name: m.GetName(), RequestId: id})
		return err
	})
	r.plan.summary.CodeMaps++
}

// codeMap214 reads what status codes mean (X12 element 1650), from the day's file or the late one.
func (r *reader) codeMap214(file string) {
	columns := []string{"partner", "code", "canonical", "valid_from", "status", "note"}
	if file == CodeMapLate {
		columns = append(columns, "loaded_at")
	}
	for _, x := range r.table(r.dir, file, columns...) {
		x.only("status", "approved")
		if file == CodeMapLate {
			r.lateAt(x)
		}
		r.codeMap(file, codeName("214", x.text("partner"), x.text("code")), &masterdatav1.CodeMap{
			Party: partnerOf(x, "partner"), List: "x12/1650", Code: x.text("code"), Canonical: x.text("canonical"),
			ValidFrom: x.date("valid_from"), Evidence: x.text("note"),
		})
	}
}

// codeMap990 reads what answers to a tender mean (X12 element 558).
func (r *reader) codeMap990() {
	const file = "code_map_990.csv"
	for _, x := range r.table(r.dir, file, "partner", "letter", "canonical", "valid_from", "status", "owner") {
		x.only("status", "approved")
		r.codeMap(file, codeName("990", x.text("partner"), x.text("letter")), &masterdatav1.CodeMap{
			Party: partnerOf(x, "partner"), List: "x12/558", Code: x.text("letter"), Canonical: x.text("canonical"),
			ValidFrom: x.date("valid_from"), Evidence: "owner: " + x.text("owner"),
		})
	}
}

// units reads what X12 units (element 355) are in UN/ECE Rec 20. The file has no dates: the rows hold from seedStart on. kind
// is read and not kept: it follows from the Rec 20 code.
func (r *reader) units() {
	const file = "units_x12_355.csv"
	for _, x := range r.table(r.dir, file, "x12_355", "where_seen", "rec20", "kind", "source") {
		x.only("kind", "count", "package", "area", "mass", "volume")
		r.codeMap(file, codeName("355", "", x.text("x12_355")), &masterdatav1.CodeMap{
			List: "x12/355", Code: x.text("x12_355"), Canonical: x.text("rec20"), ValidFrom: seedStart(),
			Evidence: x.text("where_seen") + "; " + x.text("source"),
		})
	}
}
