//go:build !failpoints

package clock

import "time"

// now is the machine's time.
func now() time.Time { return time.Now() }
