package rating

import (
	"fmt"

	"crossdock.dev/kernel/calendar"
	"crossdock.dev/kernel/decimal"
)

// The NMFC density scale in force since 2025-07-19 (Docket 2025-1, 13 sub-provisions): at least so many pounds per cubic
// foot, below the next, is the class. The NMFTA's public FAQ confirms the classes from 30 pcf up; the others rest on published
// secondary tables.
var densityBounds = [...]struct {
	from  decimal.Decimal
	class string
}{
	{decimal.Int(50), "50"},
	{decimal.Int(35), "55"},
	{decimal.Int(30), "60"},
	{decimal.New(225, 1), "65"},
	{decimal.Int(15), "70"},
	{decimal.Int(12), "85"},
	{decimal.Int(10), "92.5"},
	{decimal.Int(8), "100"},
	{decimal.Int(6), "125"},
	{decimal.Int(4), "175"},
	{decimal.Int(2), "250"},
	{decimal.Int(1), "300"},
	{decimal.Int(0), "400"},
}

var (
	thirteenSubsSince = calendar.MustParseDate("2025-07-19")
	elevenSubsTop     = decimal.Int(30)
)

// DensityClass returns the freight class of a density in pounds per cubic foot, by the scale in force on a date (the ship
// date, local). A bound belongs to the denser class. Before 2025-07-19 the scale had 11 sub-provisions, of which only the
// top one is known here (30 pcf and more is class 60); below it the answer is ErrNoScale, never a guess. A density that is
// not positive is ErrMove.
func DensityClass(pcf decimal.Decimal, on calendar.Date) (string, error) {
	if pcf.Sign() <= 0 {
		return "", fmt.Errorf("%w: density %s", ErrMove, pcf)
	}
	if on.Before(thirteenSubsSince) {
		if pcf.Less(elevenSubsTop) {
			return "", fmt.Errorf("%w: %s, density %s", ErrNoScale, on, pcf)
		}
		return "60", nil
	}
	for _, b := range densityBounds {
		if !pcf.Less(b.from) {
			return b.class, nil
		}
	}
	return "", fmt.Errorf("%w: density %s", ErrMove, pcf)
}
