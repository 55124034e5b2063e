package story

import (
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/type/money"
)

// MoneyJSON writes a decimal string such as "-498.32" as google.type.Money in JSON: units and nanos have the same sign.
func MoneyJSON(amount, currency string) map[string]any {
	sign, digits := "", amount
	if strings.HasPrefix(amount, "-") {
		sign, digits = "-", amount[1:]
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	nanos, err := strconv.Atoi(sign + (fraction + "000000000")[:9])
	if err != nil {
		nanos = 0
	}
	return map[string]any{"currencyCode": currency, "units": sign + whole, "nanos": nanos}
}

// Decimal writes money as a decimal string with two places, as the day's pages do.
func Decimal(m *money.Money) string {
	units, nanos := m.GetUnits(), int64(m.GetNanos())
	sign := ""
	if units < 0 || nanos < 0 {
		sign, units, nanos = "-", -units, -nanos
	}
	cents := strconv.FormatInt(nanos/10_000_000, 10)
	if len(cents) < 2 {
		cents = "0" + cents
	}
	return sign + strconv.FormatInt(units, 10) + "." + cents
}
