// Package chaos is the simulation: it plays stories while things go wrong, and compares what is left with what an orderly day
// leaves.
//
// The services' own assemblies run in one goroutine (package sim), with a simulated network, disk and clocks. Everything is
// drawn from a seed: the story, how often what goes wrong, and each time that it does. Calls between services are lost before
// or after their effect, delayed, repeated and reordered; programs are closed, and lose their power before, within and after a
// commit, where the disk keeps what was synced and any part of the rest; feeds fall silent; clocks are off by an hour; partners
// repeat what they sent, under the same key. The same seed makes the same run, down to the hashes of the logs.
//
// After each seed the faults stop, every flow must come to its end, every store must verify (I1, I2, I4, I6, I7 and the rules
// of the service), tower's invariants across feeds must hold (I2, I3, I5, I8), and the outcome must be that of
// tests/day/expected.json for the purchase order of the page, and that of the orderly run for truckloads.
//
//	go test ./chaos -run TestSeeds -seeds 500    the simulation
//	go test ./chaos -run TestSeeds -seed 82      one seed again, with the end of its trace when it fails
//	go test ./chaos -run TestMessages -stories 50
//	go test ./chaos -run 'TestLostAnswers|TestInDoubt|TestClockSteps'
//
// How programs survive kill -9, full disks and broken links is for packages programs and torture.
package chaos
