//go:build !failpoints

package failpoint

// Hit is an instant at which a test may kill the program. Here it is nothing.
func Hit(string) {}
