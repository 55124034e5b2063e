package suite

import (
	"net"
	"strconv"
	"testing"
)

// Suites that start at the same moment, before any of their programs listens, get different ports.
func TestClaim(t *testing.T) {
	first, base, err := Claim(0)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, other, err := Claim(0)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if base == other {
		t.Errorf("two suites got the ports from %d", base)
	}
	if third, _, err := Claim(base); err == nil {
		third.Close()
		t.Errorf("a third suite got the ports from %d, which are claimed", base)
	}
}

// No two of the blocks that a suite may find have a port in common, nor one with those of outgoing connections; the block left in each
// stride, for suites of tests that stay where they are, neither.
func TestBlocksAreDisjoint(t *testing.T) {
	taken := map[int]int{}
	for n := range strides * (perStride + 1) {
		plan := Plan(Layout{}, "", block(n), false)
		addrs := append(plan.agentPorts[:], net.JoinHostPort("127.0.0.1", strconv.Itoa(block(n))))
		for _, a := range plan.Services {
			addrs = append(addrs, a.GRPC, a.Admin)
			if a.HTTP != "" {
				addrs = append(addrs, a.HTTP)
			}
		}
		for _, addr := range addrs {
			_, text, err := net.SplitHostPort(addr)
			if err != nil {
				t.Fatal(err)
			}
			port, err := strconv.Atoi(text)
			if err != nil || port < 1024 || port >= 32768 {
				t.Errorf("port %s, %v", text, err)
			}
			if other := taken[port]; other != 0 {
				t.Fatalf("the blocks from %d and from %d both have port %d", other, block(n), port)
			}
			taken[port] = block(n)
		}
	}
}
