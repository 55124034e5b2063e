package money

import (
	"fmt"
	"strings"
)

// The active codes of ISO 4217 (list one, as republished in the public data set "currency-codes"), grouped by
// the number of digits of the minor unit. Precious metals, bond units and the codes for testing and for "no
// currency" have no minor unit there and are left out: amounts in them are refused.
const (
	digits0 = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
	digits2 = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF " +
		"CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD " +
		"GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL " +
		"MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR " +
		"PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP " +
		"TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG"
	digits3 = "BHD IQD JOD KWD LYD OMR TND"
	digits4 = "CLF UYW"
)

var minorDigits = func() map[string]uint8 {
	m := make(map[string]uint8)
	for n, codes := range [...]string{0: digits0, 2: digits2, 3: digits3, 4: digits4} {
		for _, c := range strings.Fields(codes) {
			m[c] = uint8(n)
		}
	}
	return m
}()

// Digits returns the number of digits after the point that the currency's minor unit has: 2 for USD, 0 for JPY,
// 3 for BHD. A code that is not an active ISO 4217 currency is ErrUnknownCurrency.
func Digits(currency string) (uint8, error) {
	n, ok := minorDigits[currency]
	if !ok {
		return 0, fmt.Errorf("%w: %q", ErrUnknownCurrency, currency)
	}
	return n, nil
}
