//go:build failpoints

package clock

import (
	"os"
	"time"
	"unsafe"
)

// OffsetFile is the environment variable that names a file. What stands in it, such as "-1h", is added to the machine's time of day: so a
// test steps the clock of a program that runs. Without the variable, or the file, nothing is added.
const OffsetFile = "CROSSDOCK_CLOCK_OFFSET"

// now is the machine's time as it would be read had the time of day been set.
func now() time.Time {
	t := time.Now()
	path := os.Getenv(OffsetFile)
	if path == "" {
		return t
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return t
	}
	by, err := time.ParseDuration(string(text))
	if err != nil {
		return t
	}
	return stepped(t, by)
}

// stepped moves the time of day of a reading by whole seconds and leaves its other clock, which measures what has passed, as it is:
// that is what setting the machine's clock does, and what Time.Add does not. TestStepped holds this against package time.
func stepped(t time.Time, by time.Duration) time.Time {
	const nanosecondBits = 30 // of the first word of a Time that holds both readings; the seconds are above
	*(*uint64)(unsafe.Pointer(&t)) += uint64(by/time.Second) << nanosecondBits
	return t
}
