// Package process runs the suite's programs as they are shipped, for tests and for the check of capabilities: it builds them, starts
// them, watches what they print, kills them and stops them.
//
// A Program is one that runs, a Suite is a data folder and the `crossdock up` that runs on it. What waits, waits for a line that a
// program prints or for its end; only what nobody tells of, such as a port that is free again, is asked for again and again. All
// that goes wrong is an error; Launch, EndWith, TellLogs and WithAgent, which need a test, tell it to the test. A program that a
// test launches is gone when the test is over.
//
// How many programs run, what is sent to them and what they should answer is for the caller. The services' names are too: this
// package knows none but the command line's and what `crossdock up` prints.
package process
