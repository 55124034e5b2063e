package rule

// Party is what the roles of a party demand of its other fields.
type Party struct {
	Customer, Carrier bool // its roles
	HasProfile        bool // carrier facts are there
	TaxRule           string
}

// Check wants carrier facts exactly where the party is a carrier, and a tax rule for customers alone.
func (p Party) Check() Fields {
	var f Fields
	switch {
	case p.Carrier && !p.HasProfile:
		f.Add("carrier", Missing, "a carrier needs its facts")
	case !p.Carrier && p.HasProfile:
		f.Add("carrier", NotAllowed, "only a carrier has carrier facts")
	}
	if p.TaxRule != "" && !p.Customer {
		f.Add("tax_rule", NotAllowed, "only a customer has a tax rule")
	}
	return f
}

// TONU wants a window where there is a charge for a truck ordered and not used, and none where there is none.
func TONU(hasCharge bool, windowHours int32) Fields {
	var f Fields
	switch {
	case hasCharge && windowHours == 0:
		f.Add("tonu_window_hours", Missing, "a charge for a truck not used needs its window")
	case !hasCharge && windowHours != 0:
		f.Add("tonu_window_hours", NotAllowed, "there is no charge for a truck not used")
	}
	return f
}
