// Package failpoint names the instants at which a program may be killed by a test: before and after it commits, sends and
// acknowledges.
//
// In the programs that are shipped a point is an empty function that the compiler leaves out. Only with the build tag "failpoints"
// does it do anything: the environment variable CROSSDOCK_FAILPOINTS then names a folder, and a program whose name is that of a file in it,
// with a line such as "store.commit.before 3", kills itself as kill -9 does when it passes that point for the third time. It takes the file
// away first, so that the program which is started next goes on; so a test arms a program that runs, as often as it likes.
//
// With the same tag, package clock lets a test step the machine's time of day.
//
// A point promises nothing about the state of the program: it stands where it matters that nothing does. `tests/torture` uses every one.
package failpoint
